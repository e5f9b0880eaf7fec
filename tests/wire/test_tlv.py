"""TLVs: looked at without copying, found, and appended to frames that stay whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import extensions
from protocol.control import Heartbeat, Hello, Role, Snapshot, SnapshotKind, hello_tlvs
from protocol.defi import DeFiSignal
from protocol.errors import (
    ChecksumError,
    FieldError,
    HeaderError,
    ProtocolError,
    SchemaError,
    TlvError,
)
from protocol.header import HEADER_SIZE, Header
from protocol.instruments import InstrumentId
from protocol.message import Unknown, decode
from protocol.structure import Extension
from protocol.tlv import Tlv, append, build, find, iterate, views
from tests.wire.strategies import ANY_EXTENSION, STAMPS, structures

ITEMS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=255)), max_size=5)
ID = InstrumentId(300, 3, 1)
SIGNAL = DeFiSignal(1, 2, 3, 4, 1, 0, ID, ID, bytes(20), bytes(20), bytes(20))
BEAT = Heartbeat(position=7, lag=1, tlvs=build([(9, b"there")]))


@given(ITEMS)
def test_views_see_what_iterate_copies(items: list[tuple[int, bytes]]) -> None:
    data = build(items)
    seen = [(kind, bytes(part)) for kind, part in views(data)]
    assert seen == [(tlv.type, tlv.payload) for tlv in iterate(data)] == items


def test_views_are_parts_of_the_buffer_they_were_made_from() -> None:
    data = bytearray(build([(1, b"ab"), (2, b"c")]))
    (_, first), (_, second) = views(data)
    data[2:4] = b"xy"
    assert bytes(first) == b"xy"
    assert bytes(second) == b"c"
    with pytest.raises(BufferError):
        data.append(1)


@given(ITEMS, st.integers(0, 255))
def test_find_gives_the_payloads_of_one_type_in_order_and_skips_the_others(
    items: list[tuple[int, bytes]], kind: int
) -> None:
    assert find(build(items), kind) == [payload for there, payload in items if there == kind]


@given(ITEMS, st.integers(1, 40), st.integers(0, 1000))
def test_tlvs_cut_anywhere_name_the_offset_however_they_are_read(
    items: list[tuple[int, bytes]], cut: int, base: int
) -> None:
    data = build(items)
    whole = {len(build(items[:count])) for count in range(len(items) + 1)}
    size = max(0, len(data) - cut)
    if size in whole:
        return
    begin = base + max(end for end in whole if end < size)
    for read in (iterate, views):
        with pytest.raises(TlvError, match=rf"^TLV \d+ at offset {begin}: expected "):
            list(read(data[:size], base))
    with pytest.raises(TlvError):
        find(data[:size], 1)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ((256, b""), "TLV type: expected 0 to 255, got 256"),
        (("1", b""), "TLV type: expected 0 to 255, got '1'"),
        ((1, bytes(256)), "TLV 1: expected at most 255 bytes, got 256"),
        ((1, "text"), "TLV 1: expected at most 255 bytes, got 'text'"),
        ((1,), "TLV: expected (type, payload) or an extension, got (1,)"),
        ((1, b"", 2), "TLV: expected (type, payload) or an extension, got (1, b'', 2)"),
        (5, "TLV: expected (type, payload) or an extension, got 5"),
        (None, "TLV: expected (type, payload) or an extension, got None"),
        (b"\1\0", "TLV: expected (type, payload) or an extension, got b'\\x01\\x00'"),
    ],
)
def test_an_item_that_is_no_tlv_is_named(item: Any, text: str) -> None:
    with pytest.raises(TlvError) as info:
        build([item])
    assert str(info.value) == text


@pytest.mark.parametrize("code", ["B", "b", "c", "H", "I", "d"])
def test_a_view_of_anything_is_its_bytes(code: str) -> None:
    data = build([(1, bytes(range(8))), (2, b"1234")])
    view = memoryview(data).cast(code)  # type: ignore[call-overload]
    assert build([(7, view)]) == build([(7, data)])
    assert list(iterate(view)) == list(iterate(data))
    assert find(view, 2) == [b"1234"]
    assert [bytes(part) for _, part in views(view)] == [bytes(range(8)), b"1234"]
    with pytest.raises(TlvError, match="TLV 7: expected at most 255 bytes, got 256"):
        build([(7, memoryview(bytes(256)).cast(code))])  # type: ignore[call-overload]
    frame = Heartbeat(tlvs=data).frame(sequence=5)
    assert append(memoryview(frame).cast(code), []) == frame  # type: ignore[call-overload]


def test_every_second_byte_of_a_buffer_can_be_read_and_put_in() -> None:
    data = build([(1, b"ab")])
    every_second = memoryview(bytes(byte for one in data for byte in (one, 9)))[::2]
    assert build([(7, every_second)]) == build([(7, data)])
    assert list(iterate(every_second)) == [Tlv(1, b"ab")]
    assert [bytes(part) for _, part in views(every_second)] == [b"ab"]


@given(ITEMS, ITEMS, STAMPS)
def test_appended_tlvs_follow_those_that_are_there_and_the_frame_stays_right(
    there: list[tuple[int, bytes]], more: list[tuple[int, bytes]], stamp: dict[str, int]
) -> None:
    beat = Heartbeat(position=3, lag=2, tlvs=build(there))
    longer = append(beat.frame(**stamp), map(Tlv._make, more))
    assert longer == Heartbeat(position=3, lag=2, tlvs=build(there + more)).frame(**stamp)
    header = Header.unpack(longer)
    assert header.payload_size == len(longer) - HEADER_SIZE
    assert {name: getattr(header, name) for name in stamp} == stamp


@given(structures(DeFiSignal), st.lists(ANY_EXTENSION, max_size=4), STAMPS)
def test_a_defi_signal_keeps_its_fields_and_says_where_its_tlvs_are(
    signal: DeFiSignal, more: list[Extension], stamp: dict[str, int]
) -> None:
    longer = append(signal.frame(**stamp), more)
    found = DeFiSignal.decode(longer)
    assert found == signal.replace(tlvs=signal.tlvs + build(more))
    assert extensions.of(found.tlvs[len(signal.tlvs) :]) == more
    assert longer[found.tlv_offset :] == found.tlvs
    assert (found.tlv_offset, found.tlv_length) == (312, len(longer) - 312)
    header = Header.unpack(longer)
    assert {name: getattr(header, name) for name in stamp} == stamp
    assert append(signal.frame(**stamp), []) == signal.frame(**stamp)


def test_tlvs_that_do_not_fit_are_refused_and_the_longest_that_do_are_not() -> None:
    frame = SIGNAL.frame(sequence=3)
    most = [(150, bytes(255))] * 255
    longest = append(frame, most)
    assert DeFiSignal.decode(longest).tlv_length == 65_535
    for items in ([*most, (150, b"")], [(150, bytes(255)), *most]):
        with pytest.raises(FieldError, match=r"^defi_signal\.tlvs: expected at most 65535 bytes"):
            append(frame, items)
    with pytest.raises(FieldError, match="at most 65535 bytes"):
        append(longest, [(150, b"")])
    with pytest.raises(TlvError, match="TLV 150: expected at most 255 bytes, got 256"):
        append(frame, [(150, bytes(256))])


def test_a_hello_gets_tlvs_under_its_own_rules() -> None:
    frame = Hello(Role.CONSUME, tlvs=hello_tlvs("desk-7")).frame()
    assert find(Hello.decode(append(frame, [(77, b"?")])).tlvs, 77) == [b"?"]
    with pytest.raises(FieldError, match="at most one client name"):
        append(frame, [(1, b"desk-8")])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_nothing_appended_is_the_same_frame_out_of_any_buffer(kind: type) -> None:
    frame = BEAT.frame(sequence=5, timestamp=6, source=20, flags=0x30)
    assert append(kind(frame), []) == frame


@pytest.mark.parametrize(
    "frame",
    [
        Snapshot(SnapshotKind.BEGIN, 0, 0).frame(),
        Unknown(200, 1, b"mine").frame(),
        Unknown(100, 9, BEAT.payload).frame(),
        Unknown(100, 1, BEAT.payload).frame(flags=1),
    ],
)
def test_a_frame_that_cannot_have_tlvs_is_a_schema_error(frame: bytes) -> None:
    with pytest.raises(SchemaError, match="a message with TLVs"):
        append(frame, [(1, b"")])


def test_a_damaged_frame_gives_the_error_that_decoding_it_gives() -> None:
    frame = BEAT.frame()
    for at in range(len(frame)):
        damaged = bytearray(frame)
        damaged[at] ^= 0x41
        with pytest.raises(ProtocolError) as wanted:
            decode(damaged)
        with pytest.raises(type(wanted.value)) as got:
            append(damaged, [(1, b"")])
        assert str(got.value) == str(wanted.value)
    for size in range(len(frame)):
        with pytest.raises(HeaderError):
            append(frame[:size], [(1, b"")])
    changed = Unknown(100, 1, BEAT.payload + b"\1").frame()
    with pytest.raises(FieldError, match="a length byte"):
        append(changed, [(1, b"")])


def test_bytes_after_the_frame_are_not_dropped_but_refused() -> None:
    with pytest.raises(HeaderError, match="bytes of one heartbeat version 1: expected 55, got 56"):
        append(BEAT.frame() + b"\0", [])


def test_the_frame_is_checked_before_its_checksum_is_made_anew() -> None:
    damaged = bytearray(BEAT.frame())
    damaged[HEADER_SIZE] ^= 1
    with pytest.raises(ChecksumError):
        append(damaged, [(1, b"")])
