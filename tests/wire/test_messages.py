"""The message classes: layouts written a second time, round trips, errors that name the field."""

from __future__ import annotations

import copy
import pickle
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.catalogue import MessageType
from protocol.control import Error, Gap, GapReason, Hello, Role, Snapshot, Welcome
from protocol.errors import ChecksumError, FieldError, HeaderError, ProtocolError, SchemaError
from protocol.execution import Fill, Liquidity, OrderRequest, OrderType, TimeInForce
from protocol.fields import U8, U64, Instrument, Tlvs, field
from protocol.header import HEADER_SIZE, Header
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade
from protocol.message import REGISTRY, Message, Unknown, decode, find
from protocol.reject import Reject
from protocol.signals import ArbitrageOpportunity
from tests.wire.strategies import ANY_MESSAGE, CLASSES, STAMPS, structures
from tests.wire.strategies import U8 as BYTES

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
USDT = InstrumentId.spot(VenueId.BINANCE, "USDT")
TRADE = Trade(BTC, price=-5, volume=6, side=Side.SELL, flags=9)
# Written from the specification's table by hand, not from the classes.
LAYOUTS = {
    TRADE: struct.pack("<HBBQqQBB2x", *BTC, -5, 6, 2, 9),
    Quote(BTC, 1, 2, 3, 4): struct.pack("<HBBQqqQQ4x", *BTC, 1, 2, 3, 4),
    ArbitrageOpportunity(BTC, USDT, 1, 2, 3, -4, 5, 6): struct.pack(
        "<HBBQHBBQHHIqHQ14x", *BTC, *USDT, 1, 2, 3, -4, 5, 6
    ),
    OrderRequest(
        BTC, Side.BUY, OrderType.STOP, TimeInForce.DAY, 4, 5, 6, 7, -8, -9, 10, 11, 12
    ): struct.pack("<HBBQBBBBQQQqqQQH6x", *BTC, 1, 3, 1, 4, 5, 6, 7, -8, -9, 10, 11, 12),
    Fill(
        BTC, Side.BUY, Liquidity.TAKER, 3, 4, 5, b"v" * 16, 6, -7, 8, 9, 10, -11, USDT, 12
    ): struct.pack(
        "<HBBQBB2xQQQ16sQqQQQqHBBQ4xQ",
        *(*BTC, 1, 2, 3, 4, 5, b"v" * 16, 6, -7, 8, 9, 10, -11, *USDT, 12),
    ),
}


@pytest.mark.parametrize("message", LAYOUTS, ids=lambda message: type(message).__name__)
def test_a_domain_message_has_the_layout_of_the_specification(message: Message) -> None:
    assert message.payload == LAYOUTS[message]
    assert message.frame()[HEADER_SIZE:] == LAYOUTS[message]
    assert type(message).from_payload(LAYOUTS[message]) == message


@given(ANY_MESSAGE, STAMPS, st.binary(max_size=7), st.binary(max_size=40))
def test_a_message_decodes_to_itself_wherever_its_frame_lies(
    message: Message, stamp: dict[str, int], before: bytes, after: bytes
) -> None:
    frame = message.frame(**stamp)
    header = Header.unpack(frame)
    assert header.payload_size == len(message.payload)
    assert {name: getattr(header, name) for name in stamp} == stamp
    for kind in (bytes, bytearray, memoryview):
        buffer = kind(before + frame + after)
        for found in (decode(buffer, len(before)), type(message).decode(buffer, len(before))):
            assert found == message
            assert found.frame(**stamp) == frame


@given(ANY_MESSAGE)
def test_a_message_rebuilt_from_its_values_is_equal(message: Message) -> None:
    assert message.replace() == message
    assert hash(message.replace()) == hash(message)
    assert pickle.loads(pickle.dumps(message)) == copy.deepcopy(message) == message
    assert repr(message).startswith(type(message).__name__)


@given(st.sampled_from(CLASSES), st.data(), STAMPS)
def test_arbitrary_payloads_encode_to_the_same_bytes_or_are_a_protocol_error(
    cls: type[Message], data: st.DataObject, stamp: dict[str, int]
) -> None:
    payload = bytearray(data.draw(structures(cls)).payload)
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, 400), BYTES), max_size=4)):
        if at < len(payload):
            payload[at] = value
    payload += data.draw(st.binary(max_size=3) | st.just(b""))
    _same_or_refused(Unknown(cls.TYPE, cls.VERSION, bytes(payload)).frame(**stamp))


