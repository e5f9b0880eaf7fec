"""`relays status`: what it shows of a relay that runs, drains, stopped, died or never was."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol._core.journal import journal_set
from protocol.reject import Reject
from relays.cli import main
from relays.cli.status import lines
from relays.core.breaker import OPEN
from relays.core.peer import Phase
from relays.edge.memory import files, open_state
from relays.edge.status import status
from tests.daemon.handmade import SECOND, HandMade, traffic
from tests.harness import RelayProcess, eventually, frame

DEADLINE = 60
NOBODY = 65534
COMMAND = [sys.executable, "-m", "relays.cli", "status"]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path)
    yield state
    state.remove()


def of(made: HandMade) -> dict[str, Any]:
    """The status, read from outside."""
    place = str(made.folder)
    return status(made.domain, open_state(made.domain, place), files(made.domain, place).state)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(["status", *arguments])
    assert isinstance(caught.value.code, int)
    said = capsys.readouterr()
    return caught.value.code, said.out, said.err


# --- the data ---


def test_status_tells_positions_connections_and_what_moved(made: HandMade) -> None:
    consumer = traffic(made)
    made.state.count("disconnects", Reject.FENCED)
    found = of(made)
    assert found["domain"] == "market_data"
    assert os.path.samefile(found["memory"], files("market_data", str(made.folder)).state)
    assert found["log"]["end_position"] == 30
    assert found["log"]["oldest_position"] == 0
    assert found["log"]["filled_bytes"] == 30 * 64
    assert found["log"]["filled"] == round(30 * 64 / (1 << 20), 4)
    assert found["connections"] == {"new": 0, "plain": 0, "producer": 1, "session": 1}
    assert found["unaccounted"] == {"messages": 0, "bytes": 0}
    (fed,) = found["consumers"]
    assert (fed["name"], fed["id"], fed["uid"], fed["pid"]) == ("strategy", 2, 1000, 1)
    assert (fed["phase"], fed["breaker"]) == ("session", "closed")
    assert (fed["lag"], fed["lag_bytes"], fed["delivered"], fed["dropped"]) == (10, 640, 20, 0)
    assert fed["lag_seconds"] > 0
    (producer,) = found["producers"]
    assert (producer["last_sequence"], producer["accepted"], producer["rejected"]) == (35, 30, 0)
    totals = found["totals"]
    assert (totals["received"], totals["accepted"], totals["delivered"]) == (30, 30, 20)
    assert totals["by_type"] == {"trade": 30}
    assert totals["by_source"] == {"binance_collector": 30}
    assert totals["disconnects"] == {"fenced": 1}
    assert totals["sequence_gaps"] == 1
    consumer.set_breaker(OPEN)
    (fed,) = of(made)["consumers"]
    assert (fed["breaker"], fed["trips"], fed["lag"], fed["dropped"]) == ("open", 1, 0, 10)
    assert fed["missing"] == 10


def test_the_consumer_that_lags_most_comes_first(made: HandMade) -> None:
    made.connect(0, role=Phase.PRODUCER)
    for slot in (3, 1, 2):
        made.consumer(slot, f"number-{slot}")
        made.publish(0)
    lags = [(row["name"], row["lag"]) for row in of(made)["consumers"]]
    assert lags == [("number-3", 3), ("number-1", 2), ("number-2", 1)]


def test_a_count_that_is_skipped_on_purpose_is_shown(made: HandMade) -> None:
    consumer = traffic(made)
    made.state.skip_count = 3
    made.deliver(consumer)
    assert of(made)["unaccounted"] == {"messages": 1, "bytes": 0}


def test_status_tells_running_draining_stopped_and_dead_apart(made: HandMade) -> None:
    assert (of(made)["state"], of(made)["alive"]) == ("running", True)
    made.say(ready=0)
    assert of(made)["state"] == "starting"
    made.say(draining=1)
    assert of(made)["state"] == "draining"
    made.say(pid=0)
    assert (of(made)["state"], of(made)["alive"]) == ("stopped", False)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(DEADLINE)
    made.say(pid=gone.pid)
    assert (of(made)["state"], of(made)["alive"]) == ("dead", False)


def test_a_relay_whose_loop_does_not_turn_is_told(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    assert of(made)["stalled_seconds"] == 0
    made.say(tick_ns=time.time_ns() - 16 * SECOND)
    assert 16 <= of(made)["stalled_seconds"] < 30
    _, out, _ = shown(capsys, "market_data", f"--runtime-dir={made.folder}")
    assert re.search(r"state=running .* stalled_seconds=1[67]\.", out)
    said = " ".join(line.strip() for line in on_a_terminal(made, 120))
    assert re.search(r"its loop has not turned for 1[67]\.\d s", said)


def test_a_process_that_got_the_pid_of_a_dead_relay_is_not_the_relay(made: HandMade) -> None:
    hour_ago = time.time_ns() - 3600 * SECOND
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        made.say(pid=later.pid, started_ns=hour_ago, tick_ns=hour_ago + 60 * SECOND)
        found = of(made)
        assert (found["state"], found["uptime_seconds"]) == ("dead", 60)
        made.say(started_ns=hour_ago)  # its loop turns: the clock was set, it is the relay
        assert of(made)["state"] == "running"
        later.communicate(b"\n", DEADLINE)


# --- the command ---


def test_json_is_for_programs_and_null_is_a_relay_that_never_ran(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(made)
    code, out, _ = shown(capsys, "--json", "--runtime-dir", str(made.folder))
    found = msgspec.json.decode(out)
    assert code == 0
    assert list(found) == ["market_data", "signals", "execution"]
    assert (found["signals"], found["execution"]) == (None, None)
    expected = of(made)
    for data in (found["market_data"], expected):
        for key in ("uptime_seconds", "consumers"):  # these grow while we look
            del data[key]
    assert found["market_data"] == expected
    code, out, _ = shown(capsys, "market_data", "--json", f"--runtime-dir={made.folder}")
    assert list(msgspec.json.decode(out)) == ["market_data"]


def test_in_a_pipe_it_is_one_line_for_each_thing(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(made)
    made.consumer(2, 'odd "name"=\n')
    code, out, _ = shown(capsys, f"--runtime-dir={made.folder}")
    assert code == 0
    found = out.splitlines()
    first = [" ".join(line.split()[:2]) for line in found]
    assert first == [
        "market_data relay",
        "market_data connections",
        "market_data totals",
        "market_data consumer",
        "market_data consumer",
        "market_data producer",
        "signals relay",
        "execution relay",
    ]
    assert "state=running" in found[0]
    assert "position=30" in found[0]
    assert "unaccounted_messages=0" in found[0]
    assert "name=strategy" in found[3]
    assert " lag=10 " in found[3]
    assert r'name="odd \"name\"=\n"' in found[4]
    assert found[-1] == "execution relay state=never_run"
    assert f"memory={files('market_data', str(made.folder)).state}" in found[0]
    assert " sequence_gaps=1 " in found[2]
    assert "dropped_reasons" not in found[2]


def test_what_an_open_breaker_costs_is_shown_once_with_its_reason(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(made).set_breaker(OPEN)
    found = shown(capsys, f"--runtime-dir={made.folder}")[1].splitlines()
    assert " dropped=10 " in found[2]
    assert found[2].endswith(" dropped_reasons=too_slow:10")
    assert found[3].endswith(" dropped=10 missing=10")


def on_a_terminal(made: HandMade, columns: int) -> list[str]:
    """The lines of the command's output on a terminal that wide."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.Popen(
            [*COMMAND, f"--runtime-dir={made.folder}"],
            stdout=theirs,
            env=os.environ | {"TERM": "dumb", "COLUMNS": str(columns)},
        )
        os.close(theirs)
        out = b""
        try:
            while chunk := terminal.read(4096):
                out += chunk
        except OSError:
            pass  # the other end of a terminal is closed: that is how it ends
        assert done.wait(DEADLINE) == 0
    return out.decode().splitlines()


