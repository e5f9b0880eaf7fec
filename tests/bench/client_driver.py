"""The Python side of a run of `bench client`: a Producer or a Consumer in a process of its own.

    python -m tests.bench.client_driver WORK --front blocking|asyncio --socket PATH --board FILE
        --warmup N --count N --window N --timeout SECONDS

Started by client_runs with a native program at the other end of the relay; both keep the rules of
native/bench.h (the board, the warm-up, the clock). Prints one JSON object. What is sent and read is
in client_send and client_read.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from . import client_read, client_send
from .client_board import Board, Job

FRONTS = ("blocking", "asyncio")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=(*client_send.WORKS, *client_read.WORKS))
    parser.add_argument("--front", choices=FRONTS, required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--board", type=Path, required=True)
    for name in ("warmup", "count", "window", "timeout"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def _report(given: argparse.Namespace) -> dict[str, Any]:
    job = Job(given.work, given.socket, given.warmup, given.count, given.window, Board(given.board))
    if given.work in client_send.WORKS:
        blocking, awaited = client_send.blocking, client_send.awaited
    else:
        blocking, awaited = client_read.blocking, client_read.awaited
    return blocking(job) if given.front == "blocking" else asyncio.run(awaited(job))


def main() -> int:
    """Does the work and reports it; 1 when what came is not what was sent."""
    given = _arguments()
    signal.alarm(given.timeout)  # as bound_lifetime of native/bench.c
    try:
        print(json.dumps(_report(given)))
    except client_read.Wrong as error:
        print(f"{given.work}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
