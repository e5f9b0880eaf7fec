"""Connections that outlive a crash, and what is not taken over: nothing that could be wrong.

relays.md 2 and 9. Clients as in test_handover.py.
"""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from tests.adversity.test_clients_and_crashes import seed
from tests.deploy.conftest import (
    WAIT_AT_GATE,
    configure,
    nobody_serves,
    override,
    pid,
    said,
    served_by_another,
    stored,
)
from tests.deploy.idle import Idle, idle
from tests.deploy.machine import Machine
from tests.deploy.steady import Crowd

RELAY = "relay@execution"
SIGNALS = {"crash": "KILL", "stuck": "STOP"}
STATE = "/run/alphapulse/execution.state"
VERSION_AT = 8  # of a state file: its magic, then the number of its format


def crash(machine: Machine, there: Idle | None = None, way: str = "crash") -> None:
    """Kill it while nobody speaks, and wait for its successor."""
    if there is not None:
        stored(machine, "execution", len(there.everyone))
    old = pid(machine, "execution")
    machine.run(f"systemctl kill --kill-whom=main -s {SIGNALS[way]} {RELAY}")
    served_by_another(machine, "execution", old)


def log_id(machine: Machine) -> int:
    with machine.client("execution") as client:
        return client.hello().log_id


@pytest.mark.parametrize("way", list(SIGNALS))
def test_idle_connections_outlive_a_crash(machine: Machine, way: str) -> None:
    override(machine, "execution", "WatchdogSec=2s")
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution") as there:
        crash(machine, there, way)
        there.all_hear()
        assert f"adopted={len(there.everyone)} closed=0" in said(machine, "execution")
        assert log_id(machine) == there.log_id
    assert machine.show(RELAY, "NRestarts") == "1"


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.full)])
@pytest.mark.parametrize("domain", ["execution", "market_data"])
def test_who_is_still_connected_after_a_crash_under_load_has_missed_nothing(
    machine: Machine, domain: str, kills: int
) -> None:
    chance = random.Random(seed())
    configure(machine, domain, "send_buffer = 16384\ncrash_window = 0")
    machine.run(f"systemctl start relay@{domain}")
    path = machine.path(f"/run/alphapulse/{domain}.sock")
    with Crowd(path, domain, chance, burst=20) as crowd:
        for _ in range(kills):
            time.sleep(chance.uniform(0.01, 0.2))  # a random moment; nothing is right for it
            old = pid(machine, domain)
            machine.run(f"systemctl kill --kill-whom=main -s KILL relay@{domain}")
            served_by_another(machine, domain, old)
        ended = crowd.finish()
    print(f"{len(crowd.everyone) - len(ended)} of {len(crowd.everyone)} lived: not", *ended)
    for why in ended.values():
        assert why == "closed" or "reset" in why or "Broken pipe" in why, ended


def test_the_second_crash_in_a_row_closes_connections_and_the_third_sets_the_state_aside(
    machine: Machine,
) -> None:
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution") as there:
        crash(machine, there)
        there.all_hear()
        crash(machine, there)
        there.all_end()
        stored(machine, "execution", 0)
    with machine.client("execution") as client:
        welcome = client.hello()
    assert (welcome.log_id, welcome.position) == (there.log_id, 2 * there.spoken)
    crash(machine)
    with idle(machine, "execution") as others:
        assert others.log_id != there.log_id
        assert Path(machine.path(f"{STATE}.bad")).exists()
        assert "state set aside" in said(machine, "execution")
        crash(machine, others)  # the first one of this state
        others.all_hear()


@pytest.mark.parametrize(("window", "crashes"), [(0, 3), (1, 2)])
def test_a_crash_is_the_first_again_when_the_window_is_over(
    machine: Machine, window: int, crashes: int
) -> None:
    configure(machine, "execution", f"crash_window = {window}")
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution") as there:
        for _ in range(crashes):
            crash(machine, there)
            there.all_hear()
            time.sleep(1.2 * window)  # it is over
        assert log_id(machine) == there.log_id


def test_a_state_of_another_format_is_set_aside_and_everybody_is_closed(machine: Machine) -> None:
    override(machine, "execution", WAIT_AT_GATE)
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution") as there:
        with nobody_serves(machine, "execution", "restart"), open(machine.path(STATE), "r+b") as at:
            at.seek(VERSION_AT)
            ours = int.from_bytes(at.read(8), "little")
            at.seek(VERSION_AT)
            at.write((99).to_bytes(8, "little"))
        there.all_end()
        told = said(machine, "execution")
        assert re.search(rf"state set aside. .*format {ours}\b.*format 99\b", told), told
    stored(machine, "execution", 0)
    assert log_id(machine) != there.log_id


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_hand_over_that_was_harmed_never_gives_a_client_wrong_bytes(
    machine: Machine, harm: str
) -> None:
    chance = random.Random(seed())
    override(machine, "execution", WAIT_AT_GATE)
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution") as there:
        # Something to hand over: a frame that is begun.
        begun = machine.client("execution")
        begun.send(bytes.fromhex("efbeadde"))
        with nobody_serves(machine, "execution", "restart"):
            letter = Path(machine.path("/run/alphapulse/execution.letter"))
            old = letter.read_bytes()
            if harm == "cut":
                letter.write_bytes(old[: chance.randrange(len(old))])
            else:
                letter.unlink()
        begun.close()
        heard_or_closed(there)
        assert log_id(machine) == there.log_id
    assert not letter.exists()


def heard_or_closed(there: Idle) -> None:
    try:
        there.all_hear()
    except ConnectionError:
        there.all_end()


def test_a_log_that_is_gone_is_not_handed_over(machine: Machine) -> None:
    override(machine, "execution", WAIT_AT_GATE)
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution") as there:
        with nobody_serves(machine, "execution", "restart"):
            for name in ("log", "state"):
                Path(machine.path(f"/run/alphapulse/execution.{name}")).unlink()
        there.all_end()
    stored(machine, "execution", 0)


def test_a_relay_that_dies_too_often_stays_down_until_it_is_told_otherwise(
    machine: Machine,
) -> None:
    override(machine, "execution", "[Unit]\nStartLimitBurst=3")
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution") as there:
        for _ in range(2):
            crash(machine)
        machine.run(f"systemctl kill --kill-whom=main -s KILL {RELAY}")
        machine.becomes(RELAY, "ActiveState", "failed")
        assert machine.show(RELAY, "Result") in ("start-limit-hit", "signal")
        there.all_end()
    assert machine.fails(f"systemctl start {RELAY}")
    machine.run(f"systemctl reset-failed {RELAY}.service {RELAY}.socket")
    machine.run(f"systemctl start {RELAY}")
    with idle(machine, "execution"):
        assert machine.show(RELAY, "ActiveState") == "active"
