"""Control frames that cannot be honoured: BAD_HELLO, and an Error that says why (relays.md 3)."""

from __future__ import annotations

import pytest

from protocol.control import Heartbeat, Welcome
from protocol.reject import Reject
from relays.core.peer import Phase
from tests.daemon.conftest import Start
from tests.daemon.talk import (
    altered,
    damaged,
    disconnected,
    in_phase,
    joined,
    plain,
    rejected,
    send_apart,
    until_read,
)
from tests.harness import Client, eventually, frame, hello

HELLO = hello(1)
ROLE, ON_LAG, HEARTBEAT, START, PAD, POSITION = 32, 33, 34, 36, 37, 56

# What is said, and a word of the answer.
RESERVED = [
    *((altered(HELLO, ROLE, bytes([1 | 1 << bit])), "role") for bit in range(3, 8)),
    *((altered(HELLO, ON_LAG, bytes([value])), "on_lag") for value in (4, 5, 255)),
    *((altered(HELLO, START, bytes([value])), "start") for value in (4, 5, 255)),
    *((altered(HELLO, HEARTBEAT, n.to_bytes(2, "little")), "100") for n in (1, 99, 60_001)),
    *((altered(HELLO, PAD + n, b"\x01"), "zeros") for n in range(3)),
    (altered(HELLO, 5, b"\x02"), "version"),
    (altered(HELLO, 7, b"\x01"), "compress"),
]
UNHEEDED = [
    (hello(1, start=1, start_position=1), "beyond the end, 0"),
    (hello(1, start=1, start_position=2**64 - 1), "beyond the end, 0"),
    (hello(4), "consume"),
    (frame(0, 104, HELLO[32:] + b"\x01\x05abc"), "byte"),
    (frame(0, 104, HELLO[32:] + b"\x01"), "byte"),
    (frame(0, 104, HELLO[32:] + b"\x01\x00"), "client_name"),
    (frame(0, 104, HELLO[32:] + b"\x01\x03a b"), "client_name"),
    (frame(0, 104, HELLO[32:] + b"\x01\x41" + b"x" * 65), "client_name"),
    (frame(0, 104, HELLO[32:] + b"\x01\x01a\x01\x01b"), "one client name"),
    (frame(0, 104, HELLO[32:] + b"\x02\x0d" + b"x" * 13), "12 bytes"),
    (frame(0, 104, HELLO[32:] + b"\x02\x00"), "12 bytes"),
]


def refused(client: Client, said: bytes) -> str:
    """Say it; the text of the one Error that comes back before the connection is closed."""
    client.send(said)
    error = client.control(102)
    assert (error.code, error.fatal, error.message_type) == (Reject.BAD_HELLO, 1, said[4])
    assert client.rest() == b""
    return str(error.text)


def test_reserved_values_are_refused_until_they_are_built(start: Start) -> None:
    relay = start()
    for number, (said, word) in enumerate(RESERVED + UNHEEDED, 1):
        text = refused(relay.client(), said)
        assert word in text, (number, text)
        assert rejected(relay, Reject.BAD_HELLO) == disconnected(relay, Reject.BAD_HELLO) == number


def test_unknown_tlvs_of_a_hello_are_skipped(start: Start) -> None:
    relay = start()
    client = relay.client()
    client.send(frame(0, 104, HELLO[32:] + b"\x63\x02ab" + b"\x01\x01n"))
    assert isinstance(client.control(105), Welcome)


@pytest.mark.parametrize(
    "said",
    [frame(0, kind, bytes(24)) for kind in (108, 109)]
    + [Heartbeat(position=0).frame(), frame(0, 103, b"{}"), frame(0, 106, bytes(24))],
    ids=lambda said: f"type {said[4]}",
)
def test_a_control_frame_that_is_not_hello_closes_a_connection_that_is_no_session(
    start: Start, said: bytes
) -> None:
    relay = start()
    assert "Hello or a domain frame was expected" in refused(relay.client(), said)
    late, producer = relay.client(), relay.client()
    plain(relay, 2)
    assert "Hello" in refused(late, said)
    send_apart(producer, frame(1), said)
    assert producer.rest() == b""
    assert relay.end() == 1
    assert rejected(relay, Reject.BAD_HELLO) == 3


SECOND = [
    hello(1), frame(0, 105, bytes(56)), frame(0, 101, bytes(16)), frame(0, 102, bytes(24)),
    frame(0, 106, bytes(24)), frame(0, 107, bytes(32)), frame(0, 108), frame(0, 109, b""),
]  # fmt: skip


def test_a_session_may_send_nothing_but_heartbeats_and_updates(start: Start) -> None:
    relay = start()
    witness = relay.client()
    witness.hello(1)
    for number, said in enumerate(SECOND, 1):
        client = relay.client()
        client.hello(3)
        client.send(frame(number), said, frame(999))
        error = client.control(102)
        assert (error.code, error.fatal) == (Reject.BAD_HELLO, 1)
        assert f"type {said[4]}" in error.text
        client.rest()
        assert rejected(relay, Reject.BAD_HELLO) == number
    assert len(witness.data(len(SECOND))) == relay.end() == len(SECOND)


def test_a_heartbeat_beyond_the_end_is_refused(start: Start) -> None:
    relay = start()
    client = relay.client()
    client.hello(1)
    assert "position 1 is beyond the end, 0" in refused(client, Heartbeat(position=1).frame())


def test_a_heartbeat_with_a_broken_tlv_is_refused(start: Start) -> None:
    relay = start()
    client = relay.client()
    client.hello(1)
    assert "byte" in refused(client, frame(0, 100, bytes(16) + b"\x09\x05"))


def test_a_hello_whose_checksum_is_wrong_is_not_one(start: Start) -> None:
    relay = start()
    client = relay.client()
    send_apart(client, damaged(hello(1)))
    eventually(lambda: rejected(relay, Reject.BAD_CHECKSUM) == 1, "it is refused")
    assert in_phase(relay, Phase.SESSION) == []
    assert client.hello(1).position == 0
    client.send(damaged(Heartbeat(position=0).frame()))
    error = client.control(102)
    assert (error.code, error.fatal, error.message_type) == (Reject.BAD_CHECKSUM, 0, 100)
    joined(relay, 1)


def test_a_refused_hello_in_half_open_bytes_is_told_between_frames(start: Start) -> None:
    relay = start(send_buffer=4096)
    client, producer = relay.client(), relay.client()
    plain(relay, 2)
    producer.send(*(frame(n, 9, bytes(5000)) for n in range(1, 11)))
    until_read(producer.sock)
    client.send(hello(1, start=1, start_position=99))
    until_read(client.sock)
    while (got := client.frame())[4] == 9:
        pass
    assert got[4] == 102
    assert client.rest() == b""
