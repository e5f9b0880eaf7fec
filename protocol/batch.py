"""Many frames at once, as numpy arrays: a buffer to rows by schema, rows to sealed frames.

Called by tools and strategies that work on recordings or on what one read brought. How a row is
laid out is in `protocol.dtypes`, the only other home of numpy; what runs once per frame is
`protocol._core.batch`. Single messages are `protocol.message`'s, and nothing about a particular
message belongs here. (SPEC.md, Many at once)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from protocol._core import batch as compiled
from protocol.catalogue import type_name
from protocol.dtypes import (
    HEADER,
    I128,
    INSTRUMENT,
    LEVEL,
    U128,
    Rows,
    dtype,
    halves,
    instruments,
    integers,
    payload_dtype,
)
from protocol.errors import (
    ChecksumError,
    FieldError,
    HeaderError,
    ProtocolError,
    SchemaError,
    Words,
)
from protocol.fields import Field, counter
from protocol.framing import Buffer
from protocol.header import COMPRESSED, HEADER_SIZE, MAGIC, Header
from protocol.message import Message, Unknown, catalogue
from protocol.message import decode as decode_one

__all__ = [
    "HEADER",
    "I128",
    "INSTRUMENT",
    "LEVEL",
    "U128",
    "Batch",
    "Column",
    "decode",
    "dtype",
    "encode",
    "halves",
    "instruments",
    "integers",
    "payload_dtype",
    "seal",
]
Numbers = npt.NDArray[np.int64]
Places = npt.NDArray[np.uint64]
Found = tuple[int, int, int, int, bool]
Stamp = int | npt.NDArray[np.integer[Any]] | Sequence[int] | None

_ONLY_HEADER = np.dtype([("header", HEADER)])
_SIZES = {"sequence": 64, "timestamp": 64, "source": 8, "flags": 8}


@dataclass(frozen=True, eq=False)
class Column:
    """The frames of one type and version, in the order of the stream.

    `rows` is a structured array of `dtype(cls)`: a view of the buffer where the frames of this
    schema are adjacent and equally long, else a copy. `frames` has each row's number in the stream
    (from 0), `offsets` where its frame begins in the buffer, in bytes. `cls` is None for what has
    no class here and for compressed payloads: there a row is only a header.
    """

    cls: type[Message] | None
    rows: Rows
    frames: Numbers
    offsets: Places
    buffer: Buffer

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def borrowed(self) -> bool:
        """Whether `rows` is the caller's memory: it cannot be resized, and changes show."""
        return self.rows.base is not None

    @property
    def payload_sizes(self) -> npt.NDArray[np.uint32]:
        """Bytes after each header; together with `offsets` it says where every byte is."""
        sizes: npt.NDArray[np.uint32] = self.rows["header"]["payload_size"]
        return sizes

    def message(self, row: int) -> Message | Unknown:
        """One row as a message of its own, checked like any decoded one (the checksum aside)."""
        return decode_one(self.buffer, int(self.offsets[row]), verify=False)

    def payload(self, row: int) -> memoryview:
        """Everything after the header of one row's frame, where it is in the buffer."""
        begin = int(self.offsets[row]) + HEADER_SIZE
        return memoryview(self.buffer)[begin : begin + int(self.payload_sizes[row])]

    def tail(self, row: int, name: str) -> memoryview:
        """The bytes of one tail of one row's frame, where they are in the buffer.

        KeyError for a name that is none of the class's tails, FieldError when counts run past it.
        """
        payload = self.payload(row)
        at = 0
        for one in self.cls.FIELDS if self.cls else ():
            if one.wire:
                at = one.offset + one.size
                continue
            size = self._tail_size(row, one, len(payload) - at)
            if one.name == name:
                return payload[at : at + size]
            at += size
        raise KeyError(f"{name} is no tail of {self.cls.__name__ if self.cls else 'these'}")

    def levels(self, row: int, name: str) -> Rows:
        """One side of one order book as an array of LEVEL over the buffer: nothing is copied.

        >>> from protocol.instruments import InstrumentId, VenueId
        >>> from protocol.market_data import BookKind, OrderBook
        >>> pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
        >>> bids, asks = ((99, 1), (98, 4)), ((101, 2),)
        >>> book = OrderBook(pair, BookKind.SNAPSHOT, 1, 1, 1, bids=bids, asks=asks)
        >>> decode(book.frame())[OrderBook].levels(0, "bids")["price"].tolist()
        [99, 98]
        """
        return np.frombuffer(self.tail(row, name), dtype=LEVEL)

    def _tail_size(self, row: int, one: Field, left: int) -> int:
        counting = counter(self.cls.FIELDS, one) if self.cls else None
        unit = one.tail.unit if one.tail else 1
        size = int(self.rows[counting.name][row]) * unit if counting else left
        if counting and size > left:
            what = f"{counting.name} of frame {self.frames[row]} at {self.offsets[row]}"
            raise FieldError(what, expected=f"at most {left // unit}", got=size // unit)
        return size


@dataclass(frozen=True, eq=False)
class Batch:
    """A decoded buffer: `batch[Trade]` is the Column of a class, empty when there was none.

    `columns` has every class that occurred, `unread` the frames without a class here and those with
    compressed payloads. `offsets` has where each frame of the stream begins, in bytes.
    """

    columns: Mapping[type[Message], Column]
    unread: Column
    offsets: Places
    buffer: Buffer

    def __len__(self) -> int:
        return len(self.offsets)

    def __repr__(self) -> str:
        counts = [f"{len(one):,} {cls.__name__}" for cls, one in self.columns.items()]
        counts += [f"{len(self.unread):,} unread"] if len(self.unread) else []
        return f"Batch({len(self):,} frames: {', '.join(counts)})"

    def __getitem__(self, cls: type[Message]) -> Column:
        return self.columns.get(cls) or _none(cls, self.buffer)

    def __iter__(self) -> Iterator[Message | Unknown]:
        """Every message, in the order of the stream."""
        return (decode_one(self.buffer, int(at), verify=False) for at in self.offsets)


def decode(buffer: Buffer, *, verify: bool = True, check: bool = True) -> Batch:
    """The frames in a buffer, whole ones back to back, as arrays by class.

    `verify` looks at every checksum, `check` at every value of the fixed parts and at the counts of
    tails (what tails contain is looked at where it is read). The first frame that is wrong raises
    HeaderError, SchemaError, ChecksumError or FieldError, which names its number and offset.

    >>> from protocol.control import Ack, Snapshot
    >>> stream = Ack(1, 10).frame() + Snapshot(1, 2, 3).frame() + Ack(2, 20).frame()
    >>> batch = decode(stream)
    >>> batch[Ack].rows["position"].tolist(), batch[Ack].frames.tolist()
    ([10, 20], [0, 2])
    """
    data = memoryview(buffer).cast("B")
    classes = tuple(catalogue().values())
    room = len(data) // HEADER_SIZE
    offsets, numbers = np.empty(room, np.uint64), np.empty(room, np.uint16)
    code, count, at, found = compiled.walk(data, _schemas(classes), verify, offsets, numbers)
    if code:
        raise _misfit(code, data, at, count)
    offsets, numbers = offsets[:count], numbers[:count]
    columns = _columns(data, offsets, numbers, classes, found)
    if check:
        for cls, column in columns.items():
            if cls is not None:
                _check(cls, column, data)
    unread = columns.pop(None, None) or _none(None, data)
    return Batch({cls: one for cls, one in columns.items() if cls}, unread, offsets, data)


@lru_cache(maxsize=4)
def _schemas(classes: tuple[type[Message], ...]) -> compiled.Schemas:
    sizes = {(cls.TYPE, cls.VERSION): (cls.PAYLOAD_SIZE, cls.EXACT) for cls in classes}
    return compiled.Schemas(sizes)


def _none(cls: type[Message] | None, buffer: Buffer) -> Column:
    rows = np.empty(0, dtype(cls) if cls else _ONLY_HEADER)
    return Column(cls, rows, np.empty(0, np.int64), np.empty(0, np.uint64), buffer)


def _columns(
    data: memoryview,
    offsets: Places,
    numbers: npt.NDArray[np.uint16],
    classes: tuple[type[Message], ...],
    found: list[Found],
) -> dict[type[Message] | None, Column]:
    """A column for every schema that was found; one compiled pass fills those that are mixed."""
    columns: dict[type[Message] | None, Column] = {}
    wanted: list[tuple[Any, ...] | None] = [None] * len(found)
    for number, one in enumerate(found):
        if not one[0]:
            continue
        cls = classes[number - 1] if number else None
        columns[cls] = column = (_adjacent if one[4] else _apart)(cls, one, data)
        if not one[4]:
            wanted[number] = (column.rows.view(np.uint8), column.offsets, column.frames)
    if any(wanted):
        compiled.gather(data, offsets, numbers, wanted)
    return columns


def _adjacent(cls: type[Message] | None, found: Found, data: memoryview) -> Column:
    count, frame, first, size, _ = found
    kind = dtype(cls) if cls else _ONLY_HEADER
    # frombuffer holds on to the buffer; given it directly, ndarray would let it be resized.
    rows: Rows = np.ndarray((count,), kind, np.frombuffer(data, np.uint8), first, (size,))
    offsets = np.arange(count, dtype=np.uint64) * np.uint64(size) + np.uint64(first)
    return Column(cls, rows, np.arange(frame, frame + count, dtype=np.int64), offsets, data)


def _apart(cls: type[Message] | None, found: Found, data: memoryview) -> Column:
    count = found[0]
    rows: Rows = np.empty(count, dtype(cls) if cls else _ONLY_HEADER)
    return Column(cls, rows, np.empty(count, np.int64), np.empty(count, np.uint64), data)


def _check(cls: type[Message], column: Column, data: memoryview) -> None:
    """FieldError or SchemaError for the first row whose values or counts are not allowed."""
    if cls.EXACT:
        row = compiled.unsound_rows(cls._layout, column.rows)
    else:
        row = compiled.unsound(cls._layout, data, column.offsets)
    rows: Iterable[int] = [row] if row >= 0 else []
    if cls.check is not Message.check:
        # What a class demands beyond single fields its messages know, and some for whole arrays.
        sound = getattr(cls, "sound_rows", None)
        rows = np.flatnonzero(~sound(column.rows)) if sound and row < 0 else range(len(column))
    for one in rows:
        try:
            cls.decode(data, int(column.offsets[one]), verify=False)
        except ProtocolError as error:
            where = f"frame {column.frames[one]} at {column.offsets[one]}"
            raise _located(error, where) from None


def _located(error: ProtocolError, where: str) -> ProtocolError:
    what = f"{error.what} of {where}"
    return type(error)(what, expected=error.expected, got=error.got, hint=error.hint)


def _misfit(code: int, data: memoryview, at: int, frame: int) -> ProtocolError:
    """The error for the frame at which a walk stopped."""
    where = f"frame {frame} at {at}"
    if len(data) - at < HEADER_SIZE:
        return HeaderError(f"header of {where}", expected="32 bytes", got=len(data) - at)
    if code == compiled.STOP_MAGIC:
        magic, expected = int.from_bytes(data[at : at + 4], "little"), f"{MAGIC:#010x}"
        return HeaderError(
            f"magic of {where}",
            expected=expected,
            got=Words(f"{magic:#010x}"),
            hint="no frame begins here",
        )
    header = Header.unpack(data, at)
    name = type_name(header.message_type)
    if code == compiled.STOP_SIZE:
        cls = catalogue()[header.message_type, header.version]
        expected = f"{'' if cls.EXACT else 'at least '}{cls.PAYLOAD_SIZE} payload bytes"
        return SchemaError(f"{cls.title()}, {where}", expected=expected, got=header.payload_size)
    if code == compiled.STOP_CUT:
        left = len(data) - at - HEADER_SIZE
        expected = f"{header.payload_size} payload bytes"
        return HeaderError(f"{name}, {where}, is cut short", expected=expected, got=left)
    right = compiled.checksum(data, at)
    got = Words(f"{header.checksum:#010x}")
    return ChecksumError(f"checksum of {name}, {where}", expected=f"{right:#010x}", got=got)


def encode(
    cls: type[Message],
    rows: Rows,
    *,
    sequence: Stamp = None,
    timestamp: Stamp = None,
    source: Stamp = None,
    flags: Stamp = None,
) -> bytearray:
    """Sealed frames of these rows, back to back, in a new bytearray; `rows` is left alone.

    `rows` is a structured array of `dtype(cls)` or `payload_dtype(cls)`, of a class without tails.
    `sequence` is the first one (each next one is 1 more) or one for each row, `timestamp` ns since
    the epoch, `source` and `flags` for all or for each; what is None comes from the rows'
    headers, or is 0 where they have none. Pads become zero. FieldError names field, row and value
    of the first that is not allowed, SchemaError says what is wrong with `rows`.

    >>> from protocol.control import Ack
    >>> rows = np.zeros(2, payload_dtype(Ack))
    >>> rows["position"] = [8, 9]
    >>> [one.position for one in decode(encode(Ack, rows, sequence=1))]
    [8, 9]
    """
    whole = _fixed(cls, rows, dtype(cls), payload_dtype(cls)) == dtype(cls)
    given = {"sequence": sequence, "timestamp": timestamp, "source": source, "flags": flags}
    if not whole:
        given = {name: 0 if value is None else value for name, value in given.items()}
        given["sequence"] = np.zeros(len(rows), np.uint64) if sequence is None else sequence
    frames = compiled.room(len(rows) * dtype(cls).itemsize)
    _seal(cls, frames, rows, given)
    return frames


def seal(
    cls: type[Message],
    rows: Rows,
    *,
    sequence: Stamp = None,
    timestamp: Stamp = None,
    source: Stamp = None,
    flags: Stamp = None,
) -> memoryview:
    """Make an array of `dtype(cls)` sealed frames where it is, and give its bytes.

    Arguments and errors as `encode`; the array has to be contiguous and writable (else
    SchemaError). After an error some rows are sealed.

    >>> from protocol.control import Ack
    >>> rows = np.zeros(3, dtype(Ack))
    >>> len(seal(Ack, rows, sequence=1, timestamp=5, source=20))
    168
    """
    _fixed(cls, rows, dtype(cls))
    if not (rows.flags.c_contiguous and rows.flags.writeable):
        raise SchemaError(f"rows of {cls.title()}", expected="contiguous, writable", got="others")
    frames = rows.view(np.uint8).data
    given = {"sequence": sequence, "timestamp": timestamp, "source": source, "flags": flags}
    _seal(cls, frames, None, given)
    return frames


def _fixed(cls: type[Message], rows: Rows, *kinds: np.dtype[np.void]) -> np.dtype[np.void]:
    """The rows' dtype, when it is one of these and the class has no tails."""
    if not cls.EXACT:
        hint = "frames with tails are built one by one"
        raise SchemaError(cls.title(), expected="a class without tails", hint=hint)
    if rows.ndim != 1 or rows.dtype not in kinds:
        expected = f"one dimension, as dtype({cls.__name__}) or payload_dtype({cls.__name__})"
        names = ", ".join(rows.dtype.names or (str(rows.dtype),))
        got = Words(f"{rows.ndim} dimension{'s' * (rows.ndim != 1)} of {names}")
        raise SchemaError(f"rows of {cls.title()}", expected=expected, got=got)
    return rows.dtype


def _seal(
    cls: type[Message], frames: bytearray | memoryview, rows: Rows | None, given: dict[str, Any]
) -> None:
    count = len(frames) // dtype(cls).itemsize
    stamps = [_stamp(name, value, count) for name, value in given.items()]
    bad = compiled.seal(cls._layout, frames, rows, *stamps)
    if bad >= 0:
        raise _refused(cls, frames, bad)
    if cls.check is not Message.check:
        for row in range(count):
            try:
                cls.decode(frames, row * dtype(cls).itemsize, verify=False)
            except ProtocolError as error:
                raise _located(error, f"row {row}") from None


def _stamp(name: str, value: Stamp, count: int) -> int | npt.NDArray[np.uint64] | None:
    """A header field as the compiled part takes it; FieldError when a value does not fit."""
    if value is None:
        return None
    most = 2 ** _SIZES[name] - 1
    if isinstance(value, int | np.integer):
        last = int(value) + (count - 1 if name == "sequence" and count else 0)
        if not 0 <= value <= last <= most:
            raise FieldError(
                f"header.{name}", expected=f"0 to {most}", got=last if value >= 0 else value
            )
        return int(value)
    numbers = value if isinstance(value, np.ndarray) else _array(name, value, most)
    if numbers.dtype.kind not in "iu" or numbers.shape != (count,):
        got = Words(f"{numbers.shape} of {numbers.dtype}")
        raise FieldError(f"header.{name}", expected=f"an integer, or {count} of them", got=got)
    for row in {int(numbers.argmin()), int(numbers.argmax())} if count else set():
        if not 0 <= int(numbers[row]) <= most:
            what = f"header.{name} of row {row}"
            raise FieldError(what, expected=f"0 to {most}", got=int(numbers[row]))
    return np.ascontiguousarray(numbers, dtype="<u8")


def _array(name: str, value: object, most: int) -> npt.NDArray[np.uint64]:
    # By itself numpy would make floats of integers that need the 64th bit beside others.
    if not isinstance(value, Sequence):
        raise FieldError(f"header.{name}", expected="an integer, or one for each row", got=value)
    for row, one in enumerate(value):
        if not isinstance(one, int | np.integer) or not 0 <= one <= most:
            raise FieldError(f"header.{name} of row {row}", expected=f"0 to {most}", got=one)
    return np.array(value, dtype=np.uint64)


def _refused(cls: type[Message], frames: bytearray | memoryview, row: int) -> ProtocolError:
    """The error for a row whose frame is written but not sealed."""
    at = row * dtype(cls).itemsize
    header = Header.unpack(frames, at)
    if header.flags & COMPRESSED:
        expected = "bits 0 and 1 zero"
        return FieldError(f"header.flags of row {row}", expected=expected, got=header.flags)
    payload = bytes(frames[at + HEADER_SIZE : at + dtype(cls).itemsize])
    return _located(cls._refuse_payload(payload), f"row {row}")
