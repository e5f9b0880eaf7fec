"""`relays publish` and `relays replay` as processes, against real relays."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocol.as_json import dump
from protocol.header import HEADER_SIZE, Header
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side, Trade
from protocol.message import Unknown, decode
from relays.cli import main
from tests.harness import Client, RelayProcess, eventually, split
from tests.terminal import Terminal
from tests.wire.recordings import recordings

Start = Callable[..., RelayProcess]
DEADLINE = 60
RELAYS = [sys.executable, "-m", "relays.cli"]
BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
ETH = InstrumentId.spot(VenueId.BINANCE, "ETHUSDT")
NOON = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000


def trades(count: int, pair: InstrumentId = BTC, every: int = MILLISECOND) -> list[bytes]:
    """Trades recorded `every` ns, with prices from 1 on."""
    return [
        Trade(pair, price=n, volume=1).frame(sequence=n, timestamp=NOON + n * every, source=2)
        for n in range(1, count + 1)
    ]


def written(path: Path, *parts: bytes) -> str:
    path.write_bytes(b"".join(parts))
    return str(path)


def words(relay: RelayProcess, *given: str) -> list[str]:
    where = [] if given[0] == "convert" else [f"--runtime-dir={relay.folder}"]
    return [*RELAYS, *given, *where]


def ran(relay: RelayProcess, *given: str, code: int = 0, stdin: str = "") -> tuple[str, list[str]]:
    """What it put out, and the lines on stderr; it must end by itself with this exit code."""
    done = subprocess.run(
        words(relay, *given), input=stdin, capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr.splitlines()


def reported(relay: RelayProcess, *given: str, code: int = 0, stdin: str = "") -> dict[str, Any]:
    made: dict[str, Any] = json.loads(ran(relay, *given, "--json", code=code, stdin=stdin)[0])
    return made


def consumer(relay: RelayProcess) -> Client:
    client = relay.client()
    client.hello(1)
    return client


def prices(frames: list[bytes]) -> list[int]:
    return [decode(frame).price for frame in frames]  # type: ignore[union-attr]


def names(relay: RelayProcess) -> set[str]:
    return {row["name"] for row in relay.consumers()}


def ended(*given: str) -> int:
    """The exit code of the command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(given)
    assert isinstance(caught.value.code, int)
    return caught.value.code


# --- publish ---


def test_frames_arrive_in_order_with_new_sequences_and_times(start: Start, tmp_path: Path) -> None:
    relay = start()
    reader = consumer(relay)
    before = time.time_ns()
    path = written(tmp_path / "a.frames", *trades(3_000))
    report = reported(relay, "publish", "market_data", path)
    assert (report["sent"], report["refused"], report["bytes"]) == (3_000, 0, 192_000)
    got = reader.data(3_000)
    assert prices(got) == list(range(1, 3_001))
    headers = [Header.unpack(frame) for frame in got]
    assert [header.sequence for header in headers] == list(range(1, 3_001))
    assert {header.source for header in headers} == {2}
    assert all(before <= header.timestamp <= time.time_ns() for header in headers)


def test_recorded_times_can_stay(start: Start, tmp_path: Path) -> None:
    relay = start()
    reader = consumer(relay)
    path = written(tmp_path / "a.frames", *trades(5))
    ran(relay, "publish", "market_data", path, "--recorded-times")
    assert [Header.unpack(frame).timestamp for frame in reader.data(5)] == [
        NOON + n * MILLISECOND for n in range(1, 6)
    ]


def test_what_tap_shows_can_be_published_again(start: Start, tmp_path: Path) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(20))
    ran(relay, "publish", "market_data", path)
    shown, _ = ran(relay, "tap", "market_data", "--from=0", "--count=20", "--json")
    reader = consumer(relay)
    assert reported(relay, "publish", "market_data", "-", stdin=shown)["sent"] == 20
    assert [frame[HEADER_SIZE:] for frame in reader.data(20)] == [
        frame[HEADER_SIZE:] for frame in trades(20)
    ]


