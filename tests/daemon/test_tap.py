"""`relays tap` as a process, against real relays: what it shows, writes, counts and misses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from protocol.execution import OrderRequest
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, Quote, Side, Trade
from protocol.orders import OrderType, TimeInForce
from relays.cli import main
from relays.cli.common.naming import parse_instrument
from relays.cli.tapping.feed import AWAY, Feed
from relays.edge.memory import open_state
from tests.harness import RelayProcess, eventually, split
from tests.terminal import Terminal

Start = Callable[..., RelayProcess]
DEADLINE = 60
TAP = [sys.executable, "-m", "relays.cli", "tap"]
BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
SHIB = parse_instrument("binance:spot:1000SHIBUSDT")


def traffic(count: int = 20) -> list[bytes]:
    """An introduction, then trades of two instruments from two sources, and quotes."""
    messages: list[Any] = [InstrumentDiscovered(SHIB, decimals=8, symbol="1000SHIB-USDT")]
    for n in range(count - 1):
        pair = (BTC, SHIB)[n % 2]
        if n % 5 == 4:
            messages.append(Quote(pair, bid_price=n, ask_price=n + 1, bid_size=1, ask_size=2))
        else:
            messages.append(Trade(pair, price=n * 100_000_000, volume=1, side=Side.BUY))
    return [
        message.frame(sequence=n, timestamp=time.time_ns(), source=1 + n % 2)
        for n, message in enumerate(messages, 1)
    ]


def published(relay: RelayProcess, frames: list[bytes]) -> list[bytes]:
    """The frames, once the relay has them in its log."""
    wanted = relay.end() + len(frames)
    relay.client().send(*frames)
    eventually(lambda: relay.end() >= wanted, "the relay has them")
    return frames


def arguments(relay: RelayProcess, *words: str) -> list[str]:
    return [*TAP, relay.domain, f"--runtime-dir={relay.folder}", *words]


def tap(relay: RelayProcess, *words: str, code: int = 0) -> tuple[str, str]:
    """What it put out and what it said on stderr; it must end by itself with this exit code."""
    done = subprocess.run(
        arguments(relay, *words), capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == code, done
    return done.stdout, done.stderr


@contextmanager
def tapping(relay: RelayProcess, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A tap that runs, once the relay feeds it. Who reads its output finds the end of it after
    DEADLINE at the latest."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(arguments(relay, *words), stdout=pipe, stderr=pipe, text=True)
    late = Timer(DEADLINE, process.kill)
    late.start()
    try:
        eventually(lambda: "tap" in {row["name"] for row in relay.consumers()}, "it is fed")
        yield process
    finally:
        late.cancel()
        process.kill()
        process.communicate(timeout=DEADLINE)


def ended(*words: str) -> int:
    """The exit code of the command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(["tap", *words])
    assert isinstance(caught.value.code, int)
    return caught.value.code


# --- what is shown ---


def test_every_message_is_a_line_in_the_order_of_the_log(start: Start) -> None:
    relay = start()
    published(relay, traffic())
    out, error = tap(relay, "--from", "oldest", "--count", "20")
    lines = out.splitlines()
    assert error == ""
    assert [line.split()[1] for line in lines] == [str(n) for n in range(20)]
    assert lines[0].split()[2:5] == [
        "instrument_discovered", "binance:spot:1000SHIB-USDT", "decimals=8"
    ]  # fmt: skip
    assert lines[3].split()[2:] == [
        "trade", "binance:spot:BTCUSDT", "price=2", "volume=0.00000001", "side=BUY",
        "[binance_collector", "#4]",
    ]  # fmt: skip


def test_names_are_learnt_from_what_the_log_still_has(start: Start) -> None:
    relay = start()
    published(relay, traffic())
    out, _ = tap(relay, "--from", "-2", "--count", "1")
    assert out.split()[1:4] == ["18", "trade", "binance:spot:1000SHIB-USDT"]


