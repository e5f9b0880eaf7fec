"""`bench scale`: a thousand sessions that say nothing but heartbeats, and the memory of a relay.

Called by scale_suite. The relay says a heartbeat to each idle session each second; these say
nothing, as relays.client, or answer each. Memory is the daemon's part of what it shares (PSS): a
log mapped twice counts once, and what the kernel keeps for sockets is not in it.
"""

import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from protocol.control import Heartbeat, Hello, Role

from . import servers
from .bars import Judged
from .capacity import memory
from .children import Child, RunFailed, wait_for
from .runs import Load, driving, workspace
from .scale_cpu import LIMITS
from .scale_frames import trades
from .scale_rows import Result
from .scale_runs import (
    CONNECTED,
    LEAVE,
    PATIENCE,
    Board,
    Flow,
    Group,
    many,
    measure,
    settled,
)
from .servers import Server
from .statistic import Interval, median_interval

SESSIONS, BEATS_A_SECOND = 1000, 1
PERCENT_BAR, KIB_BAR, MIB_BAR = 2, 8, 40
LOG_BYTES = 128 << 20
# Sessions' first and last second: a beat more or less.
SETTLING = 2
# Of what a stopped consumer does not read the kernel keeps little, so that thousands may stop.
SMALL = "send_buffer=65536"
FRAME, MARGIN = 64, 1.2


def idle(load: Load, rounds: int, seconds: float, progress: Callable[[str], None],
         sessions: int = SESSIONS) -> Result:  # fmt: skip
    """Measures a relay without consumers and with idle sessions, `rounds` times so many seconds."""
    name, title = "idle-sessions", f"{sessions:,} idle sessions, a heartbeat to each each second"
    taken: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for turn, answered in product(range(rounds), taken):
        progress(f"scale: {title}: round {turn + 1} of {rounds}")
        with ExitStack() as stack:
            folder = stack.enter_context(workspace())
            server = stack.enter_context(servers.relay(folder, load.pins.server, LIMITS))
            # So that no page of the log is taken for a session's.
            measure(server, _once_round(load, trades(folder / "trades")))
            taken[answered].append(_hold(server, load, sessions, seconds, answered))
    cores = {way: [each["cpu_ns"] / each["seconds"] / 1e9 for each in taken[way]] for way in taken}
    bytes_each = [(each["bytes_with"] - each["bytes_without"]) / sessions
                  for each in taken[False]]  # fmt: skip
    what = f"{sessions:,} idle sessions: "
    return Result(
        name, title,
        (
            Judged(f"{what}% of a core", "", _percent(cores[False]), PERCENT_BAR, False),
            Judged(f"{what}each answered, %", "", _percent(cores[True]), PERCENT_BAR, False),
            Judged(f"{what}KiB each", "",
                   median_interval([each / 1024 for each in bytes_each]), KIB_BAR, False),
        ),
        figures={
            "relay": {"core": cores[False], "bytes_each": bytes_each},
            "relay, answered": {"core": cores[True]},
            "the other end, in C": {"core": [_core(each["sessions"]) for each in taken[True]]},
        },
        samples={"relay": taken[False], "relay, answered": taken[True]},
    )  # fmt: skip


def _percent(cores: Sequence[float]) -> Interval:
    return median_interval([each * 100 for each in cores])


