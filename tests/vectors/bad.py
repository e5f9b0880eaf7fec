"""The frames that must be refused, one for every way a frame can be wrong, and what to expect.

Called by `tests.vectors.make`. Each is made from a sound frame by one change, and is sealed again
unless the change is to the checksum: nothing else is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from protocol.checksum import crc32
from protocol.control import ConfigUpdate, Error, Hello, hello_tlvs
from protocol.fields import Field
from protocol.framing import wrap
from protocol.header import CHECKSUM_AT, HEADER_SIZE
from protocol.market_data import OrderBook, Trade
from protocol.message import Message
from protocol.reject import Reject
from protocol.tails import JSON, TEXT, TLVS
from tests.vectors import MAX_PAYLOAD
from tests.vectors.values import cases

SIZE_AT = 8
FLIPPED = {"sequence": 12, "checksum": CHECKSUM_AT, "payload": HEADER_SIZE, "pad": 63}
HURT_TLVS = {"tlv_cut": b"\x05\x19half of it", "tlv_no_length": b"\x96\x00\x05"}
HURT_TEXTS = {
    "overlong": b"\xc0\x80",
    "surrogate": b"\xed\xa0\x80",
    "beyond_unicode": b"\xf4\x90\x80\x80",
    "cut_character": b"ab\xe2\x82",
    "stray_byte": b"ab\x80",
    "latin_1": b"Gr\xf6\xdfe",
}
HURT_JSON = {
    "empty_object_open": b'{"a": 1',
    "nan": b'{"a": NaN}',
    "trailing": b"{} {}",
    "single_quotes": b"{'a': 1}",
    "control_character": b'"a\nb"',
}
BAD_TLVS_OF_HELLO = {
    "name_empty": (b"\x01\x00", "client_name"),
    "name_with_space": (b"\x01\x03a b", "client_name"),
    "name_too_long": (b"\x01\x41" + b"x" * 65, "client_name"),
    "two_names": (b"\x01\x01a\x01\x01b", "tlvs"),
    "instruments_empty": (b"\x02\x00", "instruments"),
    "instruments_not_whole": (b"\x02\x0d" + bytes(13), "instruments"),
}


class Bad(NamedTuple):
    """One invalid vector: its name, what is wrong, its bytes and what must come of them.

    `named` is the field that Python's error names: not in the index, others need not name it."""

    name: str
    says: str
    frame: bytes
    expect: dict[str, Any]
    named: str = ""


def all_bad(classes: list[type[Message]]) -> Iterator[Bad]:
    """Every invalid vector of one frame."""
    yield from headers()
    for cls in classes:
        yield from sizes(cls)
        yield from fixed_fields(cls)
        yield from counts(cls)
        yield from tails(cls)
    yield from rules()


def headers() -> Iterator[Bad]:
    """What is wrong with a header or a checksum, whatever the message."""
    trade = _typical(Trade)
    yield _cut("Header_empty", "no bytes", b"")
    yield _cut("Header_cut", "one byte less than a header", trade[: HEADER_SIZE - 1])
    yield _cut("Header_only", "a header, and nothing of its payload", trade[:HEADER_SIZE])
    yield _cut("Trade_v1_cut", "the last byte of the payload is missing", trade[:-1])
    for at in range(4):
        says = f"byte {at} of the magic is wrong"
        yield _refused(f"Magic_byte_{at}", says, resealed(trade, at, b"\x00"), Reject.BAD_MAGIC)
    big = MAX_PAYLOAD + 1
    for name, size in (("by_one", big), ("as_signed_negative", 2**31), ("at_most", 2**32 - 1)):
        frame = resealed(trade, SIZE_AT, size.to_bytes(4, "little"))
        says = f"payload_size is {size}: nothing is waited for"
        yield _refused(f"Too_large_{name}", says, frame, Reject.PAYLOAD_TOO_LARGE)
    for what, at in FLIPPED.items():
        says = f"a bit of the {what} is not what was sealed"
        hurt = trade[:at] + bytes([trade[at] ^ 1]) + trade[at + 1 :]
        yield _refused(f"Checksum_{what}", says, hurt, Reject.BAD_CHECKSUM)
    hurt = _typical(Hello)
    hurt = hurt[:-1] + bytes([hurt[-1] ^ 0x80])
    yield _refused("Checksum_of_control", "a damaged control frame", hurt, Reject.BAD_CHECKSUM)
    yield from _precedence(trade)