def test_a_csv_is_published_and_its_bad_lines_are_listed(start: Start, tmp_path: Path) -> None:
    relay = start()
    reader = consumer(relay)
    text = "instrument_id,price,volume,side\nbinance:spot:BTC-USDT,61234.5,0.25,BUY\n"
    text += "binance:spot:BTC-USDT,1,1,UP\nbinance:spot:BTC-USDT,2,1,SELL\n"
    path = written(tmp_path / "a.csv", text.encode())
    given = ("publish", "market_data", path, "--type=trade", "--decimal")
    out, said = ran(relay, *given, code=os.EX_DATAERR)
    assert out.startswith("published market_data messages=2 bytes=128 refused=1 ")
    assert [line.split(": trade.side")[0] for line in said] == [f"relays: refused: {path}: line 3"]
    assert [decode(frame) for frame in reader.data(2)] == [
        Trade(BTC, price=61_234_50000000, volume=25_000000, side=Side.BUY),
        Trade(BTC, price=2_00000000, volume=1_00000000, side=Side.SELL),
    ]


def test_what_cannot_be_sent_is_listed_with_its_frame_and_the_rest_goes_on(
    start: Start, tmp_path: Path
) -> None:
    relay = start()
    made = trades(5)
    damaged = bytearray(made[1])
    damaged[40] ^= 1
    parts = [made[0], bytes(damaged), Unknown(50, 1, bytes(8)).frame(), made[2]]
    parts += [Unknown(19, 1, bytes(70_000)).frame(), made[3], made[4][:-1]]
    path = written(tmp_path / "a.frames", *parts)
    report = reported(relay, "publish", "market_data", path, code=os.EX_DATAERR)
    assert (report["sent"], report["bytes"], report["refused"]) == (3, 192, 4)
    listed = {one["frame"]: one["reason"] for one in report["listed"]}
    assert list(listed) == [2, 3, 5, 7]
    for number, word in ((2, "checksum"), (3, "1 to 19"), (5, "65536"), (7, "cut short")):
        assert word in listed[number]


def test_what_precedes_damage_in_a_file_is_published(start: Start, tmp_path: Path) -> None:
    relay = start()
    whole = gzip.compress(b"".join(trades(2_000)))
    path = written(tmp_path / "a.frames.gz", whole[:-20])
    out, said = ran(relay, "publish", "market_data", path, code=os.EX_DATAERR)
    assert f"messages={relay.end()} " in out
    assert relay.end() > 0
    assert len(said) == 1
    assert f"{path} is damaged" in said[0]


def test_what_the_relay_refuses_is_listed_with_its_frame(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "relays.toml"
    config.write_text(f'[market_data.sources]\n"uid:{os.getuid()}" = [2]\n')
    relay = start(config=config)
    reader = consumer(relay)
    made = trades(10)
    other = Trade(ETH, price=1, volume=1).frame(source=7)
    path = written(tmp_path / "a.frames", *made[:4], other, *made[4:], other)
    report = reported(relay, "publish", "market_data", path, code=os.EX_DATAERR)
    assert (report["sent"], report["refused"]) == (10, 2)
    assert [one["frame"] for one in report["listed"]] == [5, 12]
    assert all("source_not_allowed" in one["reason"] for one in report["listed"])
    assert prices(reader.data(10)) == list(range(1, 11))


def test_only_the_first_refusals_are_listed_and_all_are_counted(
    start: Start, tmp_path: Path
) -> None:
    relay = start()
    path = written(tmp_path / "a.jsonl", b"{}\n" * 250)
    out, said = ran(relay, "publish", "market_data", path, code=os.EX_DATAERR)
    assert "refused=250" in out
    assert len(said) == 101
    assert "150 more" in said[-1]


def test_a_rate_is_kept(start: Start, tmp_path: Path) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(31))
    report = reported(relay, "publish", "market_data", path, "--speed=100/s")
    assert report["sent"] == 31
    assert report["seconds"] >= 0.3


