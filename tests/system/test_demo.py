"""The demonstration as a user runs it in a pipe: first line, exit code, and nothing left behind."""

import doctest
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from protocol._core.state import BUCKET_BOUNDS_NS
from protocol.catalogue import SourceType
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Trade
from relays.adapters.adapter import Record
from relays.adapters.binance import Market
from relays.cli import COMMANDS
from relays.client import Batch
from relays.errors import RelayError
from scripts.demonstration.engine import Engine
from scripts.demonstration.player import Tape
from scripts.demonstration.portfolio import LIMIT, QUANTITY, Book
from scripts.demonstration.reading import Reading, percentile
from scripts.demonstration.recording import choose, generate
from scripts.demonstration.strategy import Basis
from scripts.demonstration.summary import Account, Summary
from scripts.demonstration.table import screen
from scripts.demonstration.verifier import Verifier

ROOT = Path(__file__).parent.parent.parent
DEADLINE = 120.0
COMMAND = [sys.executable, "-P", "-m", "scripts.demonstration"]
WHOLE = "Every message is accounted for: "


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: pytest's own would leave too little for the names of sockets."""
    with tempfile.TemporaryDirectory(prefix="d-") as path:
        yield Path(path)


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """Where the demonstration finds its package, and a place for its files."""
    return os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}


@pytest.fixture(autouse=True)
def nothing_left(folder: Path) -> Iterator[None]:
    yield
    assert [path.name for path in folder.glob("alphapulse-demo-*")] == []
    commands = (path.read_bytes() for path in _command_lines())
    assert [command for command in commands if str(folder).encode() in command] == []


def _command_lines() -> Iterator[Path]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            path.read_bytes()
        except OSError:
            continue
        yield path


