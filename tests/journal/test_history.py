"""Consumers that are further back than the log in memory: served from the journal (relays.md 5)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from protocol._core.journal import journal_words
from protocol.catalogue import MessageType
from protocol.checksum import crc32
from protocol.control import Gap, GapReason, Heartbeat, OnLag, Role, Start, chain_of
from protocol.errors import FieldError
from protocol.header import Header
from protocol.message import decode
from relays.client import Consumer
from relays.core.journal.recovery import recover
from relays.edge.journal.opened import opened
from relays.edge.memory import files, open_state
from tests.harness import CONTROL, Client, RelayProcess, eventually, frame

KEPT = 16_384  # trades of 64 bytes that the log in memory has place for
MANY = 50_000
IDENTITY = 77
Start_ = Callable[..., RelayProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start_]:
    """Starts a market_data relay with a journal and the smallest log in memory."""
    relays: list[RelayProcess] = []

    def begin(**settings: object) -> RelayProcess:
        given: dict[str, Any] = {
            "journal": "on",
            "log_bytes": 1 << 20,
            "snapshots": False,
            **settings,
        }
        relays.append(RelayProcess("market_data", tmp_path, **given))
        return relays[-1].start()

    yield begin
    for relay in relays:
        relay.clean()


def publish(relay: RelayProcess, first: int, count: int) -> None:
    """`count` frames with sequences from `first` on, Trades and Quotes by turns, acknowledged."""
    with Client(relay.path) as client:
        client.hello(role=int(Role.PRODUCE), producer_id=IDENTITY)
        for begin in range(first, first + count, 1000):
            numbers = range(begin, min(begin + 1000, first + count))
            client.send(*(frame(n, 1 + n % 2, bytes(32 + n % 2 * 16)) for n in numbers))
        while client.control(MessageType.ACK).sequence < first + count - 1:
            pass


def wait_for(relay: RelayProcess, end: int) -> None:
    eventually(lambda: relay.end() == end, f"{end} messages have positions")


def forget(relay: RelayProcess) -> None:
    """The machine dies: what was in memory is gone."""
    relay.kill()
    where = files(relay.domain, str(relay.folder))
    where.log.unlink()
    where.state.unlink()


def kept_from(relay: RelayProcess) -> int:
    """The oldest position in the relay's journal."""
    return int(journal_words(open_state(relay.domain, str(relay.folder)))["oldest_position"])


def sequences(frames: list[bytes]) -> list[int]:
    return [Header.unpack(each).sequence for each in frames]


def test_who_starts_at_the_oldest_has_all_that_the_journal_has(start: Start_) -> None:
    relay = start()
    publish(relay, 1, MANY)
    client = relay.client()
    welcome = client.hello(start=int(Start.OLDEST))
    assert (welcome.position, welcome.oldest_position, welcome.end_position) == (0, 0, MANY)
    assert sequences(client.data(MANY)) == list(range(1, MANY + 1))


def test_who_starts_at_a_position_of_the_journal_begins_exactly_there(start: Start_) -> None:
    relay = start()
    publish(relay, 1, MANY)
    for position in (0, 1, 999, 12_345, MANY - KEPT, MANY - 1):
        client = relay.client()
        welcome = client.hello(start=int(Start.AT_POSITION), start_position=position)
        assert welcome.position == position
        count = min(3, MANY - position)
        assert sequences(client.data(count)) == [position + 1 + n for n in range(count)]
        client.close()


