"""Control frames: layouts written a second time, Hello's rules, TLVs, text and JSON."""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.control import (
    Ack,
    ConfigUpdate,
    Durability,
    Error,
    Gap,
    GapReason,
    Heartbeat,
    Hello,
    OnLag,
    Role,
    Snapshot,
    Start,
    Welcome,
    client_name,
    hello_tlvs,
    instruments,
    type_filter,
)
from protocol.errors import FieldError, ProtocolError, TlvError
from protocol.instruments import InstrumentId
from protocol.message import Message, Unknown, decode
from protocol.tlv import Tlv, build, find, iterate
from tests.wire.strategies import INSTRUMENTS, NAMES

FILTER = bytes(range(32))
# Written from the specification's table by hand, not from the classes.
LAYOUTS: list[tuple[Message, int, bytes]] = [
    (Heartbeat(1, 2, b"\x09\x01x"), 100, struct.pack("<QQ3s", 1, 2, b"\x09\x01x")),
    (Snapshot.from_payload(b"\x02\0\0\0" + bytes(12)), 101, struct.pack("<B3xIQ", 2, 0, 0)),
    (
        Error(6, 40, 1, 5, 6, "h\u00e9"),
        102,
        struct.pack("<HBBH2xQQ3s", 6, 40, 1, 3, 5, 6, b"h\xc3\xa9"),
    ),
    (ConfigUpdate('{"a":1}'), 103, b'{"a":1}'),
    (
        Hello(Role(5), OnLag(3), 250, Start(2), 7, 8, 9, FILTER, b"\x01\x01n"),
        104,
        struct.pack("<BBHB3xQQQ32s3s", 5, 3, 250, 2, 7, 8, 9, FILTER, b"\x01\x01n"),
    ),
    (
        Welcome(1, 2, 3, 4, 5, 6, 7, Durability(2), Role(3), 9),
        105,
        struct.pack("<QQQQQIHBBI4x", 1, 2, 3, 4, 5, 6, 7, 2, 3, 9),
    ),
    (Ack(1, 2, Durability(1)), 106, struct.pack("<QQB7x", 1, 2, 1)),
    (Gap(1, 2, 3, GapReason(3), 1), 107, struct.pack("<QQQBB6x", 1, 2, 3, 3, 1)),
]


@pytest.mark.parametrize(("message", "kind", "payload"), LAYOUTS)
def test_a_control_frame_has_the_layout_of_the_specification(
    message: Message, kind: int, payload: bytes
) -> None:
    assert (message.TYPE, message.payload) == (kind, payload)
    assert decode(Unknown(kind, 1, payload).frame()) == message


@pytest.mark.parametrize(
    ("at", "value", "name"),
    [
        *[(0, 1 << bit, "role") for bit in range(3, 8)],
        (1, 4, "on_lag"),
        (2, 99, "heartbeat_ms"),
        (4, 5, "start"),
        (5, 1, "_middle"),
    ],
)
def test_a_hello_with_a_reserved_value_names_the_field(at: int, value: int, name: str) -> None:
    payload = bytearray(Hello(Role.CONSUME).payload)
    payload[at] = value
    with pytest.raises(FieldError, match=rf"^hello\.{name}: expected "):
        Hello.decode(Unknown(104, 1, bytes(payload)).frame())


@pytest.mark.parametrize("heartbeat", [0, 100, 1000, 60_000])
def test_heartbeats_are_zero_or_a_tenth_of_a_second_to_a_minute(heartbeat: int) -> None:
    assert Hello(Role.CONSUME, heartbeat_ms=heartbeat).heartbeat_ms == heartbeat
    for bad in (1, 99, 60_001):
        with pytest.raises(FieldError, match="expected 0 or 100 to 60000, got"):
            Hello(Role.CONSUME, heartbeat_ms=bad)


