"""Writes relays.json, the dashboard, from the metrics that a relay really has.

Run as `python deploy/grafana/make.py [FILE]` after a metric is added; a test holds the file against
it. What a metric is called and means is said in `relays.edge.exposition` alone; here is only which
row it is shown in.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric

from protocol._core.journal import journal_set
from relays.config import load
from relays.edge.exposition import RelayCollector
from relays.edge.memory import open_memory

HERE = Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3
# The first row whose word is in a metric's name has it.
ROWS = {
    "Health": ("unaccounted", "damaged", "build_info", "failing", "failures", "clock_skew"),
    "Latency": ("latency",),
    "Journal": ("journal",),
    "Snapshots": ("snapshot",),
    "Consumers": ("consumer", "breaker", "dropped", "filtered", "delivered"),
    "Connections": ("connect",),
    "Messages": ("relay_",),
}
ORDER = ("Health", "Messages", "Consumers", "Latency", "Connections", "Journal", "Snapshots")
BY = {
    "relay_messages_received": "source", "relay_messages_accepted": "type",
    "relay_sequence_gaps": "source", "relay_sequence_duplicates": "source",
}  # fmt: skip


def metrics() -> list[Metric]:
    """Every metric family of a relay that has everything: a new one, with a journal."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        flags = {"runtime_dir": folder, "log_bytes": 1 << 20, "max_connections": 17}
        state = open_memory("market_data", load("market_data", environ={}, flags=flags).config, 0)
        journal_set(state.state, on=1)
        return list(RelayCollector("market_data", state.state).collect())


def row_of(name: str) -> str:
    """Which row shows a metric."""
    return next(row for row, words in ROWS.items() if any(word in name for word in words))


def legend(family: Metric) -> list[str]:
    """The labels that tell its series apart."""
    labels = {key for sample in family.samples for key in sample.labels}
    by = BY.get(family.name)
    if "consumer" in family.name or family.name == "relay_breaker_state":
        return ["domain", "consumer"]
    return ["domain", *sorted((labels | ({by} if by else set())) - {"domain", "le"})]


def queries(family: Metric) -> list[tuple[str, str]]:
    """(expression, legend) of each line of its panel."""
    by = legend(family)
    words = " ".join(f"{{{{{label}}}}}" for label in by)
    chosen = '{domain=~"$domain"}'
    if family.type == "histogram":
        rate = f"sum by (domain, le) (rate({family.name}_bucket{chosen}[$__rate_interval]))"
        return [(f"histogram_quantile({q}, {rate})", f"{words} p{q * 100:g}") for q in (0.5, 0.99)]
    if family.type == "counter":
        rate = f"rate({family.name}_total{chosen}[$__rate_interval])"
        return [(f"sum by ({', '.join(by)}) ({rate})", words)]
    return [(f"max by ({', '.join(by)}) ({family.name}{chosen})", words)]


def unit(family: Metric) -> str:
    """Grafana's name of the unit on its axis."""
    rate = family.type == "counter"
    if "bytes" in family.name:
        return "Bps" if rate else "bytes"
    if "seconds" in family.name:
        return "percentunit" if rate else "s"
    return "cps" if rate else "short"


def panel(family: Metric, number: int, x: int, y: int) -> dict[str, Any]:
    """One panel, with what the metric says of itself as its description."""
    targets = [
        {"datasource": SOURCE, "expr": expression, "legendFormat": words, "refId": chr(65 + n)}
        for n, (expression, words) in enumerate(queries(family))
    ]
    title = family.name.removeprefix("relay_").replace("_", " ")
    return {
        "id": number, "type": "timeseries", "title": title + (" /s" * (family.type == "counter")),
        "description": family.documentation, "datasource": SOURCE, "targets": targets,
        "gridPos": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit(family)}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
    }  # fmt: skip


def panels() -> list[dict[str, Any]]:
    """All rows and their panels, each at its place."""
    families, y = metrics(), 0
    found: list[dict[str, Any]] = []
    for row in ORDER:
        mine = [family for family in families if row_of(family.name) == row]
        place = {"x": 0, "y": y, "w": WIDTH * COLUMNS, "h": 1}
        found.append({"id": len(found) + 1, "type": "row", "title": row, "collapsed": False,
                      "panels": [], "gridPos": place})  # fmt: skip
        for n, family in enumerate(mine):
            x, below = n % COLUMNS * WIDTH, n // COLUMNS * HEIGHT
            found.append(panel(family, len(found) + 1, x, y + 1 + below))
        y += 1 + -(-len(mine) // COLUMNS) * HEIGHT
    return found


def variable(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """What the reader chooses at the top."""
    return {"name": name, "label": name, "type": kind, "hide": 0, **more}


def dashboard() -> str:
    """The whole file."""
    domains = variable(
        "domain", "query", datasource=SOURCE, query="label_values(relay_log_position, domain)",
        multi=True, includeAll=True, refresh=2, current={"text": "All", "value": "$__all"},
    )  # fmt: skip
    found = {
        "uid": "alphapulse-relays", "title": "AlphaPulse relays", "tags": ["alphapulse"],
        "schemaVersion": 38, "version": 1, "editable": True, "refresh": "5s",
        "time": {"from": "now-30m", "to": "now"}, "timezone": "browser",
        "templating": {"list": [variable("source", "datasource", query="prometheus"), domains]},
        "annotations": {"list": []}, "panels": panels(),
    }  # fmt: skip
    return json.dumps(found, indent=1) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "relays.json").write_text(dashboard())
