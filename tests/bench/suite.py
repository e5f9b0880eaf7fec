"""What a suite of the bench is, and what it is asked for.

Used by suites, which has one entry for each, by __main__, which runs them, and by the suites' own
modules. No suite is named here.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from .plots import Plot
from .runs import Load, Pins

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = Load(count=1)


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected a whole number above 0")
    return value


# What a suite may take beside what all take: it names these in its `options`.
OPTIONS: dict[str, dict[str, Any]] = {
    "--write": {"action": "store_true", "help": "keep what was counted as what is right"},
    "--only": {"choices": ("relay", "copyloop"), "help": "measure one of the two"},
    "--window": {
        "type": positive,
        "default": DEFAULT.window,
        "help": "frames that the slowest consumer may be behind",
    },
    "--block": {"type": positive, "default": DEFAULT.block, "help": "bytes a send"},
    "--producer-buffer": {
        "type": int,
        "default": DEFAULT.producer_buffer,
        "help": "SO_SNDBUF of the producer in bytes, 0 for the kernel's default",
    },
    **{
        f"--pin-{name}": {"default": "", "metavar": "CPUS", "help": "for taskset -c"}
        for name in ("server", "producer", "consumers")
    },
}
LOAD = ("--window", "--block", "--producer-buffer", *(name for name in OPTIONS if "pin" in name))


def _named(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _default(option: str) -> Any:
    how = OPTIONS[option]
    return how.get("default", False if how.get("action") == "store_true" else None)


@dataclass(frozen=True)
class Size:
    """Of a bench: frames a run (or operations a sample), and how many pairs or rounds of them."""

    count: int
    rounds: int


# Of a suite that is as long as it is.
ONCE = Size(1, 1)


@dataclass(frozen=True)
class Asked:
    """What a suite is asked to measure. `rows` are those to measure, all of them by default;
    `options` has what the suite takes beside, by name; `progress` says what is running, and
    `show` prints a table as soon as it is made, and keeps it for the report."""

    count: int
    rounds: int
    quick: bool = False
    rows: Sequence[str] = ()
    options: argparse.Namespace = field(default_factory=argparse.Namespace)
    progress: Callable[[str], None] = lambda text: None
    show: Callable[[Table], None] = lambda table: None

    @property
    def load(self) -> Load:
        """The count with the options of LOAD; what a suite does not take is as it is by default."""

        def given(name: str, default: Any) -> Any:
            return getattr(self.options, name, default)

        return Load(
            count=self.count,
            window=given("window", DEFAULT.window),
            block=given("block", DEFAULT.block),
            producer_buffer=given("producer_buffer", DEFAULT.producer_buffer),
            pins=Pins(*(given(f"pin_{name}", "") for name in ("server", "producer", "consumers"))),
        )


@dataclass(frozen=True)
class Suite:
    """One suite: its name, the question that it answers in a line, its sizes, and how it is
    measured: `measure` shows its tables and returns what --json writes. `rows` may be picked with
    --configuration; `options` names entries of OPTIONS; `plots` makes the pictures of the report
    from what `measure` returned; `takes` says how long it takes, quick and full; `fetch`
    is a command of the checkout that installs what it needs, unless the program `fetched` is there.
    Raises RunFailed at a run that does not count."""

    name: str
    answers: str
    full: Size
    quick: Size
    measure: Callable[[Asked], dict[str, Any]]
    options: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    plots: Callable[[Mapping[str, Any]], Iterable[Plot]] = lambda measured: ()
    takes: tuple[str, str] = ("", "")
    fetch: tuple[str, ...] = ()
    fetched: str = ""

    @property
    def listed(self) -> str:
        """Its question and how long the answer takes, for --help."""
        times = ", ".join(each for each in self.takes if each)
        return f"{self.answers} ({times})" if times else self.answers

    @property
    def sized(self) -> bool:
        """Whether --quick, --pairs and --count mean something."""
        return self.full is not ONCE

    def asked(self, arguments: argparse.Namespace) -> Asked:
        """What the command line asks of this suite."""
        # Where all suites are run, what only some take is as it is by default.
        given = argparse.Namespace(**{_named(name): _default(name) for name in self.options})
        vars(given).update(vars(arguments))
        quick = getattr(arguments, "quick", False)
        usual = self.quick if quick else self.full
        return Asked(
            count=getattr(arguments, "count", None) or usual.count,
            rounds=getattr(arguments, "pairs", None) or usual.rounds,
            quick=quick,
            rows=getattr(arguments, "configuration", None) or self.rows,
            options=given,
        )
