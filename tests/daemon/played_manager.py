"""A service manager that keeps descriptors, played by the test, and the relays it starts.

Used by test_adoption_review. It does what sd_notify(3) says of FDSTORE, FDSTOREREMOVE and BARRIER,
when the test looks; tests/deploy has the real one.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from tests.harness import RelayProcess

# Hands over what is in argv[1] as 3, 4, 5 ... by the names in argv[2], and becomes the rest.
HAND_OVER = """
import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 200) for fd in sys.argv[1].split(",")]
for number, fd in enumerate(fds):
    os.dup2(fd, 3 + number)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])
"""


class PlayedManager:
    """Starts relays of `domain` in `folder`, one after the other; `kept` has the copies by name."""

    def __init__(self, folder: Path, domain: str = "market_data", **settings: Any) -> None:
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(str(folder / f"{domain}.sock"))
        self.listening.listen(64)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "notify"))
        self.notified.setblocking(False)
        self.kept: dict[str, int] = {}
        self.relay = RelayProcess(domain, folder, **settings)

    def start(self) -> None:
        """Start a relay, which gets all that is kept."""
        names = ["listen", *self.kept]
        fds = [self.listening.fileno(), *self.kept.values()]
        self.relay.passed = tuple(fds)
        text = ",".join(map(str, fds)), ":".join(names)
        address = f"NOTIFY_SOCKET={self.relay.folder}/notify"
        self.relay.prefix = ("env", address, "python3", "-c", HAND_OVER, *text)
        self.relay.start()

    def work(self) -> int:
        """Work off what was notified; gives how many copies there are."""
        while True:
            try:
                text, fds, _, _ = socket.recv_fds(self.notified, 4096, 4)
            except BlockingIOError:
                return len(self.kept)
            words = dict(line.partition("=")[::2] for line in text.decode().splitlines())
            if "FDSTORE" in words:
                self.kept[words["FDNAME"]] = fds[0]
            elif "FDSTOREREMOVE" in words:
                os.close(self.kept.pop(words["FDNAME"]))
            else:
                for fd in fds:
                    os.close(fd)

    def stored(self, count: int) -> bool:
        """Whether the relay knows of `count` copies."""
        self.work()
        return [row["stored"] for row in self.relay.consumers()].count(1) == count

    def clean(self) -> None:
        self.relay.clean()
        self.work()
        for fd in self.kept.values():
            os.close(fd)
        self.listening.close()
        self.notified.close()
