"""The compiled module under sanitizers: nothing reads or writes out of bounds, or unaligned.

What runs there is sanitized.py, with the build that `tests.fuzz` makes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz.build import build, environment


@pytest.fixture(scope="module")
def sanitized() -> Path:
    """The folder with the build."""
    return build()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python under the sanitizer."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment(), timeout=200,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_compiled_module_reads_nothing_out_of_bounds_under_address_sanitizer(
    sanitized: Path,
) -> None:
    seed = int(os.environ.get("RELAYS_SEED", time.time_ns() % 10**9))
    print(f"seed {seed}")
    ended = run(sanitized, "-m", "tests.adversity.sanitized", str(seed))
    assert ended.returncode == 0, ended.stderr[-6000:]
    assert ended.stdout == "clean\n"


def test_the_sanitizer_would_find_a_byte_read_beyond_a_buffer(sanitized: Path) -> None:
    program = """
from array import array
import ctypes
kept = array("B", bytes(100))[:]
ctypes.CDLL(None).memcmp(ctypes.c_void_p(kept.buffer_info()[0]), bytes(101), 101)
"""
    ended = run(sanitized, "-c", program)
    assert ended.returncode != 0
    assert "heap-buffer-overflow" in ended.stderr
