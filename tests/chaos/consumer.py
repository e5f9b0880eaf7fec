"""One consumer as a process: `python -m tests.chaos.consumer '{"path": ..., "name": ...}'`.

Writes down everything it gets until SIGTERM. Killed and started again, it goes on where its
notebook ends. A message that is not the one its header says is written down as a fault.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from protocol.control import Gap, GapReason
from relays.client import Consumer, NotListening
from relays.client.delivery import Received
from tests.chaos.load import whose
from tests.chaos.notebook import GAP, LOG, MESSAGE, NEXT, Entry, Seen

BACKOFF = (0.01, 0.1)
WAIT = 0.1
AWAKE = 1.0  # seconds of reading between two pauses: a breaker is armed by then, or closed again


def main(told: dict[str, Any]) -> None:
    """See the module's docstring."""
    over: list[int] = []  # not an Event: its lock may be held by whom the signal interrupts
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    signal.signal(signal.SIGUSR1, lambda *_: told.update(pause=0))  # a slow one is to hurry now
    notebook = Seen(Path(told["notebook"]))
    while not over:
        try:
            consumer = attach(told, notebook)
        except NotListening:
            time.sleep(0.01)
            continue
        with consumer:
            missed(consumer, notebook)
            read(consumer, told, notebook, over)


def attach(told: dict[str, Any], notebook: Seen) -> Consumer:
    """A consumer that goes on where the notebook ends, at the oldest message if it is empty."""
    begin = notebook.next()
    at: dict[str, Any] = {"start": "oldest"} if begin is None else {
        "start": begin[0], "log_id": begin[1]
    }  # fmt: skip
    return Consumer(
        told["path"], name=told["name"], replayed="deliver", on_gap="item", backoff=BACKOFF,
        on_lag=told["on_lag"], heartbeat_ms=told["heartbeat_ms"], connect_timeout=60.0, **at,
    )  # fmt: skip


def missed(consumer: Consumer, notebook: Seen) -> None:
    """Who comes when the oldest messages are gone has missed them. Of what is damaged behind them a
    Gap tells him."""
    assert consumer.welcome is not None
    oldest = consumer.welcome.oldest_position
    if notebook.next() is None and oldest:
        gone = Entry(GAP, 0, oldest - 1, GapReason.TOO_OLD)
        notebook.note([gone, Entry(NEXT, oldest, consumer.log_id, 0)])


def read(consumer: Consumer, told: dict[str, Any], notebook: Seen, over: list[int]) -> None:
    log_id, until = 0, time.monotonic() + AWAKE
    while not over:
        got = consumer.read(WAIT)
        entries = []
        for one in got:
            if one.log_id not in (0, log_id):
                log_id = one.log_id
                entries.append(Entry(LOG, log_id, 0, 0))
            entries.append(entry(one))
        if got:
            notebook.note([*entries, Entry(NEXT, consumer.position, consumer.log_id, 0)])
        if time.monotonic() > until:
            time.sleep(told["pause"])
            until = time.monotonic() + AWAKE


def entry(one: Received) -> Entry:
    if isinstance(one.message, Gap):
        gap = one.message
        return Entry(GAP, gap.first_position, gap.last_position, gap.reason)
    producer, number = whose(one.message)
    assert one.position is not None
    assert one.header.sequence == number, f"position {one.position}: not the message it says it is"
    return Entry(MESSAGE, one.position, producer, number)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
