"""What a session asks for and gets: Hello, Welcome, the start, Ack, Heartbeat (relays.md 3)."""

from __future__ import annotations

import os
import time
from typing import Any

from protocol.control import UNKNOWN_COUNT, Gap, Heartbeat, Snapshot, Welcome
from protocol.header import Header
from protocol.message import Message, decode
from relays.core.accounting import reported_lag
from relays.core.peer import Phase
from tests.daemon.conftest import Start
from tests.daemon.talk import (
    damaged,
    in_phase,
    joined,
    plain,
    send_apart,
    sequences,
    until_end,
    until_read,
)
from tests.harness import CONTROL, Client, RelayProcess, eventually, frame, hello

TINY: dict[str, Any] = {"log_bytes": 1 << 20, "max_payload": 4096}


def filled(relay: RelayProcess, count: int = 100) -> None:
    """Frames with the sequences 1 to count are in the log, at the positions 0 to count - 1."""
    with relay.client() as producer:
        producer.send(b"".join(frame(n, timestamp=n) for n in range(1, count + 1)))
        until_end(relay, count)


def controls(client: Client, count: int) -> list[Any]:
    """The next `count` frames, which must all be control frames."""
    found = [client.frame() for _ in range(count)]
    assert all(one[4] in CONTROL for one in found)
    return [decode(one) for one in found]


# Welcome ------------------------------------------------------------------------------------


def test_welcome_says_where_the_session_stands(start: Start) -> None:
    relay = start(max_payload=5000, heartbeat_ms=700)
    filled(relay, 10)
    client = relay.client()
    welcome = client.hello(1, start=1, start_position=4)
    assert (welcome.position, welcome.end_position, welcome.oldest_position) == (4, 10, 0)
    assert (welcome.max_payload, welcome.heartbeat_ms, welcome.durability) == (5000, 700, 0)
    assert (welcome.role, welcome.last_sequence, welcome.relay_pid) == (1, 0, relay.pid)
    again = relay.client().hello(2, heartbeat_ms=100)
    assert again.log_id == welcome.log_id != 0
    assert (again.role, again.heartbeat_ms, again.position) == (2, 100, 10)


def test_control_frames_are_the_relays_own_sealed_and_outside_the_sequence(start: Start) -> None:
    relay = start("signals")
    client = relay.client()
    before = time.time_ns()
    client.send(hello(5))
    for kind in (105, 101, 101):
        got = client.frame()
        header = Header.unpack(got)
        assert (header.message_type, header.source, header.sequence) == (kind, 21, 0)
        assert before <= header.timestamp <= time.time_ns()
        assert isinstance(decode(got), Message)  # which verifies the checksum


def test_a_session_is_known_by_its_name(start: Start) -> None:
    relay = start()
    relay.client().hello(1, tlvs=b"\x01\x06desk-7")
    row = eventually(lambda: in_phase(relay, Phase.SESSION), "it is there")[0]
    assert (row["name"], row["uid"], row["pid"]) == ("desk-7", os.getuid(), os.getpid())


# Roles --------------------------------------------------------------------------------------


def test_a_session_gets_and_may_do_what_its_role_says(start: Start) -> None:
    relay = start(heartbeat_ms=100)
    neither, reader, writer, both = (relay.client() for _ in range(4))
    for role, client in enumerate((neither, reader, writer, both)):
        assert client.hello(role).role == role
    writer.send(frame(1))
    both.send(frame(1, source=2))
    assert len(reader.data(2)) == 2
    assert len(both.data(2)) == 2
    for client in (neither, writer):
        assert [type(one) for one in controls(client, 3)] == [Heartbeat] * 3


def test_a_hello_and_the_frames_behind_it_may_come_in_one_write(start: Start) -> None:
    relay = start()
    both = relay.client()
    sent = [frame(n) for n in range(1, 2001)]
    both.send(hello(3, producer_id=5), *sent)
    assert isinstance(controls(both, 1)[0], Welcome)
    got: list[bytes] = []
    while not {sent[-1], b"last ack"} <= set(got):
        got.append(both.frame())
        if got[-1][4] == 106 and decode(got[-1]).sequence == 2000:  # type: ignore[union-attr]
            got[-1] = b"last ack"
    assert [one for one in got if one[4:5] == b"\1"] == sent


def test_a_plain_consumer_that_says_hello_late_skips_what_precedes_welcome(start: Start) -> None:
    relay = start()
    client, producer = relay.client(), relay.client()
    plain(relay, 2)
    producer.send(frame(1), frame(2))
    until_read(producer.sock)
    client.send(hello(1, start=2))
    assert sequences([client.frame(), client.frame()]) == [1, 2]
    assert controls(client, 1)[0].position == 0
    producer.send(frame(3))
    assert sequences(client.data(3)) == [1, 2, 3]


