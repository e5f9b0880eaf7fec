"""Programs that produce and are interrupted or killed: what the relay has of them afterwards."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relays.client.producer import Producer
from tests.client.test_producer import PATIENCE, logged, trade
from tests.harness import RelayProcess, eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("market_data", tmp_path)
    yield process.start()
    process.clean()


PROGRAM = """
import contextlib, itertools, sys
from relays.client.producer import Producer
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Trade

btc = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
path, linger, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sent = 0
with contextlib.suppress(KeyboardInterrupt):
    producer = Producer(path, linger_us=linger, producer_id=9)
    with producer if how == "with" else contextlib.nullcontext():
        print("ready", flush=True)
        for n in itertools.count(producer.last_sequence + 1):
            producer.send(Trade(btc, price=n, volume=1))
            sent = n
print(sent, flush=True)
"""


@contextlib.contextmanager
def running(relay: RelayProcess, linger_us: int, how: str) -> Iterator[subprocess.Popen[str]]:
    """The program, while it sends."""
    before = relay.end()
    command = [sys.executable, "-c", PROGRAM, relay.path, str(linger_us), how]
    pipe = subprocess.PIPE
    program = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        eventually(lambda: relay.end() > before + 500, "it sends")
        yield program
    finally:
        program.kill()
        program.communicate()


@pytest.mark.parametrize("how", ["with", "at_exit"])
@pytest.mark.parametrize("linger_us", [0, 1_000_000])
def test_ctrl_c_ends_at_once_with_everything_sent_and_no_traceback(
    relay: RelayProcess, linger_us: int, how: str
) -> None:
    with running(relay, linger_us, how) as program:
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=PATIENCE)
    assert (program.returncode, err) == (0, "")
    # The last send may have been interrupted after the message was taken.
    assert relay.end() - int(out) in (0, 1)
    relay.accounted()
    assert sum(relay.counters()["by_reason"]) <= 1  # at most the frame it was cut off in


@pytest.mark.parametrize("linger_us", [0, 500])
def test_a_program_that_is_killed_and_started_again_leaves_no_hole_and_nothing_twice(
    relay: RelayProcess, linger_us: int
) -> None:
    for _ in range(3):
        with running(relay, linger_us, "with") as program:
            program.kill()
    with Producer(relay.path, producer_id=9) as producer:
        last = producer.last_sequence
        producer.send(trade(last + 1))
    numbers = range(1, last + 2)
    assert logged(relay) == [(n, n) for n in numbers]
    relay.accounted()


def test_a_child_that_was_forked_ends_without_sending_its_parents_messages(
    relay: RelayProcess,
) -> None:
    program = f"""
import os, sys
from relays.client import Producer
from tests.client.test_producer import trade
producer = Producer({relay.path!r}, linger_us=60_000_000, batch_bytes=1 << 20)
for number in range(5):
    producer.send(trade(number))
child = os.fork()
if not child:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print("unsent", producer.unacked, flush=True)
producer.flush(10)
producer.close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False,
        cwd=ROOT,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "unsent 5\n")
    assert relay.end() == 5
