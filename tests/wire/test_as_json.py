"""Messages and extensions as JSON: exact both ways, and errors that name the field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.as_json import dump, load, load_extension, plain, read, show, take, take_extension
from protocol.control import ConfigUpdate, Error, Hello, Role
from protocol.defi import DeFiSignal, PoolArbitrageSignal
from protocol.errors import FieldError, ProtocolError, SchemaError
from protocol.extensions import CustomStrategy, PoolAddresses, TertiaryVenue
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, PoolDiscovered, Side, Trade
from protocol.message import Message, Unknown
from protocol.objects import Objects
from protocol.structure import Extension
from protocol.tails import Level, parse_json
from protocol.tlv import build
from tests.wire.strategies import ANY_EXTENSION, ANY_MESSAGE

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
TRADE = Trade(BTC, price=-5, volume=2**64 - 1, side=Side.BUY, flags=9)
PLAIN_TRADE: dict[str, object] = {
    "type": 1,
    "name": "Trade",
    "version": 1,
    "fields": {
        "instrument_id": {
            "venue": 1,
            "asset_type": 4,
            "reserved": 0,
            "asset_id": "4779519138295206912",
        },
        "price": "-5",
        "volume": "18446744073709551615",
        "side": "BUY",
        "flags": 9,
    },
}
FIELDS: dict[str, object] = PLAIN_TRADE["fields"]  # type: ignore[assignment]


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Lists and objects of something."""
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)


@given(ANY_MESSAGE)
def test_a_message_comes_back_from_its_json(message: Message) -> None:
    text = dump(message)
    assert load(text) == message
    assert load(text.encode()) == message
    assert take(plain(message)) == message
    assert json.loads(text) == plain(message)
    assert dump(load(text)) == text
    assert load(dump(message, indent=2)).frame() == message.frame()


@given(ANY_MESSAGE)
def test_a_view_has_the_json_of_its_message(message: Message) -> None:
    assert plain(type(message).view(bytearray(message.frame()))) == plain(message)


@given(ANY_EXTENSION)
def test_an_extension_comes_back_from_its_json(extension: Extension) -> None:
    assert load_extension(dump(extension)) == extension
    assert take_extension(plain(extension)) == extension


def test_the_form_is_the_one_of_the_specification() -> None:
    assert plain(TRADE) == PLAIN_TRADE
    assert list(plain(TRADE)) == ["type", "name", "version", "fields"]
    third = TertiaryVenue(bytes(range(20)), venue_c_type=2, fee_c_ppm=3_000)
    assert plain(third) == {
        "tlv": 2,
        "name": "TertiaryVenue",
        "fields": {
            "venue_c_router": "0x000102030405060708090a0b0c0d0e0f10111213",
            "venue_c_type": "UNISWAP_V3",
            "fee_c_ppm": 3000,
        },
    }


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            OrderBook(BTC, BookKind.DELTA, 7, bids=(Level(1, 2**64 - 1),), asks=(Level(-1, 0),)),
            {
                "kind": "DELTA",
                "book_sequence": "7",
                "part": 1,
                "parts": 1,
                "bid_count": 1,
                "ask_count": 1,
                "bids": [["1", "18446744073709551615"]],
                "asks": [["-1", "0"]],
            },
        ),
        (
            PoolDiscovered(BTC, 0, "A/B \u20ac", b"{}"),
            {"symbol_len": 7, "metadata_len": 2, "symbol": "A/B \u20ac", "metadata": "0x7b7d"},
        ),
        (
            Hello(Role.CONSUME | Role.SNAPSHOT, tlvs=build([(77, b"\xab"), (78, b"")])),
            {
                "role": ["CONSUME", "SNAPSHOT"],
                "on_lag": "DEFAULT",
                "type_filter": "0x" + "00" * 32,
                "tlvs": [{"type": 77, "payload": "0xab"}, {"type": 78, "payload": "0x"}],
            },
        ),
        (Error(18, text="go"), {"code": "FENCED", "text": "go", "text_len": 2}),
        (Error(777), {"code": 777}),
    ],
)
def test_each_kind_of_field_has_its_form(message: Message, shown: dict[str, object]) -> None:
    fields = plain(message)["fields"]
    assert isinstance(fields, dict)
    assert {name: fields[name] for name in shown} == shown
    assert set(fields) == {one.name for one in message.FIELDS if one.kind != "pad"}
    assert take(plain(message)) == message


def test_wide_integers_are_text_and_narrow_ones_numbers() -> None:
    for one in DeFiSignal.FIELDS + PoolArbitrageSignal.FIELDS:
        if one.wire and one.kind == "value" and one.python is int and not one.declared.names:
            shown = show(one, 1)
            assert shown == ("1" if one.size >= 8 else 1), one.name