def demo(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_every_message_of_a_session_is_accounted_for(environment: dict[str, str]) -> None:
    done = demo(environment, "--speed", "max", "--seconds", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    summary = next(number for number, line in enumerate(told) if "accounted for" in line)
    assert told[summary].startswith(WHOLE)
    assert told[summary].endswith("0 unaccounted.")
    assert re.search(r"\d opportunities .* \d[\d,]* orders, \d[\d,]* fills", done.stdout)
    assert done.stderr == ""
    end = told[summary:]
    assert any(line.startswith("What was shown: ") for line in end)
    after = end[end.index("Now yourself:") + 1 :]
    commands = [line.split()[1] for line in after if ".venv/bin/relays " in line]
    assert set(commands) <= {*COMMANDS, "--help"}
    assert after[0].startswith("  scripts/demo --keep ")


def test_without_recordings_it_plays_a_generated_session_and_says_so(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["RELAYS_DATA"] = str(tmp_path / "none")
    done = demo(environment, "--speed", "10", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["accounted_for"] is True
    assert found["source"].startswith("generated session, seed ")
    for relay in found["relays"]:
        assert relay["sent"] == relay["accepted"] == relay["delivered"] == relay["verified"]
        assert relay["unaccounted_messages"] == relay["unaccounted_bytes"] == 0
    assert found["relays"][0]["sent"] > 0
    assert "generated session" in done.stderr


@contextmanager
def playing(
    environment: dict[str, str], *options: str
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A demonstration that has begun to play, and what it has printed; ended afterwards."""
    running = subprocess.Popen(
        [*COMMAND, *options],
        cwd="/",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        printed: list[str] = []
        for line in running.stdout:
            printed.append(line)
            if "messages/s" in line:
                break
        yield running, printed
    finally:
        if running.poll() is None:
            running.terminate()
        running.communicate(timeout=DEADLINE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_ends_everything(
    environment: dict[str, str], number: signal.Signals
) -> None:
    with playing(environment) as (running, _):
        running.send_signal(number)
        _, errors = running.communicate(timeout=DEADLINE)
        assert running.returncode == 130
        assert errors == "interrupted; every process was ended\n"


def test_an_interrupted_demonstration_says_which_relays_still_run(
    environment: dict[str, str], folder: Path
) -> None:
    place = str(folder / "run")
    with (
        playing(environment, "--runtime-dir", place, "--seconds", "0"),
        playing(environment, "--runtime-dir", place, "--keep") as (second, _),
    ):
        second.send_signal(signal.SIGINT)
        _, errors = second.communicate(timeout=DEADLINE)
    assert errors == (
        "interrupted; the demonstration's processes were ended,"
        f" the relays in {place} still run; --keep: nothing was kept\n"
    )


def test_a_relay_that_dies_is_named_and_the_exit_code_is_not_zero(
    environment: dict[str, str],
) -> None:
    with playing(environment) as (running, printed):
        path = next(line.split()[1] for line in printed if line.startswith("signals "))
        os.kill(int(Path(path).with_suffix(".lock").read_text()), signal.SIGKILL)
        output, errors = running.communicate(timeout=DEADLINE)
        assert running.returncode not in (0, 130)
        assert WHOLE not in output
        assert len(errors.splitlines()) == 1
        assert "signals" in errors


def test_wrong_options_are_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    done = demo(environment, "--file", str(tmp_path / "spot_none.gz"))
    assert done.returncode == os.EX_NOINPUT
    assert done.stderr == f"scripts/demo: {tmp_path / 'spot_none.gz'} cannot be read\n"


# --- its parts ---


def test_the_summary_says_when_a_message_is_missing() -> None:
    good = Account("signals", 5, 5, 5, 0, 0, 5, 5, 0, 0, 1.0, 2.0, ())
    facts: dict[str, dict[str, Any]] = {
        "player": {"sent": 5, "elapsed": 1.0},
        "portfolio": {"volume": 0, "fees": 0},
    }
    assert Summary("test", (good,), facts, ()).whole
    changes: list[dict[str, Any]] = [
        {name: 4}
        for name in ("sent", "accepted", "verified", "delivered", "dropped", "unaccounted_messages")
    ]
    for change in changes:
        bad = Summary("test", (good, replace(good, **change)), facts, ())
        assert not bad.whole
        assert next(bad.lines()).startswith("NOT every message is accounted for: signals: ")
    bad = Summary("test", (good, replace(good, faults=("gap 1 to 2",))), facts, ())
    assert "gap 1 to 2" in next(bad.lines())
    assert not Summary("test", (good,), facts, ("signals ended with -9",)).whole


def test_at_max_speed_the_summary_says_what_the_latency_is() -> None:
    facts: dict[str, dict[str, Any]] = {
        "player": {"sent": 5, "elapsed": 1.0},
        "portfolio": {"volume": 0, "fees": 0},
    }
    slow = Summary("test", (), facts, ())
    assert "backlog" not in "\n".join(slow.lines())
    told = list(replace(slow, max_speed=True).lines())
    assert any("mostly the consumers' backlog" in line for line in told)


def test_a_line_in_a_pipe_names_the_breakers_and_leaves_out_what_is_not_known() -> None:
    idle = Reading("signals", 0, 0.0, 3, 0, {"closed": 3}, None, None)
    shown = StringIO()
    screen(shown).show(0.5, "playing", [idle, replace(idle, p50=1500.0, p99=2000.0)])
    assert shown.getvalue().splitlines() == [
        "playing  50% signals: 0 messages/s, 0 in all, 3 consumers, lag 0, breakers 3 closed",
        "playing  50% signals: 0 messages/s, 0 in all, 3 consumers, lag 0,"
        " latency p50 1.5 us p99 2.0 us, breakers 3 closed",
    ]


def test_the_help_of_the_tests_script_does_nothing_else() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "test", "--help"],
        capture_output=True, text=True, timeout=DEADLINE, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("All tests and linters")
    assert "scripts/test --full" in done.stdout
    assert "==" not in done.stdout


def batch(position: int, frames: list[bytes]) -> Batch:
    return Batch(position, [memoryview(frame) for frame in frames])


def test_the_verifier_finds_each_kind_of_fault() -> None:
    pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    source = SourceType.BINANCE_COLLECTOR
    frames = [Trade(pair, n, 1).frame(sequence=n, source=source) for n in range(1, 5)]
    good = Verifier()
    good.on_frames(batch(0, frames))
    assert (good.count, good.faults) == (4, [])
    damaged = bytearray(frames[1])
    damaged[40] ^= 1
    for bad, position, fault in (
        ([frames[0], bytes(damaged), *frames[2:]], 0, "checksum of sequence 2"),
        ([frames[0], *frames[2:]], 0, "sequence 3, not 2"),
        ([frames[0], frames[0], *frames[1:]], 0, "sequence 1, not 2"),
        (frames, 1, "position 1, expected 0"),
    ):
        verifier = Verifier()
        verifier.on_frames(batch(position, bad))
        assert [fault in text for text in verifier.faults] == [True]


def quote(market: Market, price: int) -> Quote:
    return Quote(market.instrument("BTCUSDT"), price, price + 1, 1, 1)


def test_the_strategy_buys_the_cheap_side_and_sells_the_dear_one() -> None:
    basis = Basis()
    assert basis.update(quote(Market.SPOT, 60_000_00000000)) is None
    assert basis.update(quote(Market.USDM, 60_000_00000000)) is None
    dear = basis.update(quote(Market.USDM, 60_060_00000000))
    assert dear is not None
    assert (dear.base_id.venue, dear.quote_id.venue) == (Market.SPOT, Market.USDM)
    assert dear.spread_bps == 10
    cheap = basis.update(quote(Market.USDM, 59_940_00000000))
    assert cheap is not None
    assert (cheap.base_id.venue, cheap.quote_id.venue) == (Market.USDM, Market.SPOT)


def test_the_portfolio_keeps_its_limit_and_the_engine_fills_at_the_best_price() -> None:
    basis, book, engine = Basis(), Book(owner=7), Engine()
    prices = [quote(Market.SPOT, 60_000_00000000), quote(Market.USDM, 60_000_00000000)]
    assert [basis.update(one) for one in prices] == [None, None]
    found = basis.update(quote(Market.USDM, 60_060_00000000))
    assert found is not None
    orders = [order for _ in range(1000) for order in book.decide(found)]
    assert len(orders) == 2 * LIMIT // QUANTITY
    assert book.counts["declined"] == 1000 - LIMIT // QUANTITY
    engine.ordered(batch(0, [order.frame() for order in orders[:2]]))
    assert engine.fills() == []
    engine.quoted(batch(0, [one.frame() for one in prices]))
    bought, sold = engine.fills()
    assert (bought.price, sold.price) == (prices[0].ask_price, prices[1].bid_price)
    book.book(bought)
    assert book.counts["fills"] == 1


def test_frames_are_sealed_with_the_sequence_and_time_of_sending() -> None:
    records = list(generate(100))
    tape = Tape(records)
    before = time.time_ns()
    sent = bytes(tape.block(10, 20, sequence=1_011))
    verifier = Verifier()
    verifier.sequences[SourceType.BINANCE_COLLECTOR] = 1_010
    pieces = [
        sent[tape.offsets[n] - tape.offsets[10] : tape.offsets[n + 1] - tape.offsets[10]]
        for n in range(10, 20)
    ]
    verifier.on_frames(batch(0, pieces))
    assert verifier.faults == []
    assert int.from_bytes(sent[20:28], "little") >= before


def test_a_generated_session_is_the_same_each_time_and_in_order() -> None:
    first, second = list(generate(500)), list(generate(500))
    assert first == second
    times = [record.received for record in first]
    assert times == sorted(times)
    assert {type(record.message) for record in first} == {Trade, Quote}
    assert isinstance(first[0], Record)


def test_a_file_must_say_which_market_it_is_from(tmp_path: Path) -> None:
    with pytest.raises(RelayError, match=r"spot_\.\.\. or usdm_\.\.\."):
        choose([str(tmp_path / "btc.gz")])
    path = tmp_path / "usdm_btc.txt"
    path.write_text("")
    assert choose([str(path)]).paths == (str(path),)


def test_percentiles_lie_in_the_bucket_they_fall_into() -> None:
    assert percentile([0] * 24, 0.5) is None
    for number, bound in enumerate(BUCKET_BOUNDS_NS):
        counts = [0] * 24
        counts[number] = 1_000
        found = percentile(counts, 0.99)
        assert found is not None
        assert (BUCKET_BOUNDS_NS[number - 1] if number else 0) < found <= bound
    assert percentile([0] * 23 + [5], 0.5) == BUCKET_BOUNDS_NS[-1]


@pytest.mark.parametrize("name", ["reading", "table"])
def test_the_examples_are_true(name: str) -> None:
    module = importlib.import_module(f"scripts.demonstration.{name}")
    assert doctest.testmod(module).failed == 0
