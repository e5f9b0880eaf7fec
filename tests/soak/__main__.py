"""The command line of `scripts/soak`: the demonstration in a loop, watched from outside."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from relays.domains import DOMAINS
from relays.edge.memory import open_state
from relays.errors import RelayError
from scripts.demonstration.stage import Stage
from tests.soak.report import lines, write
from tests.soak.sampling import Sample, Sampler

ROOT = Path(__file__).parents[2]
START_SECONDS, END_SECONDS = 60.0, 60.0
FAILED, INTERRUPTED = 1, 130
# In ten minutes the log has gone round many times, and the journal has begun and removed segments.
KEYS = {
    "LOG_BYTES": 8 << 20, "JOURNAL": "on", "JOURNAL_SEGMENT": 8 << 20, "JOURNAL_BYTES": 16 << 20
}  # fmt: skip
SETTINGS = {f"RELAYS_{name}_{key}".upper(): f"{KEYS[key]}" for name in DOMAINS for key in KEYS}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Runs the recorded Binance session in a loop through the three relays, with"
        " everybody who uses them, and samples memory, descriptors, threads and latency. Exit code"
        " 0 when none of them grows and every message is accounted for, 1 when not.",
        epilog="example: scripts/soak --minutes 60 --out /tmp/soak",
    )
    made.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    made.add_argument("--every", type=float, default=1.0, help="seconds between samples")
    made.add_argument("--speed", default="10", help="as of scripts/demo (default: 10)")
    made.add_argument("--out", type=Path, default=ROOT / ".tools" / "soak", metavar="DIR",
                      help="where soak.png and soak.json go (default: .tools/soak)")  # fmt: skip
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Soak, and give the exit code."""
    given = parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        place = str(Path(folder, "run"))
        # What the demonstration leaves in the runtime directory when it is killed.
        stage = Stage(place, keep=False)
        try:
            with _demonstration(place, given) as demo:
                samples = _watch(demo, place, given)
                said, _ = demo.communicate(timeout=END_SECONDS)
        except KeyboardInterrupt:
            return INTERRUPTED
        except (RelayError, OSError, subprocess.TimeoutExpired) as error:
            print(f"scripts/soak: {error}", file=sys.stderr)
            return os.EX_SOFTWARE
        finally:
            stage.clear()
    return _conclude(given.out, samples, json.loads(said))


@contextmanager
def _demonstration(place: str, given: argparse.Namespace) -> Iterator[subprocess.Popen[str]]:
    """scripts/demo as a process; it is ended whatever happens."""
    words = ["--speed", given.speed, "--seconds", str(given.minutes * 60), "--json"]
    command = [sys.executable, "-P", "-m", "scripts.demonstration", "--runtime-dir", place, *words]
    demo = subprocess.Popen(
        command, env=os.environ | SETTINGS | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield demo
    finally:
        if demo.poll() is None:
            demo.terminate()
        demo.wait()
        assert demo.stdout is not None
        demo.stdout.close()


def _watch(demo: subprocess.Popen[str], place: str, given: argparse.Namespace) -> list[Sample]:
    """A sample every so often, from the first message on until the time is over."""
    sampler = _first(demo, place)
    samples: list[Sample] = []
    seconds = given.minutes * 60
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=seconds)
        while not samples or samples[-1]["seconds"] < seconds - given.every:
            time.sleep(max(0.0, len(samples) * given.every + sampler.begun - time.monotonic()))
            if demo.poll() is not None:
                raise RelayError(f"the demonstration ended with {demo.returncode}")
            samples.append(sampler.sample())
            told = f"{samples[-1]['market_data: messages/s']:,.0f} messages/s"
            progress.update(task, completed=samples[-1]["seconds"], description=told)
    return samples


def _first(demo: subprocess.Popen[str], place: str) -> Sampler:
    """A sampler, once messages flow."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and demo.poll() is None:
        try:
            if open_state("market_data", place).read_log()["end_position"]:
                return Sampler(place)
        except RelayError:
            pass
        time.sleep(0.05)
    raise RelayError(f"nothing was played; the demonstration ended with {demo.poll()}")


def _conclude(out: Path, samples: Sequence[Sample], demo: Mapping[str, Any]) -> int:
    found = write(out, samples, demo)
    for line in lines(found):
        print(line)
    failed = [name for name, one in found.items() if one.has_failed]
    print(f"grows: {', '.join(failed)}" if failed else "Nothing grows.")
    if not demo["accounted_for"]:
        print(f"not every message is accounted for: {demo['relays']} {demo['trouble']}")
    print(f"{out}/soak.png, {out}/soak.json")
    return FAILED if failed or not demo["accounted_for"] else os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
