"""Scraping a relay's metrics over HTTP, and having promtool read them.

Used by test_metrics and test_metrics_process. What the numbers should be is said in the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE = 60


def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    address = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def promtool(exposed: str) -> None:
    """`promtool check metrics` has nothing to say; scripts/test unpacks the program."""
    path = os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")])
    program = shutil.which("promtool", path=path)
    if program is None:
        pytest.skip("promtool is not here: scripts/test fetches it")
    done = subprocess.run(
        [program, "check", "metrics"],
        input=exposed,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr + done.stdout) == (0, "")
