"""One target fuzzed for a time, an input run again, a corpus made small.

Called by `tests.fuzz.__main__` and by the tests. Each runs a process of `tests.fuzz.child`, whose
output is read for how far it is and what it found.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from tests.fuzz.build import HOME, build, environment
from tests.fuzz.target import Target, corpus

FINDINGS = HOME / "findings"
STATUS = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: \d+ corp: (\d+)/.*exec/s: (\d+)")
REMEMBERED = 100
LONGEST_RUN = 20  # seconds for one input; what takes longer is a finding
MOST_MIB = 4096


@dataclass
class Status:
    """How far it is: inputs run, edges reached, inputs kept, inputs a second."""

    runs: int = 0
    edges: int = 0
    kept: int = 0
    rate: int = 0


@dataclass
class Finding:
    """An input that shows a fault, and the end of what was said about it."""

    target: str
    file: Path | None
    said: str

    def __str__(self) -> str:
        if self.file is None:
            return f"{self.said}\n{self.target} did not run"
        return (
            f"{self.said}\n{self.target}: a finding, the input is in {self.file}\n"
            f"again: scripts/fuzz {self.target} --replay {self.file}"
        )


def names() -> list[str]:
    """Every target."""
    folder = Path(__file__).parent / "targets"
    return sorted(path.stem for path in folder.glob("*.py") if path.stem[0] != "_")


def target(name: str) -> Target:
    found: Target = import_module(f"tests.fuzz.targets.{name}").TARGET
    return found


def fuzz(
    name: str, seconds: float, work: Path, tell: Callable[[Status], None] = lambda _: None
) -> Finding | Status:
    """Fuzz a target, beginning from its corpus; new inputs go into `work`."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    one = target(name)
    with tempfile.TemporaryDirectory() as folder:
        options = [
            f"-max_total_time={int(seconds)}", f"-max_len={one.largest}",
            *_words(one, Path(folder)), f"-artifact_prefix={FINDINGS}/{name}-",
            str(work), *_inputs(name, Path(folder)),
        ]  # fmt: skip
        return _run(name, options, tell)


def replay(name: str, file: Path) -> Finding | Status:
    """Run one input again."""
    found = _run(name, [str(file.resolve())], lambda _: None)
    return replace(found, file=file) if isinstance(found, Finding) else found


def keep(name: str, work: Path) -> int:
    """Put what is in `work` into the corpus, and of all only what is needed for its edges."""
    small = work.with_name(work.name + ".small")
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        options = ["-set_cover_merge=1", "-use_counters=0", str(small)]
        options += [*_inputs(name, Path(folder)), str(work)]
        found = _run(name, options, lambda _: None)
    if isinstance(found, Finding):
        raise RuntimeError(str(found))
    shutil.rmtree(corpus(name), ignore_errors=True)
    shutil.move(small, corpus(name))
    for path in corpus(name).iterdir():
        path.rename(path.with_name(f"{path.name[:16]}.bin"))
    return len(list(corpus(name).iterdir()))


def _inputs(name: str, folder: Path) -> list[str]:
    """Where inputs begin: the corpus, and what the target makes of vectors and examples."""
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, data in enumerate(target(name).seeds()):
        (seeds / str(number)).write_bytes(data)
    return [str(seeds)] + [str(corpus(name))] * corpus(name).exists()


def _words(one: Target, folder: Path) -> list[str]:
    """The option that names the words, if there are any: an empty file of them is refused."""
    if not one.words:
        return []
    quoted = (word.replace("\\", "\\\\").replace('"', '\\"') for word in one.words)
    (folder / "words").write_text("".join(f'"{word}"\n' for word in quoted))
    return [f"-dict={folder / 'words'}"]


def _run(name: str, options: list[str], tell: Callable[[Status], None]) -> Finding | Status:
    limits = [f"-timeout={LONGEST_RUN}", f"-rss_limit_mb={MOST_MIB}"]
    command = [sys.executable, "-m", "tests.fuzz.child", name, *limits, *options]
    folder = build()
    status, said = Status(), deque[str](maxlen=REMEMBERED)
    with subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as child:  # fmt: skip
        try:
            for line in _lines(child):
                found = STATUS.match(line)
                if found:
                    status = Status(*(int(number) for number in found.groups()))
                    tell(status)
                elif "Instrumenting" not in line:
                    said.append(line)
        except BaseException:
            child.kill()
            raise
    if child.returncode == 0:
        return status
    return Finding(name, _artifact(said), "".join(said))


def _lines(child: subprocess.Popen[str]) -> Iterator[str]:
    assert child.stdout is not None
    yield from child.stdout


def _artifact(said: deque[str]) -> Path | None:
    for line in said:
        found = re.search(r"Test unit written to (\S+)", line)
        if found:
            return Path(found[1])
    return None