@given(NAMES, st.lists(INSTRUMENTS, max_size=70))
def test_a_hello_carries_a_name_and_any_number_of_instruments(
    name: str | None, wanted: list[InstrumentId]
) -> None:
    hello = Hello.decode(Hello(Role.CONSUME, tlvs=hello_tlvs(name, wanted)).frame())
    assert client_name(hello) == name
    assert instruments(hello) == [one.to_bytes() for one in wanted]
    assert all(len(ids) <= 21 * 12 for ids in find(hello.tlvs, 2))


def test_a_hello_skips_tlvs_it_does_not_know() -> None:
    hello = Hello(Role.CONSUME, tlvs=build([(9, b"?"), (1, b"desk-7"), (255, b"")]))
    assert client_name(hello) == "desk-7"
    assert instruments(hello) == []


@pytest.mark.parametrize(
    ("tlvs", "text"),
    [
        (build([(1, b"")]), "hello.client_name: expected "),
        (build([(1, b"a b")]), "hello.client_name: expected "),
        (build([(1, b"a\n")]), "hello.client_name: expected "),
        (build([(1, b"x" * 65)]), "hello.client_name: expected "),
        (build([(1, b"\xff")]), "hello.client_name: expected "),
        (build([(1, b"a"), (1, b"b")]), "hello.tlvs: expected at most one client name"),
        (build([(2, b"")]), "hello.instruments: expected 1 to 21 ids of 12 bytes"),
        (build([(2, bytes(13))]), "hello.instruments: expected 1 to 21 ids of 12 bytes"),
        (b"\x01\x01x\x02\x0dx", "hello.tlvs: expected whole TLVs"),
    ],
)
def test_a_hello_with_bad_tlvs_is_refused_when_built_and_when_read(tlvs: bytes, text: str) -> None:
    frame = Unknown(104, 1, Hello(Role.CONSUME).payload + tlvs).frame()
    with pytest.raises(FieldError) as built:
        Hello(Role.CONSUME, tlvs=tlvs)
    with pytest.raises(FieldError) as read:
        Hello.decode(frame)
    assert str(built.value).startswith(text)
    assert str(read.value).startswith(text)


def test_a_tlv_past_the_end_of_a_frame_names_its_offset_in_the_frame() -> None:
    frame = Unknown(100, 1, bytes(16) + b"\x01\x01x\x02\x05ab").frame()
    with pytest.raises(FieldError, match="TLV 2 at offset 51: expected 5 bytes of payload, got 2"):
        Heartbeat.decode(frame)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=255)), max_size=8), st.data())
def test_tlvs_come_back_as_built_and_cut_ones_are_errors(
    items: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    built = build(items)
    assert [(tlv.type, tlv.payload) for tlv in iterate(built)] == items
    cut = data.draw(st.integers(0, len(built)))
    edges = {len(build(items[:n])) for n in range(len(items) + 1)}
    if cut in edges:
        assert len(list(iterate(memoryview(built)[:cut]))) <= len(items)
    else:
        with pytest.raises(TlvError, match=r"^TLV \d+ at offset \d+: expected "):
            list(iterate(built[:cut]))


@pytest.mark.parametrize("item", [(256, b""), (-1, b""), (1, bytes(256))])
def test_a_tlv_that_does_not_fit_is_refused(item: tuple[int, bytes]) -> None:
    with pytest.raises(TlvError, match="expected"):
        build([item])


def test_the_payload_of_a_tlv_is_its_own_copy() -> None:
    data = bytearray(build([(1, b"ab")]))
    (tlv,) = iterate(data)
    data[2] = 0
    assert tlv == Tlv(1, b"ab")


@given(st.sets(st.integers(0, 255)))
def test_a_type_filter_has_bit_n_mod_8_of_byte_n_div_8(types: set[int]) -> None:
    bits = type_filter(types)
    assert len(bits) == 32
    assert {n for n in range(256) if bits[n // 8] >> n % 8 & 1} == types


@pytest.mark.parametrize(("length", "text"), [(2, b"abc"), (4, b"abc"), (0, b"a"), (3, b"")])
def test_an_error_whose_text_len_is_not_that_of_its_text_is_refused(
    length: int, text: bytes
) -> None:
    payload = struct.pack("<HBBH2xQQ", 6, 40, 1, length, 5, 6) + text
    with pytest.raises(FieldError, match=r"error\.text_len: expected .* left of the payload"):
        Error.decode(Unknown(102, 1, payload).frame())


def test_text_that_is_not_utf8_is_refused() -> None:
    payload = struct.pack("<HBBH2xQQ", 6, 40, 1, 1, 5, 6) + b"\xff"
    with pytest.raises(FieldError, match=r"error\.text: expected UTF-8 text"):
        Error.decode(Unknown(102, 1, payload).frame())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_a_config_update_carries_any_json_value(value: Any) -> None:
    update = ConfigUpdate.decode(ConfigUpdate.of(value).frame())
    assert update.value() == value


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"\xff",
        b"NaN",
        b"[Infinity]",
        b"[" * 60_000,
        b"9" * 5000,
        b"\xef\xbb\xbf{}",
        b"1e999",
        b'{"a": [-1e999]}',
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "\\u0061": 2}}]',
    ],
)
def test_a_config_update_that_is_not_json_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProtocolError, match="config_update"):
        decode(Unknown(103, 1, raw).frame())
    with suppress(UnicodeDecodeError), pytest.raises(ProtocolError, match="config_update"):
        ConfigUpdate(raw.decode())