def test_it_can_wait_for_consumers_that_are_behind(start: Start, tmp_path: Path) -> None:
    relay = start(log_bytes=1 << 20, send_buffer=4096, circuit_breaker=2_000, max_queue_size=4_000)
    reader = consumer(relay)
    path = written(tmp_path / "a.frames", *trades(10_000))
    command = words(relay, "publish", "market_data", path, "--ahead=400", "--json")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert prices(reader.data(10_000)) == list(range(1, 10_001))
        assert json.loads(process.communicate(timeout=DEADLINE)[0])["sent"] == 10_000
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def test_the_execution_relay_gets_orders_in_strict_sequence(start: Start, tmp_path: Path) -> None:
    relay = start("execution")
    orders = [Unknown(59, 1, bytes([n])).frame() for n in range(200)]
    path = written(tmp_path / "a.frames", *orders)
    assert reported(relay, "publish", "execution", path)["sent"] == 200
    assert relay.end() == 200


# --- interrupted, and relays that go ---


@contextmanager
def running(relay: RelayProcess, *given: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, once something of it has arrived."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(words(relay, *given), stdout=pipe, stderr=pipe, text=True)
    try:
        eventually(lambda: relay.end() > 0, "the first message arrives")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_everything_acknowledged(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(1_000))
    with running(relay, "publish", "market_data", path, "--speed=50/s", "--json") as process:
        process.send_signal(number)
        out, error = process.communicate(timeout=DEADLINE)
    report = json.loads(out)
    assert (process.returncode, error) == (130, "")
    assert report["interrupted"]
    assert 0 < report["sent"] == relay.end() < 1_000


def test_ctrl_c_ends_it_although_the_relay_does_not_answer(start: Start, tmp_path: Path) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(300_000))
    with running(relay, "publish", "market_data", path, "--speed=20k/s", "--json") as process:
        relay.signal(signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=DEADLINE)
        finally:
            relay.signal(signal.SIGCONT)
    report = json.loads(out)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert report["interrupted"]
    # What was not acknowledged is told; the relay, which goes on, has no more than was sent.
    assert report["sent"] <= relay.end() <= report["sent"] + report["refused"]


def test_ctrl_c_while_it_waits_for_its_input_ends_it(start: Start) -> None:
    relay = start()
    command = words(relay, "publish", "market_data", "-", "--format=json")
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    try:
        eventually(lambda: "publish" in names(relay), "it is connected")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def test_a_restart_of_the_relay_loses_and_repeats_nothing(start: Start, tmp_path: Path) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(300))
    with running(relay, "publish", "market_data", path, "--speed=1000/s", "--json") as process:
        relay.kill()
        relay.start()
        out, _ = process.communicate(timeout=DEADLINE)
    assert json.loads(out)["sent"] == 300
    reader = relay.client()
    reader.hello(1, start=2)
    assert prices(reader.data(300)) == list(range(1, 301))
    assert relay.end() == 300


# --- replay ---


def test_recordings_are_merged_by_the_times_in_their_headers(start: Start, tmp_path: Path) -> None:
    relay = start()
    reader = consumer(relay)
    first = written(tmp_path / "a.frames", *trades(30, BTC, every=3_000))
    second = written(tmp_path / "b.frames", *trades(45, ETH, every=2_000))
    given = ("replay", first, second, "--to=market_data", "--speed=max", "--recorded-times")
    assert reported(relay, *given)["sent"] == 75
    got = reader.data(75)
    times = [Header.unpack(frame).timestamp for frame in got]
    assert times == sorted(times)
    for pair, count in ((BTC, 30), (ETH, 45)):
        of_pair = [frame for frame in got if frame[32:44] == pair.to_bytes()]
        assert prices(of_pair) == list(range(1, count + 1))