def test_it_begins_with_what_was_received_at_a_time_or_later(start: Start) -> None:
    relay = start(journal="on", journal_segment=8 << 20)
    published(relay, traffic(5))
    then = datetime.now(UTC)
    published(relay, traffic(3))
    for zone in (UTC, timezone(timedelta(hours=-3))):
        at = then.astimezone(zone).isoformat()
        out, _ = tap(relay, f"--from={at}", "--count=3")
        assert [line.split()[1] for line in out.splitlines()] == ["5", "6", "7"]


def test_a_time_needs_a_relay_with_a_journal(start: Start) -> None:
    _, error = tap(start(), "--from=09:30", code=os.EX_UNAVAILABLE)
    (line,) = error.splitlines()
    assert "needs a relay that has a journal" in line


def test_filters_are_of_type_source_and_instrument(start: Start) -> None:
    relay = start()
    published(relay, traffic())
    words = ("--from", "oldest", "--json")
    found = {
        filters: [
            (one["name"], one["header"]["source"], one["instruments"]["instrument_id"])
            for one in map(json.loads, tap(relay, *words, *filters)[0].splitlines())
        ]
        for filters in (
            ("--type=quote", "--count=3"),
            ("--source=kraken-collector", "--count=10"),
            ("--instrument=1000shib*", "--type=trade,quote", "--count=9"),
            ("--instrument=binance:spot:BTC-USDT", "--source=1,2", "--count=10"),
        )
    }
    by_type, by_source, by_glob, by_name = found.values()
    assert {kind for kind, _, _ in by_type} == {"Quote"}
    assert {source for _, source, _ in by_source} == {2}
    assert {name for _, _, name in by_glob} == {"binance:spot:1000SHIB-USDT"}
    assert {kind for kind, _, _ in by_glob} == {"Trade", "Quote"}
    assert {name for _, _, name in by_name} == {"binance:spot:BTCUSDT"}


def test_hex_shows_the_very_bytes(start: Start) -> None:
    relay = start()
    frames = published(relay, traffic(3))
    out, _ = tap(relay, "--from", "2", "--count", "1", "--hex")
    dump = out.splitlines()[1:]
    assert bytes.fromhex("".join(line[8:56] for line in dump)) == frames[2]
    made = json.loads(tap(relay, "--from=2", "--count=1", "--hex", "--json")[0])
    assert made["frame"] == f"0x{frames[2].hex()}"


def test_live_messages_come_as_they_are_sent(start: Start) -> None:
    relay = start()
    with tapping(relay) as process:
        published(relay, traffic(5))
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        assert [line.split()[1] for line in lines] == list("01234")


def test_it_goes_on_across_a_restart_of_the_relay_without_a_repeat(start: Start) -> None:
    relay = start()
    with tapping(relay) as process:
        assert process.stdout is not None
        published(relay, traffic(3))
        lines = [process.stdout.readline() for _ in range(3)]
        relay.kill()
        assert process.stdout.readline().startswith("-- the relay has gone: waiting for it")
        relay.start()
        assert process.stdout.readline() == "-- the relay is back\n"
        published(relay, traffic(3))
        lines += [process.stdout.readline() for _ in range(3)]
        assert [line.split()[1] for line in lines] == list("012345")


def test_a_relay_that_lets_connect_and_does_not_answer_is_not_back(start: Start) -> None:
    relay = start()
    with Feed(relay.path) as feed, socket.socket(socket.AF_UNIX) as hung:
        relay.kill()
        os.unlink(relay.path)
        hung.bind(relay.path)
        hung.listen()
        hung.settimeout(DEADLINE)
        (note,) = (note for _ in range(10) for note in feed.take(0.05))
        assert str(note).startswith(AWAY)
        hung.accept()[0].close()  # it had connected


def test_an_instrument_by_its_id_is_picked_by_the_relay(start: Start) -> None:
    relay = start()
    published(relay, traffic())
    words = ("--from=0", "--json", "--count=10", f"--instrument={SHIB.to_bytes().hex()}")
    found = [json.loads(line) for line in tap(relay, *words)[0].splitlines()]
    assert {one["position"] for one in found} == {None}
    assert {one["instruments"]["instrument_id"] for one in found} == {"binance:spot:1000SHIB-USDT"}


