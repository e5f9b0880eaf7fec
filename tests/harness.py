"""A real relay process and raw sockets to it, for tests of behaviour seen from outside.

Used by tests/daemon, tests/adversity and tests/client. Raw means: bytes are built and read here
from SPEC.md's frames, without the client library. Nothing waits by sleeping: `eventually` asks
again until a deadline, which is a bound on hanging and never a measurement.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from protocol.checksum import seal
from protocol.control import Hello, Role, Welcome
from protocol.header import HEADER_SIZE, MAGIC, Header
from protocol.header import LAYOUT as HEADER
from protocol.message import decode
from relays.core.accounting import Books
from relays.edge.memory import files, open_state
from relays.edge.status import look

PATIENCE = 20.0
T = TypeVar("T")
CONTROL = range(100, 110)


def eventually(what: Callable[[], T], why: str, patience: float = PATIENCE) -> T:
    """The first true result of `what`; AssertionError, saying `why`, when there never is one."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        result = what()
        if result:
            return result
        time.sleep(0.002)
    raise AssertionError(f"not within {patience} s: {why}")


def frame(
    sequence: int = 1, kind: int = 1, payload: bytes = bytes(32), *, version: int = 1,
    source: int = 1, flags: int = 0, timestamp: int | None = None,
) -> bytes:  # fmt: skip
    """One sealed frame; by default a Trade of 64 bytes, timestamped now."""
    now = time.time_ns() if timestamp is None else timestamp
    head = HEADER.pack(MAGIC, kind, version, source, flags, len(payload), sequence, now, 0)
    raw = bytearray(head + payload)
    seal(raw)
    return bytes(raw)


def split(stream: bytes) -> Iterator[bytes]:
    """The whole frames in a stream of bytes; what is left over is not given."""
    at = 0
    while len(stream) - at >= HEADER_SIZE:
        size = HEADER_SIZE + Header.unpack(stream, at).payload_size
        if len(stream) - at < size:
            return
        yield stream[at : at + size]
        at += size


