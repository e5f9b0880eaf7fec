"""What is measured: a relay started as a user starts it, and the relay that only copies.

Called by the suites, one pair of servers a configuration. Each has a socket for producers and
one for consumers (the same one for a relay), so the drivers cannot tell them apart.
"""

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .children import Child, RunFailed
from .native import program

READY_SECONDS = 30.0


class Server:
    """A running server: its process, and where and in which protocol (native/protocols.c) its
    producers and consumers are answered: paths of sockets, or `IP:PORT`."""

    def __init__(
        self, child: Child, producers: Path | str, consumers: Path | str, protocol: str = "raw"
    ) -> None:
        self.child = child
        self.producers = producers
        self.consumers = consumers
        self.protocol = protocol

    @property
    def name(self) -> str:
        return self.child.name

    @property
    def folder(self) -> Path:
        """Where its producers' socket is, and a relay's state."""
        return Path(self.producers).parent

    def check(self) -> None:
        """Raises RunFailed if it has ended."""
        if self.child.exit_code() is not None:
            raise RunFailed(self.child.complaint())


@contextmanager
def copyloop(folder: Path, cpus: str = "", options: Sequence[str] = ()) -> Iterator[Server]:
    """The floor, with the market_data relay's default log, read and send-buffer sizes."""
    producers, consumers = folder / "in.sock", folder / "out.sock"
    command = [
        str(program("copyloop")),
        *("--producers", str(producers)),
        *("--consumers", str(consumers)),
        *options,
    ]
    yield from serve(Server(Child("copyloop", command, folder, cpus), producers, consumers))


@contextmanager
def relay(
    folder: Path, cpus: str = "", settings: Sequence[str] = (), metrics: str = "off"
) -> Iterator[Server]:
    """A market_data relay with default settings but for `settings` (`KEY=VALUE`); without a metrics
    process, unless `metrics` is a port."""
    relays = Path(sys.executable).parent / "relays"
    if not relays.exists():
        raise RunFailed(f"{relays} is missing: run scripts/setup")
    command = [
        str(relays),
        *("run", "market_data"),
        *("--runtime-dir", str(folder)),
        *("--metrics-port", metrics),
        *(word for setting in settings for word in ("--set", setting)),
    ]
    path = folder / "market_data.sock"
    yield from serve(Server(Child("relay", command, folder, cpus), path, path))


def serve(server: Server) -> Iterator[Server]:
    """Yields it when it accepts, and stops it at the end."""
    try:
        for path in {server.producers, server.consumers}:
            _wait_until_accepting(server, path)
        yield server
    finally:
        server.child.stop()


def _wait_until_accepting(server: Server, path: Path | str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _accepts(path):
        server.check()
        if time.monotonic() > deadline:
            raise RunFailed(f"{server.name} does not accept after {READY_SECONDS:.0f} s")
        time.sleep(0.02)


def _accepts(path: Path | str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