def _precedence(trade: bytes) -> Iterator[Bad]:
    """Two things are wrong: the one that is looked at first is said."""
    zero = bytes(4)
    big = resealed(trade, SIZE_AT, (MAX_PAYLOAD + 1).to_bytes(4, "little"))
    frame = zero + big[4:]
    yield _refused("First_magic_then_size", "magic and size are wrong", frame, Reject.BAD_MAGIC)
    says = "the size is above the most, and not that of a Trade"
    yield _refused("First_most_then_size", says, big, Reject.PAYLOAD_TOO_LARGE)
    short = resealed(trade, SIZE_AT, (33).to_bytes(4, "little"))
    says = "the size is not that of a Trade, and the payload is a byte short of it"
    yield _refused("First_size_then_completeness", says, short, Reject.BAD_SIZE)
    frame = trade[:28] + zero + trade[32:-1]
    yield _cut("First_completeness_then_checksum", "cut, and the checksum is wrong", frame)


def sizes(cls: type[Message]) -> Iterator[Bad]:
    """Payloads that are not as long as the class's are."""
    payload = _typical(cls)[HEADER_SIZE:]
    short = payload[: cls.PAYLOAD_SIZE - 1]
    what = "a byte short of the fixed part" if cls.EXACT is False else "a byte short"
    yield _refused(f"{_name(cls)}_short", what, _frame(cls, short), Reject.BAD_SIZE)
    if cls.EXACT:
        frame = _frame(cls, payload + b"\0")
        yield _refused(f"{_name(cls)}_long", "a byte too long", frame, Reject.BAD_SIZE)


def fixed_fields(cls: type[Message]) -> Iterator[Bad]:
    """For each field that has rules a value that breaks them; pads are called as in SPEC.md."""
    payload = _typical(cls)[HEADER_SIZE:]
    for field in cls.FIELDS:
        if field.kind == "pad":
            raw = b"\0" * (field.size - 1) + b"\1"
            told, says = "pad", f"the pad at byte {HEADER_SIZE + field.offset} is not zeros"
        elif (number := _outside(field)) is not None:
            signed = bool(field.wire and field.wire.signed)
            raw = number.to_bytes(field.size, "little", signed=signed)
            told, says = field.name, f"{field.name} is {number}, which is not allowed"
        else:
            continue
        frame = _frame(cls, _with_payload(payload, field.offset, raw))
        name = f"{_name(cls)}_{field.name.strip('_')}"
        yield _undecodable(name, says, frame, "field", told, field.name)


def _outside(field: Field) -> int | None:
    """A number that fits a field and is not allowed in it, None without one: next to a range, but
    far from the members of an enumeration, which may get more."""
    if field.kind != "value" or not issubclass(field.python, int) or not field.wire:
        return None
    low, high = field.wire.limits
    if field.flags or field.enum:
        return None if field.accepts(high) else high
    edges = [edge for least, most in field.ranges for edge in (most + 1, least - 1)]
    return next((edge for edge in edges if low <= edge <= high), None)


def counts(cls: type[Message]) -> Iterator[Bad]:
    """Counts that are larger than what is there, or leave something over; starts that are off."""
    payload = _typical(cls)[HEADER_SIZE:]
    counting = [field for field in cls.FIELDS if field.kind in ("count", "start")]
    after = len(payload) - sum(field.size for field in cls.FIELDS if field.wire)
    for field in counting:
        there = int.from_bytes(payload[field.offset : field.offset + field.size], "little")
        wrong = {"most": 2 ** (8 * field.size) - 1}
        if field.kind == "start" or field is counting[-1]:
            wrong["less"] = there - 1
        for name, number in wrong.items():
            raw = number.to_bytes(field.size, "little")
            frame = _frame(cls, _with_payload(payload, field.offset, raw))
            says = f"{field.name} is {number} where {there} is right"
            # Where so much is there, it is the next count that does not fit any more.
            named = field if number > after or field.kind == "start" else counting[-1]
            name = f"{_name(cls)}_{field.name}_{name}"
            yield _undecodable(name, says, frame, "tails", field.name, named.name)


