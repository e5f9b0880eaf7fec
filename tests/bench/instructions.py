"""`bench instructions`: how many instructions the hot path takes, counted by callgrind.

Called by suites and by the test that compares them with instructions.json. Unlike time they repeat,
whatever else the machine does: exactly for compiled parts, to a part in a thousand where Python is
between. What is counted is in instruction_rows, which runs in a process of its own.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from . import native
from .bars import Judged
from .children import RunFailed
from .runs import workspace
from .statistic import Interval
from .suite import ROOT, Asked

KEPT = Path(__file__).resolve().parent / "instructions.json"
TOLERANCE = 0.03
SECONDS = 120
# Processor features by which the C library, ISA-L and our own code choose what to run.
FEATURES = ("avx2", "bmi2", "erms", "fsrm", "pclmulqdq", "sse4_2")
BASE = "nothing"


@dataclass(frozen=True)
class Count:
    """A row: what was counted, for what (`a frame`), how many, and how many are kept on file."""

    name: str
    what: str
    each: str
    instructions: float
    kept: float | None = None

    @property
    def change(self) -> float:
        """0.03: three in a hundred more than what is kept."""
        return self.instructions / self.kept - 1 if self.kept else 0.0

    @property
    def judged(self) -> Judged:
        figure = Interval(self.instructions, self.instructions, self.instructions)
        limit = round((self.kept or self.instructions) * (1 + TOLERANCE), 2)
        return Judged(f"{self.what}, instructions {self.each}", "", figure, limit, larger=False)


def missing() -> str:
    """Why nothing can be counted here; empty when it can."""
    if not shutil.which("valgrind"):
        return "valgrind is not installed: scripts/packages install valgrind"
    return ""


def made_with() -> dict[str, str]:
    """What instructions depend on beside the sources: only figures with the same are compared."""
    said = Path("/proc/cpuinfo").read_text()
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", said, re.MULTILINE)
    have = flags[1].split() if flags else []
    return {
        "machine": platform.machine(),
        "gcc": _first_line("gcc", "-dumpversion").partition(".")[0],
        "python": ".".join(platform.python_version_tuple()[:2]),
        "python built by": f"{platform.python_compiler()}, {_optimised()}",
        "valgrind": _first_line("valgrind", "--version"),
        "features": " ".join(feature for feature in FEATURES if feature in have),
    }


def _optimised() -> str:
    asked = str(sysconfig.get_config_var("CONFIG_ARGS"))
    return " ".join(re.findall(r"--(?:enable-optimizations|with-lto)", asked)) or "plain"


def _first_line(*command: str) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return said.stdout.partition("\n")[0]


def kept(path: Path = KEPT) -> dict[str, Any]:
    """The file as it is; nothing known where there is none."""
    if not path.exists():
        return {"made_with": {}, "rows": {}}
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def incomparable(file: dict[str, Any]) -> str:
    """Why this machine's figures say nothing about those on file; empty when they do."""
    here, there = made_with(), file["made_with"]
    other = [f"{name} {here[name]}, on file {there.get(name)}" for name in here
             if here[name] != there.get(name)]  # fmt: skip
    return "instructions were counted with something else: " + "; ".join(other) if other else ""


def count() -> list[Count]:
    """Counts every row. Raises RunFailed when valgrind is missing or the rows fail."""
    if why := missing():
        raise RunFailed(why)
    file = kept()
    known = {} if incomparable(file) else file["rows"]
    rows, totals = _counted()
    made = []
    for row in rows:
        name = row["name"]
        per_call = (totals[name] - totals[BASE]) / row["calls"]
        each = round(per_call / row["units"], 2)
        if name != BASE:
            made.append(Count(name, row["what"], row["each"], each, known.get(name)))
    return made


def _counted() -> tuple[list[dict[str, Any]], dict[str, int]]:
    """What the rows say of themselves, and the instructions of all calls of each."""
    library = native.library("marks")
    with workspace() as folder:
        command = [
            *_same_addresses(),
            *(shutil.which("valgrind") or "valgrind", "-q", "--tool=callgrind"),
            *("--instr-atstart=no", "--collect-atstart=no"),
            f"--callgrind-out-file={folder / 'out'}",
            *(sys.executable, "-m", f"{__package__}.instruction_rows", str(library)),
        ]
        # The same environment everywhere: its size moves the stack.
        environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise RunFailed(f"valgrind: not finished after {SECONDS} s") from None
        if done.returncode:
            raise RunFailed(f"valgrind: {done.stderr.strip()[-500:]}")
        return json.loads(done.stdout), dict(_total(path) for path in folder.glob("out.*"))


def _same_addresses() -> list[str]:
    """Where the kernel lets us: every process at the same addresses."""
    command = ["setarch", platform.machine(), "-R"]
    return command if _first_line(*command, "echo", "yes") == "yes" else []


def _total(path: Path) -> tuple[str, int]:
    text = path.read_text()
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
    if not (name and total):
        raise RunFailed(f"{path.name} is not what callgrind writes")
    return name[1], int(total[1])


def write(counted: list[Count], path: Path = KEPT) -> None:
    """What was counted is what later figures are compared with."""
    rows = {each.name: each.instructions for each in counted}
    made = {"tolerance": TOLERANCE, "made_with": made_with(), "rows": rows}
    path.write_text(json.dumps(made, indent=1) + "\n")


def measure(asked: Asked) -> dict[str, Any]:
    """Counts, compares with the file, and writes it where --write asks for that."""
    asked.progress("instructions: counting")
    counted = count()
    asked.show(table(counted, incomparable(kept())))
    bars = [each.judged for each in counted if each.kept]
    if asked.options.write:
        write(counted)
    return {
        "rows": [{**asdict(each), "change": each.change} for each in counted],
        "bars": [each.as_json() for each in bars],
        "made_with": made_with(),
    }


def table(counted: list[Count], why: str) -> Table:
    """A row for each part of the path; `why` they are not compared, if so."""
    made = Table(title="instructions of the hot path (callgrind)")
    for heading in ("what", "each"):
        made.add_column(heading, no_wrap=True)
    for heading in ("instructions", "on file", "change", "met"):
        made.add_column(heading, justify="right", no_wrap=True)
    made.caption = why or f"met: at most {TOLERANCE:.0%} more than on file (instructions.json)"
    for each in counted:
        compared = ["-", "-", "-"]
        if each.kept:
            compared = [f"{each.kept:,.1f}", f"{each.change:+.1%}", each.judged.met]
        made.add_row(each.what, each.each, f"{each.instructions:,.1f}", *compared)
    return made
