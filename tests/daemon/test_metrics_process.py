"""The process that serves a relay's metrics: what it answers, how it is replaced, how it ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from relays.edge import metrics_child
from relays.edge.metrics import NICE
from relays.edge.metrics_child import MetricsChild
from relays.errors import RelayError
from tests.daemon.handmade import HandMade, traffic
from tests.daemon.scrape import DEADLINE, get, promtool
from tests.harness import RelayProcess, eventually, frame

Start = Callable[..., RelayProcess]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path)
    yield state
    state.remove()


@pytest.fixture
def child(made: HandMade) -> Iterator[MetricsChild]:
    found = MetricsChild(made.domain, str(made.folder), "127.0.0.1", 0)
    yield found
    found.stop()


def test_both_formats_are_served_as_asked_for(made: HandMade, child: MetricsChild) -> None:
    traffic(made)
    child.start()
    status, kind, body = get(child.port, "/metrics")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    promtool(body)
    wanted = "application/openmetrics-text; version=1.0.0"
    status, kind, body = get(child.port, "/metrics", Accept=wanted)
    assert (status, kind.split(";")[0]) == (200, "application/openmetrics-text")
    assert body.endswith("# EOF\n")
    assert list(read_openmetrics(body))  # type: ignore[no-untyped-call]
    assert get(child.port, "/healthz")[::2] == (200, "ok\n")
    assert get(child.port, "/nothing")[0] == 404


def test_a_metrics_process_that_dies_is_replaced_and_the_wait_grows(
    child: MetricsChild,
) -> None:
    child.start()
    now, waits = time.monotonic(), []
    for _ in range(4):
        assert child.pid is not None
        gone = child.pid
        os.kill(gone, signal.SIGKILL)
        said = eventually(partial(child.check, now), "the end is noticed")
        assert f"pid {gone} ended (SIGKILL)" in said
        began = now
        while child.pid is None:
            now += 0.5
            said = child.check(now)
        waits.append(now - began)
        assert f"{child.pid} serves" in said
    assert waits == [0, 1, 2, 4]
    assert child.check(now) == ""
    assert get(child.port, "/healthz")[0] == 200


def test_the_metrics_process_says_why_it_cannot_serve(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "relays.edge.metrics", "signals", str(tmp_path), "--fd"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = subprocess.run(
            [*command, str(listening.fileno())],
            pass_fds=(listening.fileno(),),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == os.EX_UNAVAILABLE
    assert done.stderr.count("\n") == 1
    assert "no relay has run here" in done.stderr


def test_a_port_in_use_is_named_and_one_just_freed_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(metrics_child, "BIND_PATIENCE", 0.0)
        with pytest.raises(RelayError, match=f"127.0.0.1:{port}") as caught:
            MetricsChild("signals", str(tmp_path), "127.0.0.1", port)
        assert caught.value.exit_code == os.EX_UNAVAILABLE
        monkeypatch.setattr(metrics_child, "BIND_PATIENCE", float(DEADLINE))
        monkeypatch.setattr("relays.edge.metrics_child.time.sleep", lambda _: taken.close())
        child = MetricsChild("signals", str(tmp_path), "127.0.0.1", port)
    assert child.port == port
    child.stop()


def test_a_host_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RelayError, match=r"192\.0\.2\.1:9") as caught:
        MetricsChild("signals", str(tmp_path), "192.0.2.1", 9999)
    assert caught.value.exit_code == os.EX_UNAVAILABLE


def test_a_client_that_hangs_or_goes_away_stops_nobody(
    made: HandMade, child: MetricsChild, capfd: pytest.CaptureFixture[str]
) -> None:
    child.start()
    with socket.create_connection(("127.0.0.1", child.port)) as silent:
        silent.sendall(b"GET /met")
        for _ in range(5):
            connection = http.client.HTTPConnection("127.0.0.1", child.port, timeout=DEADLINE)
            connection.request("GET", "/metrics")
            connection.close()
        assert get(child.port, "/healthz")[0] == 200
    assert capfd.readouterr().err == ""


def test_the_daemon_does_not_import_prometheus() -> None:
    modules = "relays.edge.service, relays.edge.metrics_child, relays.edge.status"
    code = f"import sys, {modules}; sys.exit('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], timeout=DEADLINE, check=False)
    assert done.returncode == 0


# --- the process, beside a real relay ---


def metrics_port(relay: RelayProcess) -> int:
    return relay.status()["metrics_port"]


def metrics_pid(relay: RelayProcess) -> int:
    """The pid of the relay's only child; 0 while there is none (never kill that: it is us)."""
    children = Path(f"/proc/{relay.pid}/task/{relay.pid}/children").read_text().split()
    return int(children[0]) if children else 0


