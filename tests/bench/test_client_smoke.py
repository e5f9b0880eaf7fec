"""The client bench runs, and cannot be fooled: a Python reader that is given a feed from which a
frame was lost, or in which one was repeated or damaged, fails.

Counts are tiny: these are smoke tests of the measurements, never the measurements.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from protocol.control import Welcome
from protocol.market_data import Side, Trade
from relays.client import ClientError

from .runs import BOARD_BYTES, Pins
from .test_bench_smoke import PATIENCE, bench, damage, lose, repeat

pytest.importorskip("numpy")
read = pytest.importorskip("tests.bench.client_read")
suite = pytest.importorskip("tests.bench.client_suite")
trips = pytest.importorskip("tests.bench.client_trips")
hops = pytest.importorskip("tests.bench.client_hops")
boards = pytest.importorskip("tests.bench.client_board")
COUNT = 1000
Harm = Callable[[bytearray], None]


def test_every_row_of_both_fronts_and_every_peer_is_measured(tmp_path: Path) -> None:
    written = tmp_path / "client.json"
    done = bench("client", "--pairs", "1", "--count", "2000", "--json", str(written))
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(written.read_text())["suites"]["client"]
    rows = {(one["row"]["what"], one["front"]) for one in measured["rows"]}
    assert rows == {(row.what, front) for row in suite.ROWS for front in suite.FRONTS}
    assert all(one["rate"]["median"] > 0 for one in measured["rows"])
    made = measured["trips"]
    left_out = set(made["left_out"])
    assert {name.partition(",")[0] for name in trips.OURS} - left_out == {
        name.partition(",")[0] for name in made["samples"]
    }
    for samples in made["samples"].values():
        assert [sample["count"] for sample in samples] == [10]
        assert all(0 < sample["p50"] <= sample["p99"] for sample in samples)


@contextmanager
def false_relay(path: Path, harm: Harm) -> Iterator[None]:
    """Answers one Hello, and sends what native/producer.c would have sent, harmed."""
    listener = socket.create_server(str(path), family=socket.AF_UNIX)
    listener.settimeout(PATIENCE)
    worker = threading.Thread(target=feed, args=(listener, harm))
    worker.start()
    try:
        yield
    finally:
        worker.join()
        listener.close()


def feed(listener: socket.socket, harm: Harm) -> None:
    consumer = listener.accept()[0]
    with consumer, suppress(ConnectionError):
        consumer.settimeout(PATIENCE)
        consumer.recv(4096)
        welcome = Welcome(log_id=1, position=0, end_position=0, oldest_position=0)
        data = bytearray()
        for index in range(COUNT):
            volume = boards.FIRST_VOLUME + index
            trade = Trade(boards.PAIR, price=1, volume=volume, side=Side.BUY)
            data += trade.frame(sequence=1 + index)
        harm(data)
        consumer.sendall(welcome.frame() + data)
        consumer.recv(4096)  # until it hangs up, or says that it is there


def reading(work: str, front: str, folder: Path, harm: Harm) -> dict[str, Any]:
    board = folder / "board"
    board.write_bytes(bytes(BOARD_BYTES))
    path = folder / "false.sock"
    job = boards.Job(work, str(path), 0, COUNT, COUNT, boards.Board(board))
    with false_relay(path, harm):
        if front == "blocking":
            made: dict[str, Any] = read.blocking(job)
        else:
            made = asyncio.run(read.awaited(job))
    assert job.board.frames == COUNT
    return made


@pytest.mark.parametrize("front", suite.FRONTS)
@pytest.mark.parametrize("work", read.WORKS)
@pytest.mark.parametrize("harm", [lose, repeat, damage])
def test_a_reader_fails_at_a_lost_repeated_or_damaged_frame(
    work: str, front: str, harm: Harm, tmp_path: Path
) -> None:
    with pytest.raises((read.Wrong, ClientError)):
        reading(work, front, tmp_path, harm)


@pytest.mark.parametrize("front", suite.FRONTS)
@pytest.mark.parametrize("work", read.WORKS)
def test_a_reader_is_content_with_what_was_sent(work: str, front: str, tmp_path: Path) -> None:
    assert reading(work, front, tmp_path, lambda data: None)["count"] == COUNT


def test_more_than_was_sent_is_no_measurement(tmp_path: Path) -> None:
    def more(data: bytearray) -> None:
        data += Trade(boards.PAIR, 1, boards.FIRST_VOLUME, Side.BUY).frame(sequence=COUNT + 1)

    with pytest.raises(read.Wrong):
        reading("batches", "blocking", tmp_path, more)


def test_an_answer_to_another_question_is_no_round_trip() -> None:
    with pytest.raises(hops.Wrong, match="question 2 is that to 1"):
        hops._check(1, 2)


def test_who_is_not_installed_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        return "" if name == "relays" else f"{name} is not installed"

    monkeypatch.setattr(trips, "missing", missing)
    made = trips.run(3, 1, Pins(), lambda text: None)
    assert list(made.samples) == ["relays", "relays, asyncio"]
    assert made.left_out["pyzmq"] == "pyzmq is not installed"
