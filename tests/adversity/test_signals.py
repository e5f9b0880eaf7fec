"""Signals: drain, reload, status; three relays under `relays up`; few lines in the log.

relays.md 8 and 9. Real processes and real signals.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.control import Ack, Error
from protocol.message import decode
from protocol.reject import Reject
from relays.domains import DOMAINS
from relays.edge.memory import open_state
from tests.adversity.conftest import Start
from tests.adversity.flow import Flow, becomes, breaker, positions, row, session
from tests.harness import PATIENCE, Client, RelayProcess, eventually, frame, remove_memory, split


def logged(relay: RelayProcess, words: str) -> str:
    """Wait for a line with these words; gives it."""
    eventually(lambda: words in relay.log(), f"the log says {words}; {relay.log()}")
    return next(line for line in relay.log().splitlines() if words in line)


# --- SIGTERM ---


def test_what_was_sent_by_the_time_of_sigterm_is_delivered_or_named(start: Start) -> None:
    relay = start(drain_timeout=1, send_buffer=8192)
    quick, plain, slow = session(relay, "quick"), relay.client(), session(relay, "slow")
    becomes(relay, "closed")
    flow = Flow(relay)
    flow.send(100)
    relay.signal(signal.SIGSTOP)  # what follows is in the kernel when the signal comes
    flow.push(900)
    relay.signal(signal.SIGTERM)
    relay.signal(signal.SIGCONT)
    assert positions(quick.data(1000)) == list(range(1000))
    assert positions(split(plain.raw(64_000))) == list(range(1000))
    assert quick.control(102).code == Reject.DRAINING
    assert plain.rest() == b""
    assert relay.wait() == 0
    (name, lost) = re.findall(r'undelivered .*consumer="(\S+) .*messages=(\d+)', relay.log())[0]
    got = positions(frames_until_closed(slow))
    assert (name, got) == ("slow", list(range(1000 - int(lost))))
    assert f"drained domain=market_data undelivered={lost} consumers=1" in relay.log()


def frames_until_closed(client: Client) -> list[bytes]:
    """Every domain frame up to the end of the connection."""
    found: list[bytes] = []
    with contextlib.suppress(ConnectionError):
        while True:
            found += client.data(1)
    return found


@pytest.mark.parametrize("role", [2, 3])
def test_a_session_is_told_draining_and_acknowledged_what_was_read(start: Start, role: int) -> None:
    relay = start()
    client = session(relay, "desk", role, producer_id=5)
    relay.signal(signal.SIGSTOP)
    client.send(frame(1), frame(2), frame(3)[:20])
    relay.signal(signal.SIGTERM)
    relay.signal(signal.SIGCONT)
    got = [decode(one) for one in split(client.rest())]
    assert [one.sequence for one in got if isinstance(one, Ack)][-1] == 2
    errors = [(one.code, one.fatal) for one in got if isinstance(one, Error)]
    assert errors == [(Reject.DRAINING, 1)]
    assert relay.wait() == 0


def test_sigterm_ends_a_relay_whose_producers_never_stop(start: Start) -> None:
    relay = start()
    client = session(relay, "all", on_lag=3)
    over = threading.Event()

    def produce() -> None:
        block = b"".join(frame(n) for n in range(100))
        with Client(relay.path) as producer, contextlib.suppress(OSError):
            while not over.is_set():
                producer.send(block)

    threads = [threading.Thread(target=produce) for _ in range(3)]
    for thread in threads:
        thread.start()
    client.data(2000)
    relay.signal(signal.SIGTERM)
    rest = frames_until_closed(client)
    assert relay.wait() == 0
    over.set()
    for thread in threads:
        thread.join()
    found = relay.books()
    assert found.delivered == 2000 + len(rest)
    assert found.delivered + sum(found.dropped.values()) == relay.end()


def test_a_second_signal_ends_the_drain_at_once(start: Start) -> None:
    relay = start(drain_timeout=600, send_buffer=8192)
    session(relay, "slow", on_lag=3)
    Flow(relay).send(5000)
    relay.signal(signal.SIGTERM)
    logged(relay, "stopping")
    assert relay.process is not None
    assert relay.process.poll() is None
    relay.signal(signal.SIGTERM)
    assert relay.wait() == 0
    assert "undelivered" in relay.log()


def test_a_plain_consumer_whose_breaker_is_open_is_not_waited_for(start: Start) -> None:
    relay = start(drain_timeout=15, send_buffer=8192, circuit_breaker=1000, max_queue_size=1200)
    relay.client()
    becomes(relay, "closed")
    flow = Flow(relay)
    while breaker(relay) != "open":
        flow.send(600)
    assert row(relay)["position"] < relay.end()
    began = time.monotonic()
    assert relay.stop() == 0
    assert time.monotonic() - began < 10
    assert re.search(r" undelivered .*breaker=open", relay.log())


# --- SIGHUP, SIGUSR1 ---


def configured(start: Start, tmp_path: Path, text: str) -> tuple[RelayProcess, Path]:
    path = tmp_path / "relays.toml"
    path.write_text(f"[market_data]\n{text}\n")
    return start(config=path, send_buffer=8192), path


def test_sighup_changes_the_breaker_of_a_running_relay_and_names_what_needs_a_restart(
    start: Start, tmp_path: Path
) -> None:
    relay, path = configured(start, tmp_path, "circuit_breaker = 5000\nmax_queue_size = 6000")
    session(relay, "slow")
    flow = Flow(relay)
    flow.send(1000)
    assert relay.end() - row(relay, "slow")["position"] > 500
    assert breaker(relay, "slow") == "closed"
    path.write_text(
        "[market_data]\ncircuit_breaker = 500\nmax_queue_size = 600\nmax_connections = 100\n"
    )
    relay.signal(signal.SIGHUP)
    line = logged(relay, " reloaded ")
    assert "circuit_breaker" in line
    assert "max_queue_size" in line
    assert "restart=max_connections" in line
    flow.send(1)
    becomes(relay, "open", "slow")


@pytest.mark.parametrize(
    "text", ["[market_data]\ncircuit_breaker = 0\n", "[market_data\n", "[relay]\nno_such_key = 1\n"]
)
def test_a_bad_file_at_sighup_is_refused_and_the_relay_goes_on(
    start: Start, tmp_path: Path, text: str
) -> None:
    relay, path = configured(start, tmp_path, "circuit_breaker = 500\nmax_queue_size = 600")
    client = session(relay, "reader")
    path.write_text(text)
    relay.signal(signal.SIGHUP)
    assert str(path) in logged(relay, '"reload refused"')
    flow = Flow(relay)
    flow.send(10)
    assert positions(client.data(10)) == list(range(10))
    session(relay, "slow")
    flow.send(3000)
    becomes(relay, "open", "slow")
    path.unlink()
    relay.signal(signal.SIGHUP)
    eventually(lambda: relay.log().count("reload") >= 2, "a missing file is said too")
    flow.send(1)


def test_sigusr1_logs_the_status_as_json(start: Start) -> None:
    relay = start()
    session(relay, "desk-7")
    Flow(relay).send(3)
    relay.signal(signal.SIGUSR1)
    line = logged(relay, " status ")
    said = json.loads(json.loads(line[line.index("json=") + 5 :]))
    assert said["domain"] == "market_data"
    assert "desk-7" in json.dumps(said)


# --- the log ---


def test_a_reject_storm_of_ten_thousand_is_a_few_lines_that_add_up(start: Start) -> None:
    relay = start(producer_breaker=100_000)
    client = relay.client()
    for first in range(0, 10_000, 100):
        client.send(*(frame(first + n, 60) for n in range(100)))

    def counted() -> int:
        counts = re.findall(r" rejected .*count=(\d+)", relay.log())
        return sum(map(int, counts))

    eventually(lambda: counted() == 10_000, "every one is in a count")
    assert len(re.findall(" rejected ", relay.log())) <= 5


def test_many_connections_cut_off_are_a_few_lines(start: Start) -> None:
    relay = start()
    for _ in range(300):
        with relay.client() as client:
            client.send(bytes(32))
            assert client.rest() == b""
    closed = relay.counters()["disconnects"][Reject.BAD_MAGIC]
    assert closed == 300
    assert len(relay.log().splitlines()) < 20


# --- relays up ---


@contextlib.contextmanager
def started(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`relays up` in a folder; nothing of it is left at the end."""
    run = [sys.executable, "-m", "relays.cli", "up", f"--runtime-dir={folder}"]
    with (folder / "up.txt").open("wb") as log:
        process = subprocess.Popen(
            [*run, "--metrics-port=off", "--set=log_bytes=1048576", *options],
            stderr=log, stdout=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)
        for domain, pid in pids(folder).items():
            if pid and str(folder) in _command(pid):  # one that `up` did not end
                _kill(pid)
            remove_memory(domain, folder)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`relays up` in tmp_path, with all three ready."""
    with started(tmp_path) as process:
        ready(tmp_path)
        yield process


def ready(folder: Path) -> None:
    eventually(lambda: all(pids(folder).values()), f"three are ready: {said(folder)}")


def said(folder: Path) -> str:
    """What `relays up` and the relays under it have said."""
    return (folder / "up.txt").read_text()


def pids(folder: Path) -> dict[str, int]:
    """The pid of each relay that is ready, 0 for others."""
    found = dict.fromkeys(DOMAINS, 0)
    for domain in DOMAINS:
        with contextlib.suppress(Exception):
            status = open_state(domain, str(folder)).read_status()
            found[domain] = status["pid"] if status["ready"] else 0
    return found


def test_up_starts_three_restarts_the_one_that_was_killed_and_stops_all(
    up: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    before = pids(tmp_path)
    assert len(set(before.values())) == 3
    with Client(DOMAINS["signals"].socket(tmp_path)) as client:
        log_id = client.hello(1).log_id
    _kill(before["signals"])
    eventually(lambda: pids(tmp_path)["signals"] not in (0, before["signals"]), "it is there again")
    after = pids(tmp_path)
    assert [after[name] for name in ("market_data", "execution")] == [
        before[name] for name in ("market_data", "execution")
    ]
    with Client(DOMAINS["signals"].socket(tmp_path)) as client:
        assert client.hello(1).log_id == log_id
    up.send_signal(signal.SIGINT)
    assert up.wait(PATIENCE) == 0
    assert not list(tmp_path.glob("*.sock"))
    assert "signals was killed (SIGKILL): again" in said(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, signal.SIGTERM])
def test_no_relay_outlives_up_however_it_ends(
    up: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    before = pids(tmp_path).values()
    up.send_signal(number)
    code = up.wait(PATIENCE)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    eventually(lambda: not any(map(_command, before)), "all three have ended")
    assert not list(tmp_path.glob("*.sock"))
    assert said(tmp_path).count(" drained ") == 3


def test_up_ends_where_a_relay_is_served_already(tmp_path: Path) -> None:
    with (tmp_path / "signals.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        with started(tmp_path) as process:
            assert process.wait(PATIENCE) == os.EX_UNAVAILABLE
    assert f"is already served by pid {os.getpid()}" in said(tmp_path)
    assert "signals ended with 69: stopping the others" in said(tmp_path)


def test_up_stops_all_when_the_configuration_of_one_is_wrong_at_its_restart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "relays.toml"
    path.write_text("")
    with started(tmp_path, f"--config={path}") as process:
        ready(tmp_path)
        before = pids(tmp_path)
        path.write_text("[signals]\ncircuit_breaker = 0\n")
        _kill(before["signals"])
        assert process.wait(PATIENCE) == os.EX_CONFIG
        assert not any(map(_command, before.values()))
        assert "signals ended with 78: stopping the others" in said(tmp_path)
        assert said(tmp_path).count(" drained ") == 2


def _command(pid: int) -> str:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
