"""Messages as lines for people and as JSON for programs: what `relays tap` prints.

Called by tap with frames as they came. Pure: text out, nothing is printed here. Values from the
wire are escaped, so that nobody can send a terminal its commands. The JSON of a message is
`protocol.as_json`'s; here is only what goes around it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import msgspec

from protocol import extensions
from protocol.as_json import plain
from protocol.catalogue import MessageType, source_name, type_name
from protocol.control import UNKNOWN_COUNT, Gap, Snapshot, SnapshotKind
from protocol.errors import ProtocolError
from protocol.fields import Field
from protocol.header import HEADER_SIZE, Header
from protocol.instruments import InstrumentId
from protocol.message import Message, Unknown, decode
from protocol.structure import Extension
from protocol.tails import BLOB, LEVELS, TLVS
from relays.cli.common.naming import Names, clean

SECOND = 1_000_000_000
FIXED_POINT = 8
Q64_TOKENS = "2**-64 tokens"
LEVELS_SHOWN = 3
BYTES_SHOWN = 40
TEXT_SHOWN = 200
HEX_WIDTH = 16
ASCII = range(0x20, 0x7F)
# How a type looks on a terminal (SGR codes); types that are not here take one of SPARE.
COLOURS = {
    MessageType.TRADE: "32",
    MessageType.QUOTE: "36",
    MessageType.ORDER_BOOK: "34",
    MessageType.INSTRUMENT_DISCOVERED: "33",
    MessageType.POOL_DISCOVERED: "33",
    MessageType.VENUE_UPDATE: "35",
    MessageType.ARBITRAGE_OPPORTUNITY: "32",
    MessageType.ORDER_REQUEST: "33",
    MessageType.FILL: "32",
    MessageType.ORDER_CANCEL: "31",
    MessageType.EXECUTION_REPORT: "36",
}
SPARE = ("36", "35", "34", "32", "33")
DIM, BAD, NOTE = "2", "1;31", "1;33"


class Frame(NamedTuple):
    """A frame as it came: its position (None where it has none), whether it is history, all of its
    bytes, whether it is the state of an instrument and no part of the feed."""

    position: int | None
    replayed: bool
    raw: bytes | memoryview
    snapshot: bool = False


class Paint:
    """Puts colour around text, or leaves it alone where there is no terminal.

    >>> Paint(True)("31", "x"), Paint(False)("31", "x")
    ('\\x1b[31mx\\x1b[0m', 'x')
    """

    def __init__(self, coloured: bool) -> None:
        self.coloured = coloured

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.coloured else text


def colour(kind: int) -> str:
    """The SGR code of a message type."""
    return COLOURS.get(kind) or SPARE[kind % len(SPARE)]  # type: ignore[call-overload]


def time_of_day(ns: int) -> str:
    """A time for a terminal, UTC: `08:15:02.123456`.

    >>> time_of_day(1_700_000_000_123_456_789)
    '22:13:20.123456'
    """
    seconds, rest = divmod(ns, SECOND)
    return f"{_second(seconds)[11:]}.{rest // 1000:06}"


def iso(ns: int) -> str:
    """A time for a pipe, UTC, whole.

    >>> iso(1_700_000_000_123_456_789)
    '2023-11-14T22:13:20.123456789Z'
    """
    seconds, rest = divmod(ns, SECOND)
    return f"{_second(seconds)}.{rest:09}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    """A second of UTC; messages come many in one."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Lines:
    """Makes a line of each frame: time, position, type, instrument, fields, source and sequence.

    >>> from protocol.market_data import Trade
    >>> from relays.cli.common.naming import parse_instrument
    >>> trade = Trade(parse_instrument("okx:spot:BTC-USDT"), price=6_150000000, volume=2_00000000)
    >>> raw = trade.frame(sequence=4, timestamp=1_700_000_000_000_000_000, source=1)
    >>> Lines(Names(), Paint(False), time_of_day).line(Frame(9, False, raw), trade)
    '22:13:20.000000 9 trade okx:spot:BTCUSDT price=61.5 volume=2 [binance_collector #4]'
    """

    def __init__(self, names: Names, paint: Paint, when: Callable[[int], str] = iso) -> None:
        self.names, self.paint, self.when = names, paint, when

    def line(self, frame: Frame, message: Message | Unknown | None = None) -> str:
        """One frame; `message` is what is in it, decoded here if it is not given."""
        header, paint = Header.unpack(frame.raw), self.paint
        kind = header.message_type
        name = paint(f"1;{colour(kind)}", type_name(kind))
        position = "-" if frame.position is None else str(frame.position)
        if frame.snapshot:
            position = paint(NOTE, "snapshot")
        try:
            body = self.body(message or decode(frame.raw))
        except ProtocolError as error:
            body = "- " + paint(BAD, f"damaged: {clean(str(error))}")
        sent = paint(DIM, f"[{source_name(header.source)} #{header.sequence}{_flags(header)}]")
        return f"{paint(DIM, self.when(header.timestamp))} {position} {name} {body} {sent}"

    def body(self, message: Message | Unknown) -> str:
        """The instrument, `-` where there is none of that name, and each field that says
        something."""
        if isinstance(message, Unknown):
            return f"- version={message.version} payload={_bytes(message.payload)}"
        instrument = getattr(message, "instrument_id", None)
        first = "-" if instrument is None else self.names.of(instrument)
        return " ".join([first, *self._fields(message)])

    def gap(self, gap: Gap) -> str:
        """What was missed, and why."""
        return self.paint(BAD, f"-- gap: {gap_text(gap)}")

    def snapshot(self, edge: Snapshot) -> str:
        """Where a snapshot begins or ends."""
        return self.note(snapshot_text(edge))

    def note(self, text: str) -> str:
        """Something about the connection or the names, not a message."""
        return self.paint(NOTE, f"-- {clean(text)}")

    def _fields(self, message: Message) -> Iterator[str]:
        for name, default, form in _columns(type(message)):
            value = getattr(message, name)
            if value != default:
                yield form(self.names, value)


