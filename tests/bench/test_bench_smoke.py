"""The bench runs, and cannot be fooled: a run that lost, repeated or damaged a frame fails.

Counts are tiny: these are smoke tests of the measurements, never the measurements.
"""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from . import capacity, native, plots, servers, sizes, statistic, tables
from .children import Child, RunFailed
from .runs import Load, measure, workspace
from .throughput import CONFIGURATIONS, CONTENDERS

FRAME = 64
PATIENCE = 120


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    native.build()


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments],
        cwd=native.ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_every_row_of_the_relay_bench_is_measured_beside_the_copy_loop(tmp_path: Path) -> None:
    written = tmp_path / "relay.json"
    rows = [word for name in CONFIGURATIONS for word in ("--configuration", name)]
    size = ("--quick", "--pairs", "1", "--count", "20000")
    done = bench("relay", *rows, *size, "--json", str(written))
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(written.read_text())["suites"]["relay"]
    assert {bar["met"] for bar in measured["bars"]} <= {"yes", "NO", "not measurable here"}
    assert [plot.unit for plot in plots.of_relay(measured)] == ["million/s", "ns"]
    assert {row["configuration"]["name"] for row in measured["rows"]} == set(CONFIGURATIONS)
    for row in measured["rows"]:
        assert set(row["samples"]) == set(row["cpu_ns"]) == set(CONTENDERS)
        for ratio in row["ratios"].values():
            assert ratio["low"] <= ratio["median"] <= ratio["high"]
        for samples in row["samples"].values():
            (sample,) = samples
            assert len(sample["consumers"]) == row["configuration"]["consumers"]


def test_frames_without_a_payload_and_the_largest_are_measured_by_size() -> None:
    made = sizes.run(Load(count=20_000), 1, lambda text: None, sizes=(32, 65536))
    assert [result.size for result in made] == [32, 65536]
    assert all(set(result.samples) == set(CONTENDERS) for result in made)
    assert tables.of_sizes(made).row_count == 2
    shown = {"rows": [], "sizes": [result.as_json() for result in made]}
    drawn = list(plots.of_relay(shown))
    assert [plot.unit for plot in drawn] == ["million bytes/s", "messages/s", "ns"]
    assert all(list(plot.places) == ["32", "65,536"] for plot in drawn)


def test_what_was_asked_for_is_measured_and_shown_with_only_one_contender(tmp_path: Path) -> None:
    for only in ("relay", "copyloop"):
        written = tmp_path / f"{only}.json"
        rows = ("--configuration", "sizes", "--only", only)
        done = bench("relay", *rows, "--pairs", "1", "--count", "2000", "--json", str(written))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "by size of a frame" in done.stdout
        for row in json.loads(written.read_text())["suites"]["relay"]["sizes"]:
            assert list(row["samples"]) == ["copy loop" if only == "copyloop" else only]


def test_what_a_relay_needs_is_measured_by_rate_and_consumers() -> None:
    rows = capacity.run(Load(count=20_000), 1, lambda text: None, consumers=(3,), seconds=0.05)
    assert [(row.wanted, row.consumers) for row in rows] == [
        (rate, 3) for rate in capacity.RATES
    ]  # fmt: skip
    (plot,) = plots.of_capacity({"rows": [capacity.as_json(row) for row in rows]})
    assert (plot.places, len(plot.series)) == (["3"], len(capacity.RATES))
    assert all(row.rate > 0 and row.cpu_ns > 0 and row.memory > 1 << 20 for row in rows)


def test_snapshots_on_are_measured_beside_off(tmp_path: Path) -> None:
    written = tmp_path / "snapshots.json"
    count = ("--pairs", "2", "--count", "20000", "--json", str(written))
    done = bench("snapshots", *count)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(written.read_text())["suites"]["snapshots"]["rows"]
    assert [row["load"]["quotes"] for row in rows] == [0, 10, 3000]
    assert all(len(row["samples"][which]) == 2 for row in rows for which in ("on", "off"))