@given(st.sampled_from(CLASSES), st.data(), STAMPS)
def test_random_payloads_of_the_right_size_encode_to_the_same_bytes_or_are_a_protocol_error(
    cls: type[Message], data: st.DataObject, stamp: dict[str, int]
) -> None:
    most = cls.PAYLOAD_SIZE + (0 if cls.EXACT else 40)
    payload = data.draw(st.binary(min_size=cls.PAYLOAD_SIZE, max_size=most))
    _same_or_refused(Unknown(cls.TYPE, cls.VERSION, payload).frame(**stamp))


@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_decode_or_are_a_protocol_error(data: bytes, prefixed: bool) -> None:
    _same_or_refused(b"\xef\xbe\xad\xde" + data if prefixed else data)


def _same_or_refused(frame: bytes) -> None:
    try:
        message = decode(frame)
    except ProtocolError as error:
        line = str(error)
        assert "\n" not in line
        return
    _, _, _, source, flags, size, sequence, timestamp, _ = Header.unpack(frame)
    again = message.frame(sequence=sequence, timestamp=timestamp, source=source, flags=flags)
    assert again == frame[: HEADER_SIZE + size]
    assert repr(message)


@given(st.sampled_from(CLASSES), st.data())
def test_a_value_out_of_its_fields_range_names_type_and_field(
    cls: type[Message], data: st.DataObject
) -> None:
    message = data.draw(structures(cls))
    integers = [f for f in cls.FIELDS if f.kind == "value" and issubclass(f.python, int)]
    for one in integers:
        assert one.wire
        low, high = one.wire.limits
        bad: object
        for bad in (low - 1, high + 1, 10**40, -(10**40), 1.5, "1", None, []):
            with pytest.raises(FieldError, match=rf"^\w+\.{one.name}: expected .+, got ") as info:
                message.replace(**{one.name: bad})
            assert info.value.got == bad


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: TRADE.replace(side=3), "trade.side: expected 0 NOT_SET or 1 BUY or 2 SELL, got 3"),
        (
            lambda: TRADE.replace(instrument_id=tuple(BTC)),
            "trade.instrument_id: expected an Instru",
        ),
        (lambda: TRADE.replace(price=2**63), "trade.price: expected -9223372036854775808 to 922"),
        (
            lambda: Hello(role=Role.CONSUME, type_filter=b"x"),
            "hello.type_filter: expected 32 bytes, got b'x'",
        ),
        (lambda: Error(1, text="x" * 65536), "error.text: expected at most 65535 bytes"),
        (lambda: Error(1, text="\ud800"), "error.text: expected UTF-8 text"),
        (
            lambda: ArbitrageOpportunity(BTC, BTC, 1, 1, 1, confidence=10_001),
            "arbitrage_opportunity.confidence: expected 0 to 10000, got 10001",
        ),
    ],
)
def test_a_value_that_is_not_allowed_says_what_is(build: Any, text: str) -> None:
    with pytest.raises(FieldError) as info:
        build()
    assert str(info.value).startswith(text)


@pytest.mark.parametrize(
    ("at", "value", "text"),
    [
        (28, 3, "trade.side: expected 0 NOT_SET or 1 BUY or 2 SELL, got 3"),
        (30, 1, "trade._end: expected zeros, got b'\\x01\\x00'"),
    ],
)
def test_a_payload_that_is_not_allowed_says_where(at: int, value: int, text: str) -> None:
    payload = bytearray(TRADE.payload)
    payload[at] = value
    with pytest.raises(FieldError) as info:
        decode(Unknown(1, 1, bytes(payload)).frame())
    assert str(info.value) == text


def test_a_frame_cut_short_anywhere_is_a_header_error() -> None:
    frame = TRADE.frame()
    for size in range(len(frame)):
        with pytest.raises(HeaderError):
            decode(frame[:size])


def test_a_frame_with_any_bit_flipped_is_a_protocol_error() -> None:
    frame = TRADE.frame(sequence=5, timestamp=6)
    for bit in range(8 * len(frame)):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            decode(damaged)


def test_a_checksum_is_looked_at_unless_told_not_to() -> None:
    damaged = bytearray(TRADE.frame())
    damaged[28] ^= 1
    with pytest.raises(ChecksumError, match="checksum of the trade at 0: expected 0x"):
        Trade.decode(damaged)
    assert Trade.decode(damaged, verify=False) == decode(damaged, verify=False) == TRADE


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("more", [-1, 1])
def test_a_payload_of_another_size_is_a_schema_error(cls: type[Message], more: int) -> None:
    if more > 0 and not cls.EXACT:
        return
    frame = Unknown(cls.TYPE, cls.VERSION, bytes(cls.PAYLOAD_SIZE + more)).frame()
    for reader in (decode, cls.decode):
        with pytest.raises(SchemaError, match=f"{cls.PAYLOAD_SIZE} payload bytes, got "):
            reader(frame)


