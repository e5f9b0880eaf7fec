"""The core of Producer without sockets: against a model of a relay that accepts, loses, restarts.

Bytes are cut anywhere, connections and relays die anywhere; what counts is what the log has in the
end, and what came back.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.catalogue import SourceType
from protocol.control import Ack, Error, Heartbeat, Welcome
from protocol.errors import FieldError, SchemaError
from protocol.execution import OrderCancel
from protocol.market_data import Side, Trade
from protocol.message import Message, Unknown
from protocol.reject import CONSUMED, Reject
from relays.client.outcomes import (
    Ended,
    FencedError,
    RejectedError,
    UnknownOutcome,
)
from relays.client.producing import Phase, Producing
from tests.client.model_relay import BTC, PRODUCER, Model, Pair


def trade(number: int) -> Trade:
    return Trade(BTC, price=number, volume=1)


steps = st.one_of(
    st.tuples(st.just("send"), st.integers(1, 5)),
    st.tuples(st.just("write"), st.integers(1, 400)),
    st.tuples(st.just("lose"), st.integers(1, 400)),
    st.tuples(st.just("answer"), st.integers(1, 200)),
    st.tuples(st.just("time"), st.integers(1, 120)),
    st.tuples(st.just("settle"), st.just(0)),
    st.tuples(st.just("connect"), st.just(0)),
    st.tuples(st.just("cut"), st.just(0)),
)


def play(pair: Pair, script: list[tuple[str, int]]) -> None:
    actions: dict[str, Callable[[int], object]] = {
        "send": pair.send,
        "write": pair.write,
        "lose": pair.lose,
        "answer": pair.answer,
        "time": lambda tenth: pair.pass_time(tenth / 100),
        "settle": lambda _: pair.settle(),
        "connect": lambda _: pair.connect(),
        "cut": lambda _: pair.cut(),
    }
    for name, value in script:
        actions[name](value)
    pair.settle()


@given(strict=st.booleans(), script=st.lists(steps, max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_is_cut_the_log_has_each_message_once_and_in_order(
    strict: bool, script: list[tuple[str, int]]
) -> None:
    pair = Pair(Model(strict), max_age=1e9, batch_bytes=300)
    play(pair, script)
    assert pair.relay.log == [(n, n) for n in range(1, pair.sent + 1)]
    assert pair.core.acked == pair.sent
    assert pair.core.unacked == 0
    assert not pair.core.window.frames
    assert not pair.core.outcomes


@given(script=st.lists(steps, max_size=40))
@settings(max_examples=150, deadline=None)
def test_with_max_age_what_is_not_in_the_log_came_back_and_a_strict_relay_sees_no_gap(
    script: list[tuple[str, int]],
) -> None:
    pair = Pair(Model(strict=True), batch_bytes=300)
    assert pair.core.max_age == 1.0
    play(pair, script)
    logged, back = [number for _, number in pair.relay.log], pair.handed_back()
    sequences = [sequence for sequence, _ in pair.relay.log]
    # A relay that does not know the producer yet takes any first number.
    assert sequences == list(range(sequences[0], sequences[-1] + 1)) if sequences else not logged
    assert logged == sorted(set(logged))
    assert back == sorted(set(back))
    assert set(logged) | set(back) == set(range(1, pair.sent + 1))
    assert pair.core.unacked == 0
    assert all(isinstance(one, UnknownOutcome) for one in pair.core.outcomes)


@given(
    script=st.lists(steps, max_size=30),
    code=st.sampled_from([Reject.BAD_SIZE, Reject.WRONG_DOMAIN, Reject.PAYLOAD_TOO_LARGE]),
    refuse=st.sets(st.integers(1, 30), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_what_is_refused_comes_back_and_the_others_arrive(
    script: list[tuple[str, int]], code: Reject, refuse: set[int]
) -> None:
    relay = Model(strict=True, refuse=refuse, code=code)
    pair = Pair(relay, max_age=1e9, batch_bytes=300)
    play(pair, script)
    sent = set(range(1, pair.sent + 1))
    logged = [number for _, number in relay.log]
    assert logged == sorted(sent - refuse)
    # An Error of a consumed frame is lost with its connection; then only the Welcome is left.
    assert set(pair.handed_back()) <= refuse & sent
    if code not in CONSUMED:
        assert set(pair.handed_back()) == refuse & sent
    assert all(isinstance(one, RejectedError) for one in pair.core.outcomes)


def test_a_relay_that_forgot_everything_gets_what_was_not_acknowledged() -> None:
    pair = Pair(Model(strict=True), max_age=1e9)
    pair.send(5)
    pair.settle()
    pair.send(3)
    pair.core.lost(pair.now, "killed, and its memory removed")
    pair.relay = Model(strict=True)
    pair.settle()
    assert pair.relay.log == [(6, 6), (7, 7), (8, 8)]


def test_a_producer_that_comes_back_goes_on_after_its_last_sequence() -> None:
    pair = Pair(Model(strict=True, last=9, known=True))
    pair.send()
    pair.settle()
    assert pair.relay.log == [(10, 1)]


def test_young_messages_behind_old_ones_take_their_numbers() -> None:
    pair = Pair(Model(strict=True))
    pair.send()
    pair.settle()
    pair.cut()
    pair.send(2)
    pair.pass_time(0.9)
    pair.send(2)
    pair.pass_time(0.2)
    assert pair.handed_back() == [2, 3]
    assert "cut" in str(pair.core.outcomes[0])
    assert pair.core.unacked == 2
    pair.settle()
    assert pair.relay.log == [(1, 1), (2, 4), (3, 5)]
    assert pair.core.window.next == 4


def test_what_was_sent_and_not_acknowledged_in_time_is_unknown_and_the_connection_stays() -> None:
    pair = Pair(Model(strict=True))
    pair.send(3)
    pair.write()
    pair.pass_time(1.1)
    assert pair.handed_back() == [1, 2, 3]
    assert pair.core.phase is Phase.OPEN
    pair.send()
    pair.settle()
    assert [number for _, number in pair.relay.log] == [1, 2, 3, 4]
    assert pair.core.connections == 1


def test_of_refused_messages_whose_first_are_unknown_already_the_others_come_back() -> None:
    pair = Pair(Model(strict=True))
    pair.send(2)
    pair.write(arrives=False)
    pair.pass_time(0.8)
    pair.send(3)
    pair.write(arrives=False)
    pair.pass_time(0.3)
    assert pair.handed_back() == [1, 2]
    pair.relay.say(Error(Reject.SOURCE_NOT_ALLOWED, sequence=1, expected=5, text="(5 frames)"))
    pair.relay.say(Ack(5, 5))
    pair.answer()
    assert pair.handed_back() == [1, 2, 3, 4, 5]
    assert isinstance(pair.core.outcomes[-1], RejectedError)
    assert pair.core.unacked == 0


def test_what_was_not_sent_in_time_does_not_go_out() -> None:
    pair = Pair(Model(strict=True))
    pair.send(3)
    pair.write(150)  # into the second frame: the relay does not read on
    pair.pass_time(1.1)
    assert pair.handed_back() == [1, 2, 3]
    assert pair.core.phase is Phase.OFFLINE
    pair.send()
    pair.settle()
    assert pair.relay.log == [(1, 1), (2, 4)]


def test_fenced_is_the_end_and_names_the_newer_pid() -> None:
    pair = Pair(Model(strict=True))
    pair.send(2)
    fenced = Error(Reject.FENCED, fatal=1, text="pid 77 took this producer_id; do not reconnect")
    pair.relay.say(fenced)
    pair.answer()
    assert pair.core.phase is Phase.OVER
    assert isinstance(pair.core.over, FencedError)
    assert pair.core.over.pid == 77
    assert len(pair.core.over.messages) == 2
    pair.core.lost(pair.now, "closed")
    assert pair.core.phase is Phase.OVER


@pytest.mark.parametrize("code", [Reject.ACCESS_DENIED, Reject.NOT_A_PRODUCER, Reject.BAD_HELLO])
def test_what_would_be_refused_again_ends_it(code: Reject) -> None:
    pair = Pair(Model(strict=True))
    pair.relay.say(Error(code, fatal=1, text="no"))
    pair.answer()
    assert isinstance(pair.core.over, Ended)
    assert code.name.lower() in str(pair.core.over)


@pytest.mark.parametrize("code", [Reject.DRAINING, Reject.COOLDOWN, Reject.TOO_MANY_CONNECTIONS])
def test_what_passes_is_tried_again_later(code: Reject) -> None:
    pair = Pair(Model(strict=True))
    pair.send()
    pair.relay.say(Error(code, fatal=1, text="later"))
    pair.answer()
    assert pair.core.phase is Phase.OFFLINE
    assert pair.now < pair.core.retry_at <= pair.now + 0.02
    assert pair.core.deadline() == pair.core.retry_at
    pair.settle()
    assert pair.relay.log == [(1, 1)]


def test_a_gap_that_is_said_is_answered_from_the_welcome() -> None:
    pair = Pair(Model(strict=True))
    pair.send(3)
    pair.write(arrives=False)
    pair.relay.say(Error(Reject.SEQUENCE_GAP, sequence=2, expected=1, text="again"))
    pair.answer()
    pair.settle()
    assert pair.relay.log == [(1, 1), (2, 2), (3, 3)]


def test_without_reconnect_the_first_loss_is_the_end() -> None:
    pair = Pair(Model(strict=True), reconnect=False)
    pair.send()
    pair.cut()
    assert isinstance(pair.core.over, Ended)
    assert len(pair.core.over.messages) == 1


def test_another_program_with_this_identity_is_found_at_welcome() -> None:
    pair = Pair(Model(strict=True))
    pair.send(2)
    pair.cut()
    pair.relay.last, pair.relay.known = 10, True
    pair.connect()
    pair.write()
    pair.answer()
    assert isinstance(pair.core.over, FencedError)


def test_a_welcome_that_does_not_come_is_waited_for_once() -> None:
    core = Producing(producer_id=PRODUCER, patience=2.0)
    core.connected(now=10.0)
    assert core.deadline() == 12.0
    core.tick(12.0)
    assert core.phase is Phase.OFFLINE
    assert core.why == "no Welcome within 2 s"


def test_what_is_no_frame_ends_it() -> None:
    core = Producing(producer_id=PRODUCER)
    core.connected(now=0.0)
    core.received(b"HTTP/1.1 400 Bad Request\r\n\r\n and so on", now=0.0)
    assert isinstance(core.over, Ended)


def test_linger_waits_for_more_but_not_for_a_full_batch() -> None:
    pair = Pair(Model(strict=False, source=SourceType.MARKET_DATA_RELAY), linger=0.01,
                batch_bytes=200)  # fmt: skip
    core = pair.core
    core.put(trade(1), pair.now, 0, 0)
    assert not core.due(pair.now)
    assert core.deadline() == pytest.approx(pair.now + 0.01)
    assert len(core.due(pair.now + 0.01)) == 64
    for number in (2, 3, 4):
        core.put(trade(number), pair.now, 0, 0)
    assert len(core.due(pair.now)) == 256
    core.sent(256)
    core.put(trade(5), pair.now, 0, 0)
    assert not core.due(pair.now)
    core.hurry = True
    assert len(core.due(pair.now)) == 64


def test_without_linger_a_message_goes_out_at_once_and_what_gathers_meanwhile_together() -> None:
    pair = Pair(Model(strict=False, source=SourceType.MARKET_DATA_RELAY), batch_bytes=200)
    core = pair.core
    core.put(trade(1), pair.now, 0, 0)
    assert len(core.due(pair.now)) == 64
    for number in (2, 3, 4):  # while the socket takes nothing
        core.put(trade(number), pair.now, 0, 0)
    assert len(core.due(pair.now)) == 256
    core.sent(256)
    assert not core.due(pair.now)


def test_what_a_relay_would_refuse_is_refused_here_and_nothing_is_sent() -> None:
    core = Pair(Model(strict=False, source=SourceType.SIGNAL_RELAY)).core
    with pytest.raises(FieldError, match=r"message_type.*20 to 39, what signals takes"):
        core.put(trade(1), 0.0, 0, 0)
    with pytest.raises(FieldError, match=r"payload_size.*65536"):
        core.put(Unknown(39, 1, bytes(65537)), 0.0, 0, 0)
    with pytest.raises(SchemaError, match="arbitrage_opportunity version 1"):
        core.put(Unknown(20, 1, bytes(63)), 0.0, 0, 0)
    with pytest.raises(FieldError, match=r"flags"):
        core.put(Unknown(39, 1, b""), 0.0, 0, 256)
    with pytest.raises(TypeError, match=r"a message .* is expected, builtins.str came"):
        core.put("39", 0.0, 0, 0)  # type: ignore[arg-type]
    assert core.window.unsent == core.unacked == 0
    assert core.put(Unknown(39, 1, bytes(65536)), 0.0, 0, 0) == 1


def test_what_a_relay_refused_comes_back_once_also_where_no_ack_follows() -> None:
    pair = Pair(Model(strict=True))
    pair.send(4)
    for _ in range(2):
        pair.relay.say(Error(Reject.SOURCE_NOT_ALLOWED, sequence=2, expected=3, text="(2 frames)"))
        pair.answer()
    assert pair.handed_back() == [2, 3]
    pair.core.give_up("closed")
    assert pair.handed_back() == [2, 3, 1, 4]


def test_a_refusal_by_source_hands_back_those_of_that_source_only() -> None:
    pair = Pair(Model(strict=True))
    for number, source in enumerate([1, 100, 1, 100, 100], 1):
        pair.core.source = source
        cancel = OrderCancel(
            BTC, side=Side.BUY, owner_id=1, account_id=1, client_order_id=number,
            original_client_order_id=1,
        )  # fmt: skip
        pair.core.put(cancel, pair.now, 0, 0)
    pair.relay.say(Error(Reject.SOURCE_NOT_ALLOWED, sequence=1, expected=3, text="(2 frames)"))
    pair.relay.say(Ack(5, 5))
    pair.answer()
    (outcome,) = pair.core.outcomes
    assert isinstance(outcome, RejectedError)
    assert outcome.reason is Reject.SOURCE_NOT_ALLOWED
    assert [one.client_order_id for one in outcome.messages] == [1, 3]  # type: ignore[union-attr]
    assert pair.core.unacked == 0


def test_giving_up_hands_back_what_is_left() -> None:
    pair = Pair(Model(strict=True))
    pair.send(2)
    pair.core.give_up("closed")
    (outcome,) = pair.core.outcomes
    assert isinstance(outcome, UnknownOutcome)
    assert pair.handed_back() == [1, 2]
    assert pair.core.unacked == 0


def test_heartbeats_and_what_later_relays_say_change_nothing() -> None:
    pair = Pair(Model(strict=True))
    pair.relay.say(Heartbeat(position=1))
    pair.relay.answers += Unknown(109, 1, b"later").frame() + Error(99, text="later").frame()
    pair.answer()
    assert pair.core.phase is Phase.OPEN
    assert not pair.core.outcomes


numbers = st.one_of(st.integers(0, 12), st.integers(0, 2**64 - 1))
said = st.one_of(
    st.builds(Ack, numbers, numbers),
    st.builds(Heartbeat, numbers),
    st.builds(
        Error, st.integers(0, 25), message_type=st.integers(0, 255), fatal=st.integers(0, 1),
        sequence=numbers, expected=numbers, text=st.text(max_size=9),
    ),
    st.builds(Welcome, numbers, numbers, numbers, numbers, last_sequence=numbers),
    st.builds(Unknown, st.integers(0, 255), st.just(9), st.binary(max_size=40)),
)  # fmt: skip


def test_what_was_read_of_a_connection_that_is_given_up_is_not_taken_for_the_next_one() -> None:
    core = Producing(producer_id=PRODUCER)
    welcome = Welcome(1, 0, 0, 0).frame(source=SourceType.EXECUTION_RELAY)
    core.connected(0.0)
    core.lost(0.0, "interrupted")
    core.received(welcome[:40], 0.0)  # by another thread, which had read it already
    core.connected(1.0)
    core.received(welcome, 1.0)
    assert core.phase is Phase.OPEN


@given(
    script=st.lists(st.one_of(said, st.integers(1, 3), st.binary(min_size=1, max_size=60))),
    step=st.integers(1, 200),
)
@settings(max_examples=200, deadline=None)
def test_whatever_a_relay_says_is_no_exception_and_nothing_is_counted_twice(
    script: list[Message | Unknown | int | bytes], step: int
) -> None:
    pair = Pair(Model(strict=False))
    core = pair.core
    for one in script:
        pair.connect()
        if core.phase is Phase.OVER:
            break
        if isinstance(one, int):
            pair.send(one)
            pair.write()
            continue
        data = one if isinstance(one, bytes) else one.frame(source=22)
        for at in range(0, len(data), step):
            core.received(data[at : at + step], pair.now)
        assert 0 <= core.unacked <= pair.sent
        pair.pass_time(0.1)
    back = pair.handed_back()
    assert len(back) <= pair.sent
    if core.over is not None:
        assert core.unacked == len(core.window.frames) == 0
