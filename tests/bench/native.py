"""Compiles the bench's C programs into build/bench when their sources are newer.

Called by the suites before they start anything. No process is started here but the compiler.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).resolve().parent / "native"
BUILT = ROOT / "build" / "bench"
# Those with "-quotes" are the same sources, for Quotes in place of Trades.
PROGRAMS = (
    *("copyloop", "producer", "consumer", "producer-quotes", "consumer-quotes"),
    *("sender", "many"),
)
SHARED = ("bench.c", "checksum.c", "protocols.c")
# What only one program needs beside ISA-L.
LIBRARIES = {"zmqproxy": ("-lzmq",)}
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror")


class BuildFailed(Exception):
    """gcc or ISA-L is missing, or a source does not compile; the text is the compiler's."""


def program(name: str) -> Path:
    """Where the compiled program is: `program("consumer")` -> build/bench/consumer."""
    return BUILT / name


def build(programs: Sequence[str] = PROGRAMS) -> None:
    """Compiles what is older than its sources. Raises BuildFailed."""
    BUILT.mkdir(parents=True, exist_ok=True)
    newest = max(path.stat().st_mtime for path in SOURCES.iterdir())
    for name in programs:
        if not program(name).exists() or program(name).stat().st_mtime < newest:
            _compile(name)


def _compile(name: str) -> None:
    # Two benches may build at once: each writes its own file, and the last rename wins.
    made = BUILT / f"{name}.{os.getpid()}"
    stem, _, what = name.partition("-")
    sources = [str(SOURCES / source) for source in (f"{stem}.c", *SHARED)]
    flags = (*FLAGS, "-DQUOTES") if what else FLAGS
    command = ["gcc", *flags, "-o", str(made), *sources, "-lisal", *LIBRARIES.get(name, ())]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        raise BuildFailed("gcc is not installed: run scripts/setup") from None
    except subprocess.CalledProcessError as error:
        raise BuildFailed(f"{' '.join(command)}\n{error.stderr}") from None
    made.replace(program(name))
