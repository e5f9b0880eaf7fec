"""Sequences where order is required: gaps, duplicates, conflicts, fencing (relays.md 4)."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import pytest

from protocol.control import Ack, Durability, Error, Welcome
from protocol.message import decode
from protocol.reject import Reject
from tests.daemon.conftest import Start
from tests.daemon.talk import (
    NOBODY,
    UserClient,
    disconnected,
    joined,
    offences,
    rejected,
    send_apart,
    sequences,
    until_end,
    users,
)
from tests.harness import Client, RelayProcess, eventually, frame, hello, split

KIND = 59  # a type of execution that has no class: any payload goes
LAST = 2**64 - 1
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")


def order(sequence: int, text: bytes = b"order", source: int = 1) -> bytes:
    """A frame that is the same each time it is built."""
    return frame(sequence, KIND, text, source=source, timestamp=sequence % 1000)


def orders(first: int, last: int) -> bytes:
    return b"".join(order(n) for n in range(first, last + 1))


def producer(relay: RelayProcess, number: int = 1) -> Client:
    client = relay.client()
    client.hello(2, producer_id=number)
    return client


def witness(relay: RelayProcess) -> Client:
    client = relay.client()
    client.hello(1, start=2)
    return client


def synced(sequence: int, position: int) -> Ack:
    """What an execution relay says of them: they are on the disk."""
    return Ack(sequence=sequence, position=position, durability=Durability.SYNCED)


def answers(client: Client, until: int) -> list[Any]:
    """What the producer is told, up to the Ack of sequence `until`; heartbeats left out."""
    found: list[Any] = []
    while True:
        message = decode(client._first(lambda got: got[4] != 100))
        found.append(message)
        if isinstance(message, Ack) and message.sequence == until:
            return found


# Gaps ---------------------------------------------------------------------------------------


def test_a_gap_is_answered_with_the_sequence_that_is_expected(start: Start) -> None:
    relay = start("execution")
    client = producer(relay)
    client.send(order(1), order(2), order(5), order(6))
    error, ack = client.frame(), client.frame()
    told = decode(error)
    assert isinstance(told, Error)
    assert (told.code, told.fatal, told.message_type) == (Reject.SEQUENCE_GAP, 0, KIND)
    assert (told.sequence, told.expected) == (5, 3)
    assert decode(ack) == synced(sequence=2, position=2)
    assert rejected(relay, Reject.SEQUENCE_GAP) == 2
    assert [code for code, _ in offences(relay)] == [6, 6]


def test_go_back_n_with_4000_frames_in_flight_loses_repeats_and_reorders_nothing(
    start: Start,
) -> None:
    relay = start("execution")
    client, reader = producer(relay), witness(relay)
    client.send(orders(1, 1000), orders(1002, 5000))
    told = client.control(102)
    assert (told.sequence, told.expected) == (1002, 1001)
    client.send(orders(told.expected, 5000))
    rest = answers(client, 5000)
    assert [one for one in rest if isinstance(one, Error)] == []
    assert reader.data(5000) == [order(n) for n in range(1, 5001)]
    assert rejected(relay, Reject.SEQUENCE_GAP) == 3999
    assert sum(relay.counters()["gaps_by_source"]) == 1


def test_each_expected_sequence_is_told_at_once_and_not_repeated(start: Start) -> None:
    relay = start("execution")
    client = producer(relay)
    send_apart(client, order(1), order(3), order(4) + order(5), order(6))
    send_apart(client, order(2) + order(3), order(7), order(8))
    send_apart(client, order(4) + order(9), order(10), order(11), orders(5, 11))
    errors = [one for one in answers(client, 11) if isinstance(one, Error)]
    assert [(one.sequence, one.expected) for one in errors] == [(3, 2), (7, 4), (9, 5)]
    assert f"{errors[-1].sequence} came, 5 was expected" in errors[-1].text


def test_two_gaps_in_one_read_are_told_as_the_later_one(start: Start) -> None:
    relay = start("execution")
    client = producer(relay)
    client.send(order(1) + order(3) + order(2) + order(3) + order(9))
    told = [one for one in answers(client, 3) if isinstance(one, Error)]
    assert [one.expected for one in told] == [4]
    assert "4 was expected" in told[0].text
    client.send(order(4))
    assert answers(client, 4)[-1] == synced(sequence=4, position=4)


def test_an_ack_never_covers_what_was_not_taken(start: Start) -> None:
    relay = start("execution")
    client = producer(relay)
    send_apart(client, order(1), order(3), order(4))
    # The disk may take as long as it likes: Acks that wait for it together would be said as one.
    for sequence, more in ((1, order(2)), (2, b"")):
        told = answers(client, sequence)
        assert [one.sequence for one in told if isinstance(one, Ack)] == [sequence]
        client.send(more)


def test_an_anonymous_session_is_told_of_a_gap_and_stays(start: Start) -> None:
    relay = start("execution")
    client = relay.client()
    client.hello(2)
    client.send(order(5), order(7), order(5))
    codes = {client.control(102).code, client.control(102).code}
    assert codes == {Reject.SEQUENCE_GAP, Reject.SEQUENCE_DUPLICATE}
    client.send(order(6), order(7))
    until_end(relay, 3)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (order(4), Reject.SEQUENCE_GAP),
        (order(2), Reject.SEQUENCE_DUPLICATE),
        (order(3)[:-1] + b"?", Reject.BAD_CHECKSUM),
        (frame(3, 1), Reject.WRONG_DOMAIN),
    ],
    ids=["a gap", "a duplicate", "a wrong checksum", "another domain"],
)
def test_an_anonymous_producer_is_closed_at_its_first_reject(
    start: Start, bad: bytes, code: Reject
) -> None:
    relay = start("execution")
    reader, client = witness(relay), relay.client()
    client.send(order(1), order(2), bad, order(3), order(4))
    assert client.rest() == b""
    assert sequences(reader.data(2)) == [1, 2]
    assert rejected(relay, code) == disconnected(relay, code) == 1
    assert relay.end() == 2
    assert offences(relay) == [(code, bad)]


# Duplicates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["execution", "market_data", "signals"])
def test_a_duplicate_of_an_identified_producer_is_dropped_and_acknowledged_again(
    start: Start, domain: str
) -> None:
    kind = {"execution": 59, "market_data": 19, "signals": 39}[domain]
    relay = start(domain)
    client, reader = producer(relay), witness(relay)
    sent = [frame(n, kind, b"x", timestamp=5) for n in range(1, 4)]
    client.send(*sent)
    assert answers(client, 3)[-1].position == 3
    client.send(*sent[:2])
    again = synced if domain == "execution" else Ack
    assert answers(client, 3) == [again(sequence=3, position=3)]
    client.send(frame(4, kind, b"x", timestamp=5))
    answers(client, 4)
    assert sequences(reader.data(4)) == [1, 2, 3, 4]
    assert rejected(relay, Reject.SEQUENCE_DUPLICATE) == 2
    assert relay.counters()["duplicates_by_source"][1] == 2


def test_where_order_is_not_required_an_anonymous_duplicate_is_counted_and_forwarded(
    start: Start,
) -> None:
    relay = start()
    reader, client = witness(relay), relay.client()
    client.send(frame(5), frame(5), frame(9), frame(6))
    assert sequences(reader.data(4)) == [5, 5, 9, 6]
    assert relay.counters()["duplicates_by_source"][1] == 2
    assert relay.counters()["gaps_by_source"][1] == 1
    assert rejected(relay, Reject.SEQUENCE_DUPLICATE) == 0


def test_where_order_is_not_required_an_identified_gap_is_counted_and_forwarded(
    start: Start,
) -> None:
    relay = start()
    reader, client = witness(relay), producer(relay)
    client.send(frame(1), frame(5), frame(3))
    assert answers(client, 5)[-1] == Ack(sequence=5, position=2)
    assert sequences(reader.data(2)) == [1, 5]
    assert relay.counters()["gaps_by_source"][1] == 1


def test_a_duplicate_with_other_bytes_is_a_conflict_and_closes(start: Start) -> None:
    relay = start("execution")
    client, reader = producer(relay), witness(relay)
    client.send(orders(1, 2000))
    answers(client, 2000)
    client.send(order(978), order(2001), order(978, b"other"), order(2002))
    error = client.control(102)
    assert (error.code, error.fatal) == (Reject.SEQUENCE_CONFLICT, 1)
    assert (error.sequence, error.expected) == (978, 978)
    client.rest()
    assert len(reader.data(2001)) == relay.end() == 2001
    assert rejected(relay, Reject.SEQUENCE_CONFLICT) == 1
    assert disconnected(relay, Reject.SEQUENCE_CONFLICT) == 1


def test_a_conflict_is_found_after_a_reconnect_and_not_beyond_1024_frames(start: Start) -> None:
    relay = start("execution")
    with producer(relay) as client:
        client.send(orders(1, 2000))
        answers(client, 2000)
    client = producer(relay)
    client.send(order(976, b"other"))  # too old to be known: dropped as any duplicate
    assert answers(client, 2000)[-1] == synced(sequence=2000, position=2000)
    client.send(order(977, b"other"))
    assert client.control(102).code == Reject.SEQUENCE_CONFLICT


def test_a_frame_refused_for_good_is_remembered_like_an_accepted_one(start: Start) -> None:
    relay = start("execution")
    client = producer(relay)
    wrong = frame(2, 1, timestamp=1)
    client.send(order(1), wrong, order(3))
    assert answers(client, 3)[-1].position == 2
    client.send(wrong)
    assert answers(client, 3) == [synced(sequence=3, position=2)]
    client.send(order(2))
    assert client.control(102).code == Reject.SEQUENCE_CONFLICT


# Fencing and reconnecting -------------------------------------------------------------------


def test_an_unknown_producer_may_start_anywhere_and_is_known_from_then_on(start: Start) -> None:
    relay = start("execution")
    with producer(relay) as client:
        assert client.welcome is not None
        assert client.welcome.last_sequence == 0
        client.send(order(70), order(71))
        answers(client, 71)
    again = producer(relay)
    assert again.welcome is not None
    assert again.welcome.last_sequence == 71
    again.send(order(73))
    assert again.control(102).expected == 72
    again.send(order(72))
    answers(again, 72)


@needs_root
def test_a_newer_connection_fences_the_older_one_off(start: Start) -> None:
    relay = start("execution")
    old = producer(relay, 7)
    old.send(order(1))
    answers(old, 1)
    with users(relay) as made:
        made.append(UserClient(relay, 0))
        newer = made[0]
        assert newer.hello(2, producer_id=7).last_sequence == 1
        error = old.control(102)
        assert (error.code, error.fatal) == (Reject.FENCED, 1)
        assert f"pid {newer.child} " in error.text
        assert old.rest() == b""
        newer.send(order(2))
        answers(newer, 2)
    assert disconnected(relay, Reject.FENCED) == 1


def test_a_producer_that_reconnects_in_a_hurry_loses_repeats_and_reorders_nothing(
    start: Start,
) -> None:
    relay = start("execution")
    reader = witness(relay)
    last = 0
    for turn in range(1, 21):
        old, newer = producer(relay), relay.client()
        joined(relay, 3)
        newer.send(hello(2, producer_id=1))
        with contextlib.suppress(BrokenPipeError):  # it may be fenced off already, or not yet
            old.send(orders(last + 1, last + turn * 10), order(last + turn * 10 + 1)[:30])
        welcome = decode(newer.frame())
        assert isinstance(welcome, Welcome)
        old.close()
        newer.send(orders(welcome.last_sequence + 1, last + turn * 20))
        last += turn * 20
        answers(newer, last)
        newer.close()
        joined(relay, 1)
    assert sequences(reader.data(last)) == list(range(1, last + 1))


def test_a_stopped_relay_that_goes_on_reads_the_old_connection_empty_first(start: Start) -> None:
    # Of a journal's Acks one fenced off hears no more: Welcome tells its successor.
    relay = start("execution", journal="off")
    reader, old, newer = witness(relay), producer(relay), relay.client()
    joined(relay, 3)
    os.kill(relay.pid, 19)
    try:
        newer.send(hello(3, producer_id=1), orders(101, 200))
        old.send(orders(1, 100), order(101)[:30])
    finally:
        os.kill(relay.pid, 18)
    welcome = decode(newer._first(lambda got: got[4] == 105))
    assert isinstance(welcome, Welcome)
    assert (welcome.last_sequence, welcome.position) == (100, 100)
    codes = [decode(one) for one in split(old.kept + old.rest())]
    assert Reject.FENCED in [one.code for one in codes if isinstance(one, Error)]
    assert [one.sequence for one in codes if isinstance(one, Ack)] == [100]
    assert sequences(reader.data(200)) == list(range(1, 201))
    assert sequences(newer.data(100)) == list(range(101, 201))


@needs_root
def test_a_producer_id_of_another_user_is_another_producer(start: Start) -> None:
    relay = start("execution", socket_mode="0666")
    mine = producer(relay, 7)
    mine.send(order(1))
    answers(mine, 1)
    with users(relay) as made:
        made.append(UserClient(relay, NOBODY))
        assert made[0].hello(2, producer_id=7).last_sequence == 0
        made[0].send(order(500))
        answers(made[0], 500)
        mine.send(order(2))
        answers(mine, 2)
    assert disconnected(relay, Reject.FENCED) == 0


# The end, and forgetting --------------------------------------------------------------------


def test_a_sequence_does_not_wrap_at_its_end(start: Start) -> None:
    relay = start("execution")
    client = producer(relay)
    client.send(order(LAST - 1), order(LAST))
    answers(client, LAST)
    client.send(order(0), order(1))
    assert answers(client, LAST) == [synced(sequence=LAST, position=2)]
    client.send(order(LAST, b"other"))
    assert client.control(102).code == Reject.SEQUENCE_CONFLICT
    again = producer(relay)
    assert again.welcome is not None
    assert again.welcome.last_sequence == LAST
    assert relay.end() == 2


def known(relay: RelayProcess, number: int) -> int:
    """What the relay says is the last sequence of a producer, which it takes up by this."""
    with relay.client() as client:
        last = client.hello(2, producer_id=number).last_sequence
    eventually(lambda: all(r["producer_id"] != number for r in relay.consumers()), "it left")
    return last


def test_of_too_many_producers_the_longest_idle_is_forgotten(start: Start) -> None:
    relay = start("execution", max_producers=3)
    first, second = producer(relay, 1), producer(relay, 2)
    first.send(order(10))
    answers(first, 10)
    second.send(order(20))
    answers(second, 20)
    second.close()
    eventually(lambda: len(relay.consumers()) == 1, "the second left")
    first.close()
    eventually(lambda: not relay.consumers(), "the first left")
    with producer(relay, 3) as third:
        third.send(order(30))
        answers(third, 30)
        fourth = producer(relay, 4)
        fourth.send(order(40))
        answers(fourth, 40)
        assert known(relay, 1) == 10
        assert disconnected(relay, Reject.FENCED) == 0
        assert known(relay, 2) == 0


def test_a_forgotten_producer_leaves_nothing_to_the_one_in_its_place(start: Start) -> None:
    relay = start("execution", max_producers=1)
    with producer(relay, 1) as client:
        client.send(orders(1, 10))
        answers(client, 10)
    joined(relay, 0)
    client = producer(relay, 2)
    client.send(order(8, b"other"))
    answers(client, 8)
    client.send(order(5, b"other"))
    assert answers(client, 8) == [synced(sequence=8, position=11)]


def test_a_hello_for_which_every_producer_would_have_to_go_is_refused(start: Start) -> None:
    relay = start("execution", max_producers=2)
    producer(relay, 1)
    producer(relay, 2)
    client = relay.client()
    client.send(hello(2, producer_id=3))
    error = client.control(102)
    assert (error.code, error.fatal) == (Reject.BAD_HELLO, 1)
    assert "all 2 producers" in error.text
    assert client.rest() == b""
    assert relay.client().hello(2).last_sequence == 0