def tails(cls: type[Message]) -> Iterator[Bad]:
    """Tails that are not what they should be."""
    fixed = _typical(cls)[HEADER_SIZE:][: sum(field.size for field in cls.FIELDS if field.wire)]
    for tail in (field for field in cls.FIELDS if field.tail):
        assert tail.tail
        hurt = {TEXT: ("text", HURT_TEXTS), JSON: ("json", HURT_JSON), TLVS: ("tlv", HURT_TLVS)}
        kind, wrong = hurt.get(tail.tail, ("", {}))
        for name, raw in wrong.items():
            frame = _frame(cls, _counted(cls, fixed, tail, raw))
            says = f"{tail.name} is {raw!r}"
            yield _undecodable(f"{_name(cls)}_{tail.name}_{name}", says, frame, kind, tail.name)
    if cls is ConfigUpdate:
        frame = _frame(cls, HURT_TEXTS["latin_1"])
        yield _undecodable("ConfigUpdate_v1_text", "not UTF-8", frame, "text", "document")


def _counted(cls: type[Message], fixed: bytes, tail: Field, raw: bytes) -> bytes:
    """The payload with this tail and no other, and with the right counts."""
    for field in cls.FIELDS:
        if field.kind == "count":
            size = len(raw) if field.declared.of in ("", tail.name) else 0
            fixed = _with_payload(fixed, field.offset, size.to_bytes(field.size, "little"))
    return fixed + raw


def rules() -> Iterator[Bad]:
    """What a class demands beyond single fields."""
    book = _typical(OrderBook)[HEADER_SIZE:]
    at = next(field.offset for field in OrderBook.FIELDS if field.name == "part")
    frame = _frame(OrderBook, _with_payload(book, at, b"\x04\0\x03\0"))
    yield _undecodable("OrderBook_v1_rule_part", "part 4 of 3", frame, "rule", "part")
    hello = _typical(Hello)[HEADER_SIZE:][:64]
    for name, (raw, named) in BAD_TLVS_OF_HELLO.items():
        says, frame = f"tlvs are {raw!r}", _frame(Hello, hello + raw)
        yield _undecodable(f"Hello_v1_rule_{name}", says, frame, "rule", "tlvs", named)
    twice = hello_tlvs("a") + hello_tlvs("a")
    frame = _frame(Hello, hello + twice)
    yield _undecodable("Hello_v1_rule_same_name", "one name twice", frame, "rule", "tlvs")
    text = _frame(Error, bytes(4) + b"\x01\0" + bytes(18))
    yield _undecodable("Error_v1_no_text", "text_len without a text", text, "tails", "text_len")


def _typical(cls: type[Message]) -> bytes:
    case = next(cases(cls))
    return case.message.frame(*case.stamp)


def _frame(cls: type[Message], payload: bytes) -> bytes:
    return wrap(cls.TYPE, cls.VERSION, payload, *next(cases(cls)).stamp)


def resealed(frame: bytes, at: int, raw: bytes) -> bytes:
    """The frame with other bytes, sealed again."""
    changed = _with_payload(frame, at, raw)
    checksum = crc32(changed[HEADER_SIZE:], crc32(changed[:CHECKSUM_AT]))
    return _with_payload(changed, CHECKSUM_AT, checksum.to_bytes(4, "little"))


def _with_payload(payload: bytes, at: int, raw: bytes) -> bytes:
    return payload[:at] + raw + payload[at + len(raw) :]


def _name(cls: type[Message]) -> str:
    return f"{cls.__name__.removesuffix(f'V{cls.VERSION}')}_v{cls.VERSION}"


def _cut(name: str, says: str, frame: bytes) -> Bad:
    return _refused(name, says, frame, Reject.TRUNCATED)


def _refused(name: str, says: str, frame: bytes, code: Reject) -> Bad:
    return Bad(name, says, frame, {"check": code.name, "code": int(code)})


def _undecodable(
    name: str, says: str, frame: bytes, kind: str, altered: str, named: str = ""
) -> Bad:
    return Bad(name, says, frame, {"decode": kind, "field": altered}, named or altered)
