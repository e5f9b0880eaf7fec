"""`relays top` on a screen: what stands where, what the keys do, and how it ends.

Once without a terminal, by Textual's own driver, and once in a real one with a real relay.
"""

from __future__ import annotations

import asyncio
import errno
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol._core import decisions as ring
from protocol._core.journal import journal_set
from relays.cli import main
from relays.core.breaker import OPEN
from relays.core.decisions import Kind
from relays.errors import RelayError
from tests.daemon.handmade import HandMade, traffic
from tests.harness import RelayProcess, eventually, frame
from tests.terminal import Terminal

pytest.importorskip("textual")
from relays.cli.looking.top_screen import Detail, Rows, Top
from relays.cli.top import States

DEADLINE = 60
COMMAND = [sys.executable, "-m", "relays.cli", "top"]
SLOW = b"\x01\x04slow"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path)
    yield state
    state.remove()


def top_of(made: HandMade) -> Top:
    """The screen of this relay and of one that never ran; it looks again when a test says so."""
    place = str(made.folder)
    return Top(States({made.domain: place, "execution": place}), 60.0)


def drive(
    app: Top, steps: Callable[[Any], Awaitable[None]], size: tuple[int, int] = (80, 24)
) -> None:
    """Run the app without a terminal, and these steps of a user."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(pilot)

    asyncio.run(asyncio.wait_for(run(), DEADLINE))


def text_of(app: Top) -> list[str]:
    """The lines on the screen, as characters."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]  # fmt: skip


def names(app: Top, table: str = "consumers") -> list[str]:
    """The names in a table, from the top."""
    return [str(row["name"]) for row in app.screen_stack[0].query_one(f"#{table}", Rows).rows_shown]


# --- what is shown ---


def test_80_by_24_shows_relays_consumers_and_producers(made: HandMade) -> None:
    consumer = traffic(made)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        made.publish(0, 10)
        made.deliver(consumer)
        app.look()
        await pilot.pause()
        lines = text_of(app)
        assert lines[0].startswith("relays top, every 60 s  consumers by lag, largest first")
        assert "market_data  running pid" in lines[1]
        assert "position 40" in lines[1]
        assert lines[2].split()[0] == "in"
        assert " p50 " in lines[2]
        assert " p99.9 " in lines[3]
        assert "execution  has never run here" in lines[4]
        (head,) = (line for line in lines if line.startswith("CONSUMER"))
        assert head.split() == [
            "CONSUMER", "relay", "pid", "lag", "age", "breaker", "msg/s", "dropped",
        ]  # fmt: skip
        (row,) = (line for line in lines if line.startswith("strategy"))
        assert row.split()[:3] == ["strategy", "market_data", "1"]
        assert "closed" in row
        (producer,) = (line for line in lines if line.startswith("#1 producer"))
        assert producer.split()[2:5] == ["market_data", "1", "45"]
        assert "quit" in lines[-1]
        assert max(map(len, lines)) <= 80

    drive(app, steps)


def test_an_open_breaker_is_said_in_words_with_what_it_costs(made: HandMade) -> None:
    traffic(made).set_breaker(OPEN)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        (row,) = (line for line in text_of(app) if line.startswith("strategy"))
        assert row.split()[3:] == ["10", "0", "OPEN", "-", "10"]

    drive(app, steps)


def test_an_empty_table_says_what_would_fill_it(made: HandMade) -> None:
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        assert any(line.startswith("no consumer is connected (") for line in text_of(app))
        assert any(line.startswith("no producer is connected (") for line in text_of(app))
        await pilot.press("enter")  # there is nothing to show in detail
        traffic(made)
        app.look()
        await pilot.pause()
        assert names(app) == ["strategy"]
        assert not any(" is connected" in line for line in text_of(app))

    drive(app, steps)


def test_a_dead_relay_and_one_that_cannot_be_read_are_said(made: HandMade) -> None:
    traffic(made)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(DEADLINE)
    made.say(pid=gone.pid, damaged=1)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        assert "market_data  dead pid" in text_of(app)[1]
        assert text_of(app)[1].endswith("DAMAGED")
        memoryview(made.state.memory)[8:16] = bytes(8)
        app.look()
        await pilot.pause()
        assert "not a relay state of format" in " ".join(text_of(app)[1:3])
        assert names(app) == []

    drive(app, steps)


def test_a_disk_that_fails_the_journal_is_said(made: HandMade) -> None:
    journal_set(made.state, on=1, failing=errno.ENOSPC)
    made.say(accepting=0)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        said = " ".join(line.strip() for line in text_of(app)[1:3])
        assert "NOT ACCEPTING JOURNAL FAILS: No space left on device" in said

    drive(app, steps)