@pytest.mark.parametrize("text", ['{"b":1,"a":1.0}', " [1e5, 1E+05,-0.0]\n", '"\\u0041"', "1e-999"])
def test_a_config_update_encodes_to_the_bytes_it_was_decoded_from(text: str) -> None:
    frame = Unknown(103, 1, text.encode()).frame()
    update = ConfigUpdate.decode(frame)
    assert (update.frame(), update.document) == (frame, text)
    assert ConfigUpdate(update.document).frame() == frame


DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]
ROUND: list[Any] = []
ROUND.append(ROUND)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (math.nan, "got nan"),
        ([math.inf], "got [inf]"),
        ({1}, "got {1}"),
        ({"a": b"x"}, "got {'a': b'x'}"),
        ({(1, 2): 3}, "got {(1, 2): 3}"),
        ("\ud800", "ud800"),
        ({1: 2, "1": 3}, """got '{"1": 2, "1": 3}'"""),
        ([10**5000], "got a list"),
        (ROUND, "got [[...]]"),
        (DEEP, "got "),
    ],
)
def test_a_value_json_cannot_say_is_a_field_error(value: object, got: str) -> None:
    with pytest.raises(FieldError) as info:
        ConfigUpdate.of(value)
    assert str(info.value).startswith("config_update.document: expected ")
    assert got in str(info.value)


@pytest.mark.parametrize("kind", [256, 300, -1, 1.0, "1", None, True])
def test_what_is_no_message_type_is_named_by_a_type_filter(kind: Any) -> None:
    if kind is True:
        assert type_filter([kind]) == type_filter([1])
        return
    with pytest.raises(FieldError) as info:
        type_filter([1, kind])
    assert str(info.value) == f"hello.type_filter: expected types 0 to 255, got {kind!r}"


@pytest.mark.parametrize("name", ["\ud800", "", "a b", "x" * 65, b"desk", 7])
def test_a_name_no_client_can_have_is_named(name: Any) -> None:
    with pytest.raises(FieldError) as info:
        hello_tlvs(name)
    assert str(info.value).startswith("hello.client_name: expected [A-Za-z0-9_.-]{1,64}, got ")
    assert repr(name)[:100] in str(info.value)


@pytest.mark.parametrize("one", [5, bytes(12), "BTCUSDT", None])
def test_what_is_no_instrument_is_named(one: Any) -> None:
    with pytest.raises(FieldError) as info:
        hello_tlvs("desk", [InstrumentId(1, 4, 1), one])
    assert str(info.value) == f"hello.instruments: expected an InstrumentId, got {one!r}"