def gone(pid: int) -> bool:
    """Whether a process has ended (it may still wait to be reaped by somebody else)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def free(port: int) -> bool:
    """Whether the port can be bound."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def sample(relay: RelayProcess, name: str) -> float:
    body = get(metrics_port(relay), "/metrics")[2]
    return sum(
        one.value
        for family in text_string_to_metric_families(body)
        for one in family.samples
        if one.name == name
    )


def test_the_metrics_process_gives_way_to_its_relay(start: Start) -> None:
    relay = start("signals", metrics_port=0)
    assert get(metrics_port(relay), "/healthz")[0] == 200
    ours = os.getpriority(os.PRIO_PROCESS, relay.pid)
    assert os.getpriority(os.PRIO_PROCESS, metrics_pid(relay)) == max(ours, NICE)


def test_a_running_relay_serves_its_metrics(start: Start) -> None:
    relay = start("market_data", metrics_port=0)
    with relay.client() as consumer, relay.client() as producer:
        consumer.hello(1)
        producer.send(*(frame(n) for n in range(1, 101)))
        consumer.data(100)
        assert sample(relay, "relay_messages_accepted_total") == 100
        eventually(lambda: sample(relay, "relay_messages_delivered_total") == 100, "delivered")
        assert sample(relay, "relay_unaccounted_messages") == 0
        promtool(get(metrics_port(relay), "/metrics")[2])
        assert get(metrics_port(relay), "/healthz")[0] == 200
        assert get(metrics_port(relay), "/readyz")[0] == 200


def test_a_relay_replaces_its_metrics_process(start: Start) -> None:
    relay = start("signals", metrics_port=0)
    first = eventually(lambda: metrics_pid(relay), "it has its metrics process")
    os.kill(first, signal.SIGKILL)
    assert get(metrics_port(relay), "/healthz")[0] == 200
    assert metrics_pid(relay) not in (0, first)
    assert "metrics process" in relay.log()


def test_the_metrics_process_ends_with_its_relay_and_frees_the_port(
    start: Start,
) -> None:
    relay = start("signals", metrics_port=0)
    child = eventually(lambda: metrics_pid(relay), "it has its metrics process")
    port = metrics_port(relay)
    assert get(port, "/healthz")[0] == 200
    relay.kill()
    eventually(lambda: gone(child), "the metrics process has ended")
    eventually(lambda: free(port), "its port is free")


def test_a_relay_that_drains_is_seen_to_drain_and_leaves_nothing(
    start: Start,
) -> None:
    relay = start("market_data", metrics_port=0, drain_timeout=DEADLINE)
    child = eventually(lambda: metrics_pid(relay), "it has its metrics process")
    port = metrics_port(relay)
    assert get(port, "/readyz")[0] == 200
    with relay.client() as consumer, relay.client() as producer:
        consumer.hello(1)
        for n in range(1, 40_001):
            producer.send(frame(n))
        relay.signal(signal.SIGTERM)
        os.kill(child, signal.SIGTERM)  # as a service manager does to all of a unit
        eventually(lambda: "draining" in get(port, "/readyz")[2], "/readyz says draining")
        relay.signal(signal.SIGTERM)
        assert relay.wait() == 0
    eventually(lambda: gone(child), "the metrics process has ended")


def test_a_second_relay_on_the_same_port_exits_69(start: Start, tmp_path: Path) -> None:
    relay = start("signals", metrics_port=0)
    port = metrics_port(relay)
    folder = tmp_path / "other"
    command = [sys.executable, "-m", "relays.cli", "run", "signals"]
    done = subprocess.run(
        [*command, f"--runtime-dir={folder}", f"--metrics-port={port}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == os.EX_UNAVAILABLE
    assert f"127.0.0.1:{port}" in done.stderr
    assert relay.status()["ready"] == 1
