"""Many connections at once, from a process of their own: `python -m tests.adversity.crowd PATH N`.

Opens N connections to a relay, says "open" when every one has been accepted or refused, keeps them
until its input ends, and prints what became of them as JSON: how many were refused with
TOO_MANY_CONNECTIONS, how many were closed without a word, how many stayed.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import sys
import time

from protocol.control import Error
from protocol.header import HEADER_SIZE
from protocol.message import decode
from protocol.reject import Reject

PATIENCE = 60.0


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


def outcome(sock: socket.socket) -> str:
    """What the relay said to a connection that has something to read."""
    try:
        said = sock.recv(1 << 16)
    except ConnectionResetError:
        return "closed"
    if not said:
        return "closed"
    error = decode(said) if len(said) > HEADER_SIZE and said[4] == 102 else None
    refused = isinstance(error, Error) and error.code == Reject.TOO_MANY_CONNECTIONS
    return "refused" if refused else "served"


def main(path: str, count: int) -> None:
    """See the module's docstring."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    everyone = {sock.fileno(): sock for sock in (connect(path) for _ in range(count))}
    poll = select.poll()
    for fd in everyone:
        poll.register(fd, select.POLLIN)
    print("open", flush=True)
    poll.register(sys.stdin, select.POLLIN)
    found = {"refused": 0, "closed": 0, "served": 0}
    deadline, over = time.monotonic() + PATIENCE, False
    while not over and time.monotonic() < deadline:
        for fd, _ in poll.poll(1000):
            poll.unregister(fd)
            if fd in everyone:
                found[outcome(everyone[fd])] += 1
            else:
                over = True
    print(json.dumps(found | {"stayed": count - sum(found.values())}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
