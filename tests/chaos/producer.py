"""One producer as a process: `python -m tests.chaos.producer '{"path": ..., "id": ...}'`.

Sends until SIGTERM, then waits until everything is acknowledged. Killed and started again, it goes
on behind the last message that the relay has.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from pathlib import Path
from typing import Any

from relays.client import NotListening, Producer
from tests.chaos.load import message
from tests.chaos.notebook import Sent

PATIENCE = 60.0
BACKOFF = (0.01, 0.1)


def main(told: dict[str, Any]) -> None:
    """See the module's docstring."""
    over: list[int] = []  # not an Event: its lock may be held by whom the signal interrupts
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    notebook = Sent(Path(told["notebook"]))
    while not over:
        try:
            producer = Producer(
                told["path"], producer_id=told["id"], backoff=BACKOFF, max_age=math.inf,
                name=f"producer-{told['id']}", connect_timeout=PATIENCE,
            )  # fmt: skip
        except NotListening:
            time.sleep(0.01)
            continue
        with producer:
            send(producer, told, notebook, over)
            producer.flush(PATIENCE)
            notebook.note(producer.last_sequence, producer.acked)
        return


def send(producer: Producer, told: dict[str, Any], notebook: Sent, over: list[int]) -> None:
    """A few messages, a pause, and again."""
    while not over:
        for _ in range(told["burst"]):
            number = producer.last_sequence + 1
            # Noted before it is sent: what is not noted was never sent.
            notebook.note(number, producer.acked)
            assert producer.send(message(told["domain"], told["id"], number)) == number
        time.sleep(told["pause"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
