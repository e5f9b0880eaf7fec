"""The service manager, played: it keeps copies of a relay's connections, which outlive the relay.

Used by `machine`. What it is told waits until `work`, so that of some connections a dying relay
does not know yet that they are kept. `relays.edge.store` and `relays.edge.handover` run as they
are: their modules see this manager's socket, its pipes, and the letter to the successor.
"""

from __future__ import annotations

import errno
import random
import socket
from collections import deque
from types import SimpleNamespace
from typing import Any

from tests.simulator.kernel import FIRST_FD, Kernel
from tests.simulator.sockets import Line

NOTIFY = 6
FIRST_PIPE = FIRST_FD << 1


class Answer:
    """The reading end of a pipe: at its end once nobody has the other one."""

    writable = False

    def __init__(self) -> None:
        self.readable = False


class Letter:
    """The file beside the state in which a relay says what its successor must know."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.text: bytes | None = None

    def read_bytes(self) -> bytes:
        if self.text is None:
            raise FileNotFoundError
        return self.text

    def unlink(self, missing_ok: bool) -> None:
        assert missing_ok
        self._kernel.system_call()
        self.text = None

    def open(self, path: object, mode: str, opener: object) -> Letter:
        """For writing, from its begin; now and then there is no room."""
        assert (path, mode) == (self, "wb")
        self._kernel.system_call()
        self.text = b""
        if not self._kernel.calm and self._kernel.chance.random() < 0.03:
            raise OSError(errno.ENOSPC, "no room for a letter")
        return self

    def write(self, text: bytes) -> None:
        self._kernel.system_call()
        self.text = text

    def __enter__(self) -> Letter:
        return self

    def __exit__(self, *_: object) -> None:
        self._kernel.system_call()


class Manager:
    """Keeps `copies` of connections by name. `inbox` is what it was told and has not looked at;
    `writable` whether it can be told more. As the relay sees it, it is a socket."""

    readable = False

    def __init__(self, kernel: Kernel, chance: random.Random) -> None:
        self._kernel = kernel
        self.letter = Letter(kernel)
        self.copies: list[tuple[str, Line]] = []
        self.inbox: deque[tuple[dict[str, str], Line | Answer | None]] = deque()
        self._room = chance.choice([1, 3, 8])
        self.haste = chance.choice([0.02, 0.1, 0.4])
        self._pipes = 0

    # --- what it does ---

    def work(self, most: int = 1 << 30) -> None:
        """Look at what it was told, at most so many of that."""
        while self.inbox and most > 0:
            said, what = self.inbox.popleft()
            most -= 1
            self._kernel.note("manager", *said.items())
            if "FDSTORE" in said:
                assert isinstance(what, Line)
                assert said["FDPOLL"] == "0"
                self.copies.append((said["FDNAME"], what))
            elif "FDSTOREREMOVE" in said:
                self.copies = [each for each in self.copies if each[0] != said["FDNAME"]]
            elif isinstance(what, Answer):
                what.readable = True

    def has(self, line: Line) -> bool:
        """Whether the line lives on where the relay closes it, or dies."""
        waiting = any(what is line for _, what in self.inbox)
        return waiting or any(copy is line for _, copy in self.copies)

    def hand_over(self) -> list[tuple[str, Any]]:
        """What the next relay is given when it starts."""
        self._kernel.open.update((line.fd, line) for _, line in self.copies)
        return list(self.copies)

    def forget(self) -> None:
        """The relay was stopped for good, or the machine died."""
        self.copies.clear()
        self.inbox.clear()
        self.letter.text = None

    # --- what the relay sees ---

    @property
    def writable(self) -> bool:
        return len(self.inbox) < self._room

    def connect(self, _: str) -> None:
        self._kernel.others[NOTIFY] = self

    def fileno(self) -> int:
        return NOTIFY

    def _told(self, _: Manager, texts: list[bytes], fds: list[int]) -> None:
        kernel = self._kernel
        kernel.system_call()
        if not self.writable:
            raise BlockingIOError
        if not kernel.calm and kernel.chance.random() < 0.01:
            raise ConnectionRefusedError
        said = dict(line.split("=", 1) for line in texts[0].decode().split("\n"))
        what = kernel.open.get(fds[0]) or kernel.others[fds[0] - 1] if fds else None
        assert what is None or isinstance(what, Line | Answer)
        self.inbox.append((said, what))
        kernel.system_call()

    def _pipe(self, _: int) -> tuple[int, int]:
        self._pipes += 2
        answer = FIRST_PIPE + self._pipes
        self._kernel.others[answer] = Answer()
        return answer, answer + 1

    def _close(self, fd: int) -> None:
        self._kernel.others.pop(fd, None)

    def played(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands where in the modules `relays.edge.store` and `relays.edge.handover`."""
        sockets = SimpleNamespace(
            AF_UNIX=socket.AF_UNIX, SOCK_DGRAM=socket.SOCK_DGRAM, SHUT_RDWR=socket.SHUT_RDWR,
            SOCK_NONBLOCK=socket.SOCK_NONBLOCK, SOL_SOCKET=socket.SOL_SOCKET,
            socket=lambda family, kind: self, send_fds=self._told,
        )  # fmt: skip
        system = SimpleNamespace(pipe2=self._pipe, close=self._close, O_CLOEXEC=0, O_NONBLOCK=0)
        return {"socket": sockets, "os": system}, {"open": self.letter.open}
