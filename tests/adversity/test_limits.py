"""More connections than there is room for, and no descriptors left (relays.md 6)."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

import pytest

from protocol.catalogue import MessageType
from protocol.control import Error
from protocol.message import decode
from protocol.reject import Reject
from tests.adversity.conftest import Start
from tests.adversity.flow import Flow, positions, session
from tests.harness import Client, RelayProcess, eventually

CROWD = 10_000
ROOM = 500
KEPT = 16
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
TICK = os.sysconf("SC_CLK_TCK")


def refusal(client: Client) -> Reject | None:
    """The code this connection was refused with, which must be all it was told."""
    said = client.rest()
    if not said:
        return None
    error = decode(said)
    assert isinstance(error, Error)
    return Reject(error.code)


def cpu_seconds(relay: RelayProcess) -> float:
    """Processor time the relay has used, user and system."""
    with open(f"/proc/{relay.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


@pytest.mark.skipif(HARD < CROWD + 100, reason=f"needs {CROWD} descriptors, {HARD} are allowed")
def test_ten_thousand_connections_at_once_are_served_or_refused_and_others_not_disturbed(
    start: Start,
) -> None:
    relay = start(max_connections=ROOM, max_connections_per_user=CROWD, send_buffer=4096)
    reader, flow = session(relay, "reader"), Flow(relay)
    crowd = subprocess.Popen(
        [sys.executable, "-m", "tests.adversity.crowd", relay.path, str(CROWD)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    got: list[bytes] = []
    while flow.sent < 5000 or relay.counters()["disconnects"][Reject.TOO_MANY_CONNECTIONS] == 0:
        flow.send(100)
        got += reader.data(100)
    assert crowd.stdout.readline() == b"open\n"
    places = ROOM + (KEPT if os.geteuid() == 0 else 0)
    refused = CROWD - places + 2  # the reader and the flow are there too
    counters = relay.counters
    eventually(
        lambda: counters()["disconnects"][Reject.TOO_MANY_CONNECTIONS] == refused,
        "everybody there was no place for is refused",
    )
    assert len(relay.consumers()) == places
    flow.send(100)
    got += reader.data(100)
    assert positions(got) == list(range(flow.sent))
    told, _ = crowd.communicate(timeout=30)
    found = json.loads(told)
    assert found["refused"] == refused
    assert found["closed"] == 0
    eventually(lambda: len(relay.consumers()) == 2, "they are gone")
    session(relay, "later")
    assert len(relay.log().splitlines()) < 100


def test_one_user_gets_no_more_than_max_connections_per_user(start: Start) -> None:
    relay = start(max_connections_per_user=5)
    clients = [session(relay, f"desk-{n}") for n in range(5)]
    assert refusal(relay.client()) == Reject.TOO_MANY_CONNECTIONS
    clients[2].close()
    eventually(lambda: len(relay.consumers()) == 4, "one is gone")
    session(relay, "sixth")
    assert refusal(relay.client()) == Reject.TOO_MANY_CONNECTIONS
    assert clients[0].control(MessageType.HEARTBEAT).lag == 0


def test_max_connections_is_lowered_where_descriptors_do_not_suffice(start: Start) -> None:
    relay = start(prefix=("sh", "-c", 'ulimit -n 200; exec "$@"', "sh"))
    assert '"max_connections lowered"' in relay.log()
    clients = [session(relay, f"desk-{n}") for n in range(200 - 64 - 16)]
    flow = Flow(relay)
    flow.send(5)
    for client in clients:
        assert positions(client.data(5)) == list(range(5))


def test_running_out_of_descriptors_never_spins_and_harms_nobody_who_is_there(
    start: Start,
) -> None:
    relay = start()
    reader, flow = session(relay, "reader"), Flow(relay)
    flow.send(10)
    in_use = len(os.listdir(f"/proc/{relay.pid}/fd"))
    resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (in_use + 4, HARD))
    crowd = [relay.client() for _ in range(12)]
    eventually(
        lambda: relay.counters()["disconnects"][Reject.TOO_MANY_CONNECTIONS] >= 3,
        "some are turned away",
    )
    before, began = cpu_seconds(relay), time.monotonic()
    while time.monotonic() < began + 1.0:
        flow.send(1)
    waited = time.monotonic() - began
    assert positions(reader.data(flow.sent)) == list(range(flow.sent))
    assert cpu_seconds(relay) - before < 0.7 * waited
    for client in crowd:
        client.close()
    eventually(lambda: len(relay.consumers()) == 2, "the crowd is gone")
    session(relay, "later")


def test_with_no_descriptor_left_an_idle_relay_costs_next_to_nothing(start: Start) -> None:
    relay = start()
    in_use = len(os.listdir(f"/proc/{relay.pid}/fd"))
    resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (in_use, HARD))
    crowd = [relay.client() for _ in range(30)]
    before, began = cpu_seconds(relay), time.monotonic()
    assert refusal(crowd[0]) == Reject.TOO_MANY_CONNECTIONS
    assert refusal(crowd[-1]) == Reject.TOO_MANY_CONNECTIONS  # thirty at ten a second
    waited = time.monotonic() - began
    assert cpu_seconds(relay) - before < 0.2 * waited
    resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (HARD, HARD))
    session(relay, "later")
