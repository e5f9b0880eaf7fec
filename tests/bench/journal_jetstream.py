"""nats-server with a JetStream stream in files, and a connection to it.

Called by journal_rates and journal_restart. The connection speaks the protocol itself, without
asyncio, and sends blocks of messages: what is timed is the server, not a client library.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .children import Child, RunFailed
from .client_brokers import NATS_SERVER, Broker, ports, wait
from .runs import workspace

SUBJECT = "bench"
PATIENCE = 60.0
CONNECT = b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB answers 1\r\nPING\r\n'
LINE = re.compile(rb"(MSG answers 1 \d+\r\n(.*)|PING|-ERR .*|PONG|INFO .*)\r\n")
STREAM = {"name": SUBJECT, "subjects": [SUBJECT], "storage": "file", "num_replicas": 1}


@contextmanager
def server(store: Path, sync: str) -> Iterator[Broker]:
    """Keeps its streams in the folder `store`; `sync` is its sync_interval: "always", "100ms"."""
    with workspace() as folder:
        config = folder / "nats.conf"
        config.write_text(f'jetstream {{ store_dir: "{store}", sync_interval: {sync} }}\n')
        command = [
            str(NATS_SERVER), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", str(folder),
            "-c", str(config),
        ]  # fmt: skip
        child = Child("nats-server", command, folder)
        try:
            wait(Broker(child, ""), lambda: bool(ports(folder)))
            yield Broker(child, ports(folder))
        finally:
            child.stop()


def publication(payload: bytes, subject: str = SUBJECT) -> bytes:
    """The bytes that publish `payload` and ask for an answer."""
    return b"PUB %s answers %d\r\n%s\r\n" % (subject.encode(), len(payload), payload)


class Connection:
    """The only one to a server at a time. `send` publications; `acknowledged` says how many of them
    the stream has by now, which was empty or has been asked for its `messages`.

    Raises RunFailed for any other answer than the next ones."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("nats://").rpartition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(CONNECT)
        self._left = b""
        self._first = self._acknowledged = 0

    def close(self) -> None:
        self.sock.close()

    def send(self, block: bytes) -> None:
        self.sock.sendall(block)

    def acknowledged(self) -> int:
        """Waits until there are more than before."""
        for answer in self._answers():
            said = json.loads(answer)
            self._acknowledged += 1
            if said.get("seq") != self._first + self._acknowledged:
                raise RunFailed(f"message {self._acknowledged} was acknowledged by {said}")
        return self._acknowledged

    def make_stream(self) -> None:
        self._ask(f"$JS.API.STREAM.CREATE.{SUBJECT}", STREAM)

    def messages(self) -> int:
        """How many the stream has; those sent from now on are counted from there."""
        there = int(self._ask(f"$JS.API.STREAM.INFO.{SUBJECT}", {})["state"]["messages"])
        self._first = there - self._acknowledged
        return there

    def _ask(self, subject: str, asked: dict[str, Any]) -> dict[str, Any]:
        self.send(publication(json.dumps(asked).encode(), subject))
        (answer,) = self._answers()
        said: dict[str, Any] = json.loads(answer)
        if "error" in said:
            raise RunFailed(f"{subject} was answered by {said['error']}")
        return said

    def _answers(self) -> list[bytes]:
        """What has come, at least one."""
        found: list[bytes] = []
        while not found:
            if not (data := self.sock.recv(1 << 18)):
                raise RunFailed("nats-server closed the connection")
            self._left += data
            end = 0
            for line in LINE.finditer(self._left):
                end = line.end()
                if line[1].startswith(b"MSG"):
                    found.append(line[2])
                elif line[1] == b"PING":
                    self.send(b"PONG\r\n")
                elif line[1].startswith(b"-ERR"):
                    raise RunFailed(f"nats-server said {line[1].decode()}")
            self._left = self._left[end:]
        return found
