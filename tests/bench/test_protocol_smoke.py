"""The protocol bench runs, and no contender is fast because it leaves something out.

Counts are tiny: these are smoke tests of the measurements, never the measurements.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from . import plots
from .children import RunFailed
from .test_bench_smoke import bench

pytest.importorskip("numpy")
pytest.importorskip("google.protobuf")
peers = pytest.importorskip("tests.bench.protocol_peers")
suite = pytest.importorskip("tests.bench.protocol_suite")
many = pytest.importorskip("tests.bench.protocol_many")


def test_every_task_is_measured_for_everybody_beside_everybody_else(tmp_path: Path) -> None:
    written = tmp_path / "protocol.json"
    options = ("--quick", "--pairs", "2", "--count", "50", "--json", str(written))
    done = bench("protocol", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(written.read_text())["suites"]["protocol"]
    assert [one["task"]["name"] for one in measured["single"]] == [
        task.name for task in suite.TASKS
    ]
    for one in measured["single"]:
        assert {"protocol", "struct", "ctypes", "msgspec", "protobuf"} <= set(one["samples"])
        assert one["fastest_peer"] in one["times_as_fast"]
        for interval in one["times_as_fast"].values():
            assert interval["low"] <= interval["median"] <= interval["high"]
    (plot,) = plots.of_protocol(measured)
    assert list(plot.places) == [task.title for task in suite.TASKS]
    assert "protocol" not in plot.series
    assert plot.series["struct, by hand"][0] is None
    assert all(plot.series["ctypes"])
    for one in measured["many"] + measured["imports"]:
        assert len(one["samples"]) == 2
    assert [one["bar"] for one in measured["imports"]] == [0.05, None, None, None]


def forms() -> list[Any]:
    """Every form of every contender, by contender and task."""
    frame = suite.a_frame()
    return [
        pytest.param(form, id=f"{name}-{task}-{number}")
        for name, make in suite.CONTENDERS.items()
        for task, made in make(frame).items()
        for number, form in enumerate(made)
    ]


@pytest.mark.parametrize("form", forms())
def test_every_form_gives_what_is_right_and_refuses_a_damaged_frame(form: Any) -> None:
    for variant in suite.variants(form):
        suite.check(variant)


@pytest.mark.parametrize("task", ["decode", "fields"])
@pytest.mark.parametrize("name", ["protocol", "struct", "ctypes", "msgspec", "protobuf"])
def test_everybody_who_reads_has_a_frame_to_be_damaged(name: str, task: str) -> None:
    for form in suite.CONTENDERS[name](suite.a_frame())[task]:
        assert "frame" in form.names


def test_a_form_with_a_wrong_result_fails() -> None:
    with pytest.raises(RunFailed, match="wrong result"):
        suite.check(peers.Form("out = 1", {}, lambda out: out == 2))


def test_a_form_that_leaves_out_the_checksum_fails() -> None:
    form = peers.Form("out = frame", {"frame": bytes(64)}, lambda out: True)
    with pytest.raises(RunFailed, match="a damaged frame passes"):
        suite.check(form)


def test_work_with_arrays_that_gives_something_wrong_fails() -> None:
    work = many.Work("nothing", 5, list, lambda made: len(made) == 5)
    with pytest.raises(RunFailed, match="wrong result of: nothing"):
        many._seconds(work)


def test_an_import_that_fails_is_no_measurement() -> None:
    with pytest.raises(RunFailed, match="import of nothing"):
        many._import_seconds("nothing", "import a_module_that_nobody_has")
