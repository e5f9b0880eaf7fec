"""Every target for a while, and that the fuzzer would find something: it finds what is planted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import session
from tests.fuzz.__main__ import main
from tests.fuzz.session import Finding, Status
from tests.fuzz.target import corpus, golden, packed, unpacked

QUICK, FULL = 5, 60
LONGEST = 120


@pytest.mark.parametrize("name", session.names())
def test_nothing_is_found_in_a_while(
    name: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seconds = FULL if pytestconfig.getoption("--full") else QUICK
    found = session.fuzz(name, seconds, tmp_path / "found")
    assert isinstance(found, Status), str(found)
    assert found.runs > 0


@pytest.mark.parametrize("name", session.names())
def test_every_target_has_a_corpus_of_a_few_small_files(name: str) -> None:
    kept = list(corpus(name).iterdir())
    assert 0 < len(kept) < 150
    assert sum(path.stat().st_size for path in kept) < 200_000


def test_a_byte_read_too_many_behind_the_compiled_scan_is_found_from_nothing(
    tmp_path: Path,
) -> None:
    found = session.fuzz("_planted", LONGEST, tmp_path / "found")
    assert isinstance(found, Finding)
    assert "heap-buffer-overflow" in found.said
    assert found.file is not None
    assert f"scripts/fuzz _planted --replay {found.file}" in str(found)
    again = session.replay("_planted", found.file)
    assert isinstance(again, Finding)
    assert again.file == found.file
    found.file.unlink()


def test_a_stream_comes_back_from_the_input_it_was_packed_into() -> None:
    for stream in golden("valid", "opaque", "invalid", "streams"):
        assert unpacked(packed(stream)) == stream


@given(st.binary(max_size=300))
def test_any_bytes_are_an_input(data: bytes) -> None:
    stream = unpacked(data)
    assert unpacked(packed(stream)) == stream


def test_a_target_nobody_knows_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scam"]) != 0
    assert capsys.readouterr().err.startswith("scripts/fuzz: no target is called scam; there are ")


def test_an_input_that_shows_nothing_is_replayed_without_a_word_of_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "input").write_bytes(b"")
    assert main(["tlv", "--replay", str(tmp_path / "input")]) == 0
    assert "nothing found" in capsys.readouterr().out
