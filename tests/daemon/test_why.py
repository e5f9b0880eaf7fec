"""`relays why`: what it tells of a consumer that lags, was cut off, is gone, or never was."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from protocol._core import decisions as ring
from protocol._core.places import layout
from protocol.control import GapReason
from protocol.reject import Reject
from relays.cli import main
from relays.cli.looking.sentences import sentence, style
from relays.cli.why import told
from relays.core.decisions import Kind
from relays.core.peer import Phase
from relays.edge.history import decisions, history
from relays.edge.memory import files, open_state
from tests.daemon.handmade import HandMade, traffic
from tests.harness import RelayProcess, eventually, frame

DEADLINE = 60
SECOND = 1_000_000_000
COMMAND = [sys.executable, "-m", "relays.cli", "why"]
SLOW = b"\x01\x04slow"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path)
    yield state
    state.remove()


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(["why", *arguments])
    assert isinstance(caught.value.code, int)
    said = capsys.readouterr()
    return caught.value.code, said.out, said.err


def life(made: HandMade, name: str = "strategy", number: int = 2, pid: int = 1) -> None:
    """One of everything that can happen to a consumer, as the relay keeps it."""
    now = time.time_ns()
    who = {"connection": number, "uid": 1000, "pid": pid, "role": Phase.SESSION, "end": 9000}
    happened: dict[Kind, dict[str, object]] = {
        Kind.JOINED: {"first": 100, "text": "consumes; types: 2; on_lag gap"},
        Kind.LAGGED: {"depth": 4000, "position": 5000},
        Kind.CAUGHT_UP: {},
        Kind.BREAKER_OPENED: {"depth": 8000, "position": 1000, "wait_ns": SECOND, "count": 1},
        Kind.GAP: {"reason": GapReason.TOO_SLOW, "first": 1000, "last": 8999, "count": 8000},
        Kind.BREAKER_CLOSED: {},
        Kind.REJECTED: {"reason": Reject.BAD_HELLO, "first": 7, "last": 9, "count": 3},
        Kind.CLOSED: {"reason": Reject.SLOW_CONSUMER, "text": "8000 messages behind", "depth": 5},
        Kind.ENDED: {"reason": Reject.SLOW_CONSUMER, "delivered": 1000, "dropped": 8000},
    }
    for kind, words in happened.items():
        given: dict[str, object] = {**who, "relay": os.getpid(), "kind": kind, **words}
        ring.note(made.state, now, name=name, **given)  # type: ignore[arg-type]
        now += SECOND


SAID = [
    "joined as a session (consumes, types: 2, on_lag gap) from position 100, log at 9,000",
    "lagged: 4,000 messages behind, at position 5,000",
    "caught up",
    "breaker opened at position 1,000: 8,000 messages behind; tried again after 1 s",
    "gap: lost 8,000 messages, positions 1,000 to 8,999: too_slow",
    "breaker closed",
    "rejected 3 frames, sequence 7 to 9: bad_hello",
    "closed by the relay: slow_consumer, 8000 messages behind",
    "ended (slow_consumer): delivered 1,000, dropped 8,000, filtered 0, undelivered 0",
]


# --- sentences ---


def test_each_decision_is_one_sentence(made: HandMade) -> None:
    life(made)
    assert [sentence(row) for row in decisions(made.state)] == SAID


def test_what_came_again_says_how_often_and_for_how_long(made: HandMade) -> None:
    number = ring.note(made.state, SECOND, kind=Kind.LAGGED, depth=5, position=1)
    ring.again(made.state, number, 2 * SECOND, depth=9, position=2)
    (row,) = decisions(made.state)
    assert sentence(row) == "lagged: 9 messages behind, at position 2 (2 times in 1 s)"


def test_positions_of_another_log_are_not_counted(made: HandMade) -> None:
    ring.note(made.state, 1, kind=Kind.GAP, reason=GapReason.LOG_REPLACED, first=7, last=7)
    (row,) = decisions(made.state)
    assert row["lost"] is None
    assert sentence(row) == "gap: log_replaced, asked for position 7 of another log"


def test_of_one_that_only_produced_no_deliveries_are_told(made: HandMade) -> None:
    ring.note(made.state, 1, kind=Kind.ENDED, role=Phase.PRODUCER)
    (row,) = decisions(made.state)
    assert sentence(row) == "ended (peer_closed)"


def test_a_kind_that_is_not_known_yet_is_told_by_its_number(made: HandMade) -> None:
    ring.note(made.state, 1, kind=77)
    (row,) = decisions(made.state)
    assert sentence(row) == "kind 77"


def test_nothing_a_peer_chose_reaches_the_terminal_as_it_is(made: HandMade) -> None:
    ring.note(made.state, 1, kind=Kind.CLOSED, reason=11, text="\x1b[2J", name="a\x1b]0;b")
    ring.note(made.state, 1, kind=Kind.JOINED, role=3, connection=1, text="\x1b[31m", pid=1)
    place = str(made.folder)
    where = files(made.domain, place).state
    found = {made.domain: history(made.domain, open_state(made.domain, place), where, "1")}
    text = "\n".join(line.plain for _, line in told(found))
    assert text.count("joined") == 1
    assert all(sentence(row).isprintable() for row in decisions(made.state))
    assert "\x1b" not in text


def test_trouble_is_told_by_more_than_its_colour() -> None:
    assert "bold" in style({"event": "gap"})
    assert style({"event": "joined"}) == ""


def test_a_relay_that_died_while_it_wrote_one_is_read_all_the_same(made: HandMade) -> None:
    life(made)
    geometry = made.state.read_geometry()
    sizes = geometry["log_bytes"], geometry["connections"], geometry["producers"]
    at = layout(*sizes, bool(geometry["windows"]))["decisions"]
    memoryview(made.state.memory)[at] |= 1
    found = decisions(open_state(made.domain, str(made.folder)))
    assert [sentence(row) for row in found] == SAID


# --- who is meant ---


@pytest.mark.parametrize("text", ["strategy", "2", "#2", "4711", "pid=4711"])
def test_a_consumer_is_found_by_name_number_and_process(
    made: HandMade, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    life(made, number=2, pid=4711)
    life(made, "other", number=3, pid=12)
    code, out, _ = shown(capsys, text, f"--runtime-dir={made.folder}")
    assert code == 0
    assert out.count("market_data why ") == len(SAID)
    assert "other" not in out


def test_one_that_nothing_is_known_of_is_one_sentence_with_those_that_are(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    life(made)
    code, out, error = shown(capsys, "strateg", f"--runtime-dir={made.folder}")
    assert (code, out) == (os.EX_UNAVAILABLE, "")
    assert error.startswith("relays: nothing is known of strateg; known are strategy (kept: ")
    assert error.count("\n") == 1


def test_where_nothing_ever_ran_it_exits_69(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = shown(capsys, "anybody", f"--runtime-dir={tmp_path}")
    assert code == os.EX_UNAVAILABLE
    assert "(start one: relays run market_data)" in error
    assert str(tmp_path) in error


def test_one_of_whom_no_decision_is_kept_is_told_by_what_it_is_now(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(made)
    code, out, _ = shown(capsys, "strategy", "market_data", f"--runtime-dir={made.folder}")
    assert code == 0
    (line,) = out.splitlines()
    assert line.startswith("market_data now alive=yes id=2 uid=1000 pid=1 name=strategy ")
    assert " lag=10 " in line


# --- what is shown ---


def test_in_a_pipe_each_decision_is_a_line_of_words(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    life(made)
    out = shown(capsys, "strategy", f"--runtime-dir={made.folder}")[1]
    assert "\x1b" not in out
    events = [line.split(" event=")[1].split()[0] for line in out.splitlines()]
    assert events == [
        "joined", "lagged", "caught_up", "breaker_opened", "gap", "breaker_closed", "rejected",
        "closed", "ended",
    ]  # fmt: skip
    gap = out.splitlines()[4]
    assert " first=1000 last=8999 lost=8000" in gap
    assert " reason=too_slow " in gap


def test_json_has_every_connection_with_its_decisions(
    made: HandMade, capsys: pytest.CaptureFixture[str]
) -> None:
    life(made)
    life(made, number=9)
    out = shown(capsys, "strategy", "--json", f"--runtime-dir={made.folder}")[1]
    (data,) = msgspec.json.decode(out).values()
    assert [one["id"] for one in data["connections"]] == [2, 9]
    assert data["kept"] == {"decisions": 18, "overwritten": 0} | {
        "since_ns": data["connections"][0]["decisions"][0]["at_ns"]
    }
    gap = data["connections"][1]["decisions"][4]
    assert (gap["event"], gap["first"], gap["lost"]) == ("gap", 1000, 8000)


def test_how_many_older_ones_gave_way_is_said(made: HandMade) -> None:
    for _ in range(456):
        life(made)
    place = str(made.folder)
    where = files(made.domain, place).state
    found = history(made.domain, open_state(made.domain, place), where, "strategy")
    assert found["kept"]["decisions"] == ring.CAPACITY
    assert found["kept"]["overwritten"] == 456 * 9 - ring.CAPACITY
    assert "8 older gave way" in list(told({made.domain: found}))[-1][1].plain


def test_on_a_terminal_it_is_coloured_sentences_under_a_heading(made: HandMade) -> None:
    life(made)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.Popen(
            [*COMMAND, "strategy", f"--runtime-dir={made.folder}"],
            stdout=theirs,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"},
        )
        os.close(theirs)
        out = b""
        try:
            while chunk := terminal.read(4096):
                out += chunk
        except OSError:
            pass  # the other end of a terminal is closed: that is how it ends
        assert done.wait(DEADLINE) == 0
    text = out.decode()
    assert "market_data: strategy #2 uid=1000 pid=1 (session)" in text
    assert all(said in text for said in SAID)
    assert "\x1b[" in text


def test_the_help_explains_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "--help")[1]
    assert "breaker opened" in out
    assert "relays why pid=4711" in out
    assert max(map(len, out.splitlines())) <= 80


# --- a real relay ---


def test_why_tells_the_life_of_a_slow_consumer_also_after_the_relay_died(
    start: Callable[..., RelayProcess], capsys: pytest.CaptureFixture[str]
) -> None:
    relay = start(
        "market_data", circuit_breaker=1000, max_queue_size=1200, recovery_timeout=0.05,
        send_buffer=4096,
    )  # fmt: skip
    where = f"--runtime-dir={relay.folder}"

    def told_events() -> list[str]:
        out = shown(capsys, "slow", where)[1]
        return [
            line.split(" event=")[1].split()[0] for line in out.splitlines() if " event=" in line
        ]

    with relay.client(receive_buffer=4096) as slow, relay.client() as producer:
        slow.hello(1, tlvs=SLOW)
        producer.send(*(frame(number) for number in range(1, 4001)))
        eventually(lambda: "breaker_opened" in told_events(), "its breaker opens")
        gap = slow.control(107)
        events = told_events()
        assert events[:4] == ["joined", "lagged", "breaker_opened", "gap"]
        out = shown(capsys, "slow", where)[1]
        assert f" first={gap.first_position} last={gap.last_position} lost={gap.count}" in out
        relay.kill()
    assert "now alive=no" in shown(capsys, "slow", where)[1]
    relay.start()
    assert told_events()[-1] == "relay_died"
    assert "now alive" not in shown(capsys, "slow", where)[1]
