"""Consumers that stop and come back: trips, gaps, recovery, and what others see (relays.md 5).

Real relays and real sockets; the state table itself is tested in tests/daemon/test_core_breaker.py.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from protocol.reject import Reject
from relays.core.breaker import OPEN
from tests.adversity.conftest import Start
from tests.adversity.flow import Flow, becomes, breaker, positions, row, session, until_gap
from tests.harness import Client, RelayProcess, eventually

GAP, DISCONNECT, CATCH_UP = 1, 2, 3
SMALL = {
    "circuit_breaker": 1000, "max_queue_size": 1200, "send_buffer": 8192, "recovery_timeout": 0.05,
}  # fmt: skip


def fill(relay: RelayProcess, flow: Flow, name: str) -> int:
    """Send until the kernel takes no more for this consumer; its lag then."""
    while True:
        before = int(row(relay, name)["position"])
        flow.send(50)
        if row(relay, name)["position"] == before:
            return relay.end() - before


def stop_it(relay: RelayProcess, flow: Flow, name: str) -> None:
    """Send until the breaker of a consumer that does not read has opened."""
    while breaker(relay, name) != "open":
        flow.send(600)


def test_a_stopped_consumer_opens_its_breaker_at_the_first_commit_at_the_threshold(
    start: Start,
) -> None:
    relay = start(**SMALL)
    session(relay, "slow")
    flow = Flow(relay)
    lag = fill(relay, flow, "slow")
    flow.send(999 - lag)
    assert breaker(relay, "slow") == "closed"
    flow.send(1)
    becomes(relay, "open", "slow")
    assert re.search(r'"breaker opened" .*consumer="slow .*lag=1000 ', relay.log())
    assert relay.counters()["trips"] == 1


def test_a_stopped_consumer_never_lags_more_than_max_queue_size(start: Start) -> None:
    relay = start(**SMALL)
    session(relay, "slow")
    flow = Flow(relay)
    pushing = threading.Thread(target=flow.push, args=(20_000,))
    pushing.start()
    seen: dict[str, Any] = {"breaker": 0}
    while seen["breaker"] != OPEN:
        end = relay.end()  # before the cursor is looked at: what it lags is at least this much
        seen = row(relay, "slow")
        assert seen["breaker"] == OPEN or end - seen["position"] <= 1200
    pushing.join()
    (lag,) = re.findall(r'"breaker opened" .* lag=(\d+) ', relay.log())
    assert 1000 <= int(lag) <= 1200


def test_resumed_it_gets_a_gap_with_the_exact_positions_and_then_live_frames(start: Start) -> None:
    relay = start(**SMALL)
    slow = session(relay, "slow", on_lag=GAP)
    flow = Flow(relay)
    stop_it(relay, flow, "slow")
    flow.send(5000)
    stopped = row(relay, "slow")["position"]
    before, gap = until_gap(slow)
    assert positions(before) == list(range(stopped))
    assert (gap.first_position, gap.last_position) == (stopped, relay.end() - 1)
    assert gap.count == gap.last_position - gap.first_position + 1
    assert gap.reason == 1
    flow.send(100)
    assert positions(slow.data(100)) == list(range(gap.last_position + 1, flow.sent))
    found = relay.books()
    assert found.dropped["too_slow"] == gap.count
    assert found.delivered == flow.sent - gap.count


def test_the_bytes_of_other_consumers_are_unaffected(start: Start) -> None:
    relay = start(**SMALL)
    slow = session(relay, "slow", on_lag=GAP)
    plain, other = relay.client(), session(relay, "other")
    becomes(relay, "closed")
    flow, frames, got = Flow(relay), [], b""
    for _ in range(80):
        flow.send(100)
        frames += other.data(100)
        got += plain.raw(6400)
        if flow.sent == 6000:
            until_gap(slow)
    assert positions(frames) == list(range(8000))
    assert got == b"".join(frames)
    assert relay.counters()["trips"] >= 1
    assert breaker(relay, "other") == "closed"


def test_half_open_closes_after_a_second_of_calm(start: Start) -> None:
    relay = start(**SMALL)
    slow = session(relay, "slow")
    flow = Flow(relay)
    stop_it(relay, flow, "slow")
    until_gap(slow)
    assert breaker(relay, "slow") == "half_open"
    becomes(relay, "closed", "slow")
    eventually(lambda: '"breaker closed"' in relay.log(), "the closing is in the log")


def test_reopening_doubles_the_timeout_and_the_fifth_time_in_a_row_disconnects(
    start: Start,
) -> None:
    relay = start(**SMALL)
    slow = session(relay, "slow", on_lag=GAP)
    flow = Flow(relay)
    for trip in range(1, 5):
        stop_it(relay, flow, "slow")
        assert row(relay, "slow")["trips"] == trip
        until_gap(slow)
    flow.push(2000)
    eventually(lambda: breaker(relay, "slow") == "gone", "it is disconnected")
    assert relay.counters()["disconnects"][Reject.SLOW_CONSUMER] == 1
    assert relay.counters()["trips"] == 5
    slow.rest()


def test_on_lag_disconnect_closes_within_about_a_second_whoever_reads(start: Start) -> None:
    relay = start(**SMALL, on_lag="disconnect")
    slow = session(relay, "slow")
    flow = Flow(relay)
    flow.send(3000)
    eventually(lambda: row(relay, "slow") == {}, "it is gone")
    assert "SLOW_CONSUMER" in relay.log()
    assert positions(_data(slow)) == list(range(relay.books().delivered))


def _data(client: Client) -> list[bytes]:
    found = []
    try:
        while True:
            found += client.data(1)
    except ConnectionError:
        return found


def test_on_lag_disconnect_says_slow_consumer_where_that_can_be_written(start: Start) -> None:
    relay = start(**SMALL)
    slow = session(relay, "slow", on_lag=DISCONNECT)
    flow = Flow(relay)
    lag = fill(relay, flow, "slow")
    flow.push(1000 - lag)
    error = slow.control(102)
    assert (error.code, error.fatal) == (Reject.SLOW_CONSUMER, 1)
    with pytest.raises(ConnectionError):
        slow.frame()


def test_sessions_choose_their_own_on_lag(start: Start) -> None:
    relay = start(**SMALL, on_lag="disconnect")
    chosen = {"gap": GAP, "cut": DISCONNECT, "late": CATCH_UP, "default": 0}
    clients = {name: session(relay, name, on_lag=on_lag) for name, on_lag in chosen.items()}
    flow = Flow(relay)
    flow.send(3000)
    eventually(lambda: not row(relay, "cut") and not row(relay, "default"), "two are cut off")
    becomes(relay, "open", "gap")
    assert breaker(relay, "late") == "closed"
    assert positions(clients["late"].data(3000)) == list(range(3000))
    until_gap(clients["gap"])


def test_large_frames_trip_at_four_fifths_of_the_log(start: Start) -> None:
    relay = start(send_buffer=8192, recovery_timeout=0.05)
    slow = session(relay, "slow")
    flow = Flow(relay, kind=7, payload=bytes(60_000))
    flow.send(53)  # 3.18 MB of the 4 MiB log; 3.36 MB are 80 %
    assert breaker(relay, "slow") == "closed"
    flow.send(10)
    seen = becomes(relay, "open", "slow")
    assert relay.end() - seen["position"] < 800_000
    before, gap = until_gap(slow)
    assert positions(before) == list(range(gap.first_position))
    assert gap.reason == 1
    flow.send(1)
    assert positions(slow.data(1)) == [gap.last_position + 1]


def test_a_half_sent_frame_is_completed_before_the_gap_also_when_the_log_has_lapped_it(
    start: Start,
) -> None:
    relay = start(send_buffer=4096, circuit_breaker=30, max_queue_size=40, recovery_timeout=0.05)
    slow = session(relay, "slow")
    flow = Flow(relay, kind=7, payload=bytes(range(256)) * 240)
    flow.send(200)
    becomes(relay, "open", "slow")
    before, gap = until_gap(slow)
    assert len(before) == gap.first_position
    assert all(one[32:] == flow.payload for one in before)
    assert positions(before) == list(range(gap.first_position))