def test_the_journal_is_a_line_and_a_disk_that_fails_it_is_said(made: HandMade) -> None:
    journal_set(made.state, on=1, failing=errno.EIO, failures=3)
    made.say(accepting=0)
    out = on_a_terminal(made, 120)
    said = " ".join(line.strip() for line in out)
    assert "NOT ACCEPTING, JOURNAL FAILS: Input/output error" in said
    assert "journal: position 0, synced position 0" in said
    assert "sync seconds 0.000, failures 3" in said


def test_no_word_is_broken_at_80_columns(made: HandMade) -> None:
    traffic(made).set_breaker(OPEN)
    made.consumer(2, "verifier-market_data")
    out = on_a_terminal(made, 80)
    assert f"  memory: {files('market_data', str(made.folder)).state}" in out
    header = next(line.split() for line in out if line.lstrip().startswith("name"))
    assert header[:1] + header[-4:] == ["name", "breaker", "delivered", "dropped", "missing"]
    assert any(line.split()[:1] == ["verifier-market_data"] for line in out)
    assert any(line.split()[-3:] == ["20", "10", "10"] for line in out)


def test_what_goes_over_the_edge_is_folded_and_indented(made: HandMade) -> None:
    traffic(made).set_breaker(OPEN)
    made.publish(0, 3_000)
    made.say(damaged=1)
    out = on_a_terminal(made, 80)
    assert max(map(len, out)) <= 80
    of_this = out[: next(n for n, line in enumerate(out) if line.strip() == "consumers")]
    assert [line.split(":")[0] for line in of_this if line[:1] != " "] == ["market_data"]
    for part in ("log 18% of 1 MiB", "DAMAGED state, log or journal", "dropped 3,010", "trips 0"):
        assert sum(part in line for line in of_this) == 1, out
    assert "  reasons of dropped: too slow 3,010" in of_this


