"""The scale bench runs, and cannot be fooled: many consumers find what one does.

Counts are tiny: these are smoke tests of the measurements, never the measurements.
"""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.control import Hello, Role
from protocol.instruments import InstrumentId
from protocol.market_data import Quote, Side, Trade

from . import (
    growth,
    growth_model,
    growth_tables,
    native,
    plots,
    scale_alone,
    scale_cpu,
    scale_frames,
    scale_idle,
    scale_mixed,
    scale_start,
    scale_suite,
    scale_tables,
    servers,
)
from .children import RunFailed
from .runs import Load, workspace
from .scale_rows import ROWS, Result
from .scale_runs import Flow, Group, Sample, measure
from .suite import Asked
from .test_bench_smoke import damage, false_relay, lose, repeat

PAIR = InstrumentId(1, 4, 0, 7)
SEED = 20261121


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    native.build()


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    path = tmp_path / "trades"
    path.write_bytes(b"".join(trade(number) for number in range(1, 301)))
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two Quotes, then a Trade, and so on."""
    quote = Quote(PAIR, bid_price=1, ask_price=2, bid_size=3, ask_size=4).frame(source=1)
    path = tmp_path / "mixed"
    path.write_bytes(b"".join(quote + quote + trade(number) for number in range(1, 101)))
    return path


def trade(number: int) -> bytes:
    return bytes(Trade(PAIR, price=number, volume=number, side=Side.BUY).frame(source=1))


@pytest.mark.parametrize("name", ["relay", "copyloop"])
def test_many_consumers_have_every_frame_of_several_producers(name: str, trades: Path) -> None:
    settings = ("validate_checksums=true", "require_sequence=true")
    with workspace() as folder:
        started = (
            servers.relay(folder, "", settings) if name == "relay" else servers.copyloop(folder)
        )
        flow = Flow(trades, 2_000, (Group(40, "verify"),), producers=8, warmup=100, window=500)
        with started as server:
            sample = measure(server, flow)
    (consumers,) = sample.groups
    assert (consumers["connections"], consumers["count"]) == (40, 8 * 2_100)
    assert consumers["bytes"] == 40 * 8 * 2_100 * 64
    assert sample.rate > 0
    assert sample.cpu_ns > 0


@pytest.mark.parametrize(
    ("mode", "harm"),
    [("count", lose), ("count", repeat), ("verify", lose), ("verify", repeat), ("verify", damage)],
)
def test_many_find_a_lost_repeated_or_damaged_frame(
    mode: str, harm: Callable[[bytearray], None], trades: Path
) -> None:
    with workspace() as folder, false_relay(folder, harm) as server:
        flow = Flow(trades, 1_000, (Group(1, mode),), warmup=0)
        with pytest.raises(RunFailed, match="many-0 ended with 1: many: frame"):
            measure(server, flow)


def test_a_filtered_consumer_has_what_matches_and_nothing_else(mixed: Path) -> None:
    mask = bytearray(32)
    mask[0] = 1 << Trade.TYPE
    hello = Hello(role=Role.CONSUME, type_filter=bytes(mask)).frame()
    filtered = Group(2, "verify", hello, bytes((0, 0, 1)) * 100)
    everything = Group(2, "verify")
    with workspace() as folder, servers.relay(folder) as server:
        flow = Flow(mixed, 2_700, (everything, filtered), warmup=300)
        sample = measure(server, flow)
        assert [each["count"] for each in sample.groups] == [3_000, 1_000]
        other = replace(filtered, wanted=bytes((0, 1, 0)) * 100)
        with pytest.raises(RunFailed, match="many-1 ended with 1: many: frame 0: of producer 0"):
            measure(server, replace(flow, groups=(everything, other)))


def say(text: str) -> None:
    """Nobody looks at the progress of a smoke test."""


def complete(result: Result, contenders: set[str]) -> None:
    """It can be written as JSON and shown, and has every contender."""
    made = json.loads(json.dumps(result.as_json()))
    assert set(made["figures"]) == contenders
    assert all(bar["met"] in ("yes", "NO", "not measurable here") for bar in made["bars"])
    assert scale_tables.of_figures([result]).row_count >= len(contenders)


def test_the_cost_of_a_delivery_is_measured_beside_the_copy_loop() -> None:
    row = scale_cpu.Row("few", 2, 3)
    result = scale_cpu.run(row, Load(count=12_000), 2, say)
    complete(result, {"relay", "relay again", "relay, defaults", "copy loop"})
    assert all(len(each["cpu_ns"]) == 2 for each in result.figures.values())
    (plot,) = plots.of_scale({"rows": [result.as_json()]})
    assert set(plot.series) == set(result.figures)


def test_one_frame_a_write_is_measured_beside_the_copy_loop() -> None:
    result = scale_alone.run(Load(count=2_000), 1, say)
    complete(result, {"relay", "copy loop", "rate, relay / copy loop"})
    assert 0 < result.figures["relay"]["core"][0] <= 2


@pytest.mark.parametrize("row", scale_mixed.ROWS, ids=lambda row: row.name)
def test_a_session_is_measured_with_and_without_filters(row: scale_mixed.Row) -> None:
    pair = scale_mixed.PAIR
    quote = Quote(pair, bid_price=1, ask_price=2, bid_size=3, ask_size=4).frame(source=1)
    frames = [quote, trade(1), quote, Trade(pair, price=1, volume=2).frame(source=1), trade(2)]
    with workspace() as folder, workspace() as beside, servers.relay(beside) as server:
        load = Load(count=1_000)
        result = scale_mixed.measure_row(row, server, frames * 20, folder, load, 1, say)
    complete(result, {"filter on half", "no filter", "no filter again"})
    had = {name: each[0]["groups"] for name, each in result.samples.items() if name != "session"}
    assert had["no filter"][0]["count"] == had["no filter"][1]["count"]
    wanted = result.samples["session"]["wanted"] / result.samples["session"]["frames"]
    filtered = had["filter on half"]
    assert filtered[1]["count"] == pytest.approx(filtered[0]["count"] * wanted)


def test_without_recordings_their_rows_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYS_DATA", str(tmp_path))
    results = scale_mixed.run(scale_mixed.ROWS, Load(count=1), 1, say)
    assert [result.left_out for result in results] == [
        "no recordings (RELAYS_DATA, ../shared/data)"
    ] * 2
    assert scale_tables.of_figures(results).row_count == 2


def test_idle_sessions_are_measured_with_their_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_idle, "SETTLING", 0.2)
    monkeypatch.setattr(scale_idle, "LOG_BYTES", 1 << 20)
    result = scale_idle.idle(Load(count=1), 1, 1.0, say, sessions=20)
    complete(result, {"relay", "relay, answered", "the other end, in C"})
    (silent,), (answered,) = result.samples.values()
    assert silent["sessions"]["heartbeats"] >= 20
    assert silent["sessions"]["beats"] == 0
    assert answered["sessions"]["beats"] >= 20


def test_memory_is_measured_by_consumers_and_a_log_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_idle, "LOG_BYTES", 1 << 20)
    result = scale_idle.full(Load(count=1), 1, say, consumers=(0, 3))
    complete(result, {"0 consumers", "3 consumers", "3 consumers a log behind"})
    assert all(each > 1 << 20 for (each,) in result.samples["pss"].values())


def test_a_start_is_measured_with_what_the_imports_are_of_it() -> None:
    result = scale_start.run(Load(count=1), 1, say)
    taken = {name: figures["seconds"][0] for name, figures in result.figures.items()}
    assert 0 < taken["of it, the interpreter"] < taken["relay"] < 30
    assert taken["of it, imports (-X importtime)"] > 0
    complete(result, set(taken))


def test_every_row_is_measured_by_one_of_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(name: str) -> Callable[..., Result]:
        return lambda *_: Result(name, name)

    monkeypatch.setattr(scale_cpu, "run", lambda row, *_: Result(row.name, row.title))
    monkeypatch.setattr(scale_mixed, "run", lambda rows, *_: [made(row.name)() for row in rows])
    for module, function, name in (
        (scale_alone, "run", scale_alone.NAME),
        (scale_idle, "idle", "idle-sessions"),
        (scale_idle, "full", "memory"),
        (scale_start, "run", scale_start.NAME),
    ):
        monkeypatch.setattr(module, function, made(name))
    asked = Asked(count=1, rounds=1, rows=ROWS)
    assert [result.name for result in scale_suite.run(asked)] == list(ROWS)
    assert [each.name for each in scale_suite.run(replace(asked, rows=("start",)))] == ["start"]


def test_a_recorded_session_is_in_the_order_of_its_times(tmp_path: Path) -> None:
    found = scale_frames.recordings()
    if not found:
        pytest.skip("no recordings (RELAYS_DATA, ../shared/data)")
    kind, files = next(iter(found.items()))
    frames = scale_frames.session(tmp_path, {kind: files[:1]})
    times = [int.from_bytes(frame[20:28], "little") for frame in frames]
    assert times == sorted(times)
    assert {1, 2, 3} <= {frame[4] for frame in frames}
    assert not list(tmp_path.iterdir())


def test_growth_is_measured_and_a_model_fitted_to_it() -> None:
    points = (
        growth.Point("consumers", consumers=3),
        growth.Point("size", size=1000),
        growth.Point("producers", producers=2),
        growth.Point("behind", behind=500),
        growth.Point("bytes a write", write=64),
        growth.Point("messages/s", rate=2_000),
        growth.Point("", consumers=2, size=100, write=640),
    )
    results = growth.run(Load(count=6_000), 1, True, say, points)
    for result in results:
        assert result.deliveries == result.frames * result.point.consumers
        reads, sends, waits = result.turns
        assert 0 < reads <= result.frames
        assert sends > 0
        assert waits > 0
    model = growth_model.fit(results)
    assert json.dumps([model.as_json(), *(result.as_json() for result in results)])
    assert growth_tables.of_points(results, model).row_count == len(points)
    assert growth_tables.of_model(model).row_count == 1
    rows = [result.as_json() for result in results]
    drawn = list(plots.of_growth({"rows": rows, "model": model.as_json()}))
    assert [len(plot.places) for plot in drawn] == [1] * 6
    assert model.held_out == [False] * 6 + [True]


def test_the_fit_finds_what_a_model_was_made_of() -> None:
    of_each = (9_000.0, 3.0, 0.1, 400.0, 3_000.0, 0.05, 1_500.0)
    ns = dict(zip(growth_model.TERMS, of_each, strict=True))

    def made(point: growth.Point, frames: int, reads: int, sends: int, waits: int) -> growth.Result:
        deliveries = frames * point.consumers
        asleep = Sample(1.0, frames, 0.0, 0.0, 0.0, [], [], (reads, sends, waits))
        result = growth.Result(point, frames, deliveries, [asleep])
        cpu = sum(
            n * each for n, each in zip(growth_model.counts(result), ns.values(), strict=True)
        )
        return replace(result, samples=[replace(asleep, cpu_ns=cpu / deliveries)])

    chance = random.Random(SEED)
    results = [
        made(
            growth.Point(
                "size" if n else "", chance.randrange(1, 99), 32 << n % 9, write=64 << n % 11
            ),
            chance.randrange(1_000, 100_000), chance.randrange(1, 1_000),
            chance.randrange(1, 100_000), chance.randrange(1, 1_000),
        )
        for n in range(30)
    ]  # fmt: skip
    model = growth_model.fit(results)
    assert model.ns == pytest.approx(ns, rel=1e-6)
    assert model.worst < 1e-6