def gap_text(gap: Gap) -> str:
    """A Gap in words.

    >>> gap_text(Gap(5, 9, count=5, reason=1))
    '5 messages are missing, positions 5 to 9 (too_slow)'
    """
    count = "an unknown number of" if gap.count == UNKNOWN_COUNT else f"{gap.count:,}"
    where = f"positions {gap.first_position} to {gap.last_position}"
    return f"{count} messages are missing, {where} ({gap.reason.name.lower()})"


def snapshot_text(edge: Snapshot) -> str:
    """An end of a snapshot in words.

    >>> snapshot_text(Snapshot(SnapshotKind.BEGIN, count=2, position=9))
    'snapshot: 2 instruments, as of position 9'
    """
    if edge.kind == SnapshotKind.END:
        return "end of the snapshot"
    many = "instrument" if edge.count == 1 else "instruments"
    return f"snapshot: {edge.count:,} {many}, as of position {edge.position}"


def as_object(frame: Frame, names: Names) -> dict[str, object]:
    """A frame as JSON can say it: what `relays publish` takes back (it has the message as
    `protocol.as_json`), with position, header and the instruments' names."""
    header = Header.unpack(frame.raw)
    around: dict[str, object] = {
        "position": frame.position,
        "replayed": frame.replayed,
        "snapshot": frame.snapshot,
        "header": {
            "source": header.source,
            "source_name": source_name(header.source),
            "flags": header.flags,
            "sequence": str(header.sequence),
            "timestamp": str(header.timestamp),
        },
    }
    try:
        message = decode(frame.raw)
    except ProtocolError as error:
        kind = {"type": header.message_type, "version": header.version}
        return around | kind | {"damaged": str(error), "frame": f"0x{bytes(frame.raw).hex()}"}
    if isinstance(message, Unknown):
        kind = {"type": message.message_type, "version": message.version}
        return around | kind | {"payload": f"0x{message.payload.hex()}"}
    return around | {"instruments": _instruments(message, names)} | plain(message)


def gap_object(gap: Gap) -> dict[str, object]:
    """A Gap as JSON can say it: `{"gap": {...}}`, positions as text like every 64-bit integer."""
    count = None if gap.count == UNKNOWN_COUNT else str(gap.count)
    where = {"first_position": str(gap.first_position), "last_position": str(gap.last_position)}
    return {"gap": where | {"count": count, "reason": gap.reason.name.lower()}}


def snapshot_object(edge: Snapshot) -> dict[str, object]:
    """An end of a snapshot as JSON can say it: `{"begin_snapshot": {...}}`."""
    name = f"{edge.kind.name.lower()}_snapshot"
    return {name: {"instruments": edge.count, "position": str(edge.position)}}


def one_line(value: dict[str, object]) -> str:
    """JSON for one line of output."""
    return msgspec.json.encode(value).decode()


