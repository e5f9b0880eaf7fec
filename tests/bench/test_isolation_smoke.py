"""The isolation bench runs, and cannot be fooled: who is stopped is told what it lost, or the run
fails.

Counts are tiny: these are smoke tests of the measurements, never the measurements.
"""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.control import Gap, GapReason, Welcome
from tests.harness import eventually, frame

from . import isolation, isolation_runs, native, plots, servers, watchers
from .children import Child, RunFailed, wait_for
from .isolation import ROWS, Plan
from .isolation_runs import SESSION, measure, wait_until_ready
from .runs import BOARD_BYTES, Load, workspace
from .scale_runs import Group, many
from .servers import Server
from .test_bench_smoke import FRAME, bench

SMALL = Load(count=12_000, consumers=2, warmup=100, window=1_000, block=100 * FRAME)
QUICKLY = ("circuit_breaker=2000", "max_queue_size=4000", "send_buffer=16384",
           "recovery_timeout=0.05")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    native.build()


def test_a_row_of_each_kind_is_measured_beside_two_that_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = Plan(frames=50_000, paced=100, watched=100, rounds=1)
    rows = [ROWS["rate-2"], replace(ROWS["watched"], watched=20)]
    monkeypatch.setitem(isolation.PACES, "watched", 1_000_000)
    monkeypatch.setattr(watchers, "SCRAPE_EACH_MS", 20)
    monkeypatch.setattr(watchers, "LONG_NS", 60 * 10**9)  # beside other tests all take their time
    stopped, watched = isolation.run(plan, rows, lambda text: None)
    assert stopped.ends == {"everything": 2, "closed": 0, "gapped": 0}
    assert not stopped.watchers
    assert watched.ends == {"everything": 20, "closed": 0, "gapped": 0}
    assert watched.watchers["scrapes_a_second"].median > 1
    assert list(watched.samples) == ["with", "without", "without again", "with a stranger"]


def test_the_isolation_bench_writes_what_its_tables_say(tmp_path: Path) -> None:
    written = tmp_path / "isolation.json"
    row = ("--configuration", "paced-1", "--pairs", "1", "--count", "100000")
    done = bench("isolation", *row, "--json", str(written))
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads(written.read_text())["suites"]["isolation"]
    (row,) = made["rows"]
    assert row["row"]["name"] == "paced-1"
    assert list(row["samples"]) == ["with", "without", "without again"]
    assert [bar["what"] for bar in made["bars"]] == [f"{row['row']['title']}: p99"]
    (plot,) = plots.of_isolation(made)
    assert list(plot.series) == ["with", "without", "without again"]


def test_who_is_stopped_is_cut_off_and_told_while_the_others_have_everything() -> None:
    groups = [Group(2, "verify"), Group(2, "verify", SESSION)]
    with workspace() as folder, servers.relay(folder, "", QUICKLY) as server:
        wait_until_ready(server)
        run = measure(server, SMALL, groups, stopped=True)
    plain, sessions = run.beside
    assert [each["count"] for each in run.timed.consumers] == [12_100] * 2
    assert (plain["closed"], sessions["gapped"]) == (2, 2)
    assert 200 <= plain["had"] < 2 * 12_100
    assert 200 <= sessions["had"] < 2 * 12_100


def test_a_run_of_which_the_relay_counts_something_else_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = isolation_runs._told
    monkeypatch.setattr(isolation_runs, "ADDS_UP_SECONDS", 0.0)
    with workspace() as folder, servers.relay(folder) as server:
        wait_until_ready(server)
        before = told(server)
        wrong = iter((before, {**before, "delivered": before["delivered"] + 1}))
        monkeypatch.setattr(isolation_runs, "_told", lambda server: next(wrong))
        with pytest.raises(RunFailed, match="the relay counted"):
            measure(server, replace(SMALL, count=1_000))


def test_a_program_on_a_screen_ends_with_it_also_under_nohup() -> None:
    program = ("/bin/sh", "-c", "echo $$ > $0.new; mv $0.new $0; exec sleep 60")
    screen = (sys.executable, "-m", "tests.bench.watchers", "screen")
    with workspace() as folder:
        written = folder / "pid"
        nohup = ("/bin/sh", "-c", 'trap "" HUP; exec "$@"', "nohup")
        terminal = Child("terminal", (*nohup, *screen, *program, str(written)), folder)
        eventually(written.exists, "the program has begun")
        status = Path(f"/proc/{int(written.read_text())}/status")
        terminal.stop()
        eventually(lambda: has_ended(status), "it has ended")


