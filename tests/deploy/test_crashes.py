"""Relays that are killed and restarted under load by a real systemd.

The programs are those of adversity/test_clients_and_crashes.py, outside the machine: what every
consumer has had in the end is compared with what was sent.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import pytest

from tests.adversity.test_clients_and_crashes import PRODUCERS, Feed, join, readers, seed
from tests.deploy.conftest import configure, pid, served_by_another
from tests.deploy.machine import Machine
from tests.harness import RelayProcess

WAYS = {
    "killed": "systemctl kill --kill-whom=main -s KILL relay@{}",
    "restarted": "systemctl restart relay@{}",
}


@dataclass
class Served(RelayProcess):
    """A relay that somebody else runs, as far as clients look at it."""

    domain: str
    path: str


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize(
    ("domain", "times"),
    [
        ("execution", 2),
        pytest.param("execution", 20, marks=pytest.mark.full),
        pytest.param("market_data", 20, marks=pytest.mark.full),
    ],
)
def test_nothing_is_lost_doubled_or_reordered_when_systemd_brings_a_relay_back(
    machine: Machine, domain: str, way: str, times: int
) -> None:
    chance = random.Random(seed())
    configure(machine, domain, "crash_window = 0")
    machine.run(f"systemctl start relay@{domain}")
    relay = Served(domain, machine.path(f"/run/alphapulse/{domain}.sock"))
    reading = readers(relay, loop=False)
    feeds = [Feed(relay, n, chance, loop=False) for n in range(PRODUCERS)]
    for thread in [*reading, *feeds]:
        thread.start()
    for _ in range(times):
        before = pid(machine, domain)
        time.sleep(chance.uniform(0.01, 0.2))  # a random moment; nothing is right for it
        machine.run(WAYS[way].format(domain))
        served_by_another(machine, domain, before)
    for feed in feeds:
        feed.stopping.set()
    join(feeds)
    join(reading)
    for reader in reading:
        for number in reader.feeds:
            wanted = reader.wanted(feeds[number].sent)
            assert reader.got[number] == wanted, (reader.name, number)
    assert machine.show(f"relay@{domain}", "ActiveState") == "active"