def test_on_a_terminal_it_is_tables(made: HandMade) -> None:
    traffic(made)
    made.say(damaged=1)
    out = "\n".join(on_a_terminal(made, 120))
    assert "market_data: running, pid" in out
    assert "DAMAGED" in out
    assert "strategy" in out
    assert "signals: has never run here" in out


def test_where_nothing_ever_ran_it_exits_69_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["signals"], ["--json"]):
        code, out, error = shown(capsys, *arguments, f"--runtime-dir={tmp_path}")
        assert (code, out) == (os.EX_UNAVAILABLE, "")
        assert error.count("\n") == 1
        assert str(tmp_path) in error


def as_user(uid: int, groups: list[int], *words: str) -> tuple[int, str]:
    """Exit code and all that a command says, run by another user. Forked, because the interpreter
    of a checkout in /root is not theirs to start."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
            main([*words])
        except SystemExit as ended:
            code = int(ended.code or 0)
            sys.__stdout__.flush()  # type: ignore[union-attr]
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading) as said:
        text = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes other users")
def test_a_state_is_for_the_relays_own_user_and_group(capfd: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory() as name, capfd.disabled():
        place = Path(name)
        place.chmod(0o755)
        relay = RelayProcess("signals", place)
        try:
            relay.start()
            for words in (("status", "signals"), ("why", "x", "signals"), ("status", "--json")):
                where = [*words, f"--runtime-dir={place}"]
                code, said = as_user(NOBODY, [], *where)
                assert (code, said.count("\n")) == (os.EX_NOPERM, 1)
                assert "may be read by the relay's own user and group only" in said
            assert (
                as_user(NOBODY, [0], "status", "signals", f"--runtime-dir={place}")[0] == os.EX_OK
            )
        finally:
            relay.clean()


def test_a_relay_that_never_ran_is_a_line(made: HandMade) -> None:
    assert list(lines({"signals": None})) == ["signals relay state=never_run"]


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert "relays status execution" in shown(capsys, "--help")[1].split("Example")[1]


# --- a real relay ---


def asked(relay: RelayProcess) -> dict[str, Any]:
    done = subprocess.run(
        [*COMMAND, relay.domain, "--json", f"--runtime-dir={relay.folder}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    data: dict[str, Any] = json.loads(done.stdout)[relay.domain]
    return data


def test_status_of_a_relay_that_runs_dies_or_stops(start: Callable[..., RelayProcess]) -> None:
    relay = start("signals")
    with relay.client() as consumer, relay.client() as producer:
        consumer.hello(1)
        producer.send(*(frame(n, 20, bytes(64)) for n in range(1, 11)))
        consumer.data(10)
        found = asked(relay)
        assert (found["state"], found["pid"]) == ("running", relay.pid)
        assert found["log"]["end_position"] == found["totals"]["accepted"] == 10
        assert len(found["consumers"]) == len(found["producers"]) == 1
        assert found["uptime_seconds"] > 0
        relay.kill()
    found = asked(relay)
    assert (found["state"], found["alive"]) == ("dead", False)
    assert found["log"]["end_position"] == 10
    assert found["unaccounted"] == {"messages": 0, "bytes": 0}
    relay.start()
    assert asked(relay)["adoptions"] == 1
    assert relay.stop() == 0
    assert asked(relay)["state"] == "stopped"


def test_sigusr1_writes_the_same_to_the_log(start: Callable[..., RelayProcess]) -> None:
    relay = start("signals")
    relay.signal(signal.SIGUSR1)
    logged = re.compile(r".* json=.*\n")
    line = eventually(lambda: logged.search(relay.log()), "the status is in the log, whole")
    assert line is not None
    found = json.loads(json.loads(line[0].partition("json=")[2]))
    assert found["domain"] == "signals"
    assert set(found) == set(asked(relay))