def test_rates_are_by_type_source_and_instrument(start: Start) -> None:
    relay = start()
    published(relay, traffic())
    out, _ = tap(relay, "--from=oldest", "--count=20", "--stats", "--json")
    rows = json.loads(out)["stats"]["rows"]
    counts = {(row["group"], row["name"]): row["messages"] for row in rows}
    assert counts == {
        ("all", "all"): 20, ("type", "trade"): 16, ("type", "quote"): 3,
        ("type", "instrument_discovered"): 1, ("source", "binance_collector"): 10,
        ("source", "kraken_collector"): 10, ("instrument", "binance:spot:BTCUSDT"): 10,
        ("instrument", "binance:spot:1000SHIB-USDT"): 10,
    }  # fmt: skip
    lines = tap(relay, "--from=oldest", "--count=20", "--stats")[0].splitlines()
    assert lines[0].startswith("stats all all messages=20 bytes=")
    assert any(line.startswith("stats type quote messages=3 ") for line in lines)


def test_a_gap_is_shown_with_its_positions(start: Start) -> None:
    relay = start(log_bytes=1 << 20)
    for _ in range(10):
        published(relay, traffic(2_000))
    oldest = open_state(relay.domain, str(relay.folder)).read_log()["oldest_position"]
    assert oldest > 0
    out, _ = tap(relay, "--from=0", "--count=1")
    gap, line = out.splitlines()
    reason = f"{oldest:,} messages are missing, positions 0 to {oldest - 1} (too_old)"
    assert gap == f"-- gap: {reason}"
    assert line.split()[1] == str(oldest)
    first = json.loads(tap(relay, "--from=0", "--count=1", "--json")[0].splitlines()[0])
    assert first["gap"]["count"] == str(oldest)


def test_a_tap_that_is_stopped_holds_nobody_up_and_shows_what_it_missed(start: Start) -> None:
    limits = {"circuit_breaker": 500, "max_queue_size": 1_000, "recovery_timeout": 0.1}
    relay = start(send_buffer=4096, **limits)
    with tapping(relay) as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGSTOP)
        for _ in range(10):
            published(relay, traffic(2_000))
        process.send_signal(signal.SIGCONT)
        line, next_one = process.stdout.readline(), 0
        while not line.startswith("-- gap: "):
            assert line.split()[1] == str(next_one)
            line, next_one = process.stdout.readline(), next_one + 1
        assert f" positions {next_one} to 19999 (too_slow)" in line
        published(relay, traffic(1))
        assert process.stdout.readline().split()[1] == "20000"


# --- snapshots ---


@pytest.fixture
def quoted(start: Start) -> RelayProcess:
    """A relay that knows the state of two instruments, from 20 messages."""
    relay = start()
    published(relay, traffic())
    return relay


def test_the_state_of_instruments_comes_first_and_is_marked(quoted: RelayProcess) -> None:
    with tapping(quoted, "--snapshot", "--count=4") as process:
        published(quoted, traffic(3)[2:])
        lines, error = process.communicate(timeout=DEADLINE)
    begin, *state, end, live = lines.splitlines()
    assert (begin, end) == (
        "-- snapshot: 2 instruments, as of position 20", "-- end of the snapshot"
    )  # fmt: skip
    assert {line.split()[1] for line in state} == {"snapshot"}
    assert sorted(line.split()[2] for line in state) == ["instrument_discovered", "quote", "quote"]
    assert live.split()[1:3] == ["20", "trade"]
    assert (process.returncode, error) == (0, "")


