"""The 32 bytes: offsets, errors, round trips; and the checksum over a frame."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import checksum
from protocol.errors import FieldError, HeaderError, ProtocolError
from protocol.header import FIELDS, HEADER_SIZE, LAYOUT, MAGIC, Header
from protocol.message import Unknown
from tests.wire.strategies import U8, U64

U32 = st.integers(0, 2**32 - 1)
HEADERS = st.builds(Header, st.just(MAGIC), U8, U8, U8, U8, U32, U64, U64, U32)


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own; its modules are loaded anew there."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=os.environ
    )


def test_every_header_field_is_where_the_specification_says() -> None:
    packed = Header(MAGIC, 0x11, 0x22, 0x33, 0x44, 0x55555555, 2**64 - 2, 2**63, 0x88888888).pack()
    assert packed[0:4] == b"\xef\xbe\xad\xde"
    assert packed[4:8] == b"\x11\x22\x33\x44"
    assert packed[8:12] == b"\x55" * 4
    assert packed[12:20] == b"\xfe" + b"\xff" * 7
    assert packed[20:28] == bytes(7) + b"\x80"
    assert packed[28:32] == b"\x88" * 4
    assert len(packed) == LAYOUT.size == HEADER_SIZE == sum(b for b, _ in FIELDS.values()) // 8


@given(HEADERS, st.binary(max_size=9), st.binary(max_size=9))
def test_a_header_unpacks_to_what_was_packed_at_any_offset(
    header: Header, before: bytes, after: bytes
) -> None:
    for kind in (bytes, bytearray, memoryview):
        assert Header.unpack(kind(before + header.pack() + after), len(before)) == header


@given(st.binary(max_size=64), st.integers(-100, 100))
def test_bytes_that_are_no_header_are_a_header_error(data: bytes, offset: int) -> None:
    whole = 0 <= offset <= len(data) - HEADER_SIZE
    if whole and data[offset : offset + 4] == b"\xef\xbe\xad\xde":
        return
    with pytest.raises(HeaderError):
        Header.unpack(data, offset)


def test_a_wrong_magic_is_shown_and_located() -> None:
    with pytest.raises(HeaderError, match=r"magic at 2: expected 0xdeadbeef, got 0"):
        Header.unpack(bytes(40), 2)


@pytest.mark.parametrize("name", list(FIELDS))
def test_a_header_value_out_of_range_names_the_field(name: str) -> None:
    good = Header(MAGIC, 1, 1, 1, 0, 0, 1, 1, 0)
    bad: Any
    for bad in (-1, 2 ** FIELDS[name][0], "x", 1.5, None):
        with pytest.raises(FieldError, match=f"header.{name}: expected (an integer, )?0 to "):
            good._replace(**{name: bad}).pack()


@pytest.mark.parametrize(("flags", "priority", "compressed"), [(0x30, 3, False), (0x12, 1, True)])
def test_flags_hold_priority_and_compression(flags: int, priority: int, compressed: bool) -> None:
    header = Header(MAGIC, 1, 1, 1, flags, 0, 1, 1, 0)
    assert (header.priority, header.compressed) == (priority, compressed)


def test_the_crc_of_the_check_string_is_the_known_value() -> None:
    assert checksum.crc32(b"123456789") == checksum.reference(b"123456789") == 0xCBF43926


@given(st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_the_compiled_crc_agrees_with_crcmod_however_it_is_continued(
    data: bytes, value: int, cut: int
) -> None:
    assert checksum.crc32(data, value) == checksum.reference(data, value)
    assert checksum.crc32(data[cut:], checksum.crc32(data[:cut], value)) == checksum.crc32(
        data, value
    )


@given(st.binary(max_size=300), U64, U64)
def test_every_way_to_seal_a_frame_gives_the_same_bytes(payload: bytes, a: int, b: int) -> None:
    frame = Unknown(200, 3, payload).frame(sequence=a, timestamp=b, source=9, flags=0x20)
    expected = checksum.reference(payload, checksum.reference(frame[:28]))
    assert Header.unpack(frame).checksum == expected == checksum.frame_checksum(frame)
    buffer = bytearray(b"ab" + frame)
    buffer[30:34] = b"\xff\xff\xff\xff"
    checksum.seal(buffer, 2)
    assert buffer == b"ab" + frame


def test_the_self_test_notices_a_crc_that_is_wrong_once() -> None:
    checksum.self_test()

    def wrong(data: bytes, value: int = 0) -> int:
        return checksum.crc32(data, value) ^ (len(data) == 255)

    with pytest.raises(ProtocolError, match="compiled CRC-32 of 255 bytes"):
        checksum.self_test(wrong)


def test_a_missing_compiled_module_is_one_clear_sentence() -> None:
    done = run("import sys; sys.modules['protocol._core.crc'] = None; import protocol.message")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("ImportError: protocol._core, the compiled part")
    assert "./scripts/setup" in last
    assert "libisal-dev" in last


def test_importing_the_package_brings_in_nothing_heavy() -> None:
    heavy = {"numpy", "asyncio", "socket", "logging", "crcmod", "dataclasses", "inspect"}
    code = "import protocol.message as m; m.sizes(); import protocol.control, sys"
    done = run(f"import sys; before = set(sys.modules); {code}; print(*set(sys.modules) - before)")
    assert done.returncode == 0, done.stderr
    assert not heavy & set(done.stdout.split())


def test_an_error_survives_a_trip_between_processes() -> None:
    for error in (FieldError("a.b", expected="1", got=None), ProtocolError("damaged")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.got) == (type(error), str(error), error.got)


@pytest.mark.parametrize(
    "value", [10**6000, -(10**6000), "a\nb", object()], ids=["big", "small", "text", "object"]
)
def test_an_error_is_one_line_whatever_the_value(value: object) -> None:
    text = str(ProtocolError("trade.price", expected="a\nnumber", got=value, hint="look\nhere"))
    assert len(text.splitlines()) == 1
    assert text.startswith("trade.price: expected a number, got ")