def test_real_recordings_come_out_of_a_relay_as_they_went_in(start: Start, tmp_path: Path) -> None:
    relay = start(log_bytes=32 << 20)
    parts = []
    for number, path in enumerate(recordings("binance/spot_*.gz")[:2]):
        parts.append(tmp_path / f"{number}.frames")
        ran(relay, "convert", "binance", str(path), "-o", str(parts[-1]))
    out = tmp_path / "out.frames"
    names = [str(part) for part in parts]
    given = ("--to=market_data", "--speed=max", "--recorded-times")
    count = reported(relay, "replay", *names, *given)["sent"]
    ran(relay, "tap", "market_data", "--from=oldest", f"--count={count}", "-w", str(out))
    got, sent = list(split(out.read_bytes())), [list(split(part.read_bytes())) for part in parts]
    assert len(got) == sum(map(len, sent))
    times = [Header.unpack(frame).timestamp for frame in got]
    assert times == sorted(times)
    payloads = sorted(frame[HEADER_SIZE:] for frame in got)
    assert payloads == sorted(frame[HEADER_SIZE:] for frames in sent for frame in frames)


@pytest.mark.parametrize(("speed", "least"), [("1", 0.2), ("0.5", 0.4), ("10", 0.02)])
def test_the_recorded_timing_is_scaled(
    start: Start, tmp_path: Path, speed: str, least: float
) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(21, every=10 * MILLISECOND))
    report = reported(relay, "replay", path, "--to=market_data", f"--speed={speed}")
    assert report["sent"] == 21
    assert report["seconds"] >= least


def test_messages_without_a_time_cannot_be_replayed_in_time(start: Start, tmp_path: Path) -> None:
    relay = start()
    line = dump(Trade(BTC, price=1, volume=1)).encode()
    path = written(tmp_path / "a.jsonl", line)
    _, said = ran(relay, "replay", path, "--to=market_data", code=os.EX_USAGE)
    assert [("line 1" in text, "1000/s" in text) for text in said] == [(True, True)]
    assert reported(relay, "replay", path, "--to=market_data", "--speed=9/s")["sent"] == 1


# --- what goes wrong, help, a terminal ---


@pytest.mark.parametrize("given", [("publish", "signals", "{}"), ("replay", "{}", "--to=signals")])
def test_nothing_listening_is_one_sentence_with_the_path_and_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...]
) -> None:
    path = written(tmp_path / "a.frames", *trades(1))
    code = ended(*(word.format(path) for word in given), f"--runtime-dir={tmp_path}")
    assert code == os.EX_UNAVAILABLE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{tmp_path}/signals.sock" in error
    assert f"relays run signals --runtime-dir {tmp_path}" in error


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("publish", "market_data", "/nowhere/x"), os.EX_NOINPUT, "/nowhere/x"),
        (("publish", "market_data", "-", "--speed=wat"), os.EX_USAGE, "1000/s"),
        (("publish", "market_data", "-", "--type=wat"), os.EX_USAGE, "trade"),
        (("replay", "-", "-", "--to=signals"), os.EX_USAGE, "once"),
        (("replay", "a.frames"), os.EX_USAGE, "--to"),
    ],
)
def test_what_cannot_be_is_one_line(
    given: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*given) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


@pytest.mark.parametrize("command", ["publish", "replay"])
def test_the_help_is_a_page_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(command, "--help") == 0
    said = capsys.readouterr().out
    for word in ("Examples:", "Exit codes:", "--speed", f"relays {command} "):
        assert word in said


def test_on_a_terminal_there_is_progress_and_a_sentence(start: Start, tmp_path: Path) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(60))
    command = words(relay, "publish", "market_data", path, "--speed=100/s")
    with Terminal(tmp_path, command, columns=100) as terminal:
        terminal.until(" messages ", "/s")
        seen = terminal.until("exit=0")
        assert "published 60 messages (3,840 bytes) to market_data in" in seen
        assert "0 refused" in seen


def test_on_a_terminal_ctrl_c_ends_it_without_a_traceback(start: Start, tmp_path: Path) -> None:
    relay = start()
    path = written(tmp_path / "a.frames", *trades(1_000, every=1000 * MILLISECOND))
    with Terminal(tmp_path, words(relay, "replay", path, "--to=market_data")) as terminal:
        eventually(lambda: relay.end() > 0, "the first message arrives")
        terminal.press("C-c")
        seen = terminal.until("exit=130")
        assert "interrupted" in seen
        assert "Traceback" not in seen