def test_a_relay_that_hangs_is_said(made: HandMade) -> None:
    made.say(tick_ns=time.time_ns() - 16 * 10**9)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        assert "its loop has not turned for 16." in " ".join(text_of(app)[1:3])

    drive(app, steps)


def test_a_name_cannot_write_to_the_terminal(made: HandMade) -> None:
    made.consumer(1, "a\x1b[2Jb")
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        assert any(line.startswith("'a\\x1b[2Jb'") for line in text_of(app))
        await pilot.press("enter")
        await pilot.pause()
        assert not any("\x1b" in line for line in text_of(app))

    drive(app, steps)


def test_a_wider_terminal_gives_names_the_room_they_need_and_the_past_more(made: HandMade) -> None:
    made.consumer(1, "a-name-that-is-longer-than-sixteen")
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        assert any(line.startswith("a-name-that-is-… ") for line in text_of(app))
        await pilot.resize_terminal(120, 30)
        await pilot.pause()
        await pilot.pause()
        name = "a-name-that-is-longer-than-sixteen"
        assert any(line.startswith(f"{name} market_data ") for line in text_of(app))

    drive(app, steps)


# --- keys ---


def test_sorting_goes_through_the_columns_and_back_to_front(made: HandMade) -> None:
    made.connect(0)
    for slot, name in ((3, "carol"), (1, "alice"), (2, "bob")):
        made.consumer(slot, name)
        made.publish(0)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        assert names(app) == ["carol", "alice", "bob"]
        await pilot.press("r")
        assert names(app) == ["bob", "alice", "carol"]
        for key in ("age", "breaker", "dropped", "rate", "name"):
            await pilot.press("s")
            await pilot.pause()
            assert f"consumers by {key}," in text_of(app)[0]
        assert names(app) == ["alice", "bob", "carol"]

    drive(app, steps)


def test_the_selected_one_stays_selected_when_the_order_changes(made: HandMade) -> None:
    made.connect(0)
    first, second = made.consumer(1, "first"), made.consumer(2, "second")
    made.publish(0, 5)
    made.deliver(second)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        table = app.query_one("#consumers", Rows)
        assert names(app) == ["first", "second"]
        await pilot.press("down")
        assert table.chosen is not None
        assert table.chosen["name"] == "second"
        made.deliver(first)
        made.publish(0, 5)
        made.deliver(first)
        app.look()
        await pilot.pause()
        assert names(app) == ["second", "first"]
        assert table.chosen["name"] == "second"
        first.leave()
        second.leave()
        app.look()
        await pilot.pause()
        assert names(app) == []
        assert table.chosen is None

    drive(app, steps)


def test_enter_shows_one_in_detail_with_what_happened_to_it(made: HandMade) -> None:
    traffic(made)
    ring.note(
        made.state, 1, kind=Kind.BREAKER_OPENED, relay=os.getpid(), connection=2, depth=800,
        uid=1000, pid=1, position=20, wait_ns=10**9, name="strategy",
    )  # fmt: skip
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Detail)
        text = "\n".join(text_of(app))
        assert "market_data: strategy #2 uid=1000 pid=1 (session)" in text
        assert "breaker opened at position 20: 800 messages behind" in text
        assert "  lag            10" in text
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, Detail)
        await pilot.press("tab", "enter")
        await pilot.pause()
        assert "last sequence  35" in "\n".join(text_of(app))

    drive(app, steps)


def test_one_that_went_while_it_was_looked_at_is_gone(made: HandMade) -> None:
    consumer = traffic(made)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        await pilot.press("enter")
        consumer.leave()
        app.look()
        await pilot.pause()
        assert "nothing is known of it any more" in "\n".join(text_of(app))

    drive(app, steps)


def test_paused_it_reads_nothing(made: HandMade) -> None:
    traffic(made)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        await pilot.press("p")
        made.publish(0, 10)
        app.look()
        await pilot.pause()
        assert "PAUSED" in text_of(app)[0]
        assert "position 30" in text_of(app)[1]
        await pilot.press("p")
        app.look()
        await pilot.pause()
        assert "position 40" in text_of(app)[1]

    drive(app, steps)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
@pytest.mark.parametrize("where", ["tables", "detail"])
def test_it_quits_at_once(made: HandMade, key: str, where: str) -> None:
    traffic(made)
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        if where == "detail":
            await pilot.press("enter")
        await pilot.press(key)

    drive(app, steps)
    assert app.return_code == 0
    assert app.failure is None