def test_a_filter_passes_over_the_journal_as_over_the_log(start: Start_) -> None:
    relay = start()
    publish(relay, 1, MANY)
    client = relay.client()
    quotes = (1 << 2).to_bytes(32, "little")
    client.hello(start=int(Start.OLDEST), type_filter=quotes)
    got = client.data(MANY // 2)
    assert sequences(got) == list(range(1, MANY + 1, 2))
    row = eventually(lambda: relay.consumers()[0], "it is there")
    eventually(lambda: relay.consumers()[0]["position"] == MANY, "it is at the end")
    row = relay.consumers()[0]
    assert (row["sums"]["delivered"], row["sums"]["filtered"]) == (MANY // 2, MANY // 2)


def test_it_joins_live_without_a_hole_while_a_producer_goes_on(start: Start_) -> None:
    relay = start()
    publish(relay, 1, MANY)
    producer = threading.Thread(target=publish, args=(relay, MANY + 1, MANY))
    client = relay.client()
    client.hello(start=int(Start.OLDEST), on_lag=int(OnLag.CATCH_UP))
    producer.start()
    try:
        assert sequences(client.data(2 * MANY)) == list(range(1, 2 * MANY + 1))
    finally:
        producer.join()


def test_one_that_stops_reading_is_caught_up_from_the_journal_with_no_gap(start: Start_) -> None:
    relay = start(send_buffer=65_536)
    client = relay.client(receive_buffer=4096)
    client.hello(on_lag=int(OnLag.CATCH_UP))
    publish(relay, 1, MANY)
    got: list[bytes] = []
    while len(got) < MANY:
        each = client.frame()
        assert each[4] in (MessageType.HEARTBEAT, *range(100)), decode(each)
        if each[4] not in CONTROL:
            got.append(each)
    assert sequences(got) == list(range(1, MANY + 1))


def test_what_a_consumer_has_not_read_stays_although_retention_would_have_it_go(
    start: Start_,
) -> None:
    relay = start(
        send_buffer=65_536, log_bytes=20 << 20, journal_segment=8 << 20, journal_bytes=16 << 20
    )
    client = relay.client(receive_buffer=4096)
    client.hello(on_lag=int(OnLag.CATCH_UP), heartbeat_ms=60_000)
    count = 900
    with Client(relay.path) as producer:
        producer.hello(role=int(Role.PRODUCE), producer_id=IDENTITY)
        for begin in range(1, count + 1, 100):  # the log overtakes it after that has begun
            producer.send(*(frame(n, 19, bytes(60_000)) for n in range(begin, begin + 100)))
        while producer.control(MessageType.ACK).sequence < count:
            pass
    assert kept_from(relay) == 0
    assert sequences(client.data(count)) == list(range(1, count + 1))
    eventually(lambda: relay.consumers()[0]["position"] == count, "it is at the end")


def test_a_plain_consumer_that_catches_up_gets_every_byte(start: Start_) -> None:
    relay = start(on_lag="catch_up", send_buffer=65_536)
    client = relay.client(receive_buffer=4096)
    eventually(lambda: [row for row in relay.consumers() if row["consuming"]], "it is plain")
    publish(relay, 1, MANY)
    size = sum(64 + n % 2 * 16 for n in range(1, MANY + 1))
    stream = client.raw(size)
    assert Header.unpack(stream).sequence == 1
    assert client.silent()


def test_a_start_by_receive_time_begins_with_the_first_message_of_that_time(
    start: Start_,
) -> None:
    relay = start()
    publish(relay, 1, MANY)
    between = time.time_ns()
    publish(relay, MANY + 1, 100)
    client = relay.client()
    welcome = client.hello(start=int(Start.RECEIVED), start_position=between)
    assert welcome.position == MANY
    assert sequences(client.data(100)) == list(range(MANY + 1, MANY + 101))
    later = relay.client().hello(start=int(Start.RECEIVED), start_position=2**63)
    assert later.position == MANY + 100


def test_a_start_by_receive_time_knows_also_what_is_not_in_the_file_yet(start: Start_) -> None:
    relay = start(journal_sync="interval", journal_interval=60)
    producer, between = relay.client(), 0
    for end in (10, 20):
        between = time.time_ns()
        producer.send(*(frame(n) for n in range(end - 9, end + 1)))
        wait_for(relay, end)
    # The first ten may be: they come while the thread that writes is still starting.
    assert journal_words(open_state(relay.domain, str(relay.folder)))["written_position"] <= 10
    welcome = relay.client().hello(start=int(Start.RECEIVED), start_position=between)
    assert welcome.position == 10
    welcome = relay.client().hello(start=int(Start.RECEIVED), start_position=time.time_ns())
    assert welcome.position == 20


def test_a_start_by_receive_time_needs_a_journal(start: Start_) -> None:
    relay = start(journal="off")
    client = relay.client()
    with pytest.raises(AssertionError, match="needs a relay that has a journal"):
        client.hello(start=int(Start.RECEIVED), start_position=1)


def test_who_knows_the_log_of_before_the_machines_death_goes_on_where_it_was(
    start: Start_,
) -> None:
    relay = start()
    publish(relay, 1, 1000)
    before = relay.client().hello().log_id
    forget(relay)
    relay.start()
    publish(relay, 1001, 1000)
    client = relay.client()
    welcome = client.hello(start=int(Start.AT_POSITION), start_position=400, log_id=before)
    assert (welcome.position, welcome.log_id == before) == (400, False)
    assert sequences(client.data(1600)) == list(range(401, 2001))


def test_who_saw_more_of_the_log_of_before_than_was_kept_is_told_so(start: Start_) -> None:
    relay = start()
    publish(relay, 1, 1000)
    before = relay.client().hello().log_id
    forget(relay)
    relay.start()
    publish(relay, 1001, 1000)
    client = relay.client()
    # As if it had had 500 messages which had not reached the disk.
    welcome = client.hello(start=int(Start.AT_POSITION), start_position=1500, log_id=before)
    assert welcome.position == 1000
    gap = client.control(MessageType.GAP)
    assert isinstance(gap, Gap)
    assert gap.reason == GapReason.LOG_REPLACED
    assert sequences(client.data(1000)) == list(range(1001, 2001))


def test_of_a_log_of_before_too_what_is_too_old_is_told_exactly_and_the_rest_given(
    start: Start_,
) -> None:
    relay = start(journal_segment=8 << 20, journal_bytes=16 << 20)
    logs = []
    for count in range(5):
        if count:
            forget(relay)
            relay.start()
        publish(relay, 1000 * count + 1, 1000)
        logs.append(relay.client().hello().log_id)
    oldest = eventually(lambda: kept_from(relay), "two segments are kept")
    client = relay.client()
    client.hello(start=int(Start.AT_POSITION), start_position=400, log_id=logs[-2])
    gap = client.control(MessageType.GAP)
    assert isinstance(gap, Gap)
    told = (gap.reason, gap.first_position, gap.last_position, gap.count)
    assert told == (GapReason.TOO_OLD, 400, oldest - 1, oldest - 400)
    assert sequences(client.data(5000 - oldest)) == list(range(oldest + 1, 5001))


def harm(relay: RelayProcess, position: int) -> tuple[int, int]:
    """The record of the commit with this position is damaged; gives its positions, without the
    last."""
    place = Path(relay.folder, "journal", relay.domain)
    with opened(place) as catalogue:
        segment = catalogue.segment(position)
        number, commit = segment.find(position)
        at = segment.header.record_place(number)
    with (place / segment.name).open("r+b") as file:
        file.seek(at)
        file.write(b"\xff")
    return commit.first_position, commit.end


@pytest.mark.parametrize(
    ("way", "position"), [(Start.OLDEST, 0), (Start.AT_POSITION, 0), (Start.AT_POSITION, 12_345)]
)
def test_who_starts_where_the_journal_is_damaged_is_told_exactly_what_is_missing(
    way: Start, position: int, start: Start_
) -> None:
    relay = start()
    publish(relay, 1, MANY)
    first, end = harm(relay, position)
    assert first <= position < end
    client = relay.client()
    welcome = client.hello(start=int(way), start_position=position, on_lag=int(OnLag.CATCH_UP))
    assert welcome.position == end
    gap = client.control(MessageType.GAP)
    told = gap.reason, gap.first_position, gap.last_position, gap.count
    assert told == (GapReason.TOO_OLD, position, end - 1, end - position)
    assert sequences(client.data(MANY - end)) == list(range(end + 1, MANY + 1))


def test_a_consumer_of_the_client_library_goes_on_after_the_machines_death(start: Start_) -> None:
    relay = start(require_sequence=True)
    publish(relay, 1, 100)
    with Consumer(relay.path, start="oldest") as consumer:
        items = iter(consumer.messages())
        assert [next(items).header.sequence for _ in range(100)] == list(range(1, 101))
        before = consumer.log_id
        forget(relay)
        relay.start()
        publish(relay, 101, 50)
        assert [next(items).header.sequence for _ in range(50)] == list(range(101, 151))
        assert not consumer.gaps
        assert consumer.log_id != before


def test_a_consumer_of_the_client_library_starts_at_a_time(start: Start_) -> None:
    relay = start()
    publish(relay, 1, 100)
    then = datetime.now(UTC)
    publish(relay, 101, 100)
    with Consumer(relay.path, start=then) as consumer:
        assert next(iter(consumer.messages())).header.sequence == 101
    with pytest.raises(FieldError, match="a datetime with a time zone"):
        Consumer(relay.path, start=datetime.now())


def test_nothing_is_delivered_before_it_is_safe_where_that_is_asked_for(start: Start_) -> None:
    relay = start(journal_before_delivery=True)
    client, filtered = relay.client(), relay.client()
    client.hello()
    filtered.hello(type_filter=(1 << 2).to_bytes(32, "little"))
    publish(relay, 1, MANY)
    assert sequences(client.data(MANY)) == list(range(1, MANY + 1))
    assert sequences(filtered.data(MANY // 2)) == list(range(1, MANY + 1, 2))


def test_what_a_consumer_gets_is_on_the_disk_where_that_is_asked_for(start: Start_) -> None:
    relay = start(journal_before_delivery=True)
    consumer, producer = relay.client(), relay.client()
    consumer.hello()
    state = open_state(relay.domain, str(relay.folder))
    for number in range(1, 201):
        producer.send(frame(number))
        assert sequences(consumer.data(1)) == [number]
        assert journal_words(state)["synced_position"] >= number


def test_relay_journal_and_consumer_have_one_checksum_of_all_frames(start: Start_) -> None:
    relay = start()
    publish(relay, 1, MANY)
    client = relay.client()
    client.hello(start=int(Start.OLDEST), heartbeat_ms=100)
    beats: list[tuple[int, int]] = []
    had, end = 0, MANY
    while len(beats) < 5:
        got = client.frame()
        if got[4] in range(1, 20):
            had = crc32(got, had)
        elif got[4] == MessageType.HEARTBEAT and (said := chain_of(Heartbeat.decode(got))):
            beats.append((said, had))
            publish(relay, end + 1, 10)
            end += 10
    assert [said for said, _ in beats] == [mine for _, mine in beats]
    assert len({said for said, _ in beats}) > 1
    relay.stop()
    with opened(Path(relay.folder, "journal", relay.domain)) as catalogue:
        found = recover(catalogue).chain
    assert found == journal_words(open_state(relay.domain, str(relay.folder)))["chain"]


def test_a_consumer_holds_its_frames_against_what_the_relay_says_of_them(start: Start_) -> None:
    relay = start()
    with Consumer(relay.path, heartbeat_ms=100, on_gap="item") as consumer:
        items, number = iter(consumer.messages()), 1
        while consumer.compared < 3:
            publish(relay, number, 5)
            assert [next(items).header.sequence for _ in range(5)] == [*range(number, number + 5)]
            number += 5
