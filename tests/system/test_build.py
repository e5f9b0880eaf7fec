"""The build of the compiled part says in one sentence what it misses (setup.py)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DEADLINE = 300

# A compiler that fails for sources that contain a word, as the real one does without the package.
COMPILER = """#!/bin/sh
for argument in "$@"; do
    case $argument in *.c) if grep -q '{word}' "$argument"; then exit 1; fi;; esac
done
exec gcc "$@"
"""


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("int main", "A C compiler is needed to build the relays"),
        ("Python.h", "Python.h of "),
        ("isa-l/crc.h", "The ISA-L library (isa-l/crc.h, libisal.so) is needed"),
    ],
)
def test_a_missing_compiler_or_library_is_one_clear_sentence(
    tmp_path: Path, word: str, sentence: str
) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text(COMPILER.format(word=word))
    compiler.chmod(0o755)
    folders = ["--build-lib", str(tmp_path / "lib"), "--build-temp", str(tmp_path / "temp")]
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", *folders],
        cwd=ROOT,
        env=os.environ | {"CC": str(compiler)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(sentence)
    assert "Traceback" not in done.stderr
    assert "apt-get install" in done.stderr.splitlines()[-1]
