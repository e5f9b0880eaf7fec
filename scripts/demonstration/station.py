"""One process of the demonstration: its links, its orders from stdin, its words on stdout.

Called by player, strategy, portfolio, engine and verifier. Words are JSON lines; orders are `go`
and `finish N`, N being the position at which the log it reads from is complete. The end of stdin
means that the session has gone: the process ends at once, so none is left behind.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from protocol.control import Role
from protocol.errors import ProtocolError
from protocol.message import Message, Unknown
from relays.client import Batch, Link
from relays.domains import DOMAINS
from relays.errors import RelayError

LOOK_MS = 50
STDIN = 0
Handler = Callable[[Batch], None]
OnControl = Callable[[Message | Unknown], None]


class Station:
    """What every process here does; `settings` are the JSON object it was started with."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.going = False
        self.end: int | None = None
        self._poll = select.poll()
        self._poll.register(STDIN, select.POLLIN)
        self._orders = b""

    def link(self, domain: str, on_control: OnControl | None = None, **hello: Any) -> Link:
        """A session with one of the relays, named after this process."""
        path = DOMAINS[domain].socket(self.settings["runtime_dir"])
        link = Link(path, on_control=on_control)
        link.hello(name=self.settings["name"], heartbeat_ms=100, **hello)
        return link

    def say(self, state: str, **facts: object) -> None:
        """One line to the session."""
        print(json.dumps({"state": state, **facts}), flush=True)

    def obey(self, timeout_ms: float = 0) -> list[int]:
        """Wait for orders or links, take the orders; gives the descriptors that are readable."""
        readable = [fd for fd, _ in self._poll.poll(timeout_ms)]
        if STDIN not in readable:
            return readable
        data = os.read(STDIN, 4096)
        if not data:
            # The session has gone; what it would be told has no reader.
            os._exit(os.EX_OK)
        *lines, self._orders = (self._orders + data).split(b"\n")
        for line in lines:
            word, _, number = line.partition(b" ")
            self.going = True
            self.end = int(number) if word == b"finish" else self.end
        return readable

    def serve(self, feeds: Mapping[Link, Handler], done: Callable[[], bool]) -> None:
        """Hand every batch to its link's handler and confirm it, until `done`."""
        by_fd = {link.fileno(): link for link in feeds}
        for fd in by_fd:
            self._poll.register(fd, select.POLLIN)
        self.say("ready")
        # What came right behind a Welcome has been read from the socket already.
        readable = list(by_fd)
        while not done():
            for fd in readable:
                if fd in by_fd:
                    _take(by_fd[fd], feeds[by_fd[fd]])
            readable = self.obey(LOOK_MS)

    def rest(self, **facts: object) -> None:
        """Say what was done, and keep the links open until the session ends."""
        self.say("done", **facts)
        while True:
            self.obey(1000)


def _take(link: Link, handler: Handler) -> None:
    before = link.position
    while (batch := link.read(0)).frames:
        handler(batch)
    if link.position != before:
        link.confirm()


class Sender:
    """A producer: gives messages their sequence and time, and knows what was acknowledged."""

    def __init__(self, link: Link, source: int, producer_id: int) -> None:
        self.link, self.source, self.producer_id = link, source, producer_id
        self.sequence = 0
        self._waiting: list[bytes] = []

    def put(self, message: Message) -> None:
        """Send this with the next `flush`."""
        self.sequence += 1
        frame = message.frame(sequence=self.sequence, timestamp=time.time_ns(), source=self.source)
        self._waiting.append(frame)

    def flush(self) -> None:
        if self._waiting:
            self.link.send(b"".join(self._waiting))
            self._waiting.clear()

    @property
    def settled(self) -> bool:
        """Whether the relay has answered for everything that was sent."""
        return self.link.acked >= self.sequence

    def report(self) -> dict[str, object]:
        """For `rest`: what was sent, and what of it was refused."""
        refused = [f"{error.code}: {error.text}" for error in self.link.errors]
        return {"sent": self.sequence, "acked": self.link.acked, "refused": refused}


def producer_id() -> int:
    """A new identity: this process begins its sequence at 1."""
    return secrets.randbits(63) | 1


BOTH = Role.CONSUME | Role.PRODUCE


def ignore(batch: Batch) -> None:
    """The handler of a link that only produces."""


def main(run: Callable[[Station], None]) -> None:
    """Run a process of the demonstration; what goes wrong is said to the session."""
    station = Station(json.loads(sys.argv[1]))
    try:
        run(station)
    except (RelayError, ProtocolError, OSError) as error:
        station.say("failed", why=str(error))
        sys.exit(os.EX_SOFTWARE)
    except KeyboardInterrupt:
        sys.exit(os.EX_OK)
