"""`relays convert`: files that are odd, damaged or given twice, and options of single kinds."""

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from protocol.instruments import VenueId
from protocol.market_data import InstrumentDiscovered, Trade
from relays.adapters import adapter as adapters
from relays.cli.converting import sources
from tests.daemon.test_convert import DEADLINE, RELAYS, ended, error, frames, trade
from tests.wire.chain_logs import TABLE, V2, swap2, sync

TAPE = "34201559,138200,970078,N,40,0\n"


def summary(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert ended(*arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


# --- options of single kinds ---


@pytest.mark.parametrize(
    ("option", "listing"),
    [((), VenueId.NYSE), (("--listing", "nasdaq"), VenueId.NASDAQ)],
)
def test_stocks_are_of_the_listing_that_is_said_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, ...], listing: VenueId
) -> None:
    path, out = tmp_path / "aapl_20131008_trade.csv", tmp_path / "out.frames"
    path.write_text(TAPE)
    found = summary(capsys, "us-equities", path, "-o", out, *option)
    assert found["options"] == {"listing": listing.name}
    ids = [one.instrument_id for _, one in frames(out) if isinstance(one, Trade)]
    assert [one.venue for one in ids] == [listing]


@pytest.mark.parametrize("option", ["--listing=nyse", "--pools=pools.csv"])
def test_an_option_of_another_kind_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    path = tmp_path / "first.txt"
    path.write_text(trade(1))
    assert ended("binance", path, "-o", tmp_path / "out.frames", option) == os.EX_USAGE
    assert option.partition("=")[0] in error(capsys)


def test_the_table_of_pools_is_accounted_for_as_the_files_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "my.csv", tmp_path / "out.frames"
    # One row is no UTF-8, one has no sound fee: both are counted, the others are of use.
    rows = [*TABLE, TABLE[1].replace("3000", "x"), TABLE[2].replace("WETH", "W\udcffTH")]
    table.write_text("\n".join(rows), errors="surrogateescape")
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(sync(10**12, 10**21) + "\n")
    files = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    found = summary(capsys, "uniswap", *files, "-o", out, "--pools", table)
    (told,) = found["tables"]
    assert told.pop("skipped") == {"header": 1, "bad_fee": 1, "bad_symbol": 1}
    assert told == {"path": str(table), "lines": 8, "gave_rows": 5}
    assert ended("uniswap", *files, "-o", out, "--pools", table, "--force") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"table {table} lines=8 gave_rows=5 header=1 bad_fee=1 bad_symbol=1" in lines


def test_a_table_that_cannot_be_read_is_66(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("")
    arguments = ("uniswap", path, "-o", tmp_path / "out.frames", "--pools", tmp_path / "no.csv")
    assert ended(*arguments) == os.EX_NOINPUT
    assert "no.csv cannot be read: No such file" in error(capsys)


# --- several files ---


def test_logs_of_one_block_are_in_the_order_of_the_chain_whatever_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pools.csv").write_text("\n".join(TABLE))
    block = {"blockNumber": 7, "blockTimestamp": "0x10"}
    for name, indices in (("a.jsonl", (2, 5)), ("b.jsonl", (1, 4))):
        given = [swap2(n * 10**6, 0, 0, 10**15, logIndex=n, **block) for n in indices]
        (tmp_path / name).write_text("\n".join(given))
    out = tmp_path / "out.frames"
    summary(capsys, "uniswap", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "-o", out)
    trades = [one for _, one in frames(out) if isinstance(one, Trade)]
    assert [one.volume // 10**8 for one in trades] == [1, 2, 4, 5]


def test_pools_of_two_chains_with_one_id_are_named_also_from_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, row in (("a.csv", TABLE[1]), ("b.csv", TABLE[1].replace("1,", "10,", 1))):
        (tmp_path / name).write_text(f"{TABLE[0]}\n{row}\n")
    files = tmp_path / "a.csv", tmp_path / "b.csv"
    found = summary(capsys, "pools", *files, "-o", tmp_path / "out.frames")
    (told,) = found["collisions"]
    assert f"USDC/WETH 1:{V2}" in told
    assert f"USDC/WETH 10:{V2}" in told


def test_a_file_is_not_converted_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, link = tmp_path / "first.txt", tmp_path / "second.txt"
    path.write_text(trade(1))
    link.symlink_to(path)
    for other in (path, link):
        assert ended("binance", path, other, "-o", tmp_path / "out.frames") == os.EX_USAGE
        assert "are the same file" in error(capsys)


# --- odd files ---


def changed_zip(path: Path, at: tuple[int, int], value: int) -> None:
    """An archive with one byte of its headers changed: local, and of the directory at the end."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lines.txt", trade(1))
    data = bytearray(path.read_bytes())
    for mark, offset in zip((b"PK\3\4", b"PK\1\2"), at, strict=True):
        data[data.index(mark) + offset] = value
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [((6, 8), 1, "encrypted"), ((8, 10), 99, "compression")],
)
def test_an_archive_that_cannot_be_unpacked_is_65(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    at: tuple[int, int],
    value: int,
    said: str,
) -> None:
    path = tmp_path / "first.zip"
    changed_zip(path, at, value)
    assert ended("binance", path, "-o", tmp_path / "out.frames") == os.EX_DATAERR
    assert said in error(capsys)


def test_names_may_be_as_long_as_the_file_system_takes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "first.txt"
    path.write_text(trade(1))
    out = tmp_path / ("o" * 250)
    assert ended("binance", path, "-o", out) == 0
    assert len(list(frames(out))) == 2
    capsys.readouterr()
    assert ended("binance", path, "-o", tmp_path / ("o" * 300)) == os.EX_CANTCREAT
    assert "name too long" in error(capsys)
    assert set(tmp_path.iterdir()) == {path, out}


def test_a_name_that_is_no_utf_8_is_told_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a\udcff.txt", tmp_path / "b\udcff.frames"
    path.write_text(trade(1))
    found = summary(capsys, "binance", path, "-o", out)
    assert found["files"][0]["path"] == str(tmp_path / "a\\xff.txt")
    assert found["output"] == str(tmp_path / "b\\xff.frames")
    assert ended("binance", path, "-o", out, "--force") == 0


def test_a_line_without_end_is_counted_and_not_held(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "LONGEST_LINE", 1_000)
    monkeypatch.setattr(sources, "LONGEST_LINE", 1_000)
    path, out = tmp_path / "first.txt", tmp_path / "out.frames"
    path.write_text(trade(1) + "7" * 100_000 + "\n" + trade(2) + "8" * 5_000)
    found = summary(capsys, "binance", path, "-o", out)
    assert found["skipped"] == {"too_long": 2}
    assert found["files"][0]["lines"] == 4
    assert [type(one) for _, one in frames(out)] == [InstrumentDiscovered, Trade, Trade]


def test_whoever_reads_the_progress_may_leave(tmp_path: Path) -> None:
    large, out = tmp_path / "large.txt", tmp_path / "out.frames"
    large.write_text("".join(trade(n) for n in range(20_000)))
    reading, writing = os.pipe()
    os.close(reading)
    command = [str(part) for part in (RELAYS, "convert", "binance", large, "-o", out)]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=writing, timeout=DEADLINE, check=False
    )
    os.close(writing)
    assert done.returncode == 0
    assert out.stat().st_size > 20_000 * 64
