"""Files of messages: frames as they are, JSON lines or CSV; what each holds, entry by entry.

Called by publish and replay. Gives sealed frames and says what is wrong with the rest; whether a
relay would take them is `sending`'s affair. CSV is `csv_messages`'. Files may be gzipped; `-` is
stdin.
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from protocol._core import runs
from protocol.as_json import HEX, integer, read, take
from protocol.catalogue import SourceType
from protocol.checksum import frame_checksum
from protocol.errors import ProtocolError
from protocol.header import HEADER_SIZE, LAYOUT, MAGIC
from protocol.message import Message, Unknown
from relays.cli.playing.csv_messages import csv_frames
from relays.errors import RelayError

CHUNK = 1 << 18
SMALLEST_PEEK = 64
# A relay's max_payload is at most this, so what claims more is no frame.
LARGEST = (1 << 20) + HEADER_SIZE
TIME = 7
GZIP, FRAME = b"\x1f\x8b", MAGIC.to_bytes(4, "little")
FORMATS = ("frames", "json", "csv")
SUFFIXES = {
    ".frames": "frames", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".csv": "csv"
}  # fmt: skip
MESSAGE = ("type", "name", "version", "fields")
# What `relays tap --json` puts around a message, beside its header.
AROUND = {"position", "replayed", "snapshot", "instruments", "header", "frame"}
# What it puts around a snapshot: nothing that could be published, and nothing is missing.
EDGES = (b'{"begin_snapshot":', b'{"end_snapshot":')
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error)


class Entry(NamedTuple):
    """One message of a file: its number there (line or frame, from 1), its frame, the time in the
    header (ns, 0 where there is none). Or, where `frame` is empty, why it is none. Or `many`
    messages from that number on, their frames back to back."""

    number: int
    frame: bytes
    time: int
    wrong: str = ""
    many: int = 1


class MessageFile:
    """A file that is open: `entries` once. RelayError (66, 77) when it cannot be opened.

    `unit` is what numbers count: `line` or `frame`.
    """

    def __init__(
        self, path: str, *, kind: str | None = None, type_name: str = "", decimal: bool = False
    ) -> None:
        self.path = "stdin" if path == "-" else path
        self._type, self._decimal = type_name, decimal
        self._stack = ExitStack()
        self._raw = sys.stdin.buffer if path == "-" else self._open(path)
        self.size = 0 if path == "-" else os.fstat(self._raw.fileno()).st_size
        self._kind = kind or _by_suffix(path)
        self._file: Any = None

    def _open(self, path: str) -> BinaryIO:
        try:
            return self._stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise _unreadable(path, error) from None

    @property
    def unit(self) -> str:
        """What entries are counted in."""
        return "frame" if self._kind == "frames" else "line"

    @property
    def read_bytes(self) -> int:
        """How much of the file has been read, as it lies on the disk; 0 for a pipe."""
        return self._raw.tell() if self.size and not self._raw.closed else self.size

    def entries(self, most: int = 1) -> Iterator[Entry]:
        """Everything in it, in order; of frames up to `most` in one entry. RelayError (65, 66) when
        it cannot be read on."""
        readers: dict[str, Callable[[], Iterator[Entry]]] = {
            "frames": lambda: frames(self._file, most),
            "json": lambda: json_lines(self._file),
            "csv": self._csv,
        }
        try:
            self._unpack()
            yield from readers[self._kind]()
        except DAMAGED as error:
            raise RelayError(f"{self.path} is damaged: {error}", os.EX_DATAERR) from None
        except ProtocolError as error:
            raise RelayError(f"{self.path}: {error}", os.EX_DATAERR) from None
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def close(self) -> None:
        self._stack.close()

    def _unpack(self) -> None:
        file: Any = self._raw
        if file.peek(SMALLEST_PEEK)[:2] == GZIP:
            # As it is: another buffer around it would keep back what precedes damage.
            file = self._stack.enter_context(gzip.GzipFile(fileobj=file))
        self._kind = self._kind or _by_content(file.peek(SMALLEST_PEEK))
        self._file = file

    def _csv(self) -> Iterator[Entry]:
        for number, frame, time, wrong in csv_frames(self._file, self._type, self._decimal):
            yield Entry(number, frame, time, wrong)


def _by_suffix(path: str) -> str:
    suffixes = [suffix for suffix in Path(path).suffixes if suffix != ".gz"]
    return SUFFIXES.get(suffixes[-1], "") if suffixes else ""


def _by_content(begin: bytes) -> str:
    if begin.startswith(FRAME):
        return "frames"
    return "json" if begin.lstrip().startswith(b"{") else "csv"


def _unreadable(path: str, error: OSError) -> RelayError:
    code = os.EX_NOPERM if isinstance(error, PermissionError) else os.EX_NOINPUT
    return RelayError(f"{path} cannot be read: {error.strerror or error}", code)


# --- frames ---


def frames(file: Any, most: int = 1) -> Iterator[Entry]:
    """The frames in a file, back to back; the last entry says where and why no frame follows.
    Up to `most` in one entry, where nothing is wrong with them."""
    number, offset, data = 0, 0, b""
    while True:
        stop, count, why = runs.span(data, 0, len(data), LARGEST)
        yield from _split(data[:stop], number, most)
        number, offset, data = number + count, offset + stop, data[stop:]
        if why >= 0:
            # A control frame: no relay takes it as a message, but what follows it is sound.
            size = runs.skip(data, 0, 1)
            number, offset = number + 1, offset + size
            yield _entry(number, data[:size])
            data = data[size:]
        elif why == runs.NO_FRAME:
            text = f"no frame begins at byte {offset}: the rest cannot be read"
            yield Entry(number + 1, b"", 0, text)
            return
        elif chunk := file.read1(CHUNK):
            data += chunk
        else:
            break
    if data:
        text = f"cut short after {len(data)} bytes, at byte {offset}"
        yield Entry(number + 1, b"", 0, text)


def _split(data: bytes, before: int, most: int) -> Iterator[Entry]:
    """The entries of whole frames; `before` so many precede them."""
    times = [head[TIME] for head in LAYOUT.iter_unpack(runs.headers(data))]
    sound = runs.damaged(data, 0) < 0
    if most > 1 and sound:
        at = 0
        for first in range(0, len(times), most):
            many = min(most, len(times) - first)
            stop = runs.skip(data, at, many)
            yield Entry(before + first + 1, data[at:stop], times[first], many=many)
            at = stop
        return
    split = enumerate(zip(runs.frames(data, 0), times, strict=True), before + 1)
    for number, (frame, time) in split:
        yield Entry(number, bytes(frame), time) if sound else _entry(number, bytes(frame))


def _entry(number: int, frame: bytes) -> Entry:
    *_, time, checksum = LAYOUT.unpack_from(frame)
    if frame_checksum(frame) != checksum:
        return Entry(number, b"", time, "damaged: its checksum is not that of its bytes")
    return Entry(number, frame, time)


# --- JSON lines ---


def json_lines(file: Any) -> Iterator[Entry]:
    """The messages in lines of JSON: as `protocol.as_json` writes them, or `relays tap --json`.

    >>> import io
    >>> line = b'{"type": 101, "version": 1, "fields": {"kind": 1, "count": 0, "position": "7"}}'
    >>> [(entry.number, len(entry.frame)) for entry in json_lines(io.BytesIO(line))]
    [(1, 48)]
    """
    for number, line in enumerate(file, 1):
        if line.strip() and not line.startswith(EDGES):
            try:
                frame, time = _from_json(line)
                yield Entry(number, frame, time)
            except ProtocolError as error:
                yield Entry(number, b"", 0, str(error))


def _from_json(line: bytes) -> tuple[bytes, int]:
    """The frame of one object, and the time in its header; ProtocolError when there is none."""
    value = read(line)
    if not isinstance(value, dict):
        raise ProtocolError("JSON", expected="an object with type, version and fields", got=value)
    for name in ("gap", "damaged", "stats"):
        if name in value:
            raise ProtocolError(f"no message: {name}", got=value[name])
    source, flags, time = _header(value.get("header", {}))
    message: Message | Unknown = (
        _unknown(value)
        if "payload" in value
        else take({name: given for name, given in value.items() if name not in AROUND})
    )
    return message.frame(timestamp=time, source=source, flags=flags), time


def _header(header: object) -> tuple[int, int, int]:
    """Source, flags and time; what is not said is EXTERNAL, 0 and 0."""
    if not isinstance(header, dict):
        raise ProtocolError("header", expected="an object", got=header)
    try:
        source, flags, time = (
            integer(header.get(name, default))
            for name, default in (("source", SourceType.EXTERNAL), ("flags", 0), ("timestamp", 0))
        )
    except TypeError as error:
        raise ProtocolError("header", expected=str(error), got=header) from None
    return source, flags, time


def _unknown(value: dict[str, object]) -> Unknown:
    """A message without a class here: type, version and payload."""
    payload = value["payload"]
    try:
        kind, version = integer(value.get("type")), integer(value.get("version"))
    except TypeError as error:
        raise ProtocolError("type and version", expected=str(error)) from None
    if not isinstance(payload, str) or not HEX.fullmatch(payload):
        raise ProtocolError("payload", expected="0x and pairs of hex digits", got=payload)
    return Unknown(kind, version, bytes.fromhex(payload[2:]))
