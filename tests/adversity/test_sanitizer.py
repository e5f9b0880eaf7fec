"""The compiled module under AddressSanitizer: nothing reads or writes out of bounds.

Built in a temporary copy with RELAYS_SANITIZE=address; what runs there is sanitized.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("protocol", "relays", "tests")
BUILT = ("*.so", "__pycache__")


def runtime() -> str:
    """The sanitizer's library, which the interpreter was not linked with."""
    if shutil.which("gcc") is None:
        return ""
    found = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return found if os.path.isabs(found) else ""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, built with the sanitizer."""
    if not runtime():
        pytest.skip("gcc has no AddressSanitizer here")
    folder = tmp_path_factory.mktemp("sanitized")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*BUILT))
    shutil.copy(ROOT / "setup.py", folder)
    if (ROOT / "build/cython").exists():  # what is as new as its source is not written again
        shutil.copytree(ROOT / "build/cython", folder / "build/cython")
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, check=True,
        env=os.environ | {"RELAYS_SANITIZE": "address"}, timeout=280, capture_output=True,
    )  # fmt: skip
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python under the sanitizer, every allocation of its own so that edges are guarded."""
    environ = {
        "LD_PRELOAD": runtime(), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(folder),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=os.environ | environ, timeout=200,
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
