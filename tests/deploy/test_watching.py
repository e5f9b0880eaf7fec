"""What watches the relays: Prometheus' configuration, its rules, and the dashboard.

deploy/prometheus and deploy/grafana, held against the metrics that a relay really has.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from relays.domains import DOMAINS
from relays.edge.exposition import JOURNAL_GAUGES, PER_CONSUMER
from tests.daemon.conftest import Start, start
from tests.deploy.machine import DEPLOY, ROOT
from tests.harness import eventually, frame

__all__ = ["start"]
RULES = DEPLOY / "prometheus" / "relays.rules.yml"
RULE_TESTS = DEPLOY / "prometheus" / "relays.test.yml"
DASHBOARD = DEPLOY / "grafana" / "relays.json"
PROMETHEUS = 60


def program(name: str) -> str:
    """Where a program of Prometheus is; scripts/test unpacks the package."""
    places = [ROOT / ".tools" / "bin", ROOT / ".tools" / "prometheus" / "usr" / "bin"]
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"{name} is not here: scripts/test fetches it")
    return found


def said(*command: str) -> str:
    done = subprocess.run(
        command, cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", RULES.read_text())


def panels() -> list[dict[str, Any]]:
    return [each for each in json.loads(DASHBOARD.read_text())["panels"] if "targets" in each]


def exposed() -> set[str]:
    """The names of all series that a relay has, as the dashboard's maker finds them."""
    text = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    return set(re.findall(r"\brelay_\w+", text))


def test_prometheus_takes_the_configuration() -> None:
    assert "SUCCESS" in said(program("promtool"), "check", "config", "prometheus.yml")


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    assert "SUCCESS" in said(program("promtool"), "test", "rules", RULE_TESTS.name)
    tested = set(re.findall(r"alertname: (\w+)", RULE_TESTS.read_text()))
    assert tested == set(alerts())


def test_rules_ask_only_for_metrics_that_there_are() -> None:
    asked = set(re.findall(r"(?<![:\w])relay_\w+", RULES.read_text()))
    assert asked - exposed() == set()


def test_the_prometheus_configuration_has_the_ports_of_the_domains() -> None:
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    found = re.findall(r"127\.0\.0\.1:(\d+)\"\]\s+labels: \{domain: (\w+)\}", text)
    assert found == [(str(domain.defaults["metrics_port"]), name) for name, domain in
                     DOMAINS.items()]  # fmt: skip


def test_each_alert_has_a_section_of_the_runbook() -> None:
    text = (DEPLOY / "README.md").read_text()
    assert [name for name in alerts() if f"### {name}\n" not in text] == []


def test_the_dashboard_is_the_one_that_the_metrics_make(tmp_path: Path) -> None:
    made = tmp_path / "relays.json"
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, str(DEPLOY / "grafana" / "make.py"), str(made)], env=environ, check=True
    )
    assert made.read_text() == DASHBOARD.read_text(), "run python deploy/grafana/make.py"


def test_the_dashboard_shows_every_metric_and_no_panel_lies_on_another() -> None:
    names = {name for name, *_ in (*PER_CONSUMER, *JOURNAL_GAUGES)}
    assert names <= exposed()
    found = json.loads(DASHBOARD.read_text())
    assert {"uid", "title", "schemaVersion", "templating", "time"} <= found.keys()
    places = [each["gridPos"] for each in found["panels"]]
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in places
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({each["id"] for each in found["panels"]}) == len(places)


# --- a real Prometheus ---


@contextmanager
def prometheus(folder: Path, ports: dict[str, int]) -> Iterator[str]:
    """Prometheus on these relays, asking often and with little patience; gives its address."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text().replace(": 5s", ": 1s")
    for name, domain in DOMAINS.items():
        text = text.replace(f":{domain.defaults['metrics_port']}", f":{ports[name]}")
    (folder / "prometheus.yml").write_text(text)
    (folder / RULES.name).write_text(re.sub(r"for: \w+", "for: 1s", RULES.read_text()))
    log = (folder / "prometheus.txt").open("wb")
    process = subprocess.Popen(
        [program("prometheus"), f"--config.file={folder}/prometheus.yml",
         f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0",
         "--log.level=info"],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:
        said = r"msg=\"?Listening on\"? address=(\S+)"
        found = eventually(lambda: re.findall(said, _text(folder)), "it listens")
        yield f"http://{found[0]}"
    finally:
        process.terminate()
        process.wait(PROMETHEUS)
        log.close()


def _text(folder: Path) -> str:
    return (folder / "prometheus.txt").read_text()


def ask(address: str, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"{address}/api/v1/{path}", timeout=PROMETHEUS) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def firing(address: str) -> set[tuple[str, str]]:
    found = (ask(address, "alerts") or {"alerts": []})["alerts"]
    return {
        (each["labels"]["alertname"], each["labels"].get("domain", ""))
        for each in found
        if each["state"] == "firing"
    }


@pytest.mark.full
def test_a_real_prometheus_scrapes_the_three_and_alerts_when_a_consumer_stops(
    start: Start, tmp_path: Path
) -> None:
    relays = {
        name: start(name, metrics_port=0, circuit_breaker=100, max_queue_size=200, send_buffer=4096)
        if name != "execution" else start(name, metrics_port=0)
        for name in DOMAINS
    }  # fmt: skip
    ports = {name: relay.status()["metrics_port"] for name, relay in relays.items()}
    with prometheus(tmp_path, ports) as address:
        up = "query?query=sum(up)"
        eventually(
            lambda: (
                (ask(address, up) or {"result": []})["result"][:1]
                and ask(address, up)["result"][0]["value"][1] == "3"
            ),
            "all three are up",
            PROMETHEUS,
        )
        assert firing(address) == set()
        stopped = relays["signals"].client(receive_buffer=4096)
        stopped.hello(heartbeat_ms=60_000)
        producer = relays["signals"].client()
        until = time.monotonic() + PROMETHEUS
        sequence = 0
        while ("RelayBreakerOpen", "signals") not in firing(address):
            assert time.monotonic() < until, "the alert fires"
            producer.send(*(frame(sequence + n, 39, bytes(1024)) for n in range(1, 101)))
            sequence += 100
        relays["market_data"].kill()
        eventually(lambda: ("RelayDown", "market_data") in firing(address), "it is missed",
                   PROMETHEUS)  # fmt: skip