def changed(**fields: object) -> dict[str, object]:
    kept = {name: value for name, value in FIELDS.items() if name not in fields}
    return PLAIN_TRADE | {"fields": kept | {k: v for k, v in fields.items() if v is not ...}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"price": -5, "volume": 2**64 - 1, "flags": "9"}, TRADE),
        ({"side": 1}, TRADE),
        ({"side": "1"}, TRADE),
        ({"side": "SELL"}, TRADE.replace(side=Side.SELL)),
        ({"price": "9223372036854775807"}, TRADE.replace(price=2**63 - 1)),
    ],
)
def test_input_may_have_numbers_for_text_and_for_names(
    fields: dict[str, object], expected: Trade
) -> None:
    assert take(changed(**fields)) == expected


def test_counts_and_the_name_may_be_left_out_but_not_be_wrong() -> None:
    shown: Any = plain(PoolDiscovered(BTC, 0, "A/B", b""))
    del shown["name"], shown["fields"]["symbol_len"], shown["fields"]["metadata_len"]
    assert take(shown) == PoolDiscovered(BTC, 0, "A/B", b"")
    shown["fields"]["symbol_len"] = 4
    with pytest.raises(FieldError, match=r"^pool_discovered\.symbol_len: expected 3, got 4$"):
        take(shown)
    with pytest.raises(SchemaError, match="name of trade version 1: expected Trade, got 'Quote'"):
        take(PLAIN_TRADE | {"name": "Quote"})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"price": ...}, "trade.price: expected -9223372036854775808 to 9223372036854775807 (mis"),
        ({"prize": 1}, "trade.prize: expected one of instrument_id, price, volume, side, flags ("),
        ({"price": 2**63}, "trade.price: expected -9223372036854775808 to 9223372036854775807, "),
        ({"price": "1e3"}, "trade.price: expected -9223372036854775808 to 9223372036854775807, "),
        ({"price": "-0"}, "trade.price: expected "),
        ({"price": "\u0661"}, "trade.price: expected "),
        ({"price": "9" * 5000}, "trade.price: expected "),
        ({"price": 1.0}, "trade.price: expected "),
        ({"price": True}, "trade.price: expected "),
        ({"price": None}, "trade.price: expected "),
        ({"flags": 256}, "trade.flags: expected 0 to 255, got 256"),
        ({"side": "buy"}, "trade.side: expected 0 NOT_SET or 1 BUY or 2 SELL, got 'buy' ("),
        ({"side": 3}, "trade.side: expected 0 NOT_SET or 1 BUY or 2 SELL, got 3"),
        ({"side": ["BUY"]}, "trade.side: expected 0 NOT_SET or 1 BUY or 2 SELL, got ['BUY'] ("),
        ({"instrument_id": "x"}, "trade.instrument_id: expected an InstrumentId, got 'x' ("),
        ({"instrument_id": {"venue": 1}}, "trade.instrument_id: expected an InstrumentId, got {"),
        (
            {"instrument_id": {"venue": 65536, "asset_type": 0, "reserved": 0, "asset_id": 0}},
            "trade.instrument_id: expected an InstrumentId, got {",
        ),
    ],
)
def test_a_field_that_is_not_allowed_is_named(fields: dict[str, object], text: str) -> None:
    with pytest.raises(FieldError) as info:
        take(changed(**fields))
    assert str(info.value).startswith(text)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("type_filter", "0x00"),
        ("type_filter", "00" * 32),
        ("type_filter", "0x" + "0g" * 32),
        ("role", ["CONSUME", "CONSUME"]),
        ("role", ["FLY"]),
        ("role", [{}]),
        ("role", 8),
        ("tlvs", "0x"),
        ("tlvs", [{"type": 1}]),
        ("tlvs", [{"type": 256, "payload": "0x"}]),
        ("tlvs", [{"type": 9, "payload": "0x" + "00" * 256}]),
        ("tlvs", [5]),
    ],
)
def test_bytes_flags_and_tlvs_that_are_not_allowed_are_named(name: str, bad: object) -> None:
    shown: Any = plain(Hello(Role.CONSUME))
    shown["fields"][name] = bad
    with pytest.raises(FieldError, match=rf"^hello\.{name}: expected "):
        take(shown)


@pytest.mark.parametrize("bad", ["x", [1], [["1"]], [["1", "2", "3"]], [[1.5, 1]], [["1", "-1"]]])
def test_levels_that_are_not_allowed_are_named(bad: object) -> None:
    shown: Any = plain(OrderBook(BTC, BookKind.DELTA, 7))
    shown["fields"]["bids"] = bad
    del shown["fields"]["bid_count"]
    with pytest.raises(FieldError, match=r"^order_book\.bids: expected "):
        take(shown)


