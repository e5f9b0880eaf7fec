"""What three relays use, sampled from outside: memory, descriptors, threads, how late they are.

Called by `tests.soak.__main__`. Everything is read from /proc and from the relays' state files,
which disturbs nobody; their metrics are asked for too, as Prometheus does, for the load.
"""

from __future__ import annotations

import re
import time
import urllib.request
from pathlib import Path

from relays.domains import DOMAINS
from relays.edge.memory import open_state
from relays.edge.status import Look, look
from scripts.demonstration.reading import reading

KIB = 1024
SCRAPE_SECONDS = 10.0
PROC = Path("/proc")
# Of a sample: the time in seconds since the first, and every number by "process: what".
Sample = dict[str, float]


def usage(pid: int) -> Sample:
    """Memory in bytes without the log and the state, whose size is fixed; descriptors, threads.

    `shared` is the part that was left out: what the process has touched of log and state. `pss` is
    what is its own: its share of programs and libraries depends on who else runs.
    """
    status = _numbers(PROC / str(pid) / "status")
    share = _numbers(PROC / str(pid) / "smaps_rollup")
    return {
        "rss": (status["RssAnon"] + status["RssFile"]) * KIB,
        "pss": share["Pss_Anon"] * KIB,
        "shared": status["RssShmem"] * KIB,
        "descriptors": len(list((PROC / str(pid) / "fd").iterdir())),
        "threads": status["Threads"],
    }


def _numbers(path: Path) -> dict[str, int]:
    rows = re.findall(r"^(\w+):\s+(\d+)", path.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in rows}


def children(pid: int) -> list[int]:
    """The processes that this one has started and that are there."""
    return [int(word) for path in (PROC / str(pid) / "task").glob("*/children")
            for word in path.read_text().split()]  # fmt: skip


def scrape(port: int) -> bytes:
    """The metrics on a port of this machine. OSError when nobody gives them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SCRAPE_SECONDS) as page:
        body: bytes = page.read()
    return body


class Sampler:
    """The relays in one runtime directory. Latencies are of the time since the last sample, in
    seconds, from a read to the last byte sent on; a moment without messages has none."""

    def __init__(self, runtime_dir: str) -> None:
        self.states = {name: open_state(name, runtime_dir) for name in DOMAINS}
        self.pids = {name: state.read_status()["pid"] for name, state in self.states.items()}
        self.begun = time.monotonic()
        self.first = self.before = self._look()

    def sample(self) -> Sample:
        """What everything is now. OSError when a relay has gone."""
        found: Sample = {"seconds": time.monotonic() - self.begun}
        now = self._look()
        for name, pid in self.pids.items():
            found |= _named(name, usage(pid))
            scrape(now[name].status["metrics_port"])
            for child in children(pid):
                found |= _named(f"{name} metrics", usage(child))
            moved = reading(name, self.first[name], self.before[name], now[name])
            found[f"{name}: messages/s"] = moved.rate
            if moved.p50 is not None and moved.p99 is not None:
                found |= _named(name, {"p50": moved.p50 / 1e9, "p99": moved.p99 / 1e9})
        self.before = now
        return found

    def _look(self) -> dict[str, Look]:
        return {name: look(state) for name, state in self.states.items()}


def _named(process: str, numbers: Sample) -> Sample:
    return {f"{process}: {name}": number for name, number in numbers.items()}