def test_a_snapshot_as_json_can_be_published_again(quoted: RelayProcess) -> None:
    out, _ = tap(quoted, "--snapshot", "--from=20", "--count=3", "--json")
    first, *frames = map(json.loads, out.splitlines())
    assert first == {"begin_snapshot": {"instruments": 2, "position": "20"}}
    assert [one["snapshot"] for one in frames] == [True] * 3
    assert [one["position"] for one in frames] == [None] * 3
    command = [*TAP[:-1], "publish", quoted.domain, "-", f"--runtime-dir={quoted.folder}"]
    done = subprocess.run(
        command, input=out, capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert done.stdout.startswith("published market_data messages=3 ")
    assert done.stderr == ""
    shown = tap(quoted, "--from=20", "--count=3", "--json")[0].splitlines()
    assert [json.loads(line)["snapshot"] for line in shown] == [False] * 3


def test_a_snapshot_goes_into_a_file_before_the_feed(quoted: RelayProcess, tmp_path: Path) -> None:
    path = tmp_path / "got.frames"
    _, error = tap(quoted, "--snapshot", "--from=18", "--count=5", "-w", str(path))
    assert error.splitlines()[0].startswith("relays: snapshot: 2 instruments, as of position ")
    kinds = [raw[4] for raw in split(path.read_bytes())]
    assert sorted(kinds[:3]) == [2, 2, 10]
    assert len(kinds) == 5


def test_a_snapshot_of_nothing_says_so(start: Start) -> None:
    relay = start("signals")
    with tapping(relay, "--snapshot") as process:
        assert process.stdout is not None
        begin, end = process.stdout.readline(), process.stdout.readline()
    assert begin == "-- snapshot: 0 instruments, as of position 0\n"
    assert end == "-- end of the snapshot\n"


# --- files ---


def test_a_file_has_the_very_frames(start: Start, tmp_path: Path) -> None:
    relay = start()
    frames = published(relay, traffic())
    path = tmp_path / "got.frames"
    out, error = tap(relay, "--from=oldest", "--count=20", "-w", str(path))
    assert out == ""
    assert f"{path}: 20 frames, {sum(map(len, frames)):,} bytes" in error
    assert path.read_bytes() == b"".join(frames)
    _, error = tap(relay, "--count=1", "-w", str(path), code=os.EX_USAGE)
    assert "--force" in error
    tap(relay, "--from=oldest", "--count=2", "-w", str(path), "--force")
    assert path.read_bytes() == b"".join(frames[:2])


def test_frames_can_go_to_a_pipe(start: Start) -> None:
    relay = start()
    frames = published(relay, traffic(4))
    command = arguments(relay, "--from=oldest", "--count=4", "-w", "-")
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE, check=True)
    assert list(split(done.stdout)) == frames


def test_a_full_disk_is_one_line(start: Start) -> None:
    relay = start()
    published(relay, traffic(4))
    words = ("--from=oldest", "--count=4", "-w", "/dev/full", "--force")
    _, error = tap(relay, *words, code=os.EX_IOERR)
    assert error.splitlines()[-1].startswith("relays: /dev/full: No space left")
    assert "Traceback" not in error


