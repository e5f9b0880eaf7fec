"""The command line of `scripts/fuzz`: which targets, for how long, with progress."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.fuzz.build import HOME, CannotFuzz, build
from tests.fuzz.session import Finding, Status, fuzz, keep, names, replay

FOUND = 1
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Coverage-guided fuzzing of everything that reads bytes of others, under"
        " AddressSanitizer. Exit code 0 when nothing was found, 1 with the file and the command"
        " that runs it again when something was.",
        epilog="example: scripts/fuzz scan hello --seconds 600",
    )
    made.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(names())}")
    made.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    made.add_argument("--replay", type=Path, metavar="FILE", help="run this one input again")
    made.add_argument(
        "--keep", action="store_true", help="put what was found to reach more into the corpus"
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz, and give the exit code."""
    given = parser().parse_args(argv)
    wanted = given.targets or names()
    unknown = sorted(set(wanted) - set(names()))
    if unknown or (given.replay and len(wanted) != 1):
        wrong = f"no target is called {unknown[0]}" if unknown else "--replay needs one TARGET"
        print(f"scripts/fuzz: {wrong}; there are {', '.join(names())}", file=sys.stderr)
        return os.EX_USAGE
    try:
        build()
        if given.replay:
            return _report(wanted[0], replay(wanted[0], given.replay))
        return max([_fuzz(name, given.seconds, given.keep) for name in wanted])
    except CannotFuzz as error:
        print(f"scripts/fuzz: {error}", file=sys.stderr)
        return os.EX_UNAVAILABLE
    except KeyboardInterrupt:
        return INTERRUPTED


def _fuzz(name: str, seconds: int, kept: bool) -> int:
    work = HOME / "found" / name
    columns = (TextColumn(f"{name:<10}"), BarColumn(), TextColumn("{task.description}"),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=seconds)
        begun = time.monotonic()

        def tell(status: Status) -> None:
            told = f"{status.runs:,} inputs, {status.rate:,}/s, {status.edges:,} edges"
            progress.update(task, completed=time.monotonic() - begun, description=told)

        code = _report(name, fuzz(name, seconds, work, tell))
    if kept and not code:
        print(f"{'':<10} {keep(name, work)} inputs in the corpus", flush=True)
    return code


def _report(name: str, found: Finding | Status) -> int:
    if isinstance(found, Finding):
        print(found, flush=True)
        return FOUND
    print(
        f"{name:<10} nothing found: {found.runs:,} inputs, {found.edges:,} edges reached,"
        f" {found.kept} inputs kept", flush=True,
    )  # fmt: skip
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
