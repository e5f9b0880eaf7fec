"""A link to a real relay, and the stream it reads, fed by hand."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from protocol.catalogue import SourceType
from protocol.control import Ack, Error, Gap, GapReason, Heartbeat, OnLag, Role, Welcome
from protocol.errors import FieldError, HeaderError
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Trade
from protocol.message import Message, Unknown
from relays.client import ClientError, Link, LinkClosed, NotListening
from relays.client.stream import Stream
from tests.harness import RelayProcess

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
DEADLINE = 20.0
PRODUCER = 7_001


def trades(first: int, count: int) -> list[bytes]:
    source = SourceType.BINANCE_COLLECTOR
    now = time.time_ns()
    return [
        Trade(BTC, price=n, volume=1).frame(sequence=n, timestamp=now, source=source)
        for n in range(first, first + count)
    ]


def collect(link: Link, count: int) -> list[bytes]:
    """The next `count` frames; TimeoutError when they do not come."""
    got: list[bytes] = []
    deadline = time.monotonic() + DEADLINE
    while len(got) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(got)} of {count} frames")
        got += [bytes(frame) for frame in link.read(0.1).frames]
    return got


def until_acked(link: Link, sequence: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while link.acked < sequence:
        assert time.monotonic() < deadline, f"acked {link.acked} of {sequence}"
        link.read(0.1)


def read_to_the_end(link: Link) -> None:
    while True:
        link.read(DEADLINE)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    process = RelayProcess("market_data", tmp_path)
    yield process.start()
    process.clean()


# --- the stream, by hand ---

WELCOME = Welcome(log_id=1, position=100, end_position=100, oldest_position=0)


def feed(stream: Stream, data: bytes, step: int) -> list[tuple[int, bytes]]:
    """Every frame with its position, the bytes given in pieces of `step`."""
    got: list[tuple[int, bytes]] = []
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        stream.room()[: len(piece)] = piece
        stream.received(len(piece))
        left = 0
        while stream.unfinished != left:
            left = stream.unfinished
            position, frames = stream.batch()
            got += [(position + n, bytes(frame)) for n, frame in enumerate(frames)]
    return got


@pytest.mark.parametrize("step", [1, 31, 33, 1000, 1 << 20])
def test_frames_and_positions_are_the_same_however_the_bytes_are_cut(step: int) -> None:
    frames = trades(1, 20)
    gap = Gap(110, 119, count=10, reason=GapReason.TOO_SLOW)
    parts = [*frames[:3], WELCOME.frame(), *frames[3:8], Ack(4, 9).frame(), *frames[8:13]]
    parts += [gap.frame(), *frames[13:], Heartbeat(position=127).frame()]
    stream = Stream()
    stream.greet(filtered=False)
    got = feed(stream, b"".join(parts), step)
    expected = [*range(100, 110), *range(120, 127)]
    assert got == list(zip(expected, frames[3:], strict=True))
    assert stream.position == 127
    assert stream.last_ack == Ack(4, 9)
    assert list(stream.gaps) == [gap]


def test_control_frames_are_told_in_the_order_of_the_stream() -> None:
    told: list[Message | Unknown] = []
    stream = Stream(told.append)
    said = [WELCOME, Ack(1, 1), Error(77, text="of a later release"), Heartbeat(5)]
    feed(stream, b"".join(message.frame() for message in said), 50)
    assert told == said
    assert [error.code for error in stream.errors] == [77]


def test_a_filtered_session_is_where_it_was_last_told() -> None:
    stream = Stream()
    stream.greet(filtered=True)
    feed(stream, WELCOME.frame() + b"".join(trades(1, 5)), 1000)
    assert stream.position == 100
    feed(stream, Heartbeat(position=140).frame(), 1000)
    assert stream.position == 140


def test_what_is_not_a_frame_is_an_error_that_says_so() -> None:
    with pytest.raises(HeaderError, match="not a frame"):
        feed(Stream(), bytes(64), 64)


def test_frames_of_any_size_up_to_the_largest_pass_through() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    sizes = random.Random(seed).choices([0, 1, 5_000, 1 << 20], k=12)
    frames = [Unknown(9, 9, bytes(size)).frame(sequence=n) for n, size in enumerate(sizes)]
    got = feed(Stream(), b"".join(frames), 300_000)
    assert [frame for _, frame in got] == frames


# --- a relay ---


def test_what_a_producer_sends_a_consumer_reads(relay: RelayProcess) -> None:
    frames = trades(1, 500)
    with Link(relay.path) as consumer, Link(relay.path) as producer:
        welcome = consumer.hello(role=Role.CONSUME, name="reader")
        assert welcome.relay_pid == relay.pid
        assert producer.hello(role=Role.PRODUCE, producer_id=PRODUCER).last_sequence == 0
        producer.send(b"".join(frames))
        until_acked(producer, 500)
        assert collect(consumer, 500) == frames
        assert consumer.position == welcome.position + 500


def test_a_plain_connection_reads_without_hello(relay: RelayProcess) -> None:
    with Link(relay.path) as plain, Link(relay.path) as producer:
        # Whoever has its Welcome was accepted after those who connected before it.
        producer.hello(role=Role.PRODUCE, producer_id=PRODUCER)
        producer.send(b"".join(trades(1, 10)))
        with Link(relay.path) as session:
            session.hello(start="oldest")
            assert collect(plain, 10) == collect(session, 10)


@pytest.mark.parametrize(
    ("start", "first"), [("oldest", 0), (0, 0), (30, 30), (-5, 95), (-1000, 0), (100, 100)]
)
def test_a_session_starts_where_it_asks(
    relay: RelayProcess, start: Literal["oldest"] | int, first: int
) -> None:
    with Link(relay.path) as producer, Link(relay.path) as link:
        producer.hello(role=Role.PRODUCE, producer_id=PRODUCER)
        producer.send(b"".join(trades(1, 100)))
        until_acked(producer, 100)
        assert link.hello(start=start).position == first
        assert len(collect(link, 100 - first)) == 100 - first
        assert link.position == 100


def test_a_type_filter_passes_those_types_only(relay: RelayProcess) -> None:
    quote = Quote(BTC, bid_price=1, ask_price=2, bid_size=3, ask_size=4).frame(sequence=11)
    with Link(relay.path) as producer, Link(relay.path) as link:
        link.hello(types=[Quote.TYPE], heartbeat_ms=100)
        producer.hello(role=Role.PRODUCE, producer_id=PRODUCER)
        producer.send(b"".join([*trades(1, 10), quote, *trades(12, 10)]))
        assert collect(link, 1) == [quote]
        deadline = time.monotonic() + DEADLINE
        while link.position < 21:
            assert time.monotonic() < deadline
            assert link.read(0.1).frames == []


def test_what_a_consumer_confirms_is_seen_in_the_state(relay: RelayProcess) -> None:
    with Link(relay.path) as producer, Link(relay.path) as link:
        link.hello(name="confirming", on_lag=OnLag.GAP)
        producer.hello(role=Role.PRODUCE, producer_id=PRODUCER)
        producer.send(b"".join(trades(1, 10)))
        collect(link, 10)
        link.confirm()
        deadline = time.monotonic() + DEADLINE
        while {row["name"]: row["confirmed"] for row in relay.consumers()}["confirming"] != 10:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_a_refused_frame_is_data_and_a_refused_hello_an_exception(relay: RelayProcess) -> None:
    with Link(relay.path) as link:
        link.hello(role=Role.PRODUCE, producer_id=PRODUCER)
        link.send(Unknown(40, 1, bytes(80)).frame(sequence=1))
        until_acked(link, 1)
        assert [error.sequence for error in link.errors] == [1]
    with Link(relay.path) as link, pytest.raises(LinkClosed, match=r"bad_hello.*beyond the end"):
        link.hello(start=10**6)
    with Link(relay.path) as link, pytest.raises(FieldError, match="client_name"):
        link.hello(name="not a name")


def test_a_relay_that_stops_says_so(relay: RelayProcess) -> None:
    with Link(relay.path) as link:
        link.hello()
        assert relay.stop() == os.EX_OK
        with pytest.raises(LinkClosed, match="draining: the relay is stopping"):
            read_to_the_end(link)
        with pytest.raises(LinkClosed, match="draining"):
            link.send(trades(1, 1)[0])


def test_a_killed_relay_is_a_closed_link(relay: RelayProcess) -> None:
    with Link(relay.path) as link:
        link.hello()
        relay.kill()
        with pytest.raises(LinkClosed, match="closed the connection"):
            read_to_the_end(link)


def test_nothing_listening_is_one_sentence_with_the_path_and_the_command(tmp_path: Path) -> None:
    path = tmp_path / "signals.sock"
    with pytest.raises(NotListening) as caught:
        Link(path)
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith(f"nothing listens at {path} ")
    assert told.endswith(f"start it: relays run signals --runtime-dir {tmp_path}")
    assert isinstance(caught.value, ClientError)
    assert caught.value.exit_code == os.EX_UNAVAILABLE