def hex_dump(raw: bytes | memoryview) -> Iterator[str]:
    """The bytes of a frame, 16 a line: offset, hex, ASCII.

    >>> print(*hex_dump(b"ABC" + bytes(14)), sep="\\n")
      0000  41 42 43 00 00 00 00 00  00 00 00 00 00 00 00 00  ABC.............
      0010  00                                                .
    """
    for at in range(0, len(raw), HEX_WIDTH):
        row = bytes(raw[at : at + HEX_WIDTH])
        left, right = row[: HEX_WIDTH // 2].hex(" "), row[HEX_WIDTH // 2 :].hex(" ")
        text = "".join(chr(byte) if byte in ASCII else "." for byte in row)
        yield f"  {at:04x}  {left:<23}  {right:<23}  {text}"


def scaled(value: int, digits: int = FIXED_POINT) -> str:
    """An integer of units of 10**-digits as a decimal number, exactly.

    >>> scaled(-6_150000000), scaled(25), scaled(3_00000000)
    ('-61.5', '0.00000025', '3')
    """
    whole, rest = divmod(abs(value), 10**digits)
    fraction = f".{rest:0{digits}}".rstrip("0") if rest else ""
    return f"-{whole}{fraction}" if value < 0 else f"{whole}{fraction}"


Form = Callable[[Names, Any], str]
"""Writes `name=value` for one field."""


@cache
def _columns(cls: type[Message]) -> tuple[tuple[str, object, Form], ...]:
    """Name, default (what says nothing is left out) and form of each field that is shown."""
    return tuple(
        (one.name, one.declared.default, _form(one))
        for one in cls.FIELDS
        if one.kind in ("value", "tail") and one.name != "instrument_id"
    )


def _form(one: Field) -> Form:
    """How a field is written, decided once."""
    name = one.name
    if one.python is InstrumentId:
        return lambda names, value: f"{name}={names.of(value)}"
    if one.tail is LEVELS:
        return lambda _, value: f"{name}({len(value)})={_levels(value)}"
    show: Callable[[Any], str] = _text
    if one.tail is TLVS:
        show = _tlvs
    elif one.tail is BLOB or one.python is bytes:
        show = partial(_bytes, text=one.tail is BLOB)
    elif issubclass(one.python, int):
        show = _number(one)
    return lambda _, value: f"{name}={show(value)}"


def _number(one: Field) -> Callable[[int], str]:
    """How an integer is written: by name, in whole units, as a time, or as it is."""
    names, unit = one.enum or one.declared.names, one.declared.unit
    if one.flags:
        bits = [(bit.value, bit.name or "") for bit in one.flags]
        return lambda value: "|".join(name for bit, name in bits if value & bit) or "0"
    if names:
        known = {int(member): member.name for member in names}
        return lambda value: known.get(int(value)) or str(int(value))
    if unit.startswith("1e-8"):
        return scaled
    if unit == "ns":
        return lambda value: iso(value) if value else "0"
    if unit == Q64_TOKENS:
        return lambda value: f"{value / 2**64:.9g}"
    return str


def _levels(levels: tuple[tuple[int, int], ...]) -> str:
    shown = ",".join(f"{scaled(price)}x{scaled(size)}" for price, size in levels[:LEVELS_SHOWN])
    return shown + (",..." if len(levels) > LEVELS_SHOWN else "")


def _tlvs(data: bytes) -> str:
    shown = [
        type(one).__name__
        if isinstance(one, Extension)
        else f"tlv_{one.type}:{_bytes(one.payload)}"
        for one in extensions.of(data)
    ]
    return f"[{','.join(shown)}]"


def _bytes(data: bytes, *, text: bool = False) -> str:
    if text:
        try:
            return _text(data.decode())
        except UnicodeDecodeError:
            pass
    return f"0x{data[:BYTES_SHOWN].hex()}" + ("..." if len(data) > BYTES_SHOWN else "")


def _text(text: str) -> str:
    shown = clean(text[:TEXT_SHOWN])
    cut = "..." if len(text) > TEXT_SHOWN else ""
    if shown and not set(shown) & set(" \"'"):
        return shown + cut
    quote = "'" if '"' in shown and "'" not in shown else '"'
    return f"{quote}{shown}{quote}{cut}"


def _flags(header: Header) -> str:
    size = f" {HEADER_SIZE + header.payload_size} bytes compressed" if header.compressed else ""
    return (f" priority {header.priority}" if header.priority else "") + size


def _instruments(message: Message, names: Names) -> dict[str, str]:
    """What each InstrumentId of a message is called, by field."""
    ids = ((one.name, getattr(message, one.name)) for one in _instrument_fields(message))
    return {name: names.of(value) for name, value in ids}


def _instrument_fields(message: Message) -> list[Field]:
    return [one for one in type(message).FIELDS if one.python is InstrumentId]
