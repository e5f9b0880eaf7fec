"""Producer, blocking, against real relays: what arrives, what comes back, and when it ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from protocol import batch
from protocol.catalogue import SourceType
from protocol.defi import DeFiSignal
from protocol.errors import FieldError, HeaderError, SchemaError
from protocol.execution import OrderRequest
from protocol.extensions import TraceContext
from protocol.header import Header
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side, Trade
from protocol.message import decode
from protocol.orders import OrderType, TimeInForce
from protocol.reject import Reject
from relays.client.context import caused_by, context_of, origin_of
from relays.client.delivery import Received
from relays.client.errors import ClientError, NotListening
from relays.client.outcomes import (
    FencedError,
    FlushTimeout,
    HandedBack,
    RejectedError,
    UnknownOutcome,
    WindowFull,
)
from relays.client.producer import Producer
from tests.harness import Client, RelayProcess, eventually, remove_memory

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
PATIENCE = 20.0


def trade(number: int) -> Trade:
    return Trade(BTC, price=number, volume=1, side=Side.BUY)


def order(number: int) -> OrderRequest:
    return OrderRequest(
        BTC, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.DAY,
        owner_id=1, account_id=1, client_order_id=number, price=number, quantity=1,
    )  # fmt: skip


def logged(relay: RelayProcess) -> list[tuple[int, int]]:
    """(sequence, price) of everything in the log."""
    with Client(relay.path) as client:
        welcome = client.hello(start=2)
        frames = client.data(welcome.end_position - welcome.position)
    return [(Header.unpack(frame).sequence, getattr(decode(frame), "price", 0)) for frame in frames]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("market_data", tmp_path)
    yield process.start()
    process.clean()


# --- what arrives ---


@pytest.mark.parametrize("linger_us", [0, 500])
def test_messages_arrive_in_order_and_are_acknowledged(relay: RelayProcess, linger_us: int) -> None:
    with Producer(relay.path, linger_us=linger_us, name="feed") as producer:
        assert [producer.send(trade(n)) for n in range(1, 501)] == list(range(1, 501))
        producer.flush(PATIENCE)
        assert (producer.acked, producer.unacked, producer.last_sequence) == (500, 0, 500)
        assert producer.connected
    assert logged(relay) == [(n, n) for n in range(1, 501)]


def test_a_lingering_message_goes_out_by_itself(relay: RelayProcess) -> None:
    with Producer(relay.path, linger_us=2000) as producer:
        producer.send(trade(1))
        eventually(lambda: producer.acked == 1, "the first message is acknowledged")
        producer.send(trade(2))
        eventually(lambda: producer.acked == 2, "and the second")


def test_many_come_as_arrays_frames_or_messages_and_get_sequences(relay: RelayProcess) -> None:
    rows = np.zeros(20_000, batch.payload_dtype(Trade))
    rows["instrument_id"], rows["side"] = tuple(BTC), 1
    rows["price"] = np.arange(1, 20_001)
    whole = batch.encode(Trade, rows, sequence=7, timestamp=5, source=3)
    with Producer(relay.path, source=SourceType.BINANCE_COLLECTOR) as producer:
        assert producer.send_many(rows, cls=Trade) == (1, 20_000)
        assert producer.send_many(bytes(whole)) == (20_001, 40_000)
        assert producer.send_many(trade(n) for n in range(1, 2_001)) == (40_001, 42_000)
        assert producer.send_many([]) == (42_001, 42_000)
        assert producer.send_many(np.frombuffer(whole, batch.dtype(Trade))[:3], cls=Trade) == (
            42_001,
            42_003,
        )
    numbers = [*range(1, 20_001), *range(1, 20_001), *range(1, 2_001), 1, 2, 3]
    assert logged(relay) == list(enumerate(numbers, 1))
    with Client(relay.path) as client:
        client.hello(start=1, start_position=19_999)
        last_row, first_frame = map(Header.unpack, client.data(2))
    assert last_row.source == SourceType.BINANCE_COLLECTOR
    assert abs(last_row.timestamp - time.time_ns()) < 60 * 10**9
    assert (first_frame.source, first_frame.timestamp) == (3, 5)


def test_what_the_relay_would_refuse_is_an_error_of_the_call(relay: RelayProcess) -> None:
    with Producer(relay.path) as producer:
        with pytest.raises(FieldError, match=r"message_type.*1 to 19.*market_data"):
            producer.send(order(1))
        with pytest.raises(FieldError, match="message_type"):
            producer.send_many(order(1).frame())
        with pytest.raises(HeaderError, match="frame at 64 is cut short"):
            producer.send_many(trade(1).frame() + trade(2).frame()[:-1])
        with pytest.raises(HeaderError, match="no frame begins here"):
            producer.send_many(bytes(64))
        rows = np.zeros(2, batch.payload_dtype(Trade))
        with pytest.raises(SchemaError, match="cls="):
            producer.send_many(rows)
        rows["side"] = 9
        with pytest.raises(FieldError, match=r"side.* of row 0"):
            producer.send_many(rows, cls=Trade)
        producer.send(trade(1))
    assert logged(relay) == [(1, 1)]


def test_several_threads_may_send(relay: RelayProcess) -> None:
    def send(producer: Producer, first: int) -> None:
        for n in range(first, first + 300):
            producer.send(trade(n))

    with Producer(relay.path) as producer:
        threads = [threading.Thread(target=send, args=(producer, n * 1000)) for n in range(1, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = logged(relay)
    assert [sequence for sequence, _ in found] == list(range(1, 901))
    for n in (1, 2, 3):
        mine = [price for _, price in found if price // 1000 == n]
        assert mine == list(range(n * 1000, n * 1000 + 300))


# --- across restarts ---


@pytest.mark.parametrize("linger_us", [0, 500])
def test_a_relay_that_is_killed_again_and_again_has_every_message_once(
    relay: RelayProcess, linger_us: int
) -> None:
    sent = 0
    with Producer(relay.path, linger_us=linger_us, backoff=(0.005, 0.05)) as producer:
        for _ in range(3):
            for n in range(sent + 1, sent + 2_001):
                producer.send(trade(n))
                if n == sent + 1_000:
                    relay.kill()
            sent += 2_000
            relay.start()
        producer.flush(PATIENCE)
        assert 1 <= producer.reconnects <= 6, "a dying relay may still have accepted one"
    assert logged(relay) == [(n, n) for n in range(1, sent + 1)]


def test_a_relay_without_its_memory_gets_what_was_not_acknowledged(relay: RelayProcess) -> None:
    with Producer(relay.path, backoff=(0.005, 0.05)) as producer:
        producer.send(trade(1))
        producer.flush(PATIENCE)
        relay.kill()
        remove_memory("market_data", relay.folder)
        producer.send(trade(2))
        relay.start()
        producer.flush(PATIENCE)
    assert logged(relay) == [(2, 2)]


def test_a_program_that_starts_again_goes_on_with_its_sequence(relay: RelayProcess) -> None:
    for first in (1, 3):
        with Producer(relay.path, producer_id=77) as producer:
            assert producer.producer_id == 77
            assert [producer.send(trade(n)) for n in (first, first + 1)] == [first, first + 1]
    assert logged(relay) == [(n, n) for n in range(1, 5)]


def test_without_reconnect_the_end_of_the_relay_is_an_error(relay: RelayProcess) -> None:
    producer = Producer(relay.path, reconnect=False)
    relay.kill()
    with pytest.raises(HandedBack, match="the relay closed the connection"):
        eventually(lambda: producer.send(trade(1)) < 0, "it fails")
    producer.close()


# --- what comes back ---


def test_a_newer_connection_with_this_identity_is_named_and_it_is_over(relay: RelayProcess) -> None:
    old = Producer(relay.path, producer_id=5)
    old.send(trade(1))
    with Producer(relay.path, producer_id=5) as new:
        assert new.last_sequence == 1
        with pytest.raises(FencedError, match="fenced") as caught:
            eventually(lambda: old.flush(PATIENCE), "it is told")
        assert caught.value.pid == os.getpid()
        with pytest.raises(FencedError):
            old.send(trade(2))
        new.send(trade(3))
    old.close()
    assert logged(relay) == [(1, 1), (2, 3)]


def test_a_source_that_is_not_allowed_is_rejected_with_sequence_and_reason(
    tmp_path: Path,
) -> None:
    config = tmp_path / "relays.toml"
    user = "root" if os.getuid() == 0 else f"uid:{os.getuid()}"
    name = f"user:{user}" if user == "root" else user
    config.write_text(f'[market_data.sources]\n"{name}" = [1]\n')
    relay = RelayProcess("market_data", tmp_path, config=config).start()
    told: list[HandedBack] = []
    try:
        with Producer(relay.path, source=1, on_error=told.append) as producer:
            producer.send(trade(1))
            producer.flush(PATIENCE)
            assert not told
        with Producer(relay.path, source=2, on_error=told.append) as producer:
            producer.send(trade(2))
            producer.flush(PATIENCE)
        with Producer(relay.path, source=2) as producer:
            producer.send(trade(3))
            with pytest.raises(RejectedError, match="message 1 was refused") as caught:
                producer.flush(PATIENCE)
        for error, number in ((told[0], 2), (caught.value, 3)):
            assert isinstance(error, RejectedError)
            assert (error.sequence, error.reason) == (1, Reject.SOURCE_NOT_ALLOWED)
            assert error.message == trade(number)
        assert logged(relay) == [(1, 1)]
    finally:
        relay.clean()


# --- when it is full, and when it ends ---


@pytest.mark.parametrize(("on_full", "least"), [("raise", 0.0), ("block", 0.2)])
def test_a_full_window_raises_at_once_or_after_send_timeout(
    relay: RelayProcess, on_full: Literal["block", "raise"], least: float
) -> None:
    producer = Producer(
        relay.path,
        window_bytes=6_400,
        on_full=on_full,
        send_timeout=0.2,
        backoff=(0.005, 0.05),
    )
    relay.signal(signal.SIGSTOP)
    try:
        for n in range(1, 101):
            producer.send(trade(n))
        began = time.monotonic()
        with pytest.raises(WindowFull, match="100 messages unacknowledged"):
            producer.send(trade(0))
        assert time.monotonic() - began >= least
    finally:
        relay.signal(signal.SIGCONT)
    producer.flush(PATIENCE)
    producer.send(trade(101))
    producer.close()
    assert logged(relay) == [(n, n) for n in range(1, 102)]


def test_a_full_window_that_empties_lets_a_blocked_send_go_on(relay: RelayProcess) -> None:
    with Producer(relay.path, window_bytes=640, linger_us=10_000_000) as producer:
        for n in range(1, 301):
            producer.send(trade(n))
    assert logged(relay) == [(n, n) for n in range(1, 301)]


def test_flush_says_how_many_are_left_and_close_hands_them_back(relay: RelayProcess) -> None:
    producer = Producer(relay.path, backoff=(0.005, 0.05))
    relay.kill()
    for n in (1, 2):
        producer.send(trade(n))
    with pytest.raises(FlushTimeout, match=r"2 messages unacknowledged after 0.05 s"):
        producer.flush(0.05)
    with pytest.raises(UnknownOutcome, match=r"2 messages .*closed") as caught:
        producer.close(0.05)
    assert caught.value.messages == [trade(1), trade(2)]
    producer.close()
    with pytest.raises(ClientError, match="this producer is closed"):
        producer.send(trade(3))


def test_after_an_exception_it_closes_at_once_and_notes_what_came_back(
    relay: RelayProcess,
) -> None:
    def fail() -> None:
        with Producer(relay.path, backoff=(0.005, 0.05)) as producer:
            relay.kill()
            producer.send(trade(1))
            raise RuntimeError("mine")

    began = time.monotonic()
    with pytest.raises(RuntimeError, match="mine") as caught:
        fail()
    assert time.monotonic() - began < PATIENCE
    assert "1 message not acknowledged" in caught.value.__notes__[0]


def test_nothing_listening_is_one_sentence_with_the_path_and_the_command(tmp_path: Path) -> None:
    path = tmp_path / "signals.sock"
    threads = threading.active_count()
    with pytest.raises(NotListening, match=f"nothing listens at {path} .*relays run signals"):
        Producer(path)
    assert threading.active_count() == threads


def test_a_relay_that_says_nothing_is_waited_for_as_long_as_asked(relay: RelayProcess) -> None:
    relay.signal(signal.SIGSTOP)
    try:
        with pytest.raises(ClientError, match=r"no Welcome within 0.1 s"):
            Producer(relay.path, connect_timeout=0.1)
    finally:
        relay.signal(signal.SIGCONT)


def test_options_that_cannot_be_are_refused_by_name(tmp_path: Path) -> None:
    for name, value in {
        "producer_id": 0, "linger_us": -1, "batch_bytes": 0, "window_bytes": 0, "source": 256,
        "on_full": "drop", "name": "not a name",
    }.items():  # fmt: skip
        with pytest.raises(FieldError, match=name if name != "name" else "client_name"):
            Producer(tmp_path / "market_data.sock", **{name: value})  # type: ignore[arg-type]


# --- what a message was based on ---


def test_a_trace_travels_in_a_message_with_tlvs(tmp_path: Path) -> None:
    relay = RelayProcess("signals", tmp_path).start()
    try:
        base = Received(41, False, False, Header.unpack(trade(1).frame()), trade(1), 99)
        made = DeFiSignal(1, 2, 3, 4, 1, 0, BTC, BTC, bytes(20), bytes(20), bytes(20))
        with Producer(relay.path) as producer:
            producer.send(made, trace=base)
            producer.send(made, trace=TraceContext(b"t" * 16, b"s" * 8))
        with Client(relay.path) as client:
            client.hello(start=2)
            first, second = map(decode, client.data(2))
        assert origin_of(first) == (99, 41)
        assert context_of(first) == caused_by(base)
        assert context_of(second) == TraceContext(b"t" * 16, b"s" * 8)
        follow = Received(7, False, False, base.header, second, 99)
        assert caused_by(follow).trace_id == b"t" * 16
    finally:
        relay.clean()


def test_a_message_without_room_for_a_trace_is_refused(relay: RelayProcess) -> None:
    with Producer(relay.path) as producer, pytest.raises(ClientError, match="trade has no TLVs"):
        producer.send(trade(1), trace=TraceContext(b"t" * 16, b"s" * 8))


def test_closing_ends_what_waits_in_other_threads(relay: RelayProcess) -> None:
    producer = Producer(relay.path, window_bytes=64, send_timeout=None)
    relay.signal(signal.SIGSTOP)
    try:
        producer.send(trade(1))
        ended: list[BaseException] = []

        def wait(call: Callable[[], object]) -> None:
            try:
                call()
            except ClientError as error:
                ended.append(error)

        calls: list[Callable[[], object]] = [producer.flush, lambda: producer.send(trade(2))]
        threads = [threading.Thread(target=wait, args=(call,), daemon=True) for call in calls]
        for thread in threads:
            thread.start()
        eventually(lambda: producer._waiting == 2, "both wait")
        wait(lambda: producer.close(0.1))
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert len(ended) >= 2
        assert any(isinstance(error, UnknownOutcome) for error in ended)
    finally:
        relay.signal(signal.SIGCONT)


def test_without_descriptors_it_tries_again_until_there_are_some(
    relay: RelayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Producer(relay.path, backoff=(0.01, 0.02)) as producer:
        refused: list[int] = []
        make = socket.socket

        def none_left(*args: int) -> socket.socket:
            if len(refused) < 5:
                refused.append(1)
                raise OSError(errno.EMFILE, "Too many open files")
            return make(*args)

        monkeypatch.setattr("relays.client.dial.socket.socket", none_left)
        relay.kill()
        eventually(lambda: len(refused) == 5, "it tried")
        relay.start()
        producer.send(trade(1))
        producer.flush(PATIENCE)
    assert len(logged(relay)) == 1
