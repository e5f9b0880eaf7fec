"""`relays convert`: files in, a file of frames out, everything accounted for."""

import gzip
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import relays.adapters
from protocol.catalogue import SourceType, type_name
from protocol.header import HEADER_SIZE, Header
from protocol.market_data import InstrumentDiscovered, OrderBook, Quote, Trade
from protocol.message import Message, decode
from relays.adapters.kinds import KINDS
from relays.cli import main
from tests.wire.recordings import recordings

RELAYS = Path(sys.executable).with_name("relays")
DEADLINE = 60
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def trade(received: int, symbol: str = "BTCUSDT", price: str = "61837.63") -> str:
    data = {"e": "trade", "s": symbol, "p": price, "q": "0.02", "m": True}
    return f"{received} {json.dumps({'stream': 'x@trade', 'data': data})}\n"


LINES = trade(10) + trade(30) + "\n" + trade(20, price="-") + trade(50)
LATER = trade(20, "ETHUSDT") + trade(40, "ETHUSDT") + "60 {}\n"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "first.txt"
    path.write_text(LINES)
    return path


def ended(*arguments: object) -> int:
    """The exit code of the command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(["convert", *map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def frames(path: Path) -> Iterator[tuple[Header, Message]]:
    data, offset = path.read_bytes(), 0
    while offset < len(data):
        header, message = Header.unpack(data, offset), decode(data, offset)
        assert isinstance(message, Message)
        yield header, message
        offset += HEADER_SIZE + header.payload_size


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that it said."""
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("relays: ")
    assert said.err.endswith("\n")
    assert said.err.count("\n") == 1
    return said.err


def test_frames_are_back_to_back_with_receive_time_and_a_sequence_from_one(given: Path) -> None:
    out = given.with_name("out.frames")
    assert ended("binance", given, "-o", out) == 0
    found = list(frames(out))
    assert [type(message) for _, message in found] == [InstrumentDiscovered, Trade, Trade, Trade]
    assert [header.sequence for header, _ in found] == [1, 2, 3, 4]
    assert [header.timestamp for header, _ in found] == [10, 10, 30, 50]
    assert {header.source for header, _ in found} == {SourceType.BINANCE_COLLECTOR}


def test_several_files_are_merged_in_receive_order_whatever_their_packing(given: Path) -> None:
    packed, zipped = given.with_name("second.gz"), given.with_name("third.zip")
    packed.write_bytes(gzip.compress(LATER.encode()))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("lines.txt", trade(25, "XRPUSDT"))
    out = given.with_name("out.frames")
    assert ended("binance", packed, given, zipped, "-o", out) == 0
    found = list(frames(out))
    trades = [header.timestamp for header, message in found if isinstance(message, Trade)]
    assert trades == [10, 20, 25, 30, 40, 50]
    assert [header.sequence for header, _ in found] == list(range(1, 10))
    symbols = [one.symbol for _, one in found if isinstance(one, InstrumentDiscovered)]
    assert symbols == ["BTCUSDT", "ETHUSDT", "XRPUSDT"]


