"""The command line of the bench: `python -m tests.bench SUITE`, called by scripts/bench.

Only parses, looks a suite up in suites, runs it and writes what it returns. Exit code 0 when every
run counted, whether or not a bar was met; 1 when one failed.
"""

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import machine, native, report
from .children import RunFailed
from .suite import OPTIONS, Suite, positive
from .suites import SUITES

EVERYTHING = "all"
AGAIN = "report"
EXAMPLES = """\
examples:
  scripts/bench relay --quick --json result.json
  scripts/bench peers --configuration 64 --pairs 30
  scripts/bench all --json result.json --report page
  scripts/bench report result.json --report page
  scripts/bench relay --help       the options of one suite
"""
WIDTH = 150


class _Parser(argparse.ArgumentParser):
    """One that says which option the suite does not take, and which it does."""

    def refuse(self, suite: str, unknown: Sequence[str]) -> NoReturn:
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if not names:
            self.error(f"{suite}: unexpected {unknown[0]!r}")
        taken = ", ".join(sorted(_options(SUITES.get(suite))))
        self.error(f"{suite} does not take {names[0]}; it takes {taken}")


def _options(suite: Suite | None) -> dict[str, dict[str, Any]]:
    """What a suite takes, or what all of them take together, by the name of the option."""
    taken: dict[str, dict[str, Any]] = {
        "--json": {"type": Path, "metavar": "FILE", "help": "write every sample to FILE"},
        "--report": {"type": Path, "metavar": "DIR", "help": "write a page with plots into DIR"},
    }
    if suite is None or suite.sized:
        taken["--quick"] = {"action": "store_true", "help": "fewer and shorter runs"}
        taken["--pairs"] = {"type": positive, "metavar": "N", "help": "pairs or rounds of runs"}
    if suite is None:
        return taken
    if suite.sized:
        what = f"frames a run, operations a sample (default {suite.full.count:,})"
        taken["--count"] = {"type": positive, "metavar": "N", "help": what}
    if suite.rows:
        what = "a row of its table (may repeat; default all)"
        taken["--configuration"] = {"action": "append", "choices": suite.rows, "help": what}
    return {**taken, **{name: OPTIONS[name] for name in suite.options}}


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="scripts/bench",
        description="Measures the relays, their messages and their clients, beside others.",
        epilog=EXAMPLES,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 18, 100),
    )
    parsers = parser.add_subparsers(dest="suite", metavar="SUITE", title="suites")
    for name in (*SUITES, EVERYTHING):
        suite = SUITES.get(name)
        answers = suite.answers if suite else "all of these, one after the other, in one file"
        one = parsers.add_parser(name, help=answers, description=answers, allow_abbrev=False)
        for option, how in _options(suite).items():
            one.add_argument(option, **how)
    again = parsers.add_parser(
        AGAIN, help="no suite: the page of what --json wrote", allow_abbrev=False
    )
    again.add_argument("file", type=Path, metavar="FILE", help="what --json wrote")
    again.add_argument(
        "--report", type=Path, metavar="DIR", required=True, help="where the page goes"
    )
    arguments, unknown = parser.parse_known_args(words)
    if arguments.suite is None:
        parser.print_help()
        parser.exit()
    if unknown:
        parser.refuse(arguments.suite, unknown)
    return arguments


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line on a terminal that says what is running; nothing where stderr is a file."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    # A spinner would wake up beside what is measured: the line is drawn once a run.
    yield lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _measure(suite: Suite, arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs a suite, prints its tables as they come, and returns what --json writes of it."""
    shown: list[str] = []

    def show(table: Table) -> None:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
        kept = Console(record=True, width=WIDTH, file=StringIO())
        kept.print(table)
        shown.append(kept.export_text())

    began = monotonic()
    with _progress() as progress:
        asked = replace(suite.asked(arguments), progress=progress, show=show)
        measured = suite.measure(asked)
    return {**measured, "tables": shown, "seconds": round(monotonic() - began, 1)}


def _measure_each(suites: Sequence[Suite], arguments: argparse.Namespace) -> dict[str, Any]:
    """What each suite measured by its name; of one that failed only why, and the next is run."""
    made = {}
    for suite in suites:
        if len(suites) > 1:
            print(f"\n{suite.name}: {suite.answers}", flush=True)
        try:
            made[suite.name] = _measure(suite, arguments)
        except (RunFailed, native.BuildFailed) as error:
            Console(stderr=True).print(f"bench failed: {escape(str(error))}", soft_wrap=True)
            made[suite.name] = {"failed": str(error)}
        except (
            Exception
        ) as error:  # a mistake of the bench's own must not cost what the others measured
            traceback.print_exc()
            made[suite.name] = {"failed": repr(error)}
    return made


def _report(folder: Path, written: dict[str, Any]) -> Path:
    plots = {name: suite.plots for name, suite in SUITES.items()}
    answers = {name: suite.answers for name, suite in SUITES.items()}
    return report.write(folder, written, plots, answers)


def main(words: Sequence[str]) -> int:
    """Runs the bench that the command line asks for and returns its exit code."""
    arguments = _arguments(words)
    if arguments.suite == AGAIN:
        print(_report(arguments.report, json.loads(arguments.file.read_text())))
        return 0
    # So that the servers are stopped and their memory is given back then too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    described = machine.describe()
    print(machine.one_line(described), flush=True)
    name = arguments.suite
    suites = list(SUITES.values()) if name == EVERYTHING else [SUITES[name]]
    made = _measure_each(suites, arguments)
    options = {name: str(value) for name, value in vars(arguments).items()}
    written = {"machine": described, "arguments": options, "suites": made}
    if arguments.json:
        arguments.json.write_text(json.dumps(written, indent=1) + "\n")
    if arguments.report:
        print(_report(arguments.report, written))
    return int(any("failed" in each for each in made.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
