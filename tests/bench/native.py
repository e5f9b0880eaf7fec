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


def library(name: str) -> Path:
    """A source that is a library of its own, compiled when it is older. Raises BuildFailed."""
    BUILT.mkdir(parents=True, exist_ok=True)
    source, path = SOURCES / f"{name}.c", program(f"{name}.so")
    if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
        _run_gcc([*FLAGS, "-shared", "-fPIC", str(source)], path)
    return path


def _compile(name: str) -> None:
    stem, _, what = name.partition("-")
    sources = [str(SOURCES / source) for source in (f"{stem}.c", *SHARED)]
    flags = (*FLAGS, "-DQUOTES") if what else FLAGS
    _run_gcc([*flags, *sources, "-lisal", *LIBRARIES.get(name, ())], program(name))


def _run_gcc(words: Sequence[str], path: Path) -> None:
    # Two benches may build at once: each writes its own file, and the last rename wins.
    made = path.with_name(f"{path.name}.{os.getpid()}")
    command = ["gcc", "-o", str(made), *words]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    except FileNotFoundError:
        raise BuildFailed("gcc is not installed: run scripts/setup") from None
    except subprocess.CalledProcessError as error:
        raise BuildFailed(f"{' '.join(command)}\n{error.stderr}") from None
    made.replace(path)