def test_a_frame_of_another_type_or_version_is_a_schema_error() -> None:
    for frame in (Quote(BTC, 1, 2, 3, 4).frame(), Unknown(1, 2, TRADE.payload).frame()):
        with pytest.raises(SchemaError, match="expected trade version 1, got "):
            Trade.decode(frame)


def test_types_and_versions_without_a_class_come_back_as_they_are() -> None:
    for kind, version in ((1, 2), (37, 9), (200, 1), (0, 0)):
        unknown = Unknown(kind, version, b"whatever")
        assert decode(unknown.frame(sequence=3, flags=0xFF)) == unknown
        assert find(kind, version) is None


def test_a_compressed_payload_is_not_looked_at() -> None:
    for flags in (1, 2, 3):
        frame = Unknown(1, 1, b"zzz").frame(flags=flags)
        assert decode(frame) == Unknown(1, 1, b"zzz")
        with pytest.raises(SchemaError, match="compression"):
            Trade.decode(frame)
        with pytest.raises(FieldError, match=r"header\.flags"):
            TRADE.frame(flags=flags)


@pytest.mark.parametrize("name", ["sequence", "timestamp", "source", "flags"])
def test_a_header_value_that_does_not_fit_is_named(name: str) -> None:
    for bad in (-4, 2**64):
        with pytest.raises(FieldError, match=rf"header\.{name}: expected 0 to "):
            TRADE.frame(**{name: bad})


def test_a_message_does_not_change() -> None:
    for name in ("price", "prize", "owner"):
        with pytest.raises(AttributeError):
            setattr(TRADE, name, 1)
    with pytest.raises(AttributeError):
        del TRADE.price
    assert TRADE.replace(price=7).price == 7
    assert TRADE.price == -5


def test_messages_of_different_classes_are_never_equal() -> None:
    snapshot = Snapshot.from_payload(b"\x01" + bytes(15))
    assert snapshot != Unknown(101, 1, snapshot.payload)
    assert snapshot != REGISTRY[100, 1].from_payload(bytes(16))
    assert len({TRADE, TRADE.replace(), TRADE.replace(flags=1)}) == 2


def test_fields_read_as_what_they_are_declared() -> None:
    trade = Trade.decode(TRADE.frame())
    assert trade.side is Side.SELL
    assert isinstance(trade.instrument_id, InstrumentId)
    assert Error(18).code is Reject.FENCED
    assert Error(999).code == 999
    assert ArbitrageOpportunity(BTC, BTC, 777, 1, 1).venue_a == 777
    assert Gap.from_payload(bytes(24) + b"\x01" + bytes(7)).reason is GapReason.TOO_SLOW
    assert Welcome(1, 2, 3, 4, role=Role(3)).role is Role.CONSUME | Role.PRODUCE
    assert Trade.price.__doc__ == "price of one unit"


def test_a_message_prints_what_a_person_can_read() -> None:
    assert repr(TRADE) == (
        "Trade(instrument_id=<Binance spot BTCUSDT>, price=-5, volume=6, side=SELL, flags=9)"
    )


def test_two_classes_cannot_have_one_type_and_version() -> None:
    with pytest.raises(SchemaError, match="trade version 1 is Trade already"):

        class Impostor(Message, type=MessageType.TRADE, version=1):
            number: U64 = field("anything")

    assert REGISTRY[1, 1] is Trade


def test_a_new_version_lives_beside_the_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocol.message.REGISTRY", dict(REGISTRY))

    class TradeV2(Message, type=MessageType.TRADE, version=2):
        instrument_id: Instrument = field("the instrument traded")
        venue_flags: U8 = field("marks", within=((1, 3),))

    new = TradeV2(BTC, 2)
    assert decode(new.frame()) == new
    assert decode(TRADE.frame()) == TRADE


def test_a_declaration_that_makes_no_sense_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="nothing but tails can follow the tail tlvs"):

        class Tailed(Message, type=250, version=1):
            tlvs: Tlvs = field("extensions")
            number: U8 = field("too late")

    with pytest.raises(TypeError, match="number: the annotation is not a wire type"):

        class Untyped(Message, type=250, version=1):
            number: int = field("of no size")
