"""What was decided about connections stands in the state: which, in what words, how often."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from protocol._core import decisions as ring
from protocol._core.connection import Record
from protocol._core.places import layout
from protocol._core.state import VERSION, State
from protocol.control import GapReason, hello_tlvs
from protocol.reject import Reject
from relays.cli.looking.sentences import sentence
from relays.config import RelayConfig, load
from relays.core.decisions import Decisions, Kind, relay_died
from relays.core.peer import Phase
from relays.edge.history import connections, decisions
from relays.edge.memory import files, open_memory, open_state
from relays.edge.status import look
from relays.errors import RelayError
from tests.daemon.fake_edge import PLACES, World, new_state
from tests.harness import frame, hello

PAGE = 4096
LOG = 16 * PAGE
SECOND = 1_000_000_000


def kinds(state: State, connection: int = 0) -> list[Kind]:
    """What was decided, of one connection or of all, in order."""
    return [
        Kind(row["kind"])
        for row in ring.read(state)
        if connection in (0, row["connection"])
    ]  # fmt: skip


def only(state: State, kind: Kind) -> dict[str, Any]:
    """The one decision of this kind."""
    (row,) = (row for row in ring.read(state) if row["kind"] == kind)
    return row


# --- the ring ---


def test_the_last_4096_decisions_are_kept_in_order() -> None:
    state = new_state(LOG)
    assert ring.read(state) == []
    for number in range(1, ring.CAPACITY + 101):
        assert ring.note(state, number * 10, connection=number, kind=3) == number
    rows = ring.read(state)
    assert ring.made(state) == ring.CAPACITY + 100
    assert [row["number"] for row in rows] == list(range(101, ring.CAPACITY + 101))
    assert all(row["connection"] == row["number"] == row["at_ns"] // 10 for row in rows)
    assert [row["number"] for row in ring.read(state, ring.CAPACITY + 98)] == [4195, 4196]


def test_every_word_is_read_as_it_was_written() -> None:
    state = new_state(LOG)
    words = {word: 2**64 - 1 - n for n, word in enumerate(ring.WORDS)}
    ring.note(state, 5, name="n" * 64, text="why", **words)
    (row,) = ring.read(state)
    assert {word: row[word] for word in ring.WORDS} == words
    assert (row["name"], row["text"]) == ("n" * 64, "why")
    assert (row["at_ns"], row["until_ns"], row["times"]) == (5, 5, 1)


def test_text_that_is_too_long_or_not_ascii_is_cut_and_harms_nothing() -> None:
    state = new_state(LOG)
    ring.note(state, 1, name="é" * 500, text="x" * 5000, kind=3)
    ring.note(state, 2, kind=4)
    first, second = ring.read(state)
    assert (first["name"], first["text"]) == ("?" * 71, "x" * 127)
    assert (second["name"], second["text"], second["kind"]) == ("", "", 4)


def test_what_happens_again_is_the_same_decision_until_it_is_overwritten() -> None:
    state = new_state(LOG)
    number = ring.note(state, 10, kind=9, first=5, last=5, count=1, depth=7)
    assert ring.again(state, number, 20, position=3, end=8, depth=2, last=9, count=4)
    (row,) = ring.read(state)
    assert (row["at_ns"], row["until_ns"], row["times"]) == (10, 20, 2)
    assert (row["first"], row["last"], row["count"], row["depth"]) == (5, 9, 5, 7)
    assert (row["position"], row["end"]) == (3, 8)
    for _ in range(ring.CAPACITY):
        ring.note(state, 30)
    assert not ring.again(state, number, 40)
    assert not ring.again(state, 0, 40)


def test_a_reader_who_looks_while_one_is_written_waits_for_it() -> None:
    state = new_state(LOG)
    ring.note(state, 10, kind=3)
    places = layout(LOG, PLACES, 64, False)
    memoryview(state.memory)[places["decisions"]] |= 1
    with pytest.raises(BlockingIOError):
        ring.read(state)
    state.recover()
    assert len(ring.read(state)) == 1


def read_some(state: State, after: int) -> list[dict[str, Any]]:
    """What can be read now; nothing where the writer lost its turn in the middle of one."""
    try:
        return ring.read(state, after)
    except BlockingIOError:
        return []


def test_a_decision_read_while_others_are_made_is_of_one_moment() -> None:
    state = new_state(LOG)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, b"x")
            for number in itertools.count(1):
                words = dict.fromkeys(ring.WORDS, number)
                ring.note(state, number, name=str(number), text=str(number), **words)
        finally:
            os._exit(1)
    try:
        os.read(reading, 1)
        seen, deadline = 0, time.monotonic() + 20
        while seen < 3 * ring.CAPACITY and time.monotonic() < deadline:
            for row in read_some(state, seen):
                assert row["name"] == row["text"] == str(row["number"])
                assert {row[word] for word in (*ring.WORDS, "at_ns")} == {row["number"]}
                seen = row["number"]
        assert seen >= 3 * ring.CAPACITY
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
    state.recover()
    assert [row["number"] for row in ring.read(state)][-1] == ring.made(state)


def test_a_word_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        ring.note(new_state(LOG), 1, nonsense=3)


# --- what the relay writes ---


def test_a_slow_consumer_joins_lags_trips_is_gapped_and_recovers() -> None:
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="gap")
    _, producer = world.connect()
    slow, sock = world.connect()
    world.send(sock, hello(1))
    sock.room = 0
    world.send(producer, *(frame(n) for n in range(1, 13)))
    world.send(producer, *(frame(n) for n in range(13, 25)))
    assert kinds(world.state, slow.number) == [Kind.JOINED, Kind.LAGGED, Kind.BREAKER_OPENED]
    assert only(world.state, Kind.LAGGED)["depth"] == 10
    opened = only(world.state, Kind.BREAKER_OPENED)
    assert (opened["position"], opened["end"], opened["depth"]) == (0, 22, 22)
    assert (opened["wait_ns"], opened["count"]) == (SECOND, 1)
    assert (opened["uid"], opened["pid"], opened["relay"]) == (7, slow.who.pid, os.getpid())
    assert opened["at_ns"] == world.clock.now()
    world.pass_time(1100)
    world.read(sock)
    gap = only(world.state, Kind.GAP)
    assert (gap["first"], gap["last"], gap["count"]) == (0, 23, 24)
    assert gap["reason"] == GapReason.TOO_SLOW
    for _ in range(15):
        world.pass_time(100)
    assert kinds(world.state, slow.number)[-1] == Kind.BREAKER_CLOSED


def test_one_that_joins_in_the_past_stands_where_it_begins() -> None:
    place = World(LOG)
    _, producer = place.connect()
    place.send(producer, *(frame(n) for n in range(1, 51)))
    peer, sock = place.connect()
    place.send(sock, hello(1, start=3, start_position=20))
    joined = next(row for row in ring.read(place.state) if row["connection"] == peer.number)
    assert (joined["kind"], joined["first"], joined["position"]) == (Kind.JOINED, 30, 30)


def test_a_consumer_that_lagged_and_caught_up_says_both_once() -> None:
    world = World(circuit_breaker=20, max_queue_size=30)
    _, producer = world.connect()
    slow, sock = world.connect()
    world.send(sock, hello(1, on_lag=3))
    sock.room = 0
    for number in range(1, 16):
        world.send(producer, frame(number))
    world.read(sock)
    assert kinds(world.state, slow.number) == [Kind.JOINED, Kind.LAGGED, Kind.CAUGHT_UP]
    assert only(world.state, Kind.LAGGED)["depth"] == 10
    assert only(world.state, Kind.CAUGHT_UP)["position"] == 15


def test_lagging_again_and_again_within_a_second_is_one_decision() -> None:
    world = World(circuit_breaker=20, max_queue_size=30)
    _, producer = world.connect()
    slow, sock = world.connect()
    world.send(sock, hello(1, on_lag=3))
    for turn in range(5):
        sock.room = 0
        world.send(producer, *(frame(turn * 12 + n) for n in range(1, 13)))
        world.read(sock)
    assert kinds(world.state, slow.number) == [Kind.JOINED, Kind.LAGGED, Kind.CAUGHT_UP]
    assert only(world.state, Kind.LAGGED)["times"] == 5


def test_a_storm_of_refused_frames_is_one_decision_with_its_count() -> None:
    world = World(producer_breaker=50)
    peer, sock = world.connect()
    for number in range(1, 60):
        world.send(sock, frame(number, 60))
    assert kinds(world.state, peer.number) == [
        Kind.JOINED, Kind.REJECTED, Kind.CLOSED, Kind.ENDED,
    ]  # fmt: skip
    storm = only(world.state, Kind.REJECTED)
    assert (storm["reason"], storm["count"], storm["times"]) == (Reject.WRONG_DOMAIN, 50, 50)
    assert (storm["first"], storm["last"]) == (1, 50)
    assert only(world.state, Kind.CLOSED)["reason"] == Reject.COOLDOWN
    assert only(world.state, Kind.CLOSED)["text"] == "50 frames refused"


def test_what_a_consumer_was_given_stands_where_it_ends() -> None:
    world = World()
    _, producer = world.connect()
    peer, sock = world.connect()
    world.send(sock, hello(1, type_filter=(1 << 7).to_bytes(32, "little")))
    world.send(producer, frame(1), frame(2, 7), frame(3))
    sock.room = 0
    world.send(producer, frame(4, 7))
    world.relay.hub.hung_up(peer, world.clock.now())
    world.relay.work()
    (text,) = (row["text"] for row in ring.read(world.state) if row["role"] == Phase.SESSION
               and row["kind"] == Kind.JOINED)  # fmt: skip
    assert text == "consumes; types: 1; on_lag gap"
    ended = only(world.state, Kind.ENDED)
    assert (ended["delivered"], ended["filtered"], ended["depth"]) == (1, 2, 1)
    assert ended["reason"] == 0


def test_one_that_came_and_went_without_a_word_leaves_no_trace() -> None:
    world = World()
    peer, _ = world.connect()
    world.relay.hub.hung_up(peer, world.clock.now())
    world.relay.work()
    assert ring.read(world.state) == []


def test_a_bad_hello_says_what_was_wrong() -> None:
    world = World()
    peer, sock = world.connect()
    world.send(sock, hello(1, start=1, start_position=99))
    assert kinds(world.state, peer.number)[0] == Kind.CLOSED
    closed = only(world.state, Kind.CLOSED)
    assert closed["reason"] == Reject.BAD_HELLO
    assert closed["text"] == "start_position 99 is beyond the end, 0"


def refusals(state: State) -> list[tuple[int, int, int]]:
    return [(row["uid"], row["pid"], row["times"]) for row in ring.read(state)]


def test_refused_connections_of_one_process_are_one_decision_a_second() -> None:
    state = new_state(LOG)
    decisions = Decisions(state, 1)
    for now in range(5):
        decisions.refused(9, 3, Reject.ACCESS_DENIED, 10 + now)
    decisions.refused(9, 4, Reject.ACCESS_DENIED, 20)
    decisions.refused(10, 3, Reject.ACCESS_DENIED, 20)
    decisions.refused(9, 3, Reject.ACCESS_DENIED, 20 + SECOND)
    assert refusals(state) == [(9, 3, 5), (9, 4, 1), (10, 3, 1), (9, 3, 1)]


def test_refused_processes_beyond_a_few_of_a_minute_are_one_decision_that_names_the_last() -> None:
    state = new_state(LOG)
    decisions = Decisions(state, 1)
    for pid in range(100):
        decisions.refused(9, pid, Reject.ACCESS_DENIED, 10 + pid * 10 * SECOND)
    expected = [(9, pid, 1) for pid in range(15)] + [(9, 99, 85)]
    assert refusals(state) == expected
    decisions.refused(9, 100, Reject.ACCESS_DENIED, 10 + (99 * 10 + 61) * SECOND)
    assert refusals(state) == [*expected, (9, 100, 1)]


def test_one_that_comes_and_goes_without_end_leaves_what_was_decided_about_others() -> None:
    world = World()
    steady, sock = world.connect()
    world.send(sock, hello(1, tlvs=hello_tlvs(name="steady")))
    for turn in range(ring.CAPACITY):
        restless, sock = world.connect()
        world.send(sock, hello(1, tlvs=hello_tlvs(name="restless")))
        if turn % 2:
            world.send(sock, hello(1))
        world.clock.time += 10 * SECOND
        world.relay.hub.hung_up(restless, world.clock.now())
        world.relay.work()
    assert kinds(world.state, steady.number) == [Kind.JOINED]
    rows = ring.read(world.state)
    assert len(rows) < 100
    times: dict[Kind, int] = {}
    for row in rows:
        times[Kind(row["kind"])] = times.get(Kind(row["kind"]), 0) + row["times"]
    assert times[Kind.JOINED] == ring.CAPACITY + 1
    assert times[Kind.ENDED] == ring.CAPACITY
    last = [row["connection"] for row in rows if row["kind"] == Kind.JOINED][-1]
    assert last == restless.number


def test_what_is_remembered_of_repetitions_is_bounded_by_those_of_a_second() -> None:
    state = new_state(LOG)
    decisions = Decisions(state, 1)
    for number in range(20_000):
        decisions.refused(number, 1, Reject.ACCESS_DENIED, number * SECOND // 1000)
    assert len(decisions._last) <= 4 * 1024 + 2
    assert ring.made(state) == 20_000


# --- death and succession ---


@pytest.fixture
def config() -> Iterator[RelayConfig]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        os.chmod(folder, 0o750)
        yield msgspec.structs.replace(
            load("signals", environ={}).config, runtime_dir=folder, log_bytes=LOG,
            max_payload=4096, max_connections=PLACES - 16, max_producers=64,
        )  # fmt: skip


def test_a_successor_keeps_them_and_says_what_became_of_the_open_connections(
    config: RelayConfig,
) -> None:
    state = open_memory("signals", config, 1).state
    state.set_status(pid=4711, tick_ns=77)
    record = Record(state, 3)
    record.arrive(9, 1000, 12, 5)
    record.describe(role=Phase.SESSION, name="strategy")
    record.consume_from(0, 0)
    ring.note(state, 50, kind=Kind.JOINED, connection=9, name="strategy")
    adopted = open_memory("signals", config, 100)
    assert adopted.adopted
    joined, died = ring.read(adopted.state)
    assert joined["kind"] == Kind.JOINED
    assert (died["kind"], died["relay"], died["connection"]) == (Kind.RELAY_DIED, 4711, 9)
    assert (died["name"], died["pid"], died["at_ns"], died["first"]) == ("strategy", 12, 100, 77)
    assert relay_died(adopted.state, 101) == 0


def test_what_a_successor_said_before_it_was_killed_is_not_said_again(config: RelayConfig) -> None:
    state = open_memory("signals", config, 1).state
    for number in (1, 2):
        Record(state, number).arrive(number, 1000, 12, 5)
    state.set_status(pid=4711, tick_ns=77)
    assert relay_died(state, 100) == 2  # and is killed before it closed their records
    adopted = open_memory("signals", config, 200).state
    assert [(row["connection"], row["at_ns"]) for row in ring.read(adopted)] == [(1, 100), (2, 100)]
    adopted.set_status(tick_ns=300)  # another with the same pid, as in a container, dies as well
    Record(adopted, 1).arrive(1, 1000, 12, 5)
    assert relay_died(adopted, 400) == 1
    assert [row["at_ns"] for row in ring.read(adopted)] == [100, 100, 400]


def test_the_death_of_a_relay_with_thousands_of_connections_leaves_room_for_what_was_before() -> (
    None
):
    state = new_state(LOG, places=3016)
    state.set_status(pid=4711, tick_ns=77)
    ring.note(state, 1, kind=Kind.BREAKER_OPENED, connection=1)
    for number in range(3000):
        Record(state, number).arrive(number + 1, 1000, 12, 5)
    Record(state, 2999).describe(name="strategy")
    for _ in range(2):
        assert relay_died(state, 100) == 3000
        first, named, *others, rest = ring.read(state)
        assert first["kind"] == Kind.BREAKER_OPENED
        assert named["name"] == "strategy"
        assert len(others) == 255
        assert (rest["connection"], rest["count"]) == (0, 3000 - 256)


def test_a_connection_that_another_process_goes_on_with_has_one_history() -> None:
    state = new_state(LOG)
    state.set_status(pid=1, tick_ns=time.time_ns())
    for pid, number, kind in ((1, 7, Kind.JOINED), (1, 8, Kind.JOINED), (1, 8, Kind.ENDED)):
        ring.note(state, 50, kind=kind, relay=pid, connection=number, name=f"c{number}")
    Decisions(state, 2).adopted(60, predecessor=1, count=1)
    ring.note(state, 70, kind=Kind.CAUGHT_UP, relay=2, connection=7, name="c7")
    found = connections(look(state), decisions(state))
    told = {(one.relay_pid, one.id): [row["event"] for row in one.decisions] for one in found}
    assert told == {(1, 8): ["joined", "ended"], (2, 7): ["joined", "adopted", "caught_up"]}
    assert sentence(decisions(state)[3]) == "went on in another relay process, pid 2"


def test_a_state_of_an_older_format_is_set_aside_and_said(config: RelayConfig) -> None:
    state = open_memory("signals", config, 1).state
    memoryview(state.memory)[8:16] = (VERSION - 1).to_bytes(8, "little")
    with pytest.raises(RelayError, match=f"format {VERSION}: .* format {VERSION - 1}"):
        open_state("signals", config.runtime_dir)
    found = open_memory("signals", config, 2)
    assert not found.adopted
    assert f"format {VERSION - 1}" in found.damage
    path = files("signals", config.runtime_dir).state
    assert path.with_name(path.name + ".bad").exists()
