"""The journal bench runs, and cannot be fooled: a damaged journal is no measurement.

Sizes are tiny: these are smoke tests of the measurements, never the measurements.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from . import (
    journal_acks,
    journal_jetstream,
    journal_rates,
    journal_read,
    journal_restart,
    journal_tables,
    journal_write,
    native,
)
from .children import RunFailed
from .client_brokers import missing
from .runs import Load


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_read, "SEGMENT", 1 << 20)


@pytest.mark.parametrize("name", journal_read.ROWS)
def test_recovery_and_verification_are_measured_beside_dd(name: str, tmp_path: Path) -> None:
    result = journal_read.run(name, tmp_path, 3 << 20, 2, lambda text: None)
    assert result.frames * 64 >= 1 << 19
    assert {len(each) for each in (*result.cold.values(), *result.warm.values())} == {2}
    assert result.checked["recovery"] <= result.checked["verification"] == result.frames
    assert set(result.as_json()["summary"]) == set(journal_read.TASKS)
    assert journal_tables.of_reading([result]).row_count == len(journal_read.TASKS)


@pytest.mark.parametrize("task", journal_read.TASKS)
def test_a_journal_that_is_not_whole_is_no_measurement(task: str, tmp_path: Path) -> None:
    frames = journal_read.write(tmp_path, 3 << 20, 100)
    depth = journal_read.TASKS[task]
    journal_read.check(tmp_path, depth, frames)
    last = max(tmp_path.iterdir())
    data = bytearray(last.read_bytes())
    data[5000] ^= 1
    last.write_bytes(data)
    with pytest.raises(RunFailed):
        journal_read.check(tmp_path, depth, frames)


def test_a_journaling_relay_is_measured_beside_one_without_and_a_plain_write(
    tmp_path: Path,
) -> None:
    native.build()
    result = journal_write.run(tmp_path, Load(count=100_000), 2, lambda text: None)
    assert {name: len(rates) for name, rates in result.rates.items()} == {
        "off": 2, "interval": 2, "write": 2,
    }  # fmt: skip
    assert min(rate for rates in result.rates.values() for rate in rates) > 0
    assert journal_tables.of_writing(result).row_count == 3
    # The frames did go to the disk: more than what the relay was warmed with.
    assert list((tmp_path / "journal").glob("market_data/*.segment"))


def test_acks_are_timed_with_and_without_the_disk(tmp_path: Path) -> None:
    result = journal_acks.run(tmp_path, 20, 2, lambda text: None)
    assert {len(medians) for medians in result.medians.values()} == {2}
    assert set(result.medians) == {"raw", "off", "batch"}
    assert journal_tables.of_acks(result).row_count == 3
    assert set(result.as_json()["summary"]) == set(result.medians)


def test_acknowledged_messages_are_counted_beside_jetstream(tmp_path: Path) -> None:
    result = journal_rates.run(tmp_path, 5, 2, lambda text: None)
    assert {len(rates) for rates in (*result.relay.values(), *result.jetstream.values())} == {2}
    assert journal_tables.of_rates(result).row_count == len(journal_rates.ROWS)
    assert set(result.as_json()["summary"]) == set(result.relay)
    assert result.left_out or set(result.jetstream) == set(result.relay)


def test_restarts_are_timed_beside_jetstream_and_count_only_with_every_message(
    tmp_path: Path,
) -> None:
    result = journal_restart.run(tmp_path, 5000, 1, lambda text: None)
    assert journal_tables.of_restart(result).row_count == 3 - bool(result.left_out)
    starts: dict[str, Callable[[Path, int], float]]
    starts = {journal_restart.RELAY: journal_restart.start_relay}
    if not result.left_out:
        starts[journal_restart.KILLED] = journal_restart.start_jetstream
    for name, start in starts.items():
        with pytest.raises(RunFailed):
            start(tmp_path / name, 5001)


def test_an_answer_of_jetstream_that_is_not_the_next_is_no_measurement(tmp_path: Path) -> None:
    if why := missing("nats-server"):
        pytest.skip(why)
    one = journal_jetstream.publication(b"one")
    with journal_jetstream.server(tmp_path, "always") as broker:
        with closing(journal_jetstream.Connection(broker.address)) as first:
            first.make_stream()
            first.send(one)
            assert (first.acknowledged(), first.messages()) == (1, 1)
        # One that takes the stream for empty.
        with closing(journal_jetstream.Connection(broker.address)) as other:
            other.send(one)
            with pytest.raises(RunFailed):
                other.acknowledged()