def test_the_latency_bench_reports_percentiles_of_all(tmp_path: Path) -> None:
    written = tmp_path / "latency.json"
    done = bench("latency", "--pairs", "2", "--count", "200", "--json", str(written))
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(written.read_text())
    assert measured["machine"]["cores"] >= 1
    made = measured["suites"]["latency"]
    assert [bar["what"] for bar in made["bars"]] == ["p50", "p99", "busy relay, p50"]
    copyloop, busy = plots.of_latency(made)
    assert set(copyloop.series) == set(CONTENDERS)
    assert set(busy.series) == {"busy relay", "relay", "relay again"}
    for row in made["rows"]:
        for of in row["medians"].values():
            assert 0 < of["p50"]["median"] <= of["p99"]["median"] <= of["max"]["median"]


@pytest.mark.parametrize("mode", ["count", "verify"])
def test_four_consumers_of_the_copy_loop_have_every_frame(mode: str) -> None:
    with workspace() as folder, servers.copyloop(folder) as server:
        load = Load(count=50_001, consumers=4, mode=mode, warmup=1_000, block=640 * FRAME)
        sample = measure(server, load)
    assert [each["count"] for each in sample.consumers] == [51_001] * 4
    assert [each["bytes"] for each in sample.consumers] == [51_001 * FRAME] * 4


def test_the_copy_loop_fails_loudly_when_a_consumer_is_overtaken() -> None:
    options = ("--log-bytes", "1048576", "--send-buffer", "65536")
    with (
        socket.socket(socket.AF_UNIX) as stopped,
        workspace() as folder,
        servers.copyloop(folder, options=options) as server,
    ):
        stopped.connect(str(server.consumers))
        with pytest.raises(RunFailed, match=r"copyloop ended with 3: .* was overtaken"):
            measure(server, Load(count=200_000, warmup=100, window=4096))


@contextmanager
def false_relay(folder: Path, harm: Callable[[bytearray], None]) -> Iterator[servers.Server]:
    """Forwards one run from a producer to a consumer, all at once, after harming it."""
    listener = socket.create_server(str(folder / "false.sock"), family=socket.AF_UNIX)
    listener.settimeout(PATIENCE)
    worker = threading.Thread(target=forward, args=(listener, harm))
    # The harness wants a process whose time it can read.
    child = Child("false", ["sleep", str(PATIENCE)], folder)
    worker.start()
    try:
        yield servers.Server(child, folder / "false.sock", folder / "false.sock")
    finally:
        child.stop()
        worker.join()
        listener.close()


def forward(listener: socket.socket, harm: Callable[[bytearray], None]) -> None:
    consumer, producer = listener.accept()[0], listener.accept()[0]
    with consumer, producer:
        data = bytearray()
        while len(data) < 1000 * FRAME:
            data += producer.recv(65536)
        harm(data)
        with suppress(BrokenPipeError):
            consumer.sendall(data)


def lose(data: bytearray) -> None:
    del data[100 * FRAME : 101 * FRAME]


def repeat(data: bytearray) -> None:
    data[100 * FRAME : 100 * FRAME] = data[100 * FRAME : 101 * FRAME]


def damage(data: bytearray) -> None:
    data[100 * FRAME + 50] ^= 1


@pytest.mark.parametrize(
    ("mode", "harm"),
    [
        ("count", lose),
        ("count", repeat),
        ("verify", lose),
        ("verify", repeat),
        ("verify", damage),
        ("latency", damage),
    ],
)
def test_a_run_with_a_lost_repeated_or_damaged_frame_fails(
    mode: str, harm: Callable[[bytearray], None]
) -> None:
    with workspace() as folder, false_relay(folder, harm) as server:
        load = Load(count=1000, warmup=0, mode=mode, interval=1000 if mode == "latency" else 0)
        with pytest.raises(RunFailed, match="consumer-0 ended with 1: consumer: frame"):
            measure(server, load)


def test_an_honest_relay_of_the_same_kind_passes() -> None:
    with workspace() as folder, false_relay(folder, lambda data: None) as server:
        sample = measure(server, Load(count=1000, warmup=0, mode="verify"))
    assert sample.consumers[0]["count"] == 1000


def test_an_interval_contains_its_median_and_repeats() -> None:
    first = statistic.ratio([2, 3, 4, 5, 6], [1, 1, 1, 1, 1])
    assert first == statistic.ratio([2, 3, 4, 5, 6], [1, 1, 1, 1, 1])
    assert first.median == 4
    assert first.low <= 4 <= first.high