# Start --------------------------------------------------------------------------------------

# start, start_position, and the sequence of the first frame when 1 to 100 are in the log.
STARTS = [
    (0, 0, 101), (1, 0, 1), (1, 42, 43), (1, 100, 101), (2, 0, 1), (3, 7, 94), (3, 0, 101),
    (3, 100, 1), (3, 101, 1), (3, 2**64 - 1, 1),
]  # fmt: skip


def test_a_session_starts_where_it_asks_to(start: Start) -> None:
    relay = start()
    filled(relay, 100)
    clients = [relay.client() for _ in STARTS]
    for client, (kind, at, first) in zip(clients, STARTS, strict=True):
        welcome = client.hello(1, start=kind, start_position=at)
        assert (welcome.position, welcome.end_position) == (first - 1, 100), (kind, at)
    with relay.client() as producer:
        producer.send(frame(101))
        for client, (_, _, first) in zip(clients, STARTS, strict=True):
            assert sequences(client.data(102 - first)) == list(range(first, 102))


def test_a_start_older_than_what_is_kept_gets_a_gap_and_then_the_oldest(start: Start) -> None:
    relay = start(**TINY)
    filled(relay, 30_000)
    client = relay.client()
    client.send(hello(1, start=1, start_position=7))
    welcome, gap = controls(client, 2)
    oldest = welcome.oldest_position
    assert 7 < oldest == welcome.position
    assert gap == Gap(7, oldest - 1, count=oldest - 7, reason=gap.reason)
    assert gap.reason == 2
    assert sequences(client.data(30_000 - oldest)) == list(range(oldest + 1, 30_001))
    for kind, at in ((2, 0), (3, 2**40), (1, oldest)):
        exact = relay.client()
        assert exact.hello(1, start=kind, start_position=at).position == oldest
        assert exact.frame()[4] == 1


def test_another_log_id_starts_at_the_oldest_and_a_gap_of_unknown_size(start: Start) -> None:
    relay = start(**TINY)
    filled(relay, 30_000)
    right = relay.client().hello(1)
    client = relay.client()
    client.send(hello(1, start=1, start_position=10**9, log_id=right.log_id ^ 1))
    welcome, gap = controls(client, 2)
    assert welcome.position == welcome.oldest_position > 0
    assert (gap.count, gap.reason) == (UNKNOWN_COUNT, 3)
    assert sequences(client.data(1)) == [welcome.position + 1]
    same = relay.client()
    same.send(hello(1, start=1, start_position=29_999, log_id=right.log_id))
    assert controls(same, 1)[0].position == 29_999
    assert sequences([same.frame()]) == [30_000]


def test_a_start_beyond_the_end_is_refused(start: Start) -> None:
    relay = start()
    filled(relay, 3)
    client = relay.client()
    client.send(hello(1, start=1, start_position=4))
    error = client.control(102)
    assert (error.code, error.fatal) == (11, 1)
    assert "4 is beyond the end, 3" in error.text
    assert client.rest() == b""


# Snapshot -----------------------------------------------------------------------------------


def test_a_snapshot_follows_welcome_and_each_gap(start: Start) -> None:
    relay = start(**TINY)
    filled(relay, 30_000)
    live, past = relay.client(), relay.client()
    live.send(hello(5))
    _, begin, end = controls(live, 3)
    assert begin == Snapshot(begin.kind, count=0, position=30_000)
    assert (begin.kind, end.kind, end.count, end.position) == (1, 2, 0, 30_000)
    past.send(hello(5, start=1, start_position=0))
    welcome, gap, begin, end = controls(past, 4)
    assert (type(gap), begin.kind, end.kind) == (Gap, 1, 2)
    assert begin.position == end.position == welcome.position
    assert sequences([past.frame()]) == [welcome.position + 1]


# Ack and Heartbeat --------------------------------------------------------------------------


def test_acks_are_cumulative_and_for_producers_that_name_themselves(start: Start) -> None:
    relay = start(heartbeat_ms=100)
    named, unnamed = relay.client(), relay.client()
    assert named.hello(2, producer_id=9).last_sequence == 0
    unnamed.hello(2)
    last = 0
    for first in range(1, 3000, 300):
        named.send(b"".join(frame(n) for n in range(first, first + 300)))
        ack = named.control(106)
        assert ack.sequence > last
        last = ack.sequence
    while last < 3000:
        ack = named.control(106)
        assert last < ack.sequence <= ack.position
        last = ack.sequence
    unnamed.send(frame(1))
    assert [type(one) for one in controls(unnamed, 2)] == [Heartbeat] * 2