def test_text_that_is_not_unicode_is_named() -> None:
    text = dump(Error(18, text="x")).replace('"x"', '"\\ud800"')
    with pytest.raises(FieldError, match=r"^error\.text: expected UTF-8 text"):
        load(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        b"\xff",
        "NaN",
        '{"type": Infinity}',
        '{"a": 1, "a": 1}',
        "[" * 100_000,
        "9" * 5_000,
        "[]",
        "1",
        "{}",
        '{"type": 1, "version": 1}',
        '{"type": 1, "version": 1, "fields": []}',
        '{"type": 1, "version": 1, "fields": {}}',
        '{"type": 1, "version": 1, "fields": {}, "more": 1}',
        '{"type": 256, "version": 1, "fields": {}}',
        '{"type": true, "version": 1, "fields": {}}',
        '{"type": "1", "version": 1, "fields": {}}',
        '{"type": 1, "version": 77, "fields": {}}',
        '{"tlv": 99, "fields": {}}',
        '{"tlv": 1, "fields": {"venue_a_pool": 1, "venue_b_pool": 1}}',
    ],
)
def test_text_that_is_no_message_is_a_protocol_error(text: str | bytes) -> None:
    for reader in (load, load_extension):
        with pytest.raises(ProtocolError) as info:
            reader(text)
        assert "\n" not in str(info.value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), nested))
def test_whatever_stands_in_a_field_gives_a_message_or_a_protocol_error(value: object) -> None:
    shown: Any
    for message in (TRADE, Hello(Role.CONSUME), OrderBook(BTC, BookKind.DELTA, 7), Error(18)):
        for name in message.values():
            shown = plain(message)
            shown["fields"][name] = value
            # A value may be fine, and its count then not.
            counted = f"{name.removesuffix('s')}_count"
            assert any(one in taken_or_refused(shown) for one in (name, counted))


def taken_or_refused(shown: object) -> str:
    """The message, or the error, as text."""
    try:
        return repr(take(shown))
    except ProtocolError as error:
        return str(error)


def test_an_extension_that_does_not_check_is_named() -> None:
    zeros = {"trace_id": "0x" + "00" * 16, "parent_id": "0x" + "11" * 8, "flags": 1}
    with pytest.raises(FieldError, match=r"TraceContext\.trace_id: expected not only zeros"):
        take_extension({"tlv": 5, "fields": zeros})
    with pytest.raises(FieldError, match=r"PoolAddresses\.venue_b_pool: expected 20 bytes"):
        take_extension({"tlv": 1, "fields": {"venue_a_pool": "0x" + "00" * 20}})
    assert load_extension(dump(PoolAddresses(bytes(20)))) == PoolAddresses(bytes(20))


def test_a_name_twice_is_refused_wherever_it_is() -> None:
    assert read('[{"a": 1}, {"a": 1}]') == [{"a": 1}, {"a": 1}]
    with pytest.raises(ProtocolError, match="a twice"):
        read('[{"b": {"a": 1, "a": 1}}]')


@pytest.mark.parametrize("text", ["1e999", '{"type": -1e999}', '[{"a": 1, "a": 1}]', "[NaN]"])
def test_there_is_one_reader_of_json_and_it_is_strict(text: str) -> None:
    for reader in (read, parse_json, ConfigUpdate):
        with pytest.raises(ProtocolError):
            reader(text)
    with pytest.raises(FieldError):
        Objects().feed(PoolDiscovered(BTC, 0, "A/B", b'{"a": %b}' % text.encode()))


@pytest.mark.parametrize("thing", [None, 5, ["{}"], memoryview(b"{}")])
def test_what_is_no_text_is_named(thing: Any) -> None:
    for reader in (load, load_extension, read):
        with pytest.raises(ProtocolError) as info:
            reader(thing)
        assert str(info.value).startswith("JSON: expected text, as str or as bytes of UTF-8, got ")


@pytest.mark.parametrize("thing", [CustomStrategy(150, b"x"), Unknown(200, 1, b""), None, Trade])
def test_what_has_no_json_is_named(thing: Any) -> None:
    for writer in (plain, dump):
        with pytest.raises(FieldError) as info:
            writer(thing)
        text = f"JSON: expected a message or an extension of a class known here, got {thing!r}"
        assert str(info.value) == text


def test_names_that_are_no_text_are_refused_wherever_they_are() -> None:
    shown: Any = plain(TRADE)
    for mixed in ({1: 2}, {1: 2, None: 3, ("a",): 4}):
        for bad in (
            shown | mixed,
            mixed,
            shown | {"fields": shown["fields"] | mixed},
            shown | {"fields": shown["fields"] | {"instrument_id": mixed}},
        ):
            with pytest.raises(FieldError):
                take(bad)
            with pytest.raises(ProtocolError):
                take_extension(bad)
