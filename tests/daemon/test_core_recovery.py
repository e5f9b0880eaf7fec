"""What a killed relay leaves behind is finished, adopted or set aside (relays.md 2).

Here without a daemon: transactions cut short at every word, children killed while they commit, and
memory files damaged byte by byte. Whole relays are killed in tests/adversity/test_crash.py.
"""

from __future__ import annotations

import itertools
import mmap
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from protocol._core.connection import Record, abandon
from protocol._core.decisions import note
from protocol._core.gather import Filter
from protocol._core.places import layout
from protocol._core.ring import PAGE
from protocol._core.state import State
from relays.config import RelayConfig, load
from relays.core.accounting import books
from relays.edge.memory import files, open_memory
from tests.daemon.fake_edge import PLACES, World
from tests.harness import frame, hello

LOG = 16 * PAGE
REDO = 3000
ROUNDS = 100
SEED = int(os.environ.get("RELAYS_SEED", time.time_ns() % 10**9))
ADOPTED, SET_ASIDE, ERROR = range(3)


@pytest.fixture
def config() -> Iterator[RelayConfig]:
    """A small relay whose files are in a directory on tmpfs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        os.chmod(folder, 0o750)
        yield msgspec.structs.replace(
            load("market_data", environ={}).config, runtime_dir=folder, log_bytes=LOG,
            max_payload=4096, max_connections=PLACES - 16, max_producers=64,
        )  # fmt: skip


# --- transactions cut short at every word ---


def busy() -> tuple[World, dict[str, Callable[[], object]]]:
    """A relay with something of everything, and what may happen next to it, by name."""
    world = World(circuit_breaker=20, max_queue_size=30, on_lag="gap")
    producer, producer_sock = world.connect()
    quick, quick_sock = world.connect()
    slow, slow_sock = world.connect()
    _, wanted_sock = world.connect()
    for sock, kinds in ((quick_sock, 0), (slow_sock, 0), (wanted_sock, 2)):
        world.send(sock, hello(1, type_filter=kinds.to_bytes(32, "little")))
    slow_sock.room = 70
    wanted_sock.room = 200
    batch = [frame(n, 1 if n % 3 else 7, bytes(32), timestamp=n) for n in range(1, 16)]
    world.send(producer_sock, *batch)
    state, log = world.state, world.state.read_log()
    now = world.clock.now()
    steps: dict[str, Callable[[], object]] = {
        "commit": lambda: world.send(producer_sock, frame(16), frame(17, 60), frame(18)[:40]),
        "send": lambda: slow.record.sent(100, now),
        "detach": slow.record.detach,
        "drop": slow.record.stop_consuming,
        "leave": slow.record.leave,
        "breaker": lambda: slow.record.set_breaker(1),
        "skip": lambda: quick.record.skip_to(15, log["end_offset"], 1),
        "count": lambda: state.count("trips", 0),
        "give way": lambda: state.give_way(state.horizon(LOG - log["end_offset"] + 64)),
        "filtered": lambda: world.read(wanted_sock),
        "decision": lambda: note(state, now, kind=3, connection=5, name="one", text="why"),
    }
    assert producer.record.unfinished == 0
    return world, steps


NAMES = sorted(busy()[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_transaction_cut_short_at_any_word_is_finished_by_the_successor(name: str) -> None:
    world, steps = busy()
    memory = memoryview(world.state.memory)
    places = layout(LOG, PLACES, 64, False)
    redo, after = places["redo"], places["log"]
    memory[redo:after] = bytes(after - redo)
    before = bytes(memory)
    steps[name]()
    done = bytes(memory)
    where = memoryview(done)[redo + 8 : redo + 8 + 8 * REDO].cast("Q")
    value = memoryview(done)[redo + 8 + 8 * REDO : redo + 8 + 16 * REDO].cast("Q")
    count = sum(1 for at in where if at)
    assert 0 < count < REDO
    last = _last_transaction(before, done, where, value, count)
    for stored in range(count + 1):
        memory[:] = last
        memory[redo:after] = done[redo:after]
        memory[redo : redo + 8] = count.to_bytes(8, "little")
        for n in range(stored):
            memory[where[n] : where[n] + 8] = value[n].to_bytes(8, "little")
        assert world.state.recover()
        found = bytes(memory)
        wrong = [at for at in where[:count] if found[at : at + 8] != done[at : at + 8]]
        assert not wrong, f"{name} cut short after {stored} of {count} words"
        world.accounted()


def _last_transaction(
    before: bytes, done: bytes, where: memoryview, value: memoryview, count: int
) -> bytearray:
    """The state as it was before the last of a step's transactions: its words as they had been.

    Words that only an earlier transaction of the step changed are as they are at its end.
    """
    state = bytearray(done)
    for n in range(count):
        at = where[n]
        state[at : at + 8] = before[at : at + 8]
    return state


# --- children killed while they commit ---


def commit_for_ever(state: State, seed: int, ready: Callable[[], None]) -> None:
    """Commits of many counters, and three consumers that take bytes; never returns."""
    chance = random.Random(seed)
    world = World(state=state, producer_breaker=10**9)
    producer, sock = world.connect()
    world.send(sock, frame(1))
    records = [Record(state, place) for place in (40, 41, 42)]
    filters = [Filter({1}, [], {}), None, None]
    scratch = bytearray(LOG)
    blocks = [
        b"".join(frame(n * 2, 1 + n % 2 * 6, bytes(32), source=n) for n in range(size))
        for size in (1, 20, 120)
    ]
    ready()
    for turn in itertools.count():
        block = blocks[turn % 3]
        sock.coming += block
        world.relay.hub.make_room(producer, turn)
        assert producer.ingress.read() > 0
        world.relay.hub.received(producer, turn)
        n = chance.randrange(3)
        record, wanted = records[n], filters[n]
        if record.number and record.offset >= state.oldest_offset:
            if wanted is not None:
                record.gathered(wanted, record.gather(wanted, scratch, 1000) // 2, turn)
            else:
                record.sent(min(record.span(LOG)[1], chance.choice([40, LOG])), turn)
        else:
            record.leave()
            record.arrive(turn + 1000, 7, 7, turn)
            record.consume_from(state.oldest_position, state.oldest_offset)


def killed_while_committing(config: RelayConfig, seed: int, delay: float) -> None:
    """Fork a child that adopts the state and works on it; kill it after `delay` seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            state = open_memory("market_data", config, 1).state
            commit_for_ever(state, seed, lambda: os.close(writing))
        finally:
            os._exit(1)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the child ended by itself"