def _hold(
    server: Server, load: Load, sessions: int, seconds: float, answered: bool
) -> dict[str, Any]:
    settled(server)
    without = memory(server.child)
    with workspace() as folder, driving(server) as children:
        board = Board(folder / "board")
        beat = folder / "heartbeat"
        beat.write_bytes(Heartbeat().frame())
        held = seconds + SETTLING + 1
        options = [*board.option, *(("--heartbeat", str(beat)) if answered else ()),
                   *("--hold-ms", str(round(held * 1000))), "--timeout", str(round(held) + 30),
                   *("--stay", "1")]  # fmt: skip
        group = Group(sessions, greeting=Hello(Role.CONSUME, heartbeat_ms=1000).frame())
        children.append(many(server, group, 0, 0, folder, load.pins.consumers, options))
        board.wait_for(CONNECTED, 1, children, PATIENCE)
        _sleep_beside(children, SETTLING)
        begun = server.child.cpu_ns()
        _sleep_beside(children, seconds)
        cpu, used = server.child.cpu_ns() - begun, memory(server.child)
        board.set(LEAVE, 1)
        wait_for(children, PATIENCE)
        said = json.loads(children[0].output())
    server.check()
    least = int(seconds) * sessions * BEATS_A_SECOND
    if said["heartbeats"] < least or said["beats"] < least * answered or said["bytes"] == 0:
        raise RunFailed(f"expected {least} heartbeats at least: {said}")
    return {"cpu_ns": cpu, "seconds": seconds, "bytes_without": without, "bytes_with": used,
            "sessions": said}  # fmt: skip


def _core(sessions: dict[str, Any]) -> float:
    """Of native/many.c, which does the same the other way round: a wake-up, recv and send for each
    heartbeat, and nothing with what is in it."""
    return float(sessions["cpu_ns"] / (sessions["last_ns"] - sessions["first_ns"]))


def _sleep_beside(children: Sequence[Child], seconds: float) -> None:
    """Sleeps, unless a driver ends meanwhile: that fails the run."""
    for child in children:
        if child.ends_within(seconds):
            raise RunFailed(child.complaint())


def full(load: Load, rounds: int, progress: Callable[[str], None],
         consumers: Sequence[int] = (0, 64, 1000)) -> Result:  # fmt: skip
    """Measures a relay's memory when every page of its log has been used: with so many consumers,
    and with the most of them a whole log behind."""
    name, title = "memory", "memory of a market_data relay, beyond its log"
    taken: dict[str, list[float]] = {}
    for turn in range(rounds):
        progress(f"scale: {title}: round {turn + 1} of {rounds}")
        with ExitStack() as stack:
            folder = stack.enter_context(workspace())
            settings = (*LIMITS, SMALL)
            server = stack.enter_context(servers.relay(folder, load.pins.server, settings))
            flow = _once_round(load, trades(folder / "trades"))
            measure(server, flow)
            for number in consumers:
                what = f"{number:,} consumers"
                taken.setdefault(what, []).append(_beside(server, load, number, None, folder))
            what = f"{max(consumers):,} consumers a log behind"
            used = _beside(server, load, max(consumers), flow, folder)
            taken.setdefault(what, []).append(used)
    beyond = {what: [used - LOG_BYTES for used in each] for what, each in taken.items()}
    return Result(
        name, title,
        [
            Judged(f"MiB beyond the log: {what}", "",
                   median_interval([used / 2**20 for used in each]), MIB_BAR, False)
            for what, each in beyond.items()
        ],
        figures={what: {"bytes": each} for what, each in beyond.items()},
        samples={"pss": taken, "log_bytes": LOG_BYTES},
    )  # fmt: skip


def _once_round(load: Load, frames: Path) -> Flow:
    """More than a log has room for, to one consumer."""
    count = round(LOG_BYTES * MARGIN / FRAME)
    return Flow(frames, count, (Group(1),), window=load.window, block=load.block, pins=load.pins,
                producer_buffer=load.producer_buffer)  # fmt: skip


def _beside(server: Server, load: Load, consumers: int, flow: Flow | None, root: Path) -> float:
    """PSS with so many consumers connected. Given a flow they are stopped, and it goes by."""
    if not consumers:
        return memory(server.child)
    with workspace() as folder, driving(server) as children:
        board = Board(folder / "board")
        options = [*board.option, "--timeout", "120", "--hold-ms", "100000"]
        children.append(many(server, Group(consumers), 0, 0, folder, load.pins.consumers, options))
        board.wait_for(CONNECTED, 1, children, PATIENCE)
        settled(server)
        if flow is not None:
            os.kill(children[0].pid, signal.SIGSTOP)
            try:
                measure(server, replace(flow, frames=root / "trades"))
                return memory(server.child)
            finally:
                os.kill(children[0].pid, signal.SIGCONT)
        return memory(server.child)
