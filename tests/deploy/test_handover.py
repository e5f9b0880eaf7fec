"""A restart that nobody notices: every connection lives through it (relays.md 9).

Clients are raw sockets, outside the machine. They connect once; what they get is compared byte by
byte with what was sent (steady.py, idle.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import socket
import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from protocol.reject import Reject
from relays.domains import DOMAINS
from tests.adversity.flow import until_gap
from tests.adversity.test_clients_and_crashes import seed
from tests.deploy.conftest import (
    WAIT_AT_GATE,
    WAYS,
    configure,
    nobody_serves,
    override,
    pid,
    said,
    served_by_another,
    stored,
)
from tests.deploy.idle import idle, next_frame
from tests.deploy.machine import Machine
from tests.deploy.steady import Crowd
from tests.harness import PATIENCE, Client, eventually, frame, hello

KIND = {name: domain.types[-1] for name, domain in DOMAINS.items()}
# What a restart may take from SIGTERM to the end of the process is 200 ms; this is for machines
# that are busy with other tests.
PATIENT = 1.0


def path_of(machine: Machine, domain: str) -> str:
    return machine.path(f"/run/alphapulse/{domain}.sock")


def newcomers(path: str) -> list[tuple[Client, bytes]]:
    """Clients that have only just come: silent, half a Hello said, all of it said; and the rest."""
    greeting = hello()
    found = []
    for size in (0, len(greeting) // 2, len(greeting)):
        client = Client(path)
        client.send(greeting[:size])
        found.append((client, greeting[size:]))
    return found


def welcomed(coming: list[tuple[Client, bytes]], log_id: int) -> None:
    """They finish their Hello and are served."""
    for client, rest in coming:
        with client:
            client.send(rest)
            assert client.control(105).log_id == log_id
            assert client.data(2)


def shown(machine: Machine, domain: str) -> Any:
    return json.loads(machine.run(f"relays status --json {domain}"))[domain]


def missing(path: str) -> bool:
    return not os.path.exists(path)


# With the small log those who are slow are served from the journal by then.
@pytest.mark.parametrize(
    ("domain", "log_bytes", "times"),
    [
        ("execution", 64 << 20, 2),
        ("market_data", 64 << 20, 2),
        pytest.param("execution", 64 << 20, 20, marks=pytest.mark.full),
        pytest.param("execution", 1 << 20, 20, marks=pytest.mark.full),
        pytest.param("market_data", 64 << 20, 20, marks=pytest.mark.full),
    ],
)
def test_a_restart_under_load_is_noticed_by_no_client_of_any_kind(
    machine: Machine, domain: str, log_bytes: int, times: int
) -> None:
    chance = random.Random(seed())
    configure(machine, domain, f"send_buffer = 16384\nlog_bytes = {log_bytes}")
    machine.run(f"systemctl start relay@{domain}")
    path = path_of(machine, domain)
    with Client(path) as client:
        log_id = client.hello().log_id
    with Crowd(path, domain, chance) as crowd:
        for _ in range(times):
            time.sleep(chance.uniform(0.01, 0.2))  # a random moment; nothing is right for it
            coming, old = newcomers(path), pid(machine, domain)
            machine.run(f"systemctl restart relay@{domain}")
            assert pid(machine, domain) not in (0, old)
            welcomed(coming, log_id)
            machine.run(f"systemctl reload relay@{domain}")
        ended = crowd.finish()
        assert ended == {}
        books = shown(machine, domain)["unaccounted"]
    assert books == {"messages": 0, "bytes": 0}
    assert machine.show(f"relay@{domain}", "ActiveState") == "active"
    stored(machine, domain, 0)


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.full)])
def test_the_old_process_is_gone_at_once(machine: Machine, times: int) -> None:
    chance = random.Random(seed())
    machine.run("systemctl start relay@execution")
    took = []
    with Crowd(path_of(machine, "execution"), "execution", chance) as crowd:
        for _ in range(times):
            old = pid(machine, "execution")
            process = machine.path(f"/proc/{old}")
            machine.run(WAYS["restart"].format("execution"))
            eventually(partial(missing, process), "it is gone")
            end = time.clock_gettime(time.CLOCK_MONOTONIC)
            served_by_another(machine, "execution", old)
            told = int(machine.show("relay@execution", "ActiveExitTimestampMonotonic"))
            took.append(end - told / 1e6)
        assert crowd.finish() == {}
    print(
        f"SIGTERM to the end: median {statistics.median(took):.3f} s of",
        *map("{:.3f}".format, took),
    )
    assert min(took) > 0
    assert statistics.median(took) < PATIENT


@pytest.mark.parametrize("way", list(WAYS))
def test_what_clients_do_while_nobody_serves_them_is_found_by_the_successor(
    machine: Machine, way: str
) -> None:
    kind = KIND["signals"]
    override(machine, "signals", WAIT_AT_GATE)
    machine.run("systemctl start relay@signals")
    with idle(machine, "signals") as there, contextlib.ExitStack() as stack:
        leaving, sending, parting, halved = producers = [
            stack.enter_context(machine.client("signals")) for _ in range(4)
        ]
        for source, one in enumerate(producers, 40):
            one.send(frame(1, kind, source=source))
            assert there.hear(1)[0][6] == source
        stored(machine, "signals", len(there.everyone) + len(producers))
        with nobody_serves(machine, "signals", way):
            leaving.close()
            there.control.close()
            sent = [frame(2, kind, bytes(n), source=n) for n in range(41, 44)]
            for one, said_last in zip((sending, parting, halved), sent, strict=True):
                one.send(said_last)
            parting.close()
            halved.sock.shutdown(socket.SHUT_WR)
        assert sorted(there.hear(3)) == sorted(sent)
        assert halved.rest() == b""
        stored(machine, "signals", len(there.everyone))  # one left, one has come
        sending.send(frame(3, kind, source=41))
        assert there.hear(1)[0][6] == 41
        there.all_hear()
    stored(machine, "signals", 0)


def test_a_restart_of_the_umbrella_hands_over_all_three(machine: Machine) -> None:
    machine.run("systemctl start relays")
    with contextlib.ExitStack() as stack:
        there = {name: stack.enter_context(idle(machine, name)) for name in DOMAINS}
        old = {name: pid(machine, name) for name in DOMAINS}
        machine.run("systemctl restart relays")
        for name, each in there.items():
            served_by_another(machine, name, old[name])
            each.all_hear()


def test_every_way_to_restart_a_relay_hands_over_also_after_systemd_began_anew(
    machine: Machine,
) -> None:
    machine.run("systemctl start relay@signals")
    with idle(machine, "signals") as there:
        machine.run("systemctl daemon-reexec")
        for command in ("try-restart relay@signals", "restart relay@signals.socket"):
            stored(machine, "signals", len(there.everyone))
            old = pid(machine, "signals")
            machine.run(f"systemctl {command}")
            served_by_another(machine, "signals", old)
            there.all_hear()


def test_a_stop_drains_and_closes_although_connections_could_be_kept(machine: Machine) -> None:
    machine.run("systemctl start relay@execution")
    with idle(machine, "execution") as there:
        last = frame(2, KIND["execution"], source=1)
        there.anonymous.send(last)
        machine.run("systemctl stop relay@execution")
        assert there.hear(1) == [last]
        for one in there.sessions:
            assert one.control(102).code == Reject.DRAINING
        there.all_end()
    assert machine.show("relay@execution", "NFileDescriptorStore") == "0"
    machine.run("systemctl start relay@execution")
    with machine.client("execution") as client:
        assert client.hello().log_id == there.log_id


def test_a_restart_says_what_it_handed_over_and_what_it_took(machine: Machine) -> None:
    machine.run("systemctl start relay@execution")
    with idle(machine, "execution") as there:
        count = len(there.everyone)
        stored(machine, "execution", count)
        rows = consumers(machine, "execution")
        first = machine.show("relay@execution", "InvocationID")
        machine.run("systemctl restart relay@execution")
        told = machine.log(f"_SYSTEMD_INVOCATION_ID={first}")
        assert re.search(rf"handed over. .*connections={count}\b", told), told
        told = said(machine, "execution")
        assert re.search(rf"connections adopted. .*adopted={count} closed=0", told), told
        assert consumers(machine, "execution") == rows
        stored(machine, "execution", count)


def consumers(machine: Machine, domain: str) -> list[Any]:
    """What `relays status` says of each that stays the same while it only waits."""
    kept = ("id", "name", "uid", "pid", "position", "delivered", "on_lag")
    rows = shown(machine, domain)["consumers"]
    return sorted([str(row.get(name)) for name in kept] for row in rows)


def test_who_lost_something_before_a_restart_is_told_after_it(machine: Machine) -> None:
    configure(machine, "market_data", "send_buffer = 8192\ncircuit_breaker = 1000")
    machine.run("systemctl start relay@market_data")
    sent = [frame(n, KIND["market_data"], bytes(997), timestamp=n) for n in range(1, 3001)]
    with machine.client("market_data") as slow, machine.client("market_data") as producer:
        slow.hello()
        producer.send(*sent)
        eventually(
            lambda: shown(machine, "market_data")["consumers"][0]["breaker"] == "open", "it is open"
        )
        old = pid(machine, "market_data")
        machine.run("systemctl restart relay@market_data")
        assert pid(machine, "market_data") != old
        got, gap = until_gap(slow)
        assert got == sent[: len(got)]
        assert gap.first_position == len(got)
        live = frame(3001, KIND["market_data"])
        producer.send(live)
        sent.append(live)
        rest = sent[gap.last_position + 1 :]
        assert rest
        assert [next_frame(slow) for _ in rest] == rest


# --- as many as there may be ---

MOST = 4096 + 16


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Enough of them for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MOST + 500:
        pytest.skip(f"{hard} descriptors are too few")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MOST + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Each copy costs systemd a look at all others: as many as there may be take it ten seconds.
@pytest.mark.parametrize("count", [500, pytest.param(MOST, marks=pytest.mark.full)])
def test_as_many_connections_as_there_may_be_live_through_a_restart_and_a_crash(
    machine: Machine, descriptors: None, count: int
) -> None:
    kind = KIND["signals"]
    configure(machine, "signals", f"max_connections_per_user = {2 * MOST}")
    machine.run("systemctl start relay@signals")
    assert machine.show("relay@signals", "FileDescriptorStoreMax") == str(MOST)
    with contextlib.ExitStack() as stack:
        everyone = [stack.enter_context(machine.client("signals")) for _ in range(count)]
        producer, *hearers = everyone
        sessions = hearers[::2]
        for one in sessions:
            one.send(hello(heartbeat_ms=60_000))
        for one in sessions:
            assert one.control(105)
        stored(machine, "signals", count)
        for number, way in enumerate(["restart", "crash"], 1):
            old = pid(machine, "signals")
            machine.run(WAYS[way].format("signals"))
            served_by_another(machine, "signals", old)
            assert f"adopted={count} closed=0" in said(machine, "signals")
            sent = frame(number, kind)
            producer.send(sent)
            assert all(next_frame(one) == sent for one in hearers)
        stored(machine, "signals", count)


def test_who_only_waits_goes_on_getting_heartbeats(machine: Machine) -> None:
    override(machine, "signals", WAIT_AT_GATE)
    machine.run("systemctl start relay@signals")
    with machine.client("signals") as client:
        client.hello(heartbeat_ms=100)
        stored(machine, "signals", 1)
        with nobody_serves(machine, "signals", "restart"):
            client.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while client.sock.recv(1 << 16):
                    pass
            client.sock.settimeout(PATIENCE)
        assert client.control(100).position == 0
