"""Every row of SPEC.md's Reject codes that a frame can bring about, as the table says it.

Who may connect and speak at all is in test_access.py, sequences are in test_sequences.py.
"""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest

from protocol.control import Error
from protocol.header import HEADER_SIZE, MAGIC
from protocol.header import LAYOUT as HEADER
from protocol.message import decode
from protocol.reject import FATAL, Reject
from tests.daemon.conftest import Start
from tests.daemon.talk import (
    damaged,
    disconnected,
    joined,
    offences,
    plain,
    rejected,
    send_apart,
    sequences,
    until_end,
    until_read,
)
from tests.harness import Client, RelayProcess, eventually, frame, split

STRICT = {"validate_checksums": True, "require_sequence": True}
TRADE, UNKNOWN, ELSEWHERE = 1, 9, 77


def header(kind: int, payload_size: int, magic: int = MAGIC) -> bytes:
    """The header of a frame with sequence 3, and nothing behind it."""
    return HEADER.pack(magic, kind, 1, 1, 0, payload_size, 3, 0, 0)


CLOSING = [
    (Reject.BAD_MAGIC, header(TRADE, 32, magic=0xDEADBEEE)),
    (Reject.BAD_MAGIC, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    (Reject.BAD_MAGIC, bytes(HEADER_SIZE)),
    (Reject.PAYLOAD_TOO_LARGE, header(UNKNOWN, 65_537)),
    (Reject.PAYLOAD_TOO_LARGE, header(UNKNOWN, 0xFFFF_FFFF)),
    (Reject.PAYLOAD_TOO_LARGE, header(TRADE, 0xFFFF_FFE0)),
    (Reject.PAYLOAD_TOO_LARGE, header(104, 0x8000_0000)),
    (Reject.BAD_SIZE, header(TRADE, 31)),
    (Reject.BAD_SIZE, header(TRADE, 33)),
    (Reject.BAD_SIZE, header(TRADE, 0)),
    (Reject.BAD_SIZE, header(100, 15)),
]


def expect_one(relay: RelayProcess, code: Reject, already: int = 0) -> None:
    """One frame more was refused for `code` than `already`, and nothing for any other reason."""
    found = {n: count for n, count in enumerate(relay.counters()["by_reason"]) if count}
    assert found == {code: already + 1}


@pytest.mark.parametrize("is_session", [False, True], ids=["bare", "session"])
@pytest.mark.parametrize("domain", ["market_data", "execution"])
def test_what_loses_the_framing_closes_behind_the_frames_before_it(
    start: Start, domain: str, is_session: bool
) -> None:
    relay = start(domain)
    kind = UNKNOWN if domain == "market_data" else 59
    witness = relay.client()
    witness.hello(1)
    before: dict[Reject, int] = {}
    for code, bad in CLOSING:
        producer = relay.client()
        if is_session:
            producer.hello(2)
        producer.send(frame(1, kind), frame(2, kind), bad, frame(3, kind), frame(4, kind))
        answers = [decode(one) for one in split(producer.rest())]
        assert sequences(witness.data(2)) == [1, 2], (code, bad)
        before[code] = before.get(code, 0) + 1
        assert rejected(relay, code) == disconnected(relay, code) == before[code]
        assert offences(relay)[-1][0] == code
        assert offences(relay)[-1][1][:HEADER_SIZE] == bad[:HEADER_SIZE]
        if is_session:
            _expect_fatal(answers[-1], code, bad)
    assert relay.end() == 2 * len(CLOSING)


def _expect_fatal(error: Any, code: Reject, bad: bytes) -> None:
    assert isinstance(error, Error)
    assert (error.code, error.fatal) == (code, 1)
    if code != Reject.BAD_MAGIC:  # what stands there is not a header
        assert error.message_type == bad[4]
        assert error.sequence == error.expected == int.from_bytes(bad[12:20], "little")
    assert error.text
    assert "(" not in error.text.replace("(see Welcome)", "")


# What is refused, why, and whether its sequence number is spent by it.
STAYING = [
    (Reject.WRONG_DOMAIN, frame(3, ELSEWHERE), True),
    (Reject.WRONG_DOMAIN, frame(3, 20, bytes(64)), True),
    (Reject.WRONG_DOMAIN, frame(3, 255, b""), True),
    (Reject.WRONG_DOMAIN, frame(3, 0, b"0"), True),
    (Reject.SOURCE_NOT_ALLOWED, frame(3, source=2), True),
    (Reject.BAD_CHECKSUM, damaged(frame(3)), False),
    (Reject.BAD_CHECKSUM, damaged(frame(3), at=20), False),
    (Reject.BAD_CHECKSUM, damaged(frame(3), at=31), False),
]


def test_a_frame_refused_by_itself_leaves_the_connection_and_spends_its_sequence_or_not(
    start: Start,
) -> None:
    relay = start(**STRICT, sources="{'user:root' = [1]}")
    witness = relay.client()
    witness.hello(1)
    for number, (code, bad, spent) in enumerate(STAYING, 1):
        producer = relay.client()
        producer.hello(2, producer_id=number)
        already = rejected(relay, code)
        producer.send(frame(1), frame(2), bad)
        error = producer.control(102)
        assert (error.code, error.fatal, error.message_type) == (code, 0, bad[4])
        assert (error.sequence, error.expected) == (3, 3)
        assert rejected(relay, code) == already + 1
        assert offences(relay)[-1] == (code, bad)
        if not spent:
            producer.send(frame(4))
            assert producer.control(102).code == Reject.SEQUENCE_GAP
            producer.send(frame(3))
        producer.send(frame(4))
        got = [1, 2, 4] if spent else [1, 2, 3, 4]
        assert sequences(witness.data(len(got))) == got
    assert relay.counters()["disconnects"] == [0] * 32


def test_where_checksums_are_not_checked_a_damaged_payload_passes_and_a_control_frame_does_not(
    start: Start,
) -> None:
    relay = start()
    session = relay.client()
    session.hello(3)
    session.send(damaged(frame(1)), damaged(frame(0, 103, b"{}")), frame(2))
    error = session.control(102)
    assert (error.code, error.fatal, error.message_type) == (Reject.BAD_CHECKSUM, 0, 103)
    assert relay.end() == 2
    expect_one(relay, Reject.BAD_CHECKSUM)


def test_errors_of_one_code_merge_into_one_with_the_count(start: Start) -> None:
    relay = start()
    session = relay.client()
    session.hello(2)
    session.send(*(frame(n, ELSEWHERE if n % 3 else TRADE) for n in range(1, 31)))
    error = session.control(102)
    assert (error.code, error.sequence, error.expected) == (Reject.WRONG_DOMAIN, 1, 29)
    assert error.text.endswith("(20 frames)")
    assert rejected(relay, Reject.WRONG_DOMAIN) == 20
    assert session.silent(0.05)


def test_compressed_frames_are_not_looked_into_but_the_header_rules_hold(start: Start) -> None:
    relay = start()
    bare, producer = relay.client(), relay.client()
    plain(relay, 2)
    odd = frame(1, TRADE, b"zip", flags=1)
    producer.send(odd, header(TRADE, 70_000))
    assert bare.frame() == odd
    assert producer.rest() == b""
    expect_one(relay, Reject.PAYLOAD_TOO_LARGE)


# Incomplete frames --------------------------------------------------------------------------

HALVES = [
    frame(3)[:1],
    frame(3)[:31],
    frame(3)[:32],
    frame(3)[:63],
    frame(3, 9, bytes(60_000))[:-1],
]


@pytest.mark.parametrize("is_session", [False, True], ids=["bare", "session"])
def test_half_a_frame_and_then_the_end_is_truncated(start: Start, is_session: bool) -> None:
    relay = start()
    witness = relay.client()
    witness.hello(1)
    for number, half in enumerate(HALVES, 1):
        producer = relay.client()
        if is_session:
            producer.hello(3)
        send_apart(producer, frame(1) + frame(2) + half[:-1], half[-1:])
        producer.sock.shutdown(socket.SHUT_WR)
        answers = list(split(producer.rest()))
        assert sequences(witness.data(2)) == [1, 2]
        expect_one(relay, Reject.TRUNCATED, number - 1)
        assert disconnected(relay, Reject.TRUNCATED) == number
        assert offences(relay)[-1] == (Reject.TRUNCATED, half[:256])
        if is_session:
            error = decode(answers[-1])
            assert isinstance(error, Error)
            assert (error.code, error.fatal) == (Reject.TRUNCATED, 1)


def test_half_a_frame_and_then_silence_is_truncated_after_frame_timeout(start: Start) -> None:
    relay = start(frame_timeout=0.15)
    witness = relay.client()
    witness.hello(1)
    talkers = [relay.client() for _ in HALVES]
    for talker, half in zip(talkers, HALVES, strict=True):
        talker.send(frame(1), half)
    said = relay.client()
    said.hello(2)
    said.send(frame(1)[:40])
    assert said.control(102).code == Reject.TRUNCATED
    for talker in talkers:
        talker.rest()
    assert len(witness.data(len(HALVES))) == relay.end() == len(HALVES)
    expect_one(relay, Reject.TRUNCATED, len(HALVES))


def test_a_frame_that_keeps_coming_slowly_is_given_frame_timeout_and_the_next_anew(
    start: Start,
) -> None:
    relay = start(frame_timeout=0.7)
    slow, clock = relay.client(), relay.client()
    clock.hello(1, heartbeat_ms=100)
    rest = b"".join(frame(n) for n in range(1, 11))
    slow.send(rest[:40])
    rest = rest[40:]
    for _ in range(9):  # 0.9 s, in which nine frames are each half here for 0.1 s
        slow.send(rest[:64])
        rest = rest[64:]
        clock.control(100)
    slow.send(rest)
    until_end(relay, 10)
    slow.send(frame(11)[:63])
    assert slow.rest() == b""
    expect_one(relay, Reject.TRUNCATED)


@pytest.mark.parametrize("left_over", [b"", frame(501)[:20]], ids=["whole", "half a frame"])
def test_a_peer_that_resets_loses_nothing_it_had_sent(start: Start, left_over: bytes) -> None:
    relay = start(log_bytes=1 << 20, max_payload=4096)
    witness, other = relay.client(), relay.client()
    witness.hello(1)
    rude = relay.client()
    plain(relay, 2)
    other.send(frame(1, source=2))
    witness.data(1)
    rude.send(*(frame(n, UNKNOWN, bytes(300)) for n in range(1, 501)), left_over)
    rude.close()  # with a frame unread: after one read the relay's socket is in error
    assert sequences(witness.data(500)) == list(range(1, 501))
    code = Reject.TRUNCATED if left_over else 0
    eventually(lambda: disconnected(relay, code) == 1, "it is gone", patience=3)
    joined(relay, 2)


# Sessions -----------------------------------------------------------------------------------


def test_a_session_that_did_not_ask_to_produce_may_not(start: Start) -> None:
    relay = start()
    witness = relay.client()
    witness.hello(1)
    for number, role in enumerate((0, 1), 1):
        client = relay.client()
        client.hello(role)
        bad = frame(5)
        client.send(bad, frame(6))
        error = client.control(102)
        assert (error.code, error.fatal, error.sequence) == (Reject.NOT_A_PRODUCER, 1, 5)
        assert (error.message_type, error.expected) == (TRADE, 5)
        assert client.rest() == b""
        expect_one(relay, Reject.NOT_A_PRODUCER, number - 1)
        assert disconnected(relay, Reject.NOT_A_PRODUCER) == number
        assert offences(relay)[-1] == (Reject.NOT_A_PRODUCER, bad)
    assert relay.end() == 0


def test_a_stopping_relay_tells_its_sessions_and_says_nothing_to_plain_consumers(
    start: Start,
) -> None:
    relay = start()
    session, bare = relay.client(), relay.client()
    session.hello(1)
    plain(relay)
    relay.signal(signal.SIGTERM)
    error = session.control(102)
    assert (error.code, error.fatal) == (Reject.DRAINING, 1)
    assert session.rest() == b""
    assert bare.rest() == b""
    assert relay.wait() == 0
    assert disconnected(relay, Reject.DRAINING) == 1


def test_a_slow_consumer_that_asked_to_be_cut_is_told_why(start: Start) -> None:
    relay = start(circuit_breaker=500, max_queue_size=600, send_buffer=4096)
    slow, producer = relay.client(), relay.client()
    slow.hello(1, on_lag=2)
    producer.send(*(frame(n) for n in range(1, 3001)))
    until_read(producer.sock)
    eventually(lambda: disconnected(relay, Reject.SLOW_CONSUMER) or _take(slow), "it is cut")
    errors = [decode(one) for one in split(slow.kept + slow.rest()) if one[4] == 102]
    assert [error.code for error in errors] == [Reject.SLOW_CONSUMER]  # type: ignore[union-attr]


def _take(client: Client) -> bool:
    """Read on, so that the Error can be written within its second."""
    return client.silent(0.01) and False


# What is kept -------------------------------------------------------------------------------


def test_the_first_256_bytes_of_the_last_16_offending_frames_are_kept(start: Start) -> None:
    relay = start()
    producer = relay.client()
    bad = [frame(n, ELSEWHERE, bytes([n]) * (n * 20)) for n in range(1, 31)]
    producer.send(*bad)
    eventually(lambda: rejected(relay, Reject.WRONG_DOMAIN) == 30, "all are refused")
    assert offences(relay) == [(Reject.WRONG_DOMAIN, one[:256]) for one in bad[-16:]]


def test_the_table_of_closing_codes_is_the_one_that_was_tried() -> None:
    tried = {code for code, _ in CLOSING} | {code for code, _, _ in STAYING}
    assert {code for code, _ in CLOSING} <= FATAL
    assert not {code for code, _, _ in STAYING} & FATAL
    assert tried.isdisjoint({Reject.SEQUENCE_GAP, Reject.SEQUENCE_DUPLICATE})