def test_the_summary_accounts_for_every_line(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = given.with_name("out.frames")
    assert ended("binance", given, "-o", out, "--json") == 0
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert said.err == ""
    assert summary.pop("seconds") >= 0
    assert summary == {
        "kind": "binance",
        "output": str(out),
        "options": {},
        "frames": 4,
        "bytes": out.stat().st_size,
        "messages": {"trade": 3, "instrument_discovered": 1},
        "files": [{"path": str(given), "lines": 5, "gave_messages": 3, "skipped": 2}],
        "tables": [],
        "skipped": {"blank": 1, "bad_field": 1},
        "left_out": {},
        "steps_back": 0,
        "collisions": [],
    }


def test_the_readme_explains_every_name_of_the_summary(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("binance", given, "-o", given.with_name("out.frames"), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    text = Path(relays.adapters.__file__).with_name("README.md").read_text()
    assert [name for name in (*summary, *summary["files"][0]) if f"`{name}`" not in text] == [
        "path"
    ]


def test_in_a_pipe_it_is_lines(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = given.with_name("out.frames")
    assert ended("binance", given, "-o", out) == 0
    said = capsys.readouterr()
    *lines, last = said.out.splitlines()
    assert lines == [
        f"file {given} lines=5 gave_messages=3 skipped=2",
        "messages trade=3",
        "messages instrument_discovered=1",
        "skipped blank=1",
        "skipped bad_field=1",
    ]
    assert last.startswith(f"written {out} frames=4 bytes={out.stat().st_size} seconds=")
    assert said.err == ""


def test_a_large_file_shows_its_progress_in_a_pipe_as_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = tmp_path / "large.txt"
    large.write_text("".join(trade(n) for n in range(20_000)))
    assert ended("binance", large, "-o", tmp_path / "out.frames") == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("%")[0] for line in lines] == [str(n) for n in range(10, 91, 10)]
    assert lines[4].startswith(f"50% of {large.stat().st_size} bytes read, ")


def on_a_terminal(*arguments: object, columns: int = 80) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.Popen(
            [RELAYS, "convert", *map(str, arguments)],
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm", "COLUMNS": str(columns)},
        )
        os.close(theirs)
        out = b""
        try:
            while chunk := terminal.read(4096):
                out += chunk
        except OSError:
            pass  # the other end of a terminal is closed: that is how it ends
        assert done.wait(DEADLINE) == 0
    return ESCAPES.sub("", out.decode())


def test_on_a_terminal_there_are_a_bar_and_a_table(given: Path) -> None:
    out = given.with_name("out.frames")
    shown = on_a_terminal("binance", given, "-o", out)
    rows = [line.split() for line in shown.splitlines()]
    assert any("converting" in row for row in rows)
    for row in (["first.txt", "5"], ["trade", "3"], ["blank", "1"], ["bad_field", "1"]):
        assert row in rows
    assert f"{out}: 4 frames, " in shown


def test_on_a_terminal_too_narrow_for_a_table_there_are_lines(given: Path) -> None:
    shown = on_a_terminal("binance", given, "-o", given.with_name("out.frames"), columns=30)
    assert "messages instrument_discovered=1" in shown.splitlines()


def test_what_is_there_is_overwritten_only_by_force(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = given.with_name("out.frames")
    out.write_text("precious")
    assert ended("binance", given, "-o", out) == os.EX_USAGE
    assert "--force" in error(capsys)
    assert out.read_text() == "precious"
    assert ended("binance", given, "-o", out, "--force") == 0
    assert len(list(frames(out))) == 4


def test_a_file_that_is_read_is_not_overwritten_even_by_force(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("binance", given, "-o", given, "--force") == os.EX_USAGE
    assert "one of the files to read" in error(capsys)
    assert given.read_text() == LINES


def test_what_is_no_regular_file_is_not_replaced(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in (Path(os.devnull), given.parent):
        assert ended("binance", given, "-o", out, "--force") == os.EX_CANTCREAT
        assert "not a regular file" in error(capsys)


def bad_inputs(folder: Path) -> dict[str, tuple[int, str]]:
    """Files that cannot be converted: the exit code and a part of what is said."""
    whole = gzip.compress(LINES.encode() * 100)
    (folder / "cut.gz").write_bytes(whole[:-20])
    (folder / "bits.gz").write_bytes(whole[:30] + b"\xff" * 40 + whole[70:])
    (folder / "plain.gz").write_text(LINES)
    (folder / "plain.zip").write_text(LINES)
    with zipfile.ZipFile(folder / "two.zip", "w") as archive:
        archive.writestr("one", LINES)
        archive.writestr("two", LINES)
    (folder / "other.txt").write_text("1618677816.5: {}\n\n")
    (folder / "empty.txt").write_text("")
    (folder / "folder").mkdir()
    return {
        "cut.gz": (os.EX_DATAERR, "damaged"),
        "bits.gz": (os.EX_DATAERR, "damaged"),
        "plain.gz": (os.EX_DATAERR, "damaged"),
        "plain.zip": (os.EX_DATAERR, "damaged"),
        "two.zip": (os.EX_DATAERR, "2 files"),
        "other.txt": (os.EX_DATAERR, "no_receive_time 1, blank 1"),
        "empty.txt": (os.EX_DATAERR, "no line"),
        "folder": (os.EX_NOINPUT, "directory"),
        "missing.txt": (os.EX_NOINPUT, "No such file"),
    }


def test_what_cannot_be_converted_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, (code, text) in bad_inputs(folder).items():
        path = folder / name
        assert ended("binance", path, "-o", tmp_path / "out.frames") == code
        said = error(capsys)
        assert str(path) in said
        assert text in said
        assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("price", "reason"), [("61800.123456789", "not_in_units"), ("99999999999999", "does_not_fit")]
)
def test_a_kind_is_not_doubted_whose_numbers_no_message_can_say(
    tmp_path: Path, price: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "fine.txt"
    path.write_text(trade(10, price=price) + trade(20, price=price) + "\n")
    assert ended("binance", path, "-o", tmp_path / "out.frames") == os.EX_DATAERR
    assert error(capsys).endswith(f"no message in {path} (found: {reason} 2, blank 1)\n")


@pytest.mark.parametrize("arguments", [(), ("binance",), ("nonesuch", "x"), ("binance", "x")])
def test_wrong_usage_is_64(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*arguments) == os.EX_USAGE
    error(capsys)


def test_a_folder_that_cannot_be_written_to_is_73(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("binance", given, "-o", given.parent / "no" / "out.frames") == os.EX_CANTCREAT
    assert "No such file" in error(capsys)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted: that takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_73_and_leaves_nothing(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = tmp_path / "large.txt"
    large.write_text("".join(trade(n) for n in range(5_000)))
    out = small_disk / "out.frames"
    assert ended("binance", large, "-o", out, "--json") == os.EX_CANTCREAT
    assert "No space left" in error(capsys)
    assert list(small_disk.iterdir()) == []


LARGE = "".join(trade(n) for n in range(20_000))
COLLIDING = trade(1, "BTC-USDT") + trade(2, "BTC/USDT")


def piped(folder: Path, given: str, rest: str, before: str = "") -> str:
    """What a shell says where the command ends with 0 and its output goes on to `rest`."""
    (folder / "given.txt").write_text(given)
    command = f"{{ {before} {RELAYS} convert binance given.txt -o out.frames; }} {rest}"
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(folder.glob(".relays-convert*"))
    return done.stdout


@pytest.mark.parametrize("given", [LARGE, COLLIDING])
@pytest.mark.parametrize("streams", ["2>&1", "2>&1 >summary", "2>errors"])
def test_whoever_reads_nothing_of_what_it_says_gets_the_file_all_the_same(
    tmp_path: Path, given: str, streams: str
) -> None:
    wait = "until [ -e gone ]; do sleep 0.01; done;"
    assert piped(tmp_path, given, f"{streams} | {{ exec <&-; touch gone; }}", wait) == ""
    assert len(list(frames(tmp_path / "out.frames"))) > 1
    if "summary" in streams:
        *_, last = (tmp_path / "summary").read_text().splitlines()
        assert last.startswith("written out.frames frames=")
    if "errors" in streams:
        assert "% of " in (tmp_path / "errors").read_text() or given == COLLIDING


def test_that_head_has_read_enough_of_its_progress_is_no_reason_to_end(tmp_path: Path) -> None:
    said = piped(tmp_path, LARGE, "2>&1 | head -2")
    assert [line[:4] for line in said.splitlines()] == ["10% ", "20% "]
    assert len(list(frames(tmp_path / "out.frames"))) == 20_001


@contextmanager
def half_done(folder: Path, ignored: signal.Signals | None = None) -> Iterator[Any]:
    """The command as it waits for more lines, and where to write them; of the signals that can end
    it only `ignored` is ignored, whoever runs the tests."""

    def before() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

    pipe = folder.parent / "lines"
    folder.mkdir()
    os.mkfifo(pipe)
    command = [str(part) for part in (RELAYS, "convert", "binance", pipe, "-o", folder / "out")]
    with (
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=before
        ) as running,
        pipe.open("w") as lines,
    ):
        lines.write(LINES)
        lines.flush()
        deadline = time.monotonic() + DEADLINE
        while not list(folder.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield running, lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_it_by_a_signal_finds_nothing_left(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "out"
    with half_done(folder) as (running, _):
        running.send_signal(number)
        assert running.wait(DEADLINE) == 128 + number
    assert list(folder.iterdir()) == []


def test_a_signal_that_is_ignored_does_not_end_it(tmp_path: Path) -> None:
    """As under nohup."""
    folder = tmp_path / "out"
    with half_done(folder, ignored=signal.SIGHUP) as found:
        running, lines = found
        running.send_signal(signal.SIGHUP)
        lines.write(LATER)
        lines.close()
        assert running.wait(DEADLINE) == 0
    assert len(list(frames(folder / "out"))) == 4 + 3


def test_two_symbols_with_one_id_are_named_also_from_two_files(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, out = given.with_name("other.txt"), given.with_name("out.frames")
    other.write_text(trade(1, "BTC-USDT") + trade(2, "BTC/USDT"))
    assert ended("binance", given, other, "-o", out, "--json") == 0
    said = capsys.readouterr()
    assert "'BTC-USDT' and 'BTC/USDT' have one id: Binance spot BTCUSDT" in said.err
    assert "'BTC-USDT' and 'BTCUSDT' have one id: Binance spot BTCUSDT" in said.err
    summary = json.loads(said.out)
    assert summary["skipped"]["id_collision"] == 1
    assert len(summary["collisions"]) == 2


def test_messages_received_before_the_one_before_them_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.txt", tmp_path / "out.frames"
    path.write_text(trade(10) + trade(9) + trade(11) + trade(10))
    assert ended("binance", path, "-o", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["steps_back"] == 2
    assert [header.timestamp for header, _ in frames(out)] == [10, 10, 9, 11, 10]


def test_the_help_has_examples_and_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "relays convert binance spot_btcusdt.gz -o btc.frames" in said
    assert ", ".join(KINDS) in said
    assert all(name in said for name in ("steps_back", "collisions", "seconds"))


def test_a_real_recording_is_a_file_of_frames_that_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths, out = recordings("cryptofeed/COINBASE.*"), tmp_path / "out.frames"
    assert ended("coinbase", *paths, "-o", out, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    found = list(frames(out))
    count = Counter(type_name(message.TYPE) for _, message in found)
    assert dict(count) == summary["messages"]
    assert {type(message) for _, message in found} == {
        InstrumentDiscovered,
        Trade,
        Quote,
        OrderBook,
    }
    times = [header.timestamp for header, _ in found]
    assert times == sorted(times)
