"""The loops over files of frames in protocol/export/README.md: compiled as they stand there, and of
one mind with Python about files that are whole, cut and damaged."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from protocol.checksum import seal
from protocol.export import c_text, render
from protocol.header import HEADER_SIZE, Header
from protocol.market_data import OrderBook, Trade
from protocol.message import Unknown, decode
from protocol.reject import Reject
from relays.client.stream import LARGEST_FRAME
from tests.vectors import index, read
from tests.wire.native.programs import compiler, ended, example

VALID = [read(entry) for entry in index()["valid"]]
MOST = LARGEST_FRAME - HEADER_SIZE
TRADE = next(frame for frame in VALID if isinstance(decode(frame), Trade))
WHAT_IS_WRONG = {
    "cut_in_a_header": (TRADE[: HEADER_SIZE - 1], Reject.TRUNCATED),
    "cut_in_a_payload": (TRADE[:-1], Reject.TRUNCATED),
    "no_frame": (b"\0" * 64, Reject.BAD_MAGIC),
    "checksum": (TRADE[:-1] + bytes([TRADE[-1] ^ 1]), Reject.BAD_CHECKSUM),
    "size": (TRADE[:8] + struct.pack("<I", 33) + TRADE[12:], Reject.BAD_SIZE),
    "too_large": (
        TRADE[:4] + struct.pack("<4BI", 26, 1, 1, 0, MOST + 1) + TRADE[12:],
        Reject.PAYLOAD_TOO_LARGE,
    ),
}


@pytest.fixture(scope="module", params=["gcc", "g++", "rustc"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = compiler(request.param)
    if found is None:
        pytest.skip(f"{request.param} is not installed")
    return example(tmp_path_factory.mktemp("example"), found)


def _said(frames: list[bytes]) -> str:
    """What the loops print: trades and books, nothing of what they do not know."""
    lines = []
    for frame in frames:
        message = decode(frame)
        if isinstance(message, Trade):
            lines.append(f"trade {message.price} {message.volume}\n")
        elif isinstance(message, OrderBook):
            lines.append(f"book {len(message.bids)} {len(message.asks)}\n")
    return "".join(lines)


def test_a_file_of_every_message_is_read_to_its_end(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "every.frames"
    path.write_bytes(b"".join(VALID))
    assert ended(program, path) == (0, _said(VALID), "")


def test_a_file_without_a_frame_is_one(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "none.frames"
    path.write_bytes(b"")
    assert ended(program, path) == (0, "", "")


def test_a_frame_as_large_as_any_relay_takes_is_read(program: Path, tmp_path: Path) -> None:
    frame = bytearray(Unknown(26, 1, bytes(MOST)).frame(1, 1, 1))
    seal(frame)
    assert Header.unpack(frame).payload_size == MOST
    path = tmp_path / "large.frames"
    path.write_bytes(frame + TRADE)
    assert ended(program, path) == (0, _said([TRADE]), "")


@pytest.mark.parametrize("wrong", WHAT_IS_WRONG)
def test_what_is_wrong_is_said_with_its_place(program: Path, tmp_path: Path, wrong: str) -> None:
    raw, code = WHAT_IS_WRONG[wrong]
    before = VALID[:9]
    path = tmp_path / "wrong.frames"
    path.write_bytes(b"".join(before) + raw)
    status, out, err = ended(program, path)
    assert (status, out) == (1, _said(before))
    assert f"byte {sum(map(len, before))}: {code.name}" in err


def test_a_file_that_is_not_there_is_an_error(program: Path, tmp_path: Path) -> None:
    assert ended(program, tmp_path / "none.frames")[0] == 1


def test_every_code_of_the_header_has_its_name() -> None:
    text = render("c")
    body = text[text.index("ap_fault_name(int code)") :].split("\n}\n")[0]
    named = dict(re.findall(r'case AP_(\w+): return "(\w+)";', body))
    faults = re.findall(r"AP_(\w+) = -?\d", c_text.CONSTANTS)
    assert set(faults) > {"OK", "BAD_TAILS", "END"}
    assert named == {f: f for f in faults} | {f"REJECT_{code.name}": code.name for code in Reject}


def test_both_files_say_what_the_most_of_a_payload_is() -> None:
    assert f"#define AP_MAX_PAYLOAD {MOST}u" in render("c")
    assert "pub const MAX_PAYLOAD: u32 = 1 << 20;" in render("rust")
    assert MOST == 1 << 20