def test_heartbeats_come_at_the_interval_that_was_asked_for(start: Start) -> None:
    relay = start(heartbeat_ms=60_000)
    usual, quick = relay.client(), relay.client()
    assert usual.hello(1).heartbeat_ms == 60_000
    assert quick.hello(1, heartbeat_ms=100).heartbeat_ms == 100
    begin = time.monotonic()
    beats = controls(quick, 5)
    assert time.monotonic() - begin > 0.4
    assert [(one.position, one.lag) for one in beats] == [(0, 0)] * 5
    assert not usual.kept
    assert usual.silent(0.01)


def test_a_heartbeat_says_the_next_position_of_the_session(start: Start) -> None:
    relay = start()
    filled(relay, 20)
    client, writer = relay.client(), relay.client()
    client.hello(1, start=3, start_position=5, heartbeat_ms=100)
    client.data(5)
    assert client.control(100).position == 20
    writer.hello(2, heartbeat_ms=100)
    assert writer.control(100).position == 20


def test_lag_is_measured_from_the_position_a_session_confirms(start: Start) -> None:
    relay = start()
    filled(relay, 50)
    client = relay.client()
    client.hello(1, start=2)
    client.data(50)

    def lag() -> int:
        row = in_phase(relay, Phase.SESSION)[0]
        return reported_lag(row, relay.end())

    eventually(lambda: lag() == 0, "all was sent")
    client.send(Heartbeat(position=10).frame())
    eventually(lambda: lag() == 40, "it confirmed ten")
    client.send(Heartbeat(position=50).frame())
    eventually(lambda: lag() == 0, "it confirmed all")
    client.send(Heartbeat().frame())  # no position is given
    until_read(client.sock)
    with relay.client() as producer:
        producer.send(frame(51))
        client.data(1)
    eventually(lambda: lag() == 0, "measured by what was sent again")


def test_a_session_may_send_heartbeat_and_config_update_at_any_time(start: Start) -> None:
    relay = start()
    client = relay.client()
    client.hello(3, producer_id=1)
    update = frame(0, 103, b'{"colour": "red"}')
    client.send(frame(1), Heartbeat(position=0).frame(), frame(2), update, frame(3))
    assert sequences(client.data(3)) == [1, 2, 3]
    joined(relay, 1)


# Control frames among data ------------------------------------------------------------------


def test_control_frames_are_written_only_between_frames(start: Start) -> None:
    relay = start(send_buffer=8192, heartbeat_ms=100, on_lag="catch_up")
    client, writer = relay.client(), relay.client()
    client.hello(3, producer_id=4)
    sent = [frame(n, 9, bytes(9000), source=2) for n in range(1, 301)]
    for one in sent:
        writer.send(one)
    client.send(frame(1, 77), frame(2, 77), frame(3, 77), damaged(frame(0, 103, b"{}")))
    until_read(client.sock)
    got = [client.frame() for _ in range(20)]
    while len(got) < 303 or got[-1][4] != 100:
        got.append(client.frame())
    for one in got:
        decode(one)  # which verifies its checksum
    assert [one for one in got if one[4] == 9] == sent
    errors = [decode(one) for one in got if one[4] == 102]
    assert {error.code for error in errors} == {3, 5}  # type: ignore[union-attr]


def test_waiting_control_frames_are_one_of_each_kind_in_their_order(start: Start) -> None:
    relay = start(send_buffer=4096, heartbeat_ms=100, on_lag="catch_up")
    client, writer = relay.client(), relay.client()
    client.hello(3, producer_id=4)
    writer.send(*(frame(n, 9, bytes(9000), source=2) for n in range(1, 20)))
    until_read(writer.sock)
    for n in range(1, 31):
        refused = damaged(frame(0, 103, b"{}")) if n % 2 else frame(n, 77)
        send_apart(client, refused, frame(n))
    beats = relay.client()
    beats.hello(0)
    controls(beats, 3)
    assert client.frame()[4] == 9
    bad, wrong, ack, beat = controls(client, 4)
    assert (bad.code, bad.text[-11:]) == (5, "(15 frames)")
    assert (wrong.code, wrong.sequence, wrong.expected) == (3, 2, 30)
    assert (ack.sequence, beat.position) == (30, 1)
    assert len(client.data(18 + 15)) == relay.end() - 1


def test_a_damaged_hello_is_counted_and_the_connection_may_say_it_again(start: Start) -> None:
    relay = start()
    client = relay.client()
    client.send(damaged(hello(1)))
    until_read(client.sock)
    assert client.hello(1).position == 0
