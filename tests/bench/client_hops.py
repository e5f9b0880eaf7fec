"""One of the two programs of a round trip: `ping` asks and waits for the answer, `echo` answers.

    python -m tests.bench.client_hops ping|echo --peer NAME --address ADDRESS
        --count N --warmup N --timeout SECONDS

Started by client_trips, both at once; what carries question and answer is in client_peers. Ping
asks the next one when it has the answer, and prints what the trips took as one JSON object; echo
answers until it is ended.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from typing import Any

from .client_peers import ASYNCIO, BLOCKING, AsyncioEnd, BlockingEnd

HELLO = 0.02
# Question 0 is asked until somebody answers: who listens is not known to who sends.
GREETING = 0
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}


class Wrong(Exception):
    """An answer to something else."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("ping", "echo"))
    parser.add_argument("--peer", choices=(*BLOCKING, *ASYNCIO), required=True)
    parser.add_argument("--address", required=True)
    for name in ("count", "warmup", "timeout"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


def _blocking(given: argparse.Namespace) -> list[int]:
    with BLOCKING[given.peer](given.address, given.role == "ping") as end:
        if given.role == "ping":
            return _ping(end, given.warmup, given.count)
        while True:
            end.send(end.receive())


def _ping(end: BlockingEnd, warmup: int, count: int) -> list[int]:
    end.send(GREETING)
    while not end.arrives(HELLO):
        end.send(GREETING)
    taken, clock = [], time.perf_counter_ns
    for number in range(1, warmup + count + 1):
        begin = clock()
        end.send(number)
        answer = end.receive()
        while answer == GREETING and number <= warmup:
            answer = end.receive()
        taken.append(clock() - begin)
        _check(answer, number)
    return taken[warmup:]


async def _awaited(given: argparse.Namespace) -> list[int]:
    async with ASYNCIO[given.peer](given.address, given.role == "ping") as end:
        if given.role == "ping":
            return await _ping_awaited(end, given.warmup, given.count)
        while True:
            await end.send(await end.receive())


async def _ping_awaited(end: AsyncioEnd, warmup: int, count: int) -> list[int]:
    first = asyncio.ensure_future(end.receive())
    while not first.done():
        await end.send(GREETING)
        await asyncio.wait([first], timeout=HELLO)
    taken, clock = [], time.perf_counter_ns
    for number in range(1, warmup + count + 1):
        begin = clock()
        await end.send(number)
        answer = await end.receive()
        while answer == GREETING and number <= warmup:
            answer = await end.receive()
        taken.append(clock() - begin)
        _check(answer, number)
    return taken[warmup:]


def _check(answer: int, number: int) -> None:
    if answer != number:
        raise Wrong(f"the answer to question {number} is that to {answer}")


def report(taken: list[int]) -> dict[str, Any]:
    """Percentiles in ns, as native/consumer.c has them."""
    ordered = sorted(taken)
    at = {
        name: min(int(len(ordered) * part), len(ordered) - 1) for name, part in PERCENTILES.items()
    }
    return {"count": len(ordered), **{name: ordered[index] for name, index in at.items()}}


def main() -> int:
    """Makes the trips and reports them; 1 when an answer is wrong."""
    given = _arguments()
    signal.alarm(given.timeout)
    try:
        taken = _blocking(given) if given.peer in BLOCKING else asyncio.run(_awaited(given))
    except Wrong as error:
        print(f"{given.peer}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report(taken)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
