"""What tests of a relay say and ask often: who has joined, what was refused, bytes really read.

Used by tests/daemon beside tests/harness.py. Everything here looks from outside: at the state file
or at the kernel's counts of a socket.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from protocol._core.connection import read_offences
from protocol.checksum import seal
from protocol.header import HEADER_SIZE, Header
from protocol.reject import Reject
from relays.core.peer import Phase
from relays.edge.listener import unread, unsent
from relays.edge.memory import open_state
from tests.harness import PATIENCE, Client, RelayProcess, eventually, split

NOBODY = 65534
PAGES = 256


def until_read(sock: socket.socket) -> None:
    """Wait until the other side has read every byte sent on `sock`; what came of it may not be in
    the state yet, but is there before anything sent from now on is looked at."""
    deadline = time.monotonic() + PATIENCE
    while unsent(sock):
        assert time.monotonic() < deadline, "the relay does not read"
        os.sched_yield()


def send_apart(client: Client, *parts: bytes) -> None:
    """Send each part only when the relay has read the one before it."""
    for part in parts:
        client.send(part)
        until_read(client.sock)


def joined(relay: RelayProcess, count: int = 1) -> None:
    """Wait until the relay has `count` connections."""
    eventually(lambda: len(relay.consumers()) == count, f"{count} connections")


def until_end(relay: RelayProcess, count: int) -> None:
    """Wait until the log has `count` frames, and see that they do not become more."""
    eventually(lambda: relay.end() >= count, f"{count} frames in the log")
    assert relay.end() == count


def in_phase(relay: RelayProcess, phase: Phase) -> list[dict[str, Any]]:
    """The records of the connections that are in `phase`, in the order of their arrival."""
    rows = [row for row in relay.consumers() if row["role"] == phase]
    return sorted(rows, key=lambda row: int(row["id"]))


def plain(relay: RelayProcess, count: int = 1) -> None:
    """Wait until the relay has `count` PLAIN consumers."""
    eventually(lambda: len(in_phase(relay, Phase.PLAIN)) == count, f"{count} PLAIN consumers")


def rejected(relay: RelayProcess, code: Reject) -> int:
    return int(relay.counters()["by_reason"][code])


def disconnected(relay: RelayProcess, code: int = 0) -> int:
    """How many connections ended for `code`; 0: the peer closed."""
    return int(relay.counters()["disconnects"][code])


def offences(relay: RelayProcess) -> list[tuple[int, bytes]]:
    """(code, first bytes) of every offending frame that is kept."""
    state = open_state(relay.domain, str(relay.folder))
    pages = [read_offences(state, page) for page in range(PAGES)]
    return [(row[1], row[3]) for page in pages for row in page["rows"]]


def waiting(client: Client) -> int:
    """Bytes that have come and were not read yet."""
    return len(client.kept) + unread(client.sock)


def whole_frames(stream: bytes) -> list[bytes]:
    """The frames of a stream that must end between two of them."""
    found = list(split(stream))
    assert sum(map(len, found)) == len(stream), "the stream ends inside a frame"
    return found


def sequences(frames: list[bytes]) -> list[int]:
    return [Header.unpack(one).sequence for one in frames]


def damaged(frame: bytes, at: int = HEADER_SIZE) -> bytes:
    """The frame with one bit changed behind its checksum's back."""
    return frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :]


def altered(frame: bytes, at: int, value: bytes) -> bytes:
    """The frame with other bytes at `at`, sealed again: what no message class would write."""
    raw = bytearray(frame)
    raw[at : at + len(value)] = value
    seal(raw)
    return bytes(raw)


def gone(client: Client) -> bool:
    """Whether the relay closes this connection; what it said before is read and dropped."""
    client.rest()
    return True


class UserClient(Client):
    """A connection that another user made: the relay sees `uid` and the pid of a process of its
    own, which lives as long as the connection. The test must run as root."""

    def __init__(self, relay: RelayProcess, uid: int, groups: tuple[int, ...] = ()) -> None:
        ours, theirs = socket.socketpair()
        self.child = os.fork()
        if self.child == 0:
            _connect_as(uid, groups, relay, theirs)
        theirs.close()
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        ours.close()
        self.sock = socket.socket(fileno=fds[0])
        self.sock.settimeout(PATIENCE)
        self.kept = b""
        self.welcome = None

    def close(self) -> None:
        super().close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)


def _connect_as(uid: int, groups: tuple[int, ...], relay: RelayProcess, to: socket.socket) -> None:
    """In a child: become that user, connect, hand the socket over, and stay."""
    with contextlib.suppress(BaseException):
        os.chdir(relay.folder)
        os.dup2(to.fileno(), 3)
        os.closerange(4, 1 << 16)  # or the test's own sockets would stay open in here
        to = socket.socket(fileno=3)
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.connect(os.path.basename(relay.path))
        socket.send_fds(to, [b"x"], [made.fileno()])
        made.close()
        to.close()
        signal.pause()
    os._exit(1)


@contextlib.contextmanager
def users(relay: RelayProcess) -> Iterator[list[UserClient]]:
    """A list of UserClients that are all closed at the end; the relay's folder lets them in."""
    relay.folder.chmod(0o755)
    made: list[UserClient] = []
    try:
        yield made
    finally:
        for one in made:
            one.close()
