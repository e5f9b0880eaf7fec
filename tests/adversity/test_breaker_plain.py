"""PLAIN consumers past their allowance, catch_up, and consumers that start in the past.

relays.md 3 and 5. Real relays and real sockets.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from protocol.reject import Reject
from tests.adversity.conftest import Start
from tests.adversity.flow import Flow, becomes, breaker, positions, row, session, until_gap
from tests.harness import Client, RelayProcess, eventually, frame, split

CATCH_UP = 3
OLDEST = 2
SMALL = {
    "circuit_breaker": 1000, "max_queue_size": 1200, "send_buffer": 8192, "recovery_timeout": 0.05,
}  # fmt: skip
LAP = 140  # frames of 60,032 bytes, twice what the log of 4 MiB holds


def plain(relay: RelayProcess) -> Client:
    client = relay.client()
    becomes(relay, "closed")
    return client


def opened(relay: RelayProcess, flow: Flow) -> None:
    """Send until the breaker of the PLAIN consumer has opened."""
    while breaker(relay) != "open":
        flow.send(600)


def test_a_plain_consumer_past_its_allowance_gets_nothing_more_and_is_closed_when_it_reads(
    start: Start,
) -> None:
    relay = start(**SMALL)
    client, flow = plain(relay), Flow(relay)
    opened(relay, flow)
    stopped = row(relay)
    flow.send(2000)
    assert row(relay)["sums"] == stopped["sums"]
    got = client.rest()
    assert len(got) == stopped["sums"]["delivered_bytes"]
    assert positions(split(got)) == list(range(len(got) // 64))
    eventually(lambda: breaker(relay) == "gone", "it is gone")
    assert relay.counters()["disconnects"][Reject.SLOW_CONSUMER] == 1


def test_a_plain_consumer_that_never_reads_stays_and_can_still_become_a_producer(
    start: Start,
) -> None:
    relay = start(**SMALL)
    client, flow = plain(relay), Flow(relay)
    opened(relay, flow)
    flow.send(80_000)  # the log goes round under it
    assert breaker(relay) == "open"
    listening = session(relay, "listening")
    client.send(frame(1), frame(2))
    assert [one[32:] for one in listening.data(2)] == [bytes(32)] * 2
    eventually(lambda: breaker(relay) == "gone", "it does not consume any more")
    assert relay.counters()["disconnects"][Reject.SLOW_CONSUMER] == 0
    client.send(frame(3))
    listening.data(1)


def test_a_plain_consumer_where_lagging_is_caught_up_gets_everything(start: Start) -> None:
    relay = start(**SMALL | {"on_lag": "catch_up"})
    client, flow = plain(relay), Flow(relay)
    flow.send(20_000)
    assert breaker(relay) == "closed"
    assert positions(split(client.raw(20_000 * 64))) == list(range(20_000))


def test_a_plain_consumer_that_is_caught_up_is_closed_where_a_gap_would_be_due(
    start: Start,
) -> None:
    relay = start(**SMALL | {"on_lag": "catch_up"})
    client, flow = plain(relay), Flow(relay, kind=7, payload=bytes(60_000))
    flow.send(LAP)
    becomes(relay, "open")
    got = client.rest()
    assert positions(split(got)) == list(range(len(got) // 60_032))
    assert relay.counters()["disconnects"][Reject.SLOW_CONSUMER] == 1


def test_a_consumer_that_starts_in_the_past_is_replaying_and_not_cut_for_it(start: Start) -> None:
    relay = start(**SMALL)
    flow = Flow(relay)
    flow.send(30_000)
    late = session(relay, "late", start=OLDEST)
    becomes(relay, "replaying", "late")
    flow.send(3000)
    assert breaker(relay, "late") == "replaying"
    assert positions(late.data(33_000)) == list(range(33_000))
    becomes(relay, "closed", "late")
    flow.send(3000)  # now it is armed
    becomes(relay, "open", "late")


def test_a_replaying_consumer_that_the_log_overtakes_gets_a_gap_and_goes_on_at_the_oldest(
    start: Start,
) -> None:
    relay = start(**SMALL)
    flow = Flow(relay, kind=7, payload=bytes(3000))
    flow.send(1300)
    late = session(relay, "late", start=OLDEST)
    becomes(relay, "replaying", "late")
    first = row(relay, "late")["start"]
    flow.send(1300)
    assert breaker(relay, "late") == "replaying"
    before, gap = until_gap(late)
    assert positions(before) == list(range(first, gap.first_position))
    assert gap.reason == 2
    rest = late.data(flow.sent - gap.last_position - 1)
    assert positions(rest) == list(range(gap.last_position + 1, flow.sent))
    becomes(relay, "closed", "late")
    assert relay.books().dropped["too_old"] == gap.count


def test_catch_up_is_served_from_the_log_without_a_breaker(start: Start) -> None:
    relay = start(**SMALL)
    slow = session(relay, "slow", on_lag=CATCH_UP)
    flow = Flow(relay)
    flow.send(60_000)
    assert breaker(relay, "slow") == "closed"
    assert positions(slow.data(60_000)) == list(range(60_000))
    flow.send(10)
    assert positions(slow.data(10)) == list(range(60_000, 60_010))
    assert relay.counters()["trips"] == 0


@pytest.mark.parametrize("laps", [1, 3])
def test_catch_up_gets_a_gap_when_the_log_overtakes_it(start: Start, laps: int) -> None:
    relay = start(**SMALL)
    slow = session(relay, "slow", on_lag=CATCH_UP)
    flow = Flow(relay, kind=7, payload=bytes(60_000))
    flow.send(LAP * laps)
    before, gap = until_gap(slow)
    assert positions(before) == list(range(gap.first_position))
    assert gap.reason == 2
    rest = slow.data(flow.sent - gap.last_position - 1)
    assert positions(rest) == list(range(gap.last_position + 1, flow.sent))
    assert relay.counters()["trips"] == 0


def test_the_execution_relay_refuses_a_default_of_gap_without_allow_loss(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "relays.cli", "run", "execution", f"--runtime-dir={tmp_path}"]
    ended = subprocess.run(
        [*run, "--set=on_lag=gap"], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 78
    assert ended.stderr.count("\n") == 1
    assert "allow_loss" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_the_execution_relay_takes_a_default_of_gap_with_allow_loss(start: Start) -> None:
    relay = start("execution", on_lag="gap", allow_loss=True, **SMALL)
    session(relay, "slow")
    flow = Flow(relay, kind=50)
    flow.send(3000)
    becomes(relay, "open", "slow")