def test_what_nobody_foresaw_ends_it_and_is_handed_on(made: HandMade) -> None:
    app = top_of(made)

    async def steps(pilot: Any) -> None:
        def fail() -> Any:
            raise RelayError("no more")

        app.source.read = fail  # type: ignore[method-assign]
        app.look()
        await pilot.pause()

    drive(app, steps)
    assert str(app.failure) == "no more"


# --- the command ---


def test_without_a_terminal_it_is_one_line_and_64(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["top"])
    assert caught.value.code == os.EX_USAGE
    assert capsys.readouterr().err == (
        "relays: relays top needs a terminal; relays status --json is for programs\n"
    )


def test_the_help_names_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["top", "--help"])
    out = capsys.readouterr().out
    assert "q, Ctrl-C" in out
    assert "relays top market_data" in out
    assert max(map(len, out.splitlines())) <= 80


def on_a_pty(made: HandMade, *, without_textual: bool = False) -> tuple[int, str]:
    """Start it on a terminal, send SIGINT once it has drawn; its exit code and what it wrote."""
    program = "import sys\nsys.argv = ['relays', *sys.argv[1:]]\n"
    if without_textual:
        program += "sys.modules['textual'] = None\n"
    program += "from relays.cli import main\nmain()\n"
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        done = subprocess.Popen(
            [sys.executable, "-c", program, "top", f"--runtime-dir={made.folder}"],
            stdin=theirs, stdout=theirs, stderr=theirs,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        )  # fmt: skip
        os.close(theirs)
        out, interrupted = b"", False
        try:
            while chunk := terminal.read(4096):
                out += chunk
                if b"PRODUCER" in out and not interrupted:
                    interrupted = True
                    done.send_signal(signal.SIGINT)
        except OSError:
            pass  # the other end of a terminal is closed: that is how it ends
        code = done.wait(DEADLINE)
    return code, out.decode(errors="replace")


def test_an_interrupt_ends_it_and_restores_the_terminal(made: HandMade) -> None:
    traffic(made)
    code, out = on_a_pty(made)
    assert code == 0
    assert "Traceback" not in out
    assert "\x1b[?1049l" in out  # back from the alternate screen


def test_it_ends_with_its_terminal_also_where_hang_ups_are_ignored(made: HandMade) -> None:
    traffic(made)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        top = subprocess.Popen(
            ["setsid", "--ctty", *COMMAND, f"--runtime-dir={made.folder}"],
            stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm-256color"},
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )  # fmt: skip
        os.close(theirs)
        try:
            out = b""
            while b"PRODUCER" not in out:
                out += terminal.read(4096)
            terminal.close()
            assert top.wait(DEADLINE) == -signal.SIGHUP
        finally:
            top.kill()


def test_where_textual_is_missing_one_line_says_how_to_get_it(made: HandMade) -> None:
    code, out = on_a_pty(made, without_textual=True)
    assert code == os.EX_UNAVAILABLE
    assert out.strip() == (
        "relays: relays top needs Textual, which is not installed: "
        "pip install 'alphapulse-relays[top]'"
    )


# --- a real relay in a real terminal ---


def test_a_slow_consumer_is_seen_and_selected_in_a_terminal(
    start: Callable[..., RelayProcess], tmp_path: Path
) -> None:
    relay = start(
        "market_data", circuit_breaker=1000, max_queue_size=1200, recovery_timeout=30,
        send_buffer=4096,
    )  # fmt: skip
    command = [*COMMAND, "--interval=0.1", f"--runtime-dir={relay.folder}"]
    with (
        relay.client(receive_buffer=4096) as slow,
        relay.client() as producer,
        Terminal(tmp_path, command) as terminal,
    ):
        slow.hello(1, tlvs=SLOW)
        terminal.until("\nslow ")
        producer.send(*(frame(number) for number in range(1, 4001)))
        terminal.until("OPEN", "market_data  running pid", "execution  has never run here")
        eventually(lambda: relay.end() == 4000, "all is accepted")
        terminal.until("position 4,000")
        terminal.press("Enter")
        terminal.until("breaker opened at position", "joined as a session (consumes, on_lag gap)")
        terminal.press("Escape")
        terminal.until("CONSUMER")
        terminal.press("C-c")
        assert "Traceback" not in terminal.until("exit=0")
    assert relay.status()["pid"] == relay.pid


def test_q_ends_it_in_a_terminal(made: HandMade, tmp_path: Path) -> None:
    traffic(made)
    with Terminal(tmp_path, [*COMMAND, f"--runtime-dir={made.folder}"]) as terminal:
        terminal.until("strategy")
        terminal.press("q")
        terminal.until("exit=0")
