"""The command line of the bench: `python -m tests.bench SUITE`, called by scripts/bench.

Only parses, looks a suite up in suites, runs it and writes what it returns. Exit code 0 when every
run counted, whether or not a bar was met; 1 when one failed, 2 when the command line is mistaken,
130 when it was interrupted.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import machine, native, report, runs
from .children import RunFailed
from .statistic import ENOUGH
from .suite import OPTIONS, ROOT, Suite, positive
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
    """One that says in a line what is mistaken, and what may have been meant."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")

    def refuse(self, suite: str, unknown: Sequence[str]) -> NoReturn:
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if not names:
            self.error(f"{suite}: unexpected {unknown[0]!r}")
        taken = sorted(_options(SUITES.get(suite)))
        meant = _meant(names[0].strip("-"), [option.strip("-") for option in taken], "--")
        self.error(f"{suite} does not take {names[0]}{meant}; it takes {', '.join(taken)}")


def _meant(word: str, known: Sequence[str], prefix: str = "") -> str:
    """A question, where a word is like one that is known."""
    like = get_close_matches(word, known, 1)
    return f" (did you mean {prefix}{like[0]}?)" if like else ""


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
        usage="scripts/bench SUITE [OPTION ...]",
        description="Measures the relays, their messages and their clients, beside others.",
        epilog=EXAMPLES,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, 2, 22, 120),
    )
    # Of scripts/bench: so that nothing is installed for a command line that is mistaken.
    parser.add_argument("--fetch", action="store_true", help=argparse.SUPPRESS)
    parsers = parser.add_subparsers(
        dest="suite",
        prog="scripts/bench",
        metavar="SUITE [OPTION ...]",
        title="suites, and about how long they take (--quick, full)",
    )
    for name in (*SUITES, EVERYTHING):
        suite = SUITES.get(name)
        says = suite.listed if suite else "all of these, one after the other, in one file"
        one = parsers.add_parser(name, help=says, description=says, allow_abbrev=False)
        for option, how in _options(suite).items():
            one.add_argument(option, **how)
    again = parsers.add_parser(
        AGAIN, help="no suite: the page of what --json wrote", allow_abbrev=False
    )
    again.add_argument("file", type=Path, metavar="FILE", help="what --json wrote")
    again.add_argument(
        "--report", type=Path, metavar="DIR", required=True, help="where the page goes"
    )
    names = list(parsers.choices)
    wanted = next((word for word in words if not word.startswith("-")), names[0])
    if wanted not in names:
        parser.error(f"no suite {wanted!r}{_meant(wanted, names)}; there are {', '.join(names)}")
    arguments, unknown = parser.parse_known_args(words)
    if arguments.suite is None and unknown:
        parser.error(f"which suite? before {unknown[0]} stands one of {', '.join(names)}")
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
    try:
        yield lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _measure(suite: Suite, arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs a suite, prints its tables as they come, and returns what --json writes of it."""
    shown: list[str] = []

    def show(table: Table) -> None:
        Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
        kept = Console(record=True, width=WIDTH, file=StringIO())
        kept.print(table)
        shown.append(kept.export_text())

    began, others = monotonic(), machine.Others()
    with _progress() as progress:
        asked = replace(suite.asked(arguments), progress=progress, show=show)
        measured = suite.measure(asked)
    sized = {"rounds": asked.rounds} if suite.sized else {}
    if sized and asked.rounds < ENOUGH and measured.get("bars"):
        print(_few(asked.rounds))
    part = others.part()
    if line := machine.disturbed(part):
        print(line)
    took = {"seconds": round(monotonic() - began, 1), "others": round(part, 3)}
    return {**measured, **sized, **took, "tables": shown}


def _few(rounds: int) -> str:
    if rounds == 1:
        return "1 round: an interval is one value, and no verdict means anything"
    return f"{rounds} rounds: below {ENOUGH} intervals say little, and with them the verdicts"


def _measure_each(
    suites: Sequence[Suite], arguments: argparse.Namespace, made: dict[str, Any]
) -> None:
    """Adds what each suite measured by its name; of one that failed only why, and the next is
    run."""
    for suite in suites:
        if len(suites) > 1:
            print(f"\n{suite.name}: {suite.answers}", flush=True)
        try:
            measured = made[suite.name] = _measure(suite, arguments)
            if "failed" in measured:
                raise RunFailed(measured["failed"])
        except (RunFailed, native.BuildFailed) as error:
            Console(stderr=True).print(f"bench failed: {escape(str(error))}", soft_wrap=True)
            made.setdefault(suite.name, {"failed": str(error)})
        except Exception as error:  # a mistake of the bench's own costs no other suite's figures
            traceback.print_exc()
            made[suite.name] = {"failed": repr(error)}


def _report(folder: Path, written: dict[str, Any]) -> Path:
    plots = {name: suite.plots for name, suite in SUITES.items()}
    answers = {name: suite.answers for name, suite in SUITES.items()}
    return report.write(folder, written, plots, answers)


def _read(path: Path) -> dict[str, Any]:
    """What --json wrote. Raises OSError, or ValueError where it is something else."""
    written: dict[str, Any] = json.loads(path.read_text())
    for part in ("machine", "arguments", "suites"):
        if not isinstance(written, dict) or not isinstance(written.get(part), dict):
            raise ValueError(f"is not what --json writes: it has no {part!r}")
    return written


def _try(path: Path) -> None:
    """Raises OSError where a file cannot be written. What is there stays as it is."""
    there = path.exists()
    path.open("a").close()
    if not there:
        path.unlink()


def _try_paths(file: Path | None, folder: Path | None) -> None:
    """Ends the bench before anything is measured where what is made of it cannot be kept."""
    try:
        if file:
            _try(file)
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            _try(folder / report.NAME)
    except OSError as error:
        _mistaken(f"cannot write {error.filename}: {error.strerror}")


def _mistaken(what: str) -> NoReturn:
    print(f"scripts/bench: {what}", file=sys.stderr)
    sys.exit(2)


def _again(arguments: argparse.Namespace) -> Path:
    """The page of a file."""
    try:
        written = _read(arguments.file)
    except OSError as error:
        _mistaken(f"cannot read {arguments.file}: {error.strerror}")
    except json.JSONDecodeError as error:
        _mistaken(f"{arguments.file} is no JSON: {error}")
    except ValueError as error:
        _mistaken(f"{arguments.file} {error}")
    _try_paths(None, arguments.report)
    return _report(arguments.report, written)


def _fetch(suites: Sequence[Suite]) -> None:
    """Installs what suites need; what cannot be had is left out by the suite itself."""
    for suite in suites:
        if not suite.fetch or (suite.fetched and shutil.which(suite.fetched)):
            continue
        if subprocess.run([ROOT / suite.fetch[0], *suite.fetch[1:]], check=False).returncode:
            print(f"scripts/bench: {suite.name}: what is missing is left out", file=sys.stderr)


def _interrupt(number: int, frame: object) -> NoReturn:
    # A second one would end the tidying up.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _interrupted(made: Mapping[str, Any], file: Path | None) -> str:
    many = len(made)
    if not many or not file:
        return "interrupted"
    return f"interrupted; {many} {'suites are' if many > 1 else 'suite is'} in {file}"


def _run(suites: Sequence[Suite], arguments: argparse.Namespace) -> int:
    """Measures, and writes what was measured, also when it is interrupted: the exit code."""
    described = machine.describe()
    print(machine.one_line(described), flush=True)
    if line := machine.busy(described):
        print(line, flush=True)
    made: dict[str, Any] = {}
    code = 0
    try:
        _measure_each(suites, arguments, made)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
        runs.tidy()
    options = {
        name: value if isinstance(value, list) else str(value)
        for name, value in vars(arguments).items()
        if name != "fetch"
    }
    written = {
        "machine": described,
        "commit": machine.commit(ROOT),
        "arguments": options,
        "suites": made,
    }
    if arguments.json and made:
        arguments.json.write_text(json.dumps(written, indent=1) + "\n")
    if code:
        print(_interrupted(made, arguments.json), file=sys.stderr)
        return code
    if arguments.report:
        print(_report(arguments.report, written))
    return int(any("failed" in each for each in made.values()))


def main(words: Sequence[str]) -> int:
    """Runs the bench that the command line asks for and returns its exit code."""
    arguments = _arguments(words)
    if arguments.suite == AGAIN:
        print(_again(arguments))
        return 0
    name = arguments.suite
    suites = list(SUITES.values()) if name == EVERYTHING else [SUITES[name]]
    _try_paths(arguments.json, arguments.report)
    # So that the servers are stopped and their memory is given back then too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    usual = signal.signal(signal.SIGINT, _interrupt)
    try:
        if arguments.fetch:
            _fetch(suites)
        return _run(suites, arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGINT, usual)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