def has_ended(status: Path) -> bool:
    try:
        return "zombie" in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


WHOLE, SENT, HAD = 10, 20, 15


def trades(first: int, last: int) -> bytes:
    """Those of the numbers from `first` to `last`, as they are sent in a run."""
    return b"".join(frame(number) for number in range(first, last + 1))


def gap(first: int, last: int, count: int) -> bytes:
    return bytes(Gap(first, last, count, GapReason.TOO_SLOW).frame(source=20))


@contextmanager
def stopped_consumer(greeting: bytes, then: bytes, ends: bool) -> Iterator[Child]:
    """A consumer of SENT frames that has WHOLE of them, stops, and goes on when `then` has come,
    and where it `ends` the end of input."""
    with workspace() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = folder / "false.sock"
        listener.bind(str(path))
        listener.listen()
        (folder / "board").write_bytes(bytes(BOARD_BYTES))
        # The harness wants a process to be the server.
        sleeping = Child("false", ["sleep", "60"], folder)
        shared = ["--board", str(folder / "board"), "--timeout", "60", "--stop-after", str(WHOLE)]
        server = Server(sleeping, path, path)
        child = many(server, Group(1, "verify", greeting), 0, SENT, folder, "", shared)
        try:
            with listener.accept()[0] as connection:
                if greeting:
                    connection.recv(len(greeting), socket.MSG_WAITALL)
                    connection.send(bytes(Welcome(log_id=1, position=0, end_position=0,
                                                  oldest_position=0).frame(source=20)))  # fmt: skip
                connection.send(trades(1, WHOLE))
                eventually(child.halted, "it has stopped itself")
                connection.send(then)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
                child.go_on()
                yield child
        finally:
            child.stop()
            sleeping.stop()


@pytest.mark.parametrize(
    ("greeting", "then", "told"),
    [
        (b"", trades(WHOLE + 1, SENT), (0, 0)),
        (b"", trades(WHOLE + 1, HAD), (1, 0)),
        (SESSION, trades(WHOLE + 1, HAD) + gap(HAD, SENT - 1, SENT - HAD), (0, 1)),
        (SESSION, gap(WHOLE, HAD - 1, HAD - WHOLE) + trades(HAD + 1, SENT), (0, 1)),
    ],
    ids=["everything", "closed", "gap-at-the-end", "gap-before-the-rest"],
)
def test_a_stopped_consumer_may_be_told_what_it_lost(
    greeting: bytes, then: bytes, told: tuple[int, int]
) -> None:
    with stopped_consumer(greeting, then, ends=told == (1, 0)) as child:
        wait_for([child], 20)
        said = json.loads(child.output())
    assert (said["closed"], said["gapped"]) == told


@pytest.mark.parametrize(
    ("greeting", "then", "complaint"),
    [
        (b"", trades(WHOLE + 1, HAD)[:-1], "end of input after 14 of 20"),
        (b"", trades(WHOLE + 2, SENT), "number 12, expected 11"),
        (b"", gap(WHOLE, SENT - 1, SENT - WHOLE), "a control frame of type 107"),
        (SESSION, trades(WHOLE + 1, HAD), "end of input after 15 of 20"),
        (SESSION, trades(HAD + 1, SENT), "number 16, expected 11"),
        (SESSION, gap(WHOLE + 1, SENT - 1, SENT - WHOLE - 1), "expected one Gap at most, from 10"),
        (SESSION, gap(WHOLE, SENT - 1, 1), "expected one Gap at most"),
        (SESSION, gap(WHOLE, 11, 2) + gap(12, SENT - 1, SENT - 12), "expected one Gap at most"),
    ],
    ids=["cut-frame", "hole", "gap-unasked", "session-ends", "session-hole", "gap-too-late",
         "gap-miscounted", "two-gaps"],
)  # fmt: skip
def test_a_stopped_consumer_that_is_not_told_what_it_lost_fails_the_run(
    greeting: bytes, then: bytes, complaint: str
) -> None:
    with stopped_consumer(greeting, then, True) as child, pytest.raises(RunFailed, match=complaint):
        wait_for([child], 20)
