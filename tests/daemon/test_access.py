"""Who may connect, produce, consume and speak as what; who is cut off, and for how long
(relays.md 4 and 6). Some users here are made with setuid, so those tests need root."""

from __future__ import annotations

import os

import pytest

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
    waiting,
)
from tests.harness import Client, RelayProcess, eventually, frame, hello

ELSEWHERE = 77
OPEN_TO_ALL = {"socket_mode": "0666"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")


def refusal(client: Client) -> Reject:
    """The code of the one fatal Error this connection gets before it is closed."""
    error = client.control(102)
    assert error.fatal == 1
    assert error.text
    assert client.rest() == b""
    return Reject(error.code)


# Lists --------------------------------------------------------------------------------------


@needs_root
def test_who_is_on_no_list_is_denied(start: Start) -> None:
    relay = start(**OPEN_TO_ALL, producers=["user:root"], consumers=["uid:0"])
    with users(relay) as made:
        made.append(UserClient(relay, NOBODY))
        assert refusal(made[0]) == Reject.ACCESS_DENIED
    assert disconnected(relay, Reject.ACCESS_DENIED) == 1
    relay.client().hello(3)


@needs_root
def test_who_may_only_consume_may_not_produce(start: Start) -> None:
    relay = start(**OPEN_TO_ALL, producers=["user:root"])
    with users(relay) as made:
        made += [UserClient(relay, NOBODY) for _ in range(3)]
        reader, bare, asking = made
        reader.hello(1)
        asking.send(hello(2))
        assert refusal(asking) == Reject.NOT_A_PRODUCER
        bare.send(frame(1), frame(2))
        assert bare.rest() == b""
        with relay.client() as producer:
            producer.send(frame(9))
            assert sequences(reader.data(1)) == [9]
    assert rejected(relay, Reject.NOT_A_PRODUCER) == 2
    assert disconnected(relay, Reject.NOT_A_PRODUCER) == 2
    assert relay.end() == 1


@needs_root
def test_who_may_only_produce_is_sent_nothing_and_may_not_consume(start: Start) -> None:
    relay = start(**OPEN_TO_ALL, consumers=["user:root"], plain_after=0.01)
    witness = relay.client()
    witness.hello(1)
    with users(relay) as made:
        made += [UserClient(relay, NOBODY) for _ in range(2)]
        silent, asking = made
        asking.send(hello(1))
        assert refusal(asking) == Reject.ACCESS_DENIED
        with relay.client() as producer:
            producer.send(frame(1), frame(2))
        witness.data(2)
        silent.send(frame(3))
        assert sequences(witness.data(1)) == [3]
        silent.sock.shutdown(1)
        assert silent.rest() == b""


@needs_root
def test_lists_name_groups_too_and_supplementary_ones_count(start: Start) -> None:
    relay = start(**OPEN_TO_ALL, producers=["group:daemon"], consumers=["uid:0"])
    with users(relay) as made:
        made += [UserClient(relay, NOBODY, groups=(1,)), UserClient(relay, 2)]
        inside, outside = made
        assert inside.hello(2).role == 2
        assert refusal(outside) == Reject.ACCESS_DENIED


@needs_root
def test_a_user_may_speak_only_as_the_sources_it_was_given(start: Start) -> None:
    relay = start(**OPEN_TO_ALL, sources="{'user:nobody' = [1, 'kraken_collector']}")
    witness = relay.client()
    witness.hello(1)
    with users(relay) as made:
        made.append(UserClient(relay, NOBODY))
        made[0].hello(2)
        made[0].send(*(frame(n, source=n) for n in range(1, 5)))
        error = made[0].control(102)
        assert (error.code, error.fatal) == (Reject.SOURCE_NOT_ALLOWED, 0)
        assert (error.sequence, error.expected) == (3, 4)
        assert error.text.endswith("(2 frames)")
        with relay.client() as other:
            other.send(frame(1, source=77))
            assert [one[6] for one in witness.data(3)] == [1, 2, 77]
    assert rejected(relay, Reject.SOURCE_NOT_ALLOWED) == 2


# Too many -----------------------------------------------------------------------------------


@needs_root
def test_a_user_has_so_many_connections_and_others_have_theirs(start: Start) -> None:
    relay = start(**OPEN_TO_ALL, max_connections_per_user=2)
    first, _ = relay.client(), relay.client()
    assert refusal(relay.client()) == Reject.TOO_MANY_CONNECTIONS
    assert disconnected(relay, Reject.TOO_MANY_CONNECTIONS) == 1
    with users(relay) as made:
        made.append(UserClient(relay, NOBODY))
        made[0].hello(1)
        first.close()
        joined(relay, 2)
        relay.client().hello(1)


@needs_root
def test_places_are_kept_for_root_when_all_others_are_taken(start: Start) -> None:
    relay = start(**OPEN_TO_ALL, max_connections=17)
    with users(relay) as made:
        made += [UserClient(relay, NOBODY) for _ in range(17)]
        for one in made:
            one.hello(0)
        made.append(UserClient(relay, NOBODY))
        assert refusal(made[-1]) == Reject.TOO_MANY_CONNECTIONS
        relay.client().hello(3)
        assert len(relay.consumers()) == 18


# Cut off ------------------------------------------------------------------------------------


def cut_off(relay: RelayProcess, client: Client, is_session: bool) -> None:
    """Five refused frames are too many; the frame behind them is lost with the connection."""
    if is_session:
        client.hello(2)
    send_apart(client, frame(1), *(frame(n, ELSEWHERE) for n in range(2, 6)))
    client.send(frame(6, ELSEWHERE))
    if not is_session:
        assert client.rest() == b""
        return
    errors = [client.control(102)]
    while errors[-1].code == Reject.WRONG_DOMAIN:
        errors.append(client.control(102))
    assert (errors[-1].code, errors[-1].fatal) == (Reject.COOLDOWN, 1)
    assert client.rest() == b""


@needs_root
@pytest.mark.parametrize("is_session", [False, True], ids=["bare", "session"])
def test_a_producer_with_too_many_rejects_is_cut_off_and_its_process_cools_down(
    start: Start, is_session: bool
) -> None:
    relay = start(**OPEN_TO_ALL, producer_breaker=5, producer_cooldown=60)
    witness = relay.client()
    witness.hello(1)
    cut_off(relay, relay.client(), is_session)
    assert disconnected(relay, Reject.COOLDOWN) == 1
    assert len(offences(relay)) == 5
    asking, bare = relay.client(), relay.client()
    asking.send(hello(3))
    assert refusal(asking) == Reject.COOLDOWN
    bare.send(frame(1))
    assert bare.rest() == b""
    relay.client().hello(1)  # it may still consume
    with users(relay) as made:
        made.append(UserClient(relay, 0))  # another process of the same user
        made[0].send(frame(20))
        assert sequences(witness.data(2)) == [1, 20]
    assert disconnected(relay, Reject.COOLDOWN) == 3


def test_a_producer_that_was_cut_off_may_come_back_after_its_cooldown(start: Start) -> None:
    relay = start(producer_breaker=5, producer_cooldown=0.3)
    cut_off(relay, relay.client(), is_session=False)
    eventually(lambda: accepts(relay), "the cooldown is over")


def accepts(relay: RelayProcess) -> bool:
    """Whether this process may produce."""
    with relay.client() as client:
        client.send(hello(2))
        return client.frame()[4] == 105


def test_rejects_that_came_long_ago_are_not_held_against_a_producer(start: Start) -> None:
    relay = start(producer_breaker=5, producer_window=0.25)
    clock, producer = relay.client(), relay.client()
    clock.hello(1, heartbeat_ms=100)
    for n in range(1, 17, 2):  # four in 0.4 s, eight in 0.8 s
        send_apart(producer, frame(n, ELSEWHERE), frame(n + 1))
        clock.raw(waiting(clock))
        clock.control(100)
    until_end(relay, 8)
    assert rejected(relay, Reject.WRONG_DOMAIN) == 8
    assert disconnected(relay, Reject.COOLDOWN) == 0


def test_gaps_and_duplicates_are_not_held_against_a_producer(start: Start) -> None:
    relay = start("execution", producer_breaker=5)
    producer = relay.client()
    producer.hello(2, producer_id=1)
    one = frame(1, 59)
    producer.send(one, *(frame(n, 59) for n in range(3, 50)), *[one] * 10, frame(2, 59))
    until_end(relay, 2)
    assert rejected(relay, Reject.SEQUENCE_GAP) == 47
    assert rejected(relay, Reject.SEQUENCE_DUPLICATE) == 10
    assert disconnected(relay, Reject.COOLDOWN) == 0
