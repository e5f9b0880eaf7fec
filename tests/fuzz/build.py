"""The compiled part built for fuzzing, and the environment of a process that uses it.

Called by `tests.fuzz` and by tests that run under AddressSanitizer. The build is kept in
.tools/fuzz and only what changed is compiled again; a lock keeps processes from building at once.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".tools" / "fuzz"
BUILD = HOME / "build"
EDGES = Path(__file__).with_name("edges.c")
OBJECT = BUILD / "edges.o"
# What the flags of the compiler are in: when one of these changes everything is built again.
RECIPE = (ROOT / "setup.py", EDGES)
BUILT = ("*.so", "__pycache__")


class CannotFuzz(Exception):
    """Something that fuzzing needs is missing here."""


def runtime() -> Path:
    """libFuzzer and the runtime of AddressSanitizer in one library, which atheris brings."""
    found = find_spec("atheris")
    if found is None or found.origin is None:
        raise CannotFuzz(f"atheris is not installed: {sys.executable} -m pip install atheris")
    return Path(found.origin).parents[1] / "asan_with_fuzzer.so"


def build() -> Path:
    """The folder that has the package `protocol`, sanitized and with its edges counted."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _same_recipe():
            shutil.rmtree(BUILD, ignore_errors=True)
        ignored = shutil.ignore_patterns(*BUILT)
        shutil.copytree(ROOT / "protocol", BUILD / "protocol", ignore=ignored, dirs_exist_ok=True)
        _compile()
        for path in RECIPE:
            shutil.copy2(path, BUILD)
    return BUILD


def _same_recipe() -> bool:
    copies = [BUILD / path.name for path in RECIPE]
    return all(copy.exists() for copy in copies) and all(
        copy.read_bytes() == path.read_bytes() for copy, path in zip(copies, RECIPE, strict=True)
    )


def _compile() -> None:
    _run(["gcc", "-O2", "-Wall", "-fPIC", "-c", str(EDGES), "-o", str(OBJECT)])
    told = {"RELAYS_SANITIZE": "address,alignment,bounds,shift", "RELAYS_COVERAGE": str(OBJECT)}
    _run([sys.executable, str(ROOT / "setup.py"), "-q", "build_ext", "--inplace"], told)


def _run(command: list[str], told: dict[str, str] | None = None) -> None:
    ended = subprocess.run(
        command, cwd=BUILD, env=os.environ | (told or {}), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if ended.returncode:
        raise CannotFuzz(f"{' '.join(command)} failed:\n{ended.stderr[-4000:]}")


def environment() -> dict[str, str]:
    """For a process that runs in `build()`. Every allocation is one of its own, so that one byte
    beyond it is seen."""
    return dict(os.environ) | {
        "LD_PRELOAD": str(runtime()),
        "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=64:allocator_may_return_null=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join((str(BUILD), str(ROOT))),
    }