def test_a_process_killed_at_any_moment_of_its_commits_leaves_consistent_books(
    config: RelayConfig,
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    pending, position = 0, 0
    for round_ in range(ROUNDS):
        killed_while_committing(config, SEED + round_, chance.random() * 0.004)
        memory = open_memory_raw(config)
        pending += memory.recover()
        memory.check()
        abandon(memory)
        found = books(memory)
        assert (found.unaccounted_messages, found.unaccounted_bytes) == (0, 0), found
        assert memory.end_position >= position
        position = memory.end_position
    print(f"{pending} of {ROUNDS} had a transaction to finish; the log ends at {position}")
    assert position > 0


def open_memory_raw(config: RelayConfig) -> State:
    """The files as they were left, without what adoption does to them."""
    from protocol._core.ring import Mapping, Ring

    where = files("market_data", config.runtime_dir)
    with where.state.open("r+b") as state, where.log.open("r+b") as log:
        memory = Mapping(state.fileno(), os.stat(where.state).st_size, True)
        return State(memory, Ring(log.fileno(), os.stat(where.log).st_size, True))


# --- damaged files ---


def left_behind(config: RelayConfig) -> dict[Path, bytes]:
    """The files of a relay that has passed some frames on, as bytes by path."""
    state = open_memory("market_data", config, 1).state
    world = World(state=state)
    _, producer = world.connect()
    _, consumer = world.connect()
    world.send(consumer, hello(1))
    for first in range(1, 1201, 40):
        world.send(producer, *(frame(n) for n in range(first, first + 40)))
    where = files("market_data", config.runtime_dir)
    return {path: path.read_bytes() for path in (where.state, where.log)}


def adopt_in_child(config: RelayConfig) -> int:
    """What a successor does with the files as they are: ADOPTED, SET_ASIDE or ERROR."""
    child = os.fork()
    if child == 0:
        result = ERROR
        try:
            memory = open_memory("market_data", config, 1)
            World(state=memory.state).accounted() if memory.adopted else None
            result = ADOPTED if memory.adopted else SET_ASIDE
        finally:
            os._exit(result)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def restore(found: dict[Path, bytes]) -> None:
    for path, content in found.items():
        path.unlink(missing_ok=True)
        path.write_bytes(content)


def test_what_was_left_in_order_is_adopted(config: RelayConfig) -> None:
    restore(left_behind(config))
    assert adopt_in_child(config) == ADOPTED


@pytest.mark.parametrize("region", ["geometry", "redo", "log", "index"])
@pytest.mark.parametrize("damage", [0xFF, 0x01])
def test_a_byte_of_the_records_flipped_is_never_more_than_a_log_set_aside(
    config: RelayConfig, region: str, damage: int
) -> None:
    found = left_behind(config)
    begin = layout(LOG, PLACES, 64, False)[region]
    if region == "index":
        begin += open_memory_raw(config).read_log()["index_first"] * 24
    state = files("market_data", config.runtime_dir).state
    aside = 0
    for at in range(begin, begin + 72):
        restore(found)
        with state.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[at] ^= damage
        result = adopt_in_child(config)
        assert result in (ADOPTED, SET_ASIDE), f"byte {at - begin} of {region}"
        aside += result == SET_ASIDE
    print(f"{region}: {aside} of 72 set aside")


@pytest.mark.parametrize("cut", [0, 1, PAGE - 1, PAGE, 3 * PAGE, -PAGE, -1])
@pytest.mark.parametrize("which", ["state", "log"])
def test_a_truncated_file_is_set_aside(config: RelayConfig, which: str, cut: int) -> None:
    restore(left_behind(config))
    path: Path = getattr(files("market_data", config.runtime_dir), which)
    os.truncate(path, cut if cut >= 0 else path.stat().st_size + cut)
    assert adopt_in_child(config) == SET_ASIDE
    assert path.with_name(path.name + ".bad").exists()


def test_a_frame_of_the_log_that_is_none_any_more_is_found(config: RelayConfig) -> None:
    found = left_behind(config)
    log = files("market_data", config.runtime_dir).log
    oldest = open_memory_raw(config).read_log()["oldest_offset"]
    for n in (0, 1, 100, 500):
        restore(found)
        with log.open("r+b") as file:
            file.seek((oldest + 64 * n) % LOG)
            file.write(b"????")
        assert adopt_in_child(config) == SET_ASIDE


@pytest.mark.parametrize("content", [b"", b"something else\n", bytes(PAGE), b"x" * 10 * PAGE])
@pytest.mark.parametrize("which", ["state", "log"])
def test_a_foreign_file_in_its_place_is_set_aside(
    config: RelayConfig, which: str, content: bytes
) -> None:
    restore(left_behind(config))
    path: Path = getattr(files("market_data", config.runtime_dir), which)
    path.write_bytes(content)
    assert adopt_in_child(config) == SET_ASIDE
    assert path.with_name(path.name + ".bad").read_bytes() == content
