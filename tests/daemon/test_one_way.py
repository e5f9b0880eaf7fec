"""Connections used in one direction only: producers that never read, consumers that are half
closed (relays.md 3)."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from protocol.header import HEADER_SIZE
from relays.core.breaker import OPEN
from relays.core.peer import Phase
from relays.edge.listener import unread
from tests.daemon.conftest import Start
from tests.daemon.talk import (
    disconnected,
    in_phase,
    joined,
    plain,
    sequences,
    until_read,
    waiting,
)
from tests.harness import RelayProcess, eventually, frame, split

SMALL: dict[str, Any] = {
    "circuit_breaker": 500,
    "max_queue_size": 600,
    "send_buffer": 4096,
    "plain_after": 0.01,
}


FLOOD = 77  # bytes of a frame of the flood: buffers end inside one


def first(relay: RelayProcess) -> dict[str, Any]:
    """The record of the connection that is there longest."""
    return min(relay.consumers(), key=lambda row: int(row["id"]))


def flood(relay: RelayProcess, count: int = 3000) -> bytes:
    """Another producer's frames, more than anybody's buffer holds."""
    stream = b"".join(
        frame(n, 9, b"f" * (FLOOD - HEADER_SIZE), source=2) for n in range(1, count + 1)
    )
    with relay.client() as producer:
        producer.send(stream)
        until_read(producer.sock)
    return stream


def test_a_producer_silent_for_long_with_its_buffer_full_is_heard_and_never_cut(
    start: Start,
) -> None:
    relay = start(**SMALL)
    silent = relay.client()
    plain(relay)
    flood(relay)
    eventually(lambda: first(relay)["breaker"] == OPEN, "its breaker is open")
    session = relay.client()
    session.hello(1, on_lag=3)
    silent.send(frame(1), frame(2))
    assert sequences(session.data(2)) == [1, 2]
    row = first(relay)
    assert (row["role"], row["consuming"]) == (Phase.PRODUCER, 0)
    flood(relay)
    silent.send(frame(3))
    assert sequences(session.data(3001))[-1] == 3
    assert disconnected(relay, 15) == 0


def test_a_producer_whose_buffer_was_full_may_read_whole_frames_and_nothing_follows(
    start: Start,
) -> None:
    relay = start(**SMALL)
    silent = relay.client()
    plain(relay)
    stream = flood(relay)
    eventually(lambda: first(relay)["breaker"] == OPEN, "its breaker is open")
    silent.send(frame(1))
    until_read(silent.sock)
    flood(relay)
    got = silent.raw(waiting(silent))
    if len(got) % FLOOD:
        got += silent.raw(FLOOD - len(got) % FLOOD)
    assert 0 < len(got) < len(stream)
    assert stream.startswith(got)
    silent.sock.shutdown(socket.SHUT_WR)
    assert silent.rest() == b""


def test_a_producer_is_never_cut_when_the_log_runs_past_it_before_it_is_plain(
    start: Start,
) -> None:
    relay = start(log_bytes=1 << 20, send_buffer=4096, plain_after=0.3, max_payload=4096)
    silent = relay.client()
    joined(relay)
    flood(relay, 40_000)
    eventually(lambda: first(relay)["role"] != Phase.NEW, "its time is over")
    session = relay.client()
    session.hello(1)
    silent.send(frame(1))
    assert sequences(session.data(1)) == [1]


def test_a_plain_consumer_misses_nothing_that_came_before_it_was_plain(start: Start) -> None:
    relay = start(log_bytes=1 << 20, send_buffer=1 << 20, plain_after=0.5, max_payload=4096)
    bare = relay.client()
    joined(relay)
    streams = b""
    for _ in range(12):
        stream = flood(relay, 3400)
        assert bare.raw(len(stream)) == stream
        streams += stream
    assert len(streams) > 2 << 20


@pytest.mark.parametrize("domain", ["market_data", "execution"])
def test_a_producer_that_shut_down_its_input_is_no_error(start: Start, domain: str) -> None:
    kind = 1 if domain == "market_data" else 59
    relay = start(domain, plain_after=0.01)
    deaf, session, other = relay.client(), relay.client(), relay.client()
    deaf.sock.shutdown(socket.SHUT_RD)
    session.hello(1)
    plain(relay, 2)
    other.send(frame(1, kind, source=2))
    session.data(1)
    deaf.send(frame(1, kind))
    session.data(1)
    other.send(frame(2, kind, source=2))
    deaf.send(frame(2, kind))
    assert len(session.data(2)) == 2
    assert disconnected(relay) == 0
    deaf.close()
    eventually(lambda: disconnected(relay) == 1, "it is gone at its end")


def test_a_session_that_produces_may_shut_down_its_input(start: Start) -> None:
    relay = start(heartbeat_ms=100)
    witness, deaf = relay.client(), relay.client()
    witness.hello(1)
    deaf.hello(3, producer_id=7)
    deaf.sock.shutdown(socket.SHUT_RD)
    for n in range(1, 4):
        deaf.send(frame(n))
        assert sequences(witness.data(1)) == [n]
        witness.control(100)
    assert [row["consuming"] for row in in_phase(relay, Phase.SESSION)] == [1, 0]


@pytest.mark.parametrize("is_session", [False, True])
def test_a_half_closed_consumer_is_fed_on_and_gone_at_hang_up(
    start: Start, is_session: bool
) -> None:
    relay = start()
    consumer, producer = relay.client(), relay.client()
    if is_session:
        consumer.hello(1)
    else:
        joined(relay, 2)
    consumer.sock.shutdown(socket.SHUT_WR)
    for n in range(1, 4):
        producer.send(frame(n))
        assert sequences(consumer.data(1)) == [n]
    joined(relay, 2)
    consumer.close()
    joined(relay, 1)
    eventually(lambda: disconnected(relay) == 1, "it hung up")


def test_the_end_of_input_is_the_end_of_a_producer(start: Start) -> None:
    relay = start()
    bare, session = relay.client(), relay.client()
    bare.send(frame(1))
    bare.sock.shutdown(socket.SHUT_WR)
    assert bare.rest() == b""
    session.hello(2, producer_id=3)
    session.send(frame(1), frame(2))
    session.sock.shutdown(socket.SHUT_WR)
    answers = [one for one in split(session.rest()) if one[4] == 106]
    assert sequences(answers) == [0] * len(answers)
    assert answers
    joined(relay, 0)
    assert relay.end() == 3


def test_a_consumer_that_goes_without_a_word_is_noticed(start: Start) -> None:
    relay = start()
    consumer, witness, producer = relay.client(), relay.client(), relay.client()
    consumer.hello(1)
    witness.hello(1)
    joined(relay, 3)
    producer.send(frame(1))
    consumer.close()
    producer.send(frame(2))
    assert sequences(witness.data(2)) == [1, 2]
    eventually(lambda: len(relay.consumers()) == 2, "it is gone")
    assert unread(witness.sock) == 0 or witness.control(100)
