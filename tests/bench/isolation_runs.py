"""One run beside consumers that are not timed, and what the relay says became of them.

Called by isolation for each sample. Those beside are connections of a few processes
(native/many.c), which may stop when the warm-up has been read and go on when the others have
everything. A run counts, or raises RunFailed: those that are timed must have had every frame, and
of each frame that one of the others did not have it must have been told, and the relay must say so.
"""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from protocol.control import Hello, OnLag, Role
from protocol.reject import Reject
from relays.edge.memory import open_state
from relays.edge.status import look
from relays.errors import RelayError

from . import runs, scale_runs
from .children import Child, RunFailed, wait_for
from .runs import Load, Sample, driving, workspace
from .scale_runs import Group
from .servers import READY_SECONDS, Server

# Within which those that were stopped have learned what they lost: a session after a second.
GOES_ON_SECONDS = 30
ADDS_UP_SECONDS = 5.0
SESSION = bytes(Hello(Role.CONSUME, on_lag=OnLag.GAP).frame(source=100))


@dataclass(frozen=True)
class Run:
    """What those that are timed measured, what became of the others, and who watched."""

    timed: Sample
    beside: list[dict[str, Any]]
    watchers: dict[str, Any]


def measure(server: Server, load: Load, groups: Sequence[Group] = (), stopped: bool = False) -> Run:
    """Sends `load` through the relay once, with these groups beside, `stopped` or reading."""
    load = replace(load, beside=len(groups), stopped=len(groups) if stopped else 0)
    told, cpu_ns = _told(server), server.child.cpu_ns()
    with workspace() as folder:
        timed = runs.start(server, load, folder)
        shared = [
            *("--board", str(folder / "board")),
            *("--timeout", str(load.seconds + GOES_ON_SECONDS)),
            *("--after", str(load.consumers)),
            *("--stop-after", str(load.warmup if stopped else 0)),
        ]
        sent, pins = load.warmup + load.count, load.pins.consumers
        others = [
            scale_runs.many(server, group, load.consumers + k, sent, folder, pins, shared)
            for k, group in enumerate(groups)
        ]
        with driving(server) as children:
            children += [*timed, *others]
            wait_for(timed if stopped else children, load.seconds + 5)
            cpu_ns = server.child.cpu_ns() - cpu_ns
            if stopped:
                _go_on(others)
        *consumers, producer = [json.loads(child.output()) for child in timed]
        beside = [json.loads(child.output()) for child in others]
    server.check()
    _compare(server, told, load, beside)
    return Run(runs.made(load, cpu_ns, producer, consumers), beside, {})


def wait_until_ready(server: Server) -> None:
    """It accepts before its state can be looked at."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        server.check()
        with suppress(RelayError):
            if open_state("market_data", str(server.folder)).read_status()["ready"]:
                return
        if time.monotonic() > deadline:
            raise RunFailed(f"{server.name} is not ready after {READY_SECONDS:.0f} s")
        time.sleep(0.01)


def _go_on(children: Sequence[Child]) -> None:
    """Continues all, when each has stopped itself: on a busy machine that may take a while."""
    deadline = time.monotonic() + GOES_ON_SECONDS
    while not all(child.exit_code() is not None or child.halted() for child in children):
        if time.monotonic() > deadline:
            raise RunFailed(f"not stopped after {GOES_ON_SECONDS} s")
        time.sleep(0.001)
    for child in children:
        child.go_on()
    wait_for(children, GOES_ON_SECONDS)


def _told(server: Server) -> dict[str, int]:
    """What the relay's state says of everybody it has had so far."""
    seen = look(open_state("market_data", str(server.folder)))
    return {
        "delivered": seen.books.delivered,
        "dropped": sum(seen.books.dropped.values()),
        "trips": int(seen.counters["trips"]),
        "closed": int(seen.counters["disconnects"][Reject.SLOW_CONSUMER]),
        "unaccounted": seen.books.unaccounted_messages,
    }


def _compare(
    server: Server, before: dict[str, int], load: Load, beside: Sequence[dict[str, Any]]
) -> None:
    """The relay's counts must be those of the consumers, every frame that was not had among the
    dropped. It makes them just after a send: they may be a moment late."""
    sent = load.warmup + load.count
    had, closed, gapped, connections = (
        sum(int(group[name]) for group in beside)
        for name in ("had", "closed", "gapped", "connections")
    )
    wanted = {
        "delivered": before["delivered"] + sent * load.consumers + had,
        "dropped": before["dropped"] + sent * connections - had,
        "trips": before["trips"] + closed + gapped,
        "closed": before["closed"] + closed,
        "unaccounted": 0,
    }
    deadline = time.monotonic() + ADDS_UP_SECONDS
    while (found := _told(server)) != wanted:
        if time.monotonic() > deadline:
            raise RunFailed(f"the relay counted {found}, its consumers {wanted}")
        time.sleep(0.01)
