"""Who looks at a relay while it is measured: a scraper as Prometheus is one, and `relays top`. And
a stranger, who only wants as much of a processor as they do.

`python -m tests.bench.watchers scrape PORT EACH_MS`, `... screen COMMAND ...` and `... work` are
the programs; isolation starts the first two with `watching`. Each of these writes a line for all it
saw, with the time in ns of the monotonic clock, so that what was seen while something was timed can
be told from the rest.
"""

import gzip
import http.client
import os
import pty
import signal
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relays.edge.memory import open_state

from .children import Child, RunFailed
from .servers import Server

SCRAPE_EACH_MS = 100
WORK_MS = 15  # of each SCRAPE_EACH_MS; a scrape of 1,000 consumers takes 17, `relays top` beside it
NICE = 10  # as relays.edge.metrics
LONG_NS = 3_000_000_000  # relays top draws each second
PATIENCE = 30.0
SCREEN = (40, 120)  # lines, columns
PROGRAM = (sys.executable, "-m", "tests.bench.watchers")
AS_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
    "Accept-Encoding": "gzip",
    "User-Agent": "Prometheus/2.53.0",
}
SERIES = b"\nrelay_breaker_state{"  # one for each consumer


def scrape(port: int, each_ms: int) -> None:
    """A GET of /metrics each so many ms, or at once where the last took longer: a line with
    begin, ns that it took, bytes, and consumers in it. Ends when something else than 200 comes."""
    due = time.monotonic_ns()
    while True:
        begin = time.monotonic_ns()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/metrics", headers=AS_PROMETHEUS)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        took = time.monotonic_ns() - begin
        if answer.status != http.HTTPStatus.OK:
            sys.exit(f"scraper: {answer.status}")
        print(begin, took, len(body), gzip.decompress(body).count(SERIES), flush=True)
        due = max(due + each_ms * 1_000_000, time.monotonic_ns())
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)


def screen(command: Sequence[str]) -> None:
    """Runs a program in a terminal of its own: a line with time and bytes of all that it draws."""
    pid, terminal = pty.fork()
    if not pid:
        termios.tcsetwinsize(0, SCREEN)
        os.environ["TERM"] = "xterm-256color"
        # Under nohup it would outlive its terminal, and be measured with all that follows.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.execv(command[0], list(command))
    try:
        while drawn := os.read(terminal, 1 << 16):
            print(time.monotonic_ns(), len(drawn), flush=True)
    except OSError:  # the terminal's other end is closed
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.exit(f"screen: {command[0]} ended with {code}")


def work() -> None:
    """Needs a processor for a part of the time, as politely as a relay's page of metrics."""
    os.nice(NICE)
    while True:
        begin = time.monotonic()
        while time.monotonic() - begin < WORK_MS / 1e3:
            pass
        time.sleep((SCRAPE_EACH_MS - WORK_MS) / 1e3)


class Watchers:
    """Both, while they run."""

    def __init__(self, scraper: Child, terminal: Child) -> None:
        self._children = (scraper, terminal)

    def seen(self) -> list[list[list[int]]]:
        """The numbers of every whole line so far: of the scraper, of the terminal."""
        made = []
        for child in self._children:
            if child.exit_code() is not None:
                raise RunFailed(child.complaint())
            lines = child.output().rpartition("\n")[0].splitlines()
            made.append([[int(word) for word in line.split()] for line in lines])
        return made

    def during(self, begin_ns: int, end_ns: int, consumers: int) -> dict[str, Any]:
        """What was seen between two times: of a scrape how long it took, and of the terminal how
        often it was drawn on. RunFailed where nothing was scraped, or too few consumers, and where
        nothing was drawn for long."""
        scrapes, drawn = (
            [words for words in lines if begin_ns <= words[0] < end_ns] for lines in self.seen()
        )
        missing = not scrapes or min(words[3] for words in scrapes) < consumers
        if missing or (not drawn and end_ns - begin_ns > LONG_NS):
            raise RunFailed(f"watchers saw {scrapes[:3]}, {drawn[:3]}, not {consumers} consumers")
        return {
            "scrapes": len(scrapes),
            "scrapes_a_second": len(scrapes) / (end_ns - begin_ns) * 1e9,
            "scrape_ns": [words[1] for words in scrapes],
            "bytes": max(words[2] for words in scrapes),
            "drawn": len(drawn),
        }


@contextmanager
def watching(server: Server, folder: Path, cpus: str = "") -> Iterator[Watchers]:
    """A scraper at 10 Hz and `relays top` beside a relay, when both have seen it."""
    port = open_state("market_data", str(server.folder)).read_status()["metrics_port"]
    relays = str(Path(sys.executable).parent / "relays")
    top = (relays, "top", "market_data", "--runtime-dir", str(server.folder))
    scraper = Child("scraper", (*PROGRAM, "scrape", str(port), str(SCRAPE_EACH_MS)), folder, cpus)
    terminal = Child("terminal", (*PROGRAM, "screen", *top), folder, cpus)
    try:
        watchers = Watchers(scraper, terminal)
        deadline = time.monotonic() + PATIENCE
        while not all(watchers.seen()):
            if time.monotonic() > deadline:
                raise RunFailed(f"watchers saw nothing within {PATIENCE:.0f} s")
            time.sleep(0.02)
        yield watchers
    finally:
        for child in (terminal, scraper):
            child.stop()


@contextmanager
def stranger(folder: Path, cpus: str = "") -> Iterator[None]:
    """Someone who works beside a relay, and has nothing to do with it."""
    child = Child("stranger", (*PROGRAM, "work"), folder, cpus)
    try:
        yield
    finally:
        child.stop()


if __name__ == "__main__":
    if sys.argv[1] == "scrape":
        scrape(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "work":
        work()
    else:
        screen(sys.argv[2:])
