"""Every class of the catalogue, one by one: layout, round trip, and each way a field can be wrong.

Parametrised over the catalogue, so that a new class is tested without a line here. What the
specification fixes is written down a second time in LAYOUTS; of the types whose fields it leaves
open, the rule is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import pytest

from protocol.catalogue import MessageType, type_name
from protocol.errors import FieldError, SchemaError
from protocol.fields import Field
from protocol.header import HEADER_SIZE, Header
from protocol.instruments import InstrumentId
from protocol.message import Message, Unknown, catalogue, decode, instrument_offsets, sizes
from protocol.spec import RESERVED, enumerations, meanings
from protocol.tails import BLOB, JSON, LEVELS, TEXT, TLVS, Level, Tail
from protocol.tlv import build

CLASSES = list(catalogue().values())
EXACT = [cls for cls in CLASSES if cls.EXACT]
RULE = [12, *range(21, 26), 32, 34, 35, 36, 41, 43, 44, 45]
TAILS: dict[Tail, object] = {
    TEXT: "\u20ac and text",
    JSON: '{"a": 1}',
    TLVS: build([(5, bytes(25)), (150, b"mine")]),
    BLOB: b'{"chain_id":1}',
    LEVELS: (Level(-(2**63), 0), Level(2**63 - 1, 2**64 - 1)),
}
POOLS = "pool_a_id 12 pool_b_id 12 token0_id 12 token1_id 12"
POOL_ENDS = "gas_cost_gwei u4 confidence u2 block_number u4 expires_at_block u4 pad 2"
AMOUNTS = (
    "pool_a_reserve0 {0} pool_a_reserve1 {0} pool_b_reserve0 {0} pool_b_reserve1 {0}"
    " optimal_amount_in {0} expected_profit_wei {0}"
)
DISCOVERED = "instrument_id 12 decimals u1 symbol_len u1 metadata_len u2 symbol tail metadata tail"
# (type, version): total bytes of the fixed part, then fields and their sizes in the order of the
# specification; u and i are integers without and with a sign.
LAYOUTS: dict[tuple[int, int], tuple[int, str]] = {
    (1, 1): (64, "instrument_id 12 price i8 volume u8 side u1 flags u1 pad 2"),
    (2, 1): (80, "instrument_id 12 bid_price i8 ask_price i8 bid_size u8 ask_size u8 pad 4"),
    (3, 1): (
        64,
        "instrument_id 12 kind u1 pad 3 book_sequence u8 part u2 parts u2 bid_count u2"
        " ask_count u2 bids tail asks tail",
    ),
    (10, 1): (48, DISCOVERED),
    (11, 1): (48, DISCOVERED),
    (12, 1): (48, "venue u2 status u1 reason u1 pad 4 effective_time u8"),
    (20, 1): (
        96,
        "base_id 12 quote_id 12 venue_a u2 venue_b u2 spread_bps u4 estimated_profit i8"
        " confidence u2 expires_at u8 pad 14",
    ),
    (30, 1): (144, f"{POOLS} {AMOUNTS.format('u8')} {POOL_ENDS}"),
    (30, 2): (192, f"{POOLS} {AMOUNTS.format('u16')} {POOL_ENDS}"),
    (31, 1): (
        104,
        "pool_id 12 token0_id 12 token1_id 12 current_ratio u8 historical_avg_ratio u8"
        " deviation_bps u4 volume_24h u8 fee_tier u4 pad 4",
    ),
    (33, 1): (
        112,
        "opportunity_type u1 chain_id u1 priority u1 pad 1 target_tx_hash 32"
        " estimated_profit_wei u8 max_gas_price_gwei u8 target_block u4 deadline_block u4"
        " victim_amount_in u8 optimal_frontrun_amount u8 pad 4",
    ),
    (33, 2): (
        144,
        "opportunity_type u1 priority u1 pad 2 chain_id u4 target_tx_hash 32"
        " estimated_profit_wei u16 max_gas_price_gwei u8 target_block u8 deadline_block u8"
        " victim_amount_in u16 optimal_frontrun_amount u16",
    ),
    (37, 1): (
        312,
        "strategy_id u2 signal_id u8 signal_nonce u4 chain_id u4 version u1 adapter_id u1"
        " base_instrument 12 quote_instrument 12 base_token_addr 20 quote_token_addr 20"
        " venue_a_router 20 venue_b_router 20 venue_a_type u1 venue_b_type u1 fee_a_ppm u4"
        " fee_b_ppm u4 direction_flag u1 confidence u1 expected_profit_q i16"
        " required_capital_q u16 gas_estimate_q u16 amount_in_q u16 min_out_q u16"
        " optimal_size_q u16 observed_block u8 valid_through_block u8 state_hash u8"
        " execution_flags u4 slippage_bps u2 price_impact_bps u2 replace_signal_id u8"
        " tlv_offset u2 tlv_length u2 created_at_sec u4 tlvs tail",
    ),
    (40, 1): (
        112,
        "instrument_id 12 side u1 order_type u1 time_in_force u1 execution_flags u1 owner_id u8"
        " account_id u8 client_order_id u8 price i8 stop_price i8 quantity u8 expires_at u8"
        " strategy_id u2 pad 6",
    ),
    (42, 1): (
        160,
        "instrument_id 12 side u1 liquidity u1 pad 2 owner_id u8 account_id u8 client_order_id u8"
        " venue_order_id 16 trade_id u8 price i8 quantity u8 leaves_quantity u8"
        " cumulative_quantity u8 fee i8 fee_asset 12 pad 4 transact_time u8",
    ),
    (100, 1): (48, "position u8 lag u8 tlvs tail"),
    (101, 1): (48, "kind u1 pad 3 count u4 position u8"),
    (102, 1): (
        56,
        "code u2 message_type u1 fatal u1 text_len u2 pad 2 sequence u8 expected u8 text tail",
    ),
    (103, 1): (32, "document tail"),
    (104, 1): (
        96,
        "role u1 on_lag u1 heartbeat_ms u2 start u1 pad 3 producer_id u8 log_id u8"
        " start_position u8 type_filter 32 tlvs tail",
    ),
    (105, 1): (
        88,
        "log_id u8 position u8 end_position u8 oldest_position u8 last_sequence u8 max_payload u4"
        " heartbeat_ms u2 durability u1 role u1 relay_pid u4 pad 4",
    ),
    (106, 1): (56, "sequence u8 position u8 durability u1 pad 7"),
    (107, 1): (
        64,
        "first_position u8 last_position u8 count u8 reason u1 breaker u1 pad 6",
    ),
}


def classes(found: list[type[Message]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cls", found, ids=lambda cls: cls.__name__)


def integers(cls: type[Message]) -> list[Field]:
    return [f for f in cls.FIELDS if f.kind == "value" and issubclass(f.python, int)]


def limits(field: Field) -> tuple[int, int]:
    """The least and the most that a field allows."""
    assert field.wire
    if field.flags:
        return 0, field.mask
    ranges = field.ranges or (field.wire.limits,)
    return ranges[0][0], ranges[-1][1]


def value(field: Field, number: int, most: bool) -> object:
    """Something that a field allows: its least or its most, bytes that differ by field."""
    if field.tail:
        return TAILS[field.tail]
    if field.python is InstrumentId:
        return InstrumentId(*(2**16 - 1, 255, 2**64 - 1 - number, 255) if most else (0, 0, number))
    if field.python is bytes:
        return bytes((number + at) % 256 for at in range(field.size))
    return limits(field)[most]


def example(cls: type[Message], most: bool = False) -> Message:
    """A message with the least, or the most, in every field, and something in every tail."""
    given = [field for field in cls.FIELDS if field.kind in ("value", "tail")]
    values: dict[str, Any] = {
        field.name: value(field, number, most) for number, field in enumerate(given)
    }
    if "tlvs" in values and cls.TYPE == MessageType.HELLO:
        values["tlvs"] = build([(1, b"desk-7"), (9, b"skipped")])
    return cls(**values)


def changed(message: Message, field: Field, number: int) -> bytes:
    """A frame of the message with other bytes in one field."""
    payload = bytearray(message.payload)
    end = field.offset + field.size
    signed = number < 0
    payload[field.offset : end] = number.to_bytes(field.size, "little", signed=signed)
    return Unknown(message.TYPE, message.VERSION, bytes(payload)).frame()


def layout(cls: type[Message]) -> Iterator[str]:
    """The fields of a class in the words of LAYOUTS."""
    for field in cls.FIELDS:
        if field.tail or field.kind == "pad" or not issubclass(field.python, int):
            yield f"{'pad' if field.kind == 'pad' else field.name} {_plain(field)}"
        else:
            assert field.wire
            yield f"{field.name} {'i' if field.wire.signed else 'u'}{field.size}"


def _plain(field: Field) -> str:
    return "tail" if field.tail else str(field.size)


def test_every_type_of_the_catalogue_has_a_class() -> None:
    assert {cls.TYPE for cls in CLASSES} == set(MessageType) - RESERVED
    assert {int(kind) for kind in RESERVED} == {108}


def test_every_class_is_laid_out_by_the_table_or_by_the_rule() -> None:
    assert {kind for kind, _ in LAYOUTS} | set(RULE) == {cls.TYPE for cls in CLASSES}


@pytest.mark.parametrize("key", LAYOUTS)
def test_a_class_has_the_fields_and_the_size_of_the_specification(key: tuple[int, int]) -> None:
    cls, (size, fields) = catalogue()[key], LAYOUTS[key]
    assert " ".join(layout(cls)) == fields
    assert HEADER_SIZE + sum(field.size for field in cls.FIELDS if field.wire) == size


@classes([cls for cls in CLASSES if cls.TYPE in RULE])
def test_a_type_whose_fields_are_left_open_follows_the_rule(cls: type[Message]) -> None:
    assert cls.EXACT
    assert cls.PAYLOAD_SIZE % 8 == 0
    for field in cls.FIELDS:
        if issubclass(field.python, int):
            assert field.offset % min(field.size, 8) == 0, f"{field.name} is not aligned"


@pytest.mark.parametrize("kind", [40, 41, 42, 43, 44, 45])
def test_every_message_about_an_order_names_owner_account_and_order(kind: int) -> None:
    names = [field.name for field in catalogue()[kind, 1].FIELDS]
    assert {"owner_id", "account_id", "client_order_id"} <= set(names)


@classes(CLASSES)
def test_offsets_follow_each_other_without_a_hole(cls: type[Message]) -> None:
    end = 0
    for field in cls.FIELDS:
        assert field.offset == end
        end += field.size
    assert sizes()[cls.TYPE, cls.VERSION] == (end, cls.EXACT)
    ids = [HEADER_SIZE + f.offset for f in cls.FIELDS if f.python is InstrumentId]
    assert list(instrument_offsets().get((cls.TYPE, cls.VERSION), ())) == ids


@classes(CLASSES)
@pytest.mark.parametrize("most", [False, True], ids=["least", "most"])
def test_the_least_and_the_most_of_every_field_come_back(cls: type[Message], most: bool) -> None:
    message = example(cls, most)
    frame = message.frame(sequence=3, timestamp=4, source=5)
    assert Header.unpack(frame).payload_size == len(frame) - HEADER_SIZE
    for found in (decode(frame), cls.decode(frame), cls.from_payload(message.payload)):
        assert type(found) is cls
        assert found == message
        assert found.frame(sequence=3, timestamp=4, source=5) == frame
    for field in cls.FIELDS:
        if field.kind in ("value", "tail") and message.TYPE != MessageType.HELLO:
            number = [f for f in cls.FIELDS if f.kind in ("value", "tail")].index(field)
            assert getattr(found, field.name) == value(field, number, most)


@classes(CLASSES)
def test_a_view_reads_what_the_message_says(cls: type[Message]) -> None:
    message = example(cls, most=True)
    buffer = bytearray(b"x" * 7 + message.frame())
    view = cls.view(buffer, 7)
    assert view.values() == message.values()
    assert view.detach() == message


@classes(CLASSES)
def test_integers_lie_little_endian_where_the_table_says(cls: type[Message]) -> None:
    message = example(cls, most=True)
    frame = message.frame()
    for field in integers(cls):
        at = HEADER_SIZE + field.offset
        written = int(getattr(message, field.name))
        signed = bool(field.wire and field.wire.signed)
        assert frame[at : at + field.size] == written.to_bytes(field.size, "little", signed=signed)


@classes(CLASSES)
def test_an_integer_one_outside_its_range_names_the_field(cls: type[Message]) -> None:
    message = example(cls)
    for field in integers(cls):
        low, high = limits(field)
        for bad in (low - 1, high + 1):
            with pytest.raises(FieldError) as info:
                message.replace(**{field.name: bad})
            assert str(info.value).startswith(f"{type_name(cls.TYPE)}.{field.name}: expected ")
            assert info.value.got == bad


@classes(CLASSES)
def test_an_integer_outside_its_range_in_a_frame_names_the_field(cls: type[Message]) -> None:
    message = example(cls)
    for field in integers(cls):
        assert field.wire
        least, most = field.wire.limits
        low, high = limits(field)
        for bad in {max(low - 1, least), min(high + 1, most)} - {low, high}:
            frame = changed(message, field, bad)
            for read in (decode, cls.decode):
                with pytest.raises(FieldError) as info:
                    read(frame)
                assert str(info.value).startswith(f"{type_name(cls.TYPE)}.{field.name}: expected ")


@classes(CLASSES)
def test_a_number_without_a_name_is_refused_where_the_enumeration_is_closed(
    cls: type[Message],
) -> None:
    message = example(cls)
    for field in integers(cls):
        names = field.enum or field.declared.names
        if names is None or field.wire is None:
            continue
        known = {int(member) for member in names}
        unknown = next(n for n in range(field.wire.limits[1], 0, -1) if n not in known)
        if field.enum:
            with pytest.raises(FieldError, match=rf"\.{field.name}: expected .*, got {unknown}$"):
                decode(changed(message, field, unknown))
            with pytest.raises(FieldError, match=rf"\.{field.name}: "):
                getattr(cls.view(changed(message, field, unknown)), field.name)
        else:
            found = decode(changed(message, field, unknown))
            assert getattr(found, field.name) == unknown


@classes(CLASSES)
def test_every_name_of_an_enumeration_is_taken_and_read(cls: type[Message]) -> None:
    message = example(cls)
    for field in integers(cls):
        for member in field.enum or field.declared.names or ():
            found = decode(changed(message, field, int(member)))
            assert getattr(found, field.name) is member
            assert getattr(message.replace(**{field.name: int(member)}), field.name) is member


@classes(CLASSES)
def test_a_pad_that_is_not_zero_names_the_pad(cls: type[Message]) -> None:
    message = example(cls)
    pads = [field for field in cls.FIELDS if field.kind == "pad"]
    for field in pads:
        for at in {0, field.size - 1}:
            payload = bytearray(message.payload)
            payload[field.offset + at] = 1
            with pytest.raises(FieldError, match=rf"\.{field.name}: expected zeros, got "):
                decode(Unknown(cls.TYPE, cls.VERSION, bytes(payload)).frame())


@classes(EXACT)
def test_any_other_length_of_a_fixed_message_is_a_schema_error(cls: type[Message]) -> None:
    payload = example(cls).payload
    for wrong in (b"", payload[:-1], payload + b"\0", payload + bytes(8), payload * 2):
        for read in (decode, cls.decode):
            with pytest.raises(SchemaError, match=f"expected {len(payload)} payload bytes, got "):
                read(Unknown(cls.TYPE, cls.VERSION, wrong).frame())


@classes([cls for cls in CLASSES if not cls.EXACT])
def test_a_variable_message_that_is_cut_is_an_error(cls: type[Message]) -> None:
    payload = example(cls).payload
    for size in range(cls.PAYLOAD_SIZE):
        with pytest.raises(SchemaError, match=f"at least {cls.PAYLOAD_SIZE} payload bytes, got "):
            decode(Unknown(cls.TYPE, cls.VERSION, payload[:size]).frame())


@classes([cls for cls in CLASSES if any(field.kind == "count" for field in cls.FIELDS)])
@pytest.mark.parametrize("more", [-1, 1])
def test_a_count_that_does_not_fit_the_payload_names_the_count(
    cls: type[Message], more: int
) -> None:
    message = example(cls)
    for field in cls.FIELDS:
        if field.kind in ("count", "start"):
            number = getattr(message, field.name) + more
            # A wrong count may be noticed at the next one: of the parts, the last takes the rest.
            with pytest.raises(FieldError, match=r"(_count|_len|_length|_offset): expected "):
                decode(changed(message, field, number))


@pytest.mark.parametrize("kind", sorted({k for k, v in catalogue() if v > 1}))
def test_two_versions_live_side_by_side(kind: int) -> None:
    old, new = catalogue()[kind, 1], catalogue()[kind, 2]
    assert (f"{new.__name__}V1", new.VERSION) == (old.__name__, 2), "the plain name is the newest"
    for most in (False, True):
        first, second = example(old, most), example(new, most)
        assert decode(first.frame()) == first
        assert decode(second.frame()) == second
        assert first != second
        with pytest.raises(SchemaError, match=r"version 2, got .* version 1"):
            new.decode(first.frame())
        with pytest.raises(SchemaError, match=r"version 1, got .* version 2"):
            old.decode(second.frame())


@classes(CLASSES)
def test_a_docstring_says_the_size_and_the_nearest_fix_message(cls: type[Message]) -> None:
    text = " ".join((cls.__doc__ or "").split(">>>")[0].split())
    fixed = HEADER_SIZE + sum(field.size for field in cls.FIELDS if field.wire)
    if cls.TYPE != MessageType.CONFIG_UPDATE:
        assert re.search(rf"\b{fixed} bytes", text), "a docstring names the bytes"
    if cls.TYPE < 100:
        assert "FIX" in text
    assert ">>>" in (cls.__doc__ or ""), "and has an example"


@classes(CLASSES)
def test_fields_of_fix_are_a_number_and_a_name(cls: type[Message]) -> None:
    for field in cls.FIELDS:
        assert field.declared.meaning
        for one in filter(None, field.declared.fix.split(", ")):
            assert re.fullmatch(r"[1-9]\d{0,3} [A-Z][A-Za-z]+", one), one


@pytest.mark.parametrize("names", enumerations(), ids=lambda names: names.__name__)
def test_an_enumeration_explains_each_value_and_begins_at_one(names: type[IntEnum]) -> None:
    assert list(meanings(names)) == [member.name for member in names]
    assert all(meanings(names).values())
    control = {f.python for cls in CLASSES if cls.TYPE >= 100 for f in cls.FIELDS}
    if names in control or names.__name__ == "Direction":
        return
    zero = [member.name for member in names if int(member) == 0]
    assert zero in (["NOT_SET"], []), "0 is not set, or not allowed"
    assert 1 in set(map(int, names))


@classes(CLASSES)
def test_on_chain_amounts_say_their_unit_in_their_name(cls: type[Message]) -> None:
    for field in integers(cls):
        if field.size == 16 and cls.TYPE not in (30, 33):
            assert field.name.endswith(("_wei", "_q")), field.name
        if field.name.endswith("_q"):
            assert field.declared.unit == "2**-64 tokens"


BOOK: Any = example(catalogue()[3, 1])
FOUND: Any = example(catalogue()[10, 1])
SIGNAL: Any = example(catalogue()[37, 1])


@pytest.mark.parametrize(
    ("message", "changes", "text"),
    [
        (BOOK, {"part": 3, "parts": 2}, "order_book.part: expected 1 to 2, got 3"),
        (BOOK, {"part": 0}, "order_book.part: expected 1 to 65535, got 0"),
        (BOOK, {"bids": ((1, 2),) * 65_536}, "order_book.bids: expected at most 65535 levels"),
        (BOOK, {"asks": ((1, -1),)}, "order_book.asks: expected levels of (price, size)"),
        (BOOK, {"asks": ((1, 2, 3),)}, "order_book.asks: expected levels of (price, size)"),
        (FOUND, {"symbol": "x" * 256}, "instrument_discovered.symbol: expected at most 255 bytes"),
        (FOUND, {"symbol": "\u20ac" * 86}, "instrument_discovered.symbol: expected at most 255"),
        (FOUND, {"metadata": bytes(65_536)}, "instrument_discovered.metadata: expected at most"),
        (SIGNAL, {"tlvs": b"\5\2x"}, "defi_signal.tlvs: expected whole TLVs"),
        (SIGNAL, {"tlvs": build([(9, bytes(255))] * 256)}, "defi_signal.tlvs: expected at most"),
    ],
)
def test_an_end_that_a_message_cannot_have_is_a_field_error(
    message: Any, changes: dict[str, object], text: str
) -> None:
    with pytest.raises(FieldError) as info:
        message.replace(**changes)
    assert str(info.value).startswith(text)


def test_a_part_above_the_parts_in_a_frame_is_a_field_error() -> None:
    part = next(field for field in BOOK.FIELDS if field.name == "part")
    with pytest.raises(FieldError, match=r"order_book\.part: expected 1 to 1, got 2"):
        decode(changed(BOOK, part, 2))


def test_a_symbol_that_is_not_utf8_is_a_field_error() -> None:
    payload = bytearray(FOUND.payload)
    payload[FOUND.PAYLOAD_SIZE] = 0xFF
    with pytest.raises(FieldError, match=r"instrument_discovered\.symbol: expected UTF-8 text"):
        decode(Unknown(10, 1, bytes(payload)).frame())


def test_tlvs_of_a_defi_signal_begin_at_byte_312() -> None:
    plain = SIGNAL.replace(tlvs=b"")
    assert (len(plain.frame()), plain.tlv_offset, plain.tlv_length) == (312, 312, 0)
    assert (SIGNAL.tlv_offset, SIGNAL.tlv_length) == (312, len(SIGNAL.tlvs))
    assert SIGNAL.frame()[312:] == SIGNAL.tlvs