def test_orders_of_one_producer_can_be_picked(start: Start) -> None:
    relay = start("execution")
    orders = [
        OrderRequest(
            BTC, Side.BUY, OrderType.LIMIT, TimeInForce.DAY, owner_id=7_000 + n % 2,
            account_id=1, client_order_id=n, price=100_000_000, quantity=1,
        )
        for n in range(1, 9)
    ]  # fmt: skip
    published(relay, [order.frame(sequence=n) for n, order in enumerate(orders, 1)])
    out, _ = tap(relay, "--from=oldest", "--producer=7001", "--count=4")
    assert [line.split()[2] for line in out.splitlines()] == ["order_request"] * 4
    assert all(" owner_id=7001 " in line for line in out.splitlines())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_with_everything_written(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    relay = start()
    path = tmp_path / "got.frames"
    with tapping(relay, "-w", str(path)) as process:
        frames = published(relay, traffic(8))
        size = sum(map(len, frames))
        eventually(lambda: path.exists() and path.stat().st_size == size, "all are in the file")
        process.send_signal(number)
        out, error = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (0, "")
    assert error.count("\n") == 1
    assert path.read_bytes() == b"".join(frames)


# --- what goes wrong ---


def test_nothing_listening_is_one_sentence_with_the_path_and_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("signals", f"--runtime-dir={tmp_path}") == os.EX_UNAVAILABLE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{tmp_path}/signals.sock" in error
    assert f"relays run signals --runtime-dir {tmp_path}" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("market_data", "--type=fill"), "1 to 19"),
        (("market_data", "--producer=7"), "do not name their producer"),
        (("market_data", "--source=nobody"), "binance_collector"),
        (("market_data", "--from=x"), "oldest"),
        (("market_data", "--instrument=foo:spot:BTCUSDT"), "got 'foo'"),
        (("market_data", "--instrument=binance:BTCUSDT"), "got 'BTCUSDT'"),
        (("market_data", "--from=25:00"), "a time such as 09:30"),
        (("market_data", "--from=1969-01-01"), "a time such as 09:30"),
        (("market_data", "--count=0"), "count"),
        (("market_data", "-w", "-", "--stats"), "stdout"),
        (("market_data", "--snapshot", "--stats"), "nothing that flows"),
        (("elsewhere",), "elsewhere"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_64(
    start: Start, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    relay = start()
    assert ended(*words, f"--runtime-dir={relay.folder}") == os.EX_USAGE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_a_reader_that_leaves_ends_it_quietly(start: Start) -> None:
    relay = start()
    with tapping(relay) as process:
        assert process.stdout is not None
        process.stdout.close()
        published(relay, traffic(3))
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(DEADLINE)) == ("", 0)


def test_the_help_is_a_page_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--help") == 0
    said = capsys.readouterr().out
    for word in ("Examples:", "Exit codes:", "--instrument", "venue:kind:symbol"):
        assert word in said


# --- a terminal ---


def test_on_a_terminal_it_is_coloured_by_type_and_ctrl_c_ends_it(
    start: Start, tmp_path: Path
) -> None:
    relay = start()
    published(relay, traffic(4))
    with Terminal(tmp_path, arguments(relay, "--from=oldest"), columns=120) as terminal:
        seen = terminal.until("binance:spot:BTCUSDT price=2 volume=0.00000001 side=BUY")
        assert seen.count(" trade ") == 3
        assert "\x1b[1m\x1b[32mtrade" in terminal.screen(escapes=True)
        terminal.press("C-c")
        assert "Traceback" not in terminal.until("exit=0")


def test_rates_on_a_terminal_are_one_table_that_changes(start: Start, tmp_path: Path) -> None:
    relay = start()
    published(relay, traffic(10))
    words = ("--from=oldest", "--stats", "--interval=0.1")
    with Terminal(tmp_path, arguments(relay, *words), columns=80, rows=24) as terminal:
        terminal.until(
            "10 messages in", "messages/s", "trade", "quote", "kraken_collector", "1000SHIB-USDT"
        )
        published(relay, traffic(10))
        terminal.until("20 messages in", lambda text: text.count("messages/s") == 1)
        terminal.press("C-c")
        seen = terminal.until("exit=0")
        assert seen.count("messages in") == 1
        assert "Traceback" not in seen


def test_many_instruments_fit_a_small_terminal(start: Start, tmp_path: Path) -> None:
    relay = start()
    pairs = [InstrumentId.spot(VenueId.BINANCE, f"COIN{n}") for n in range(60)]
    trades = [Trade(pair, price=1, volume=1) for pair in pairs]
    published(relay, [trade.frame(sequence=n) for n, trade in enumerate(trades, 1)])
    words = ("--from=oldest", "--stats", "--interval=0.1")
    with Terminal(tmp_path, arguments(relay, *words), columns=80, rows=24) as terminal:
        terminal.until("60 messages in", "and 56 more")
        terminal.press("C-c")
        terminal.until("and 45 more")