class Client:
    """A raw connection: `send` bytes, read `frames`, say `hello`. Times out instead of hanging."""

    def __init__(self, path: str, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.kept = b""
        self.welcome: Welcome | None = None

    def send(self, *parts: bytes) -> None:
        self.sock.sendall(b"".join(parts))

    def hello(self, role: int = 1, **fields: Any) -> Welcome:
        """Send a Hello and give the Welcome; frames before it are skipped, as a client does."""
        self.send(hello(role, **fields))
        while True:
            got = self.frame()
            if got[4] == 105:
                self.welcome = decode(got)  # type: ignore[assignment]
                assert isinstance(self.welcome, Welcome)
                return self.welcome
            assert got[4] != 102, decode(got)

    def frame(self) -> bytes:
        """The next whole frame. ConnectionError at the end, TimeoutError when none comes."""
        while True:
            for got in split(self.kept):
                self.kept = self.kept[len(got) :]
                return got
            self._more()

    def _more(self) -> None:
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError(f"closed with {len(self.kept)} bytes of a frame")
        self.kept += data

    def control(self, kind: int) -> Any:
        """The next control frame of this type, decoded; others and data are passed over."""
        return decode(self._first(lambda got: got[4] == kind))

    def _first(self, wanted: Callable[[bytes], bool]) -> bytes:
        """The next frame that is wanted; heartbeats do not keep a test waiting for ever."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            got = self.frame()
            if wanted(got):
                return got
        raise TimeoutError("frames came, but not the one that is waited for")

    def data(self, count: int) -> list[bytes]:
        """The next `count` domain frames; control frames are passed over."""
        return [self._first(lambda got: got[4] not in CONTROL) for _ in range(count)]

    def raw(self, size: int) -> bytes:
        """Exactly `size` bytes, whatever they are."""
        while len(self.kept) < size:
            self._more()
        taken, self.kept = self.kept[:size], self.kept[size:]
        return taken

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while True:
            try:
                self._more()
            except ConnectionError:
                taken, self.kept = self.kept, b""
                return taken

    def silent(self, seconds: float = 0.3) -> bool:
        """Whether nothing comes for a while."""
        self.sock.settimeout(seconds)
        try:
            self._more()
        except TimeoutError:
            return not self.kept
        finally:
            self.sock.settimeout(PATIENCE)
        return False

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hello(role: int = 1, **fields: Any) -> bytes:
    """A sealed Hello; fields as in SPEC.md."""
    values = {
        "on_lag": 0, "heartbeat_ms": 0, "start": 0, "producer_id": 0, "log_id": 0,
        "start_position": 0, "type_filter": bytes(32),
    }  # fmt: skip
    return Hello(role=Role(role), **{**values, **fields}).frame(source=100, timestamp=1)


class RelayProcess:
    """`relays run DOMAIN` in a directory; `stop` ends it, `kill` kills it, `state` looks inside.

    `config` is a file for --config, `prefix` a command that runs the relay's, `options` are more of
    it, `passed` descriptors it gets.
    """

    def __init__(
        self, domain: str, folder: Path, *, config: Path | None = None,
        prefix: tuple[str, ...] = (), **settings: object,
    ) -> None:  # fmt: skip
        self.domain, self.folder = domain, folder
        self.config, self.prefix = config, prefix
        self.options: tuple[str, ...] = ()
        self.passed: tuple[int, ...] = ()
        self.settings: dict[str, object] = {"log_bytes": 4 << 20, "metrics_port": "off"}
        if domain == "execution" and "journal_segment" not in settings:
            self.settings["journal_segment"] = 8 << 20  # two of them for every test's relay
        self.settings |= settings
        self.path = str(folder / f"{domain}.sock")
        self.log_path = folder / f"{domain}.log.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self.clients: list[Client] = []

    def start(self) -> RelayProcess:
        """Start it and wait until it accepts."""
        words = [f"--set={key}={_toml(value)}" for key, value in self.settings.items()]
        command = [*self.prefix, sys.executable, "-m", "relays.cli", "run", self.domain]
        if self.config is not None:
            command.append(f"--config={self.config}")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options, f"--runtime-dir={self.folder}", *words],
                stderr=log,
                stdout=log,
                pass_fds=self.passed,
            )
        eventually(self._ready, f"{self.domain} accepts; its log: {self.log()[-2000:]}")
        return self

    def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"exit {self.process.returncode}: {self.log()[-3000:]}")
        try:
            return self.status()["pid"] == self.process.pid and bool(self.status()["ready"])
        except Exception:
            return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def status(self) -> dict[str, int]:
        return open_state(self.domain, str(self.folder)).read_status()

    def end(self) -> int:
        """The position of the log's end."""
        return open_state(self.domain, str(self.folder)).read_log()["end_position"]

    def counters(self) -> dict[str, Any]:
        return open_state(self.domain, str(self.folder)).read_counters()

    def consumers(self) -> list[dict[str, Any]]:
        return open_state(self.domain, str(self.folder)).read_connections()

    def books(self) -> Books:
        return look(open_state(self.domain, str(self.folder))).books

    def accounted(self) -> None:
        """Every message and byte has been accounted for."""
        found = self.books()
        assert found.unaccounted_messages == 0, found
        assert found.unaccounted_bytes == 0, found

    def client(self, **options: Any) -> Client:
        """A raw connection, closed at the end of the test at the latest."""
        self.clients.append(Client(self.path, **options))
        return self.clients[-1]

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.signal(signal.SIGTERM)
        return self.wait()

    def clean(self) -> None:
        """End it, account for everything, and remove its memory files."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.kill()
            where = files(self.domain, str(self.folder))
            if where.state.exists():
                self.accounted()
        finally:
            for client in self.clients:
                client.close()
            remove_memory(self.domain, self.folder)


def remove_memory(domain: str, folder: Path) -> None:
    """Remove the log and state files of a relay that ran in `folder`."""
    where = files(domain, str(folder))
    for path in (where.log, where.state):
        for name in (path, path.with_name(path.name + ".bad")):
            name.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # another relay of this directory still has files there
        if where.log.parent != folder:
            os.rmdir(where.log.parent)


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
