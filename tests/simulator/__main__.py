"""The command line of the simulator: `python -m tests.simulator`, called by scripts/simulate.

Exit code 0 when every seed held, 1 when one did not: then its failure, the end of its trace and
the command that replays it are printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulator.mutations import MUTATIONS, mutated
from tests.simulator.run import STEPS, Outcome, simulate

EPILOG = "example: scripts/simulate --seeds 300; scripts/simulate --seed 7 --seeds 1 --trace 60"
PROCESSES = 2
SHOWN = 25


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate", description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=300, help="how many (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument(
        "--steps", type=int, default=STEPS, help=f"things that happen (default {STEPS})"
    )
    parser.add_argument(
        "--mutation", default="", choices=["", *MUTATIONS], metavar="NAME",
        help="run with this deliberate fault in the core: " + ", ".join(MUTATIONS),
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=int, default=PROCESSES, help=f"at once (default {PROCESSES})"
    )
    parser.add_argument("--trace", type=int, default=SHOWN, help="last events shown of a failure")
    return parser.parse_args()


def _one(work: tuple[int, int, str]) -> Outcome:
    seed, steps, mutation = work
    with mutated(mutation):
        return simulate(seed, steps)


def _outcomes(arguments: argparse.Namespace) -> Iterator[Outcome]:
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    work = [(seed, arguments.steps, arguments.mutation) for seed in seeds]
    if arguments.processes < 2 or len(work) < 2:
        yield from map(_one, work)
        return
    with multiprocessing.Pool(arguments.processes) as pool:
        yield from pool.imap(_one, work, chunksize=4)


def replay(outcome: Outcome, mutation: str = "", steps: int = STEPS) -> str:
    """The command that runs this seed again."""
    words = ["scripts/simulate", "--seeds 1", f"--seed {outcome.seed}"]
    words += [f"--steps {steps}"] * (steps != STEPS)
    words += [f'--mutation "{mutation}"'] * bool(mutation)
    return " ".join(words)


def _show(outcome: Outcome, arguments: argparse.Namespace) -> None:
    print(f"seed {outcome.seed}, step {outcome.steps}: {outcome.failure}")
    print(f"  {outcome.about}")
    for line in outcome.last[-arguments.trace :] if arguments.trace else ():
        print(f"  {line}")
    print(f"replay it: {replay(outcome, arguments.mutation, arguments.steps)}")


def main() -> int:
    """Run the seeds; the first that fails is shown, and ends it."""
    arguments = _arguments()
    began, messages, digests = time.monotonic(), 0, 0
    console = Console(stderr=True)
    columns = (TextColumn("seed"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=arguments.seeds)
        for outcome in _outcomes(arguments):
            progress.advance(task)
            messages += outcome.messages
            digests ^= int(outcome.digest, 16)
            if outcome.failure:
                progress.stop()
                _show(outcome, arguments)
                return 1
    seconds = time.monotonic() - began
    print(f"{arguments.seeds} seeds held: {messages} messages in {seconds:.1f} s; {digests:032x}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
