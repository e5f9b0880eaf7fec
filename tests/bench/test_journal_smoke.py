"""The journal bench runs, and cannot be fooled: a damaged journal is no measurement.

Sizes are tiny: these are smoke tests of the measurements, never the measurements.
"""

from pathlib import Path

import pytest

from . import journal_acks, journal_read, journal_tables, journal_write, native
from .children import RunFailed
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
    assert set(result.medians) >= {"raw", "off", "batch"}
    assert journal_tables.of_acks(result).row_count == 4
    assert set(result.as_json()["summary"]) == set(result.medians)
