"""The command line of `scripts/chaos`: a story with progress, and what came of it.

Where the kernel lets it, it runs in name spaces of its own with a small tmpfs for the relay, which
it can fill, and which is gone with the last process, however that ends.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from relays.domains import DOMAINS
from tests.chaos.checker import Account
from tests.chaos.stage import RUN
from tests.chaos.story import Story, Wishes, play

INSIDE = "CHAOS_INSIDE"
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
TMPFS = "size=96m,mode=0750"
FAILED, INTERRUPTED = 1, 130


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="A relay, producers and consumers as processes under load, which are killed,"
        " stopped and starved; then everything that was seen is compared with everything that was"
        " sent. Exit code 0 when nothing was lost, repeated or reordered, 1 when something was.",
        epilog="example: scripts/chaos --domain execution --kills 200",
    )
    made.add_argument("--domain", choices=DOMAINS, default="execution", help="(execution)")
    made.add_argument("--seconds", type=float, default=0.0, help="at least so long")
    made.add_argument("--minutes", type=float, default=0.0, help="at least so long")
    made.add_argument("--kills", type=int, default=0, metavar="N",
                      help="at least so many of the relay (20, or the time)")  # fmt: skip
    made.add_argument("--seed", type=int, help="of the story (a random one, which is printed)")
    made.add_argument("--journal", action="store_true",
                      help="with a journal: the memory files are removed, the power fails and the"
                      " disk damages files, too, and still nothing is lost")  # fmt: skip
    made.add_argument("--forget", action="store_true",
                      help="remove the relay's memory files now and then, too: what no consumer"
                      " had is then a Gap")  # fmt: skip
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run it, and give the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    given = parser().parse_args(words)
    if INSIDE not in os.environ and can_mount():
        command = [*UNSHARE, sys.executable, "-m", "tests.chaos", *words]
        os.execvpe(command[0], command, os.environ | {INSIDE: "1"})
    seed = random.randrange(10**9) if given.seed is None else given.seed
    seconds = given.seconds + 60 * given.minutes
    forgets = given.forget or given.journal
    kills = given.kills or (0 if seconds else 20)
    wishes = Wishes(
        seconds, kills, fills=INSIDE in os.environ, forgets=forgets, journal=given.journal,
        damages=given.journal,
    )  # fmt: skip
    again = f"scripts/chaos --domain {given.domain} --seed {seed} --seconds {seconds:g}"
    again += f" --kills {kills}" + " --forget" * given.forget + " --journal" * given.journal
    print(f"again: {again}", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        try:
            story, accounts = _play(given.domain, Path(folder), seed, wishes)
        except KeyboardInterrupt:
            return INTERRUPTED
        except AssertionError as error:
            print(f"{error}\nfailed; again: {again}")
            return FAILED
    return _report(story, accounts, again)


def can_mount() -> bool:
    """Whether a tmpfs can be mounted in name spaces of one's own."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = [*UNSHARE, "mount", "-t", "tmpfs", "none", folder]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False


@contextmanager
def _small(place: Path, is_wanted: bool) -> Iterator[None]:
    """A small tmpfs is there while this lasts."""
    place.mkdir()
    if is_wanted:
        command = ["mount", "-t", "tmpfs", "-o", TMPFS, "chaos", str(place)]
        subprocess.run(command, check=True)
    try:
        yield
    finally:
        if is_wanted:
            subprocess.run(["umount", "--lazy", str(place)], check=False)


def _play(domain: str, folder: Path, seed: int, wishes: Wishes) -> tuple[Story, list[Account]]:
    """The story, with a bar that says how far it is."""
    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=1.0)

        def tell(story: Story) -> None:
            parts = [1.0]
            parts += [story.seconds / wishes.seconds] if wishes.seconds else []
            parts += [story.stage.kills / wishes.kills] if wishes.kills else []
            told = f"{story.stage.kills} kills of the relay, {story.seconds:.0f} s"
            progress.update(task, completed=min(parts), description=told)

        with _small(folder / RUN, wishes.fills):
            return play(domain, folder, seed, wishes, tell)


def _report(story: Story, accounts: Sequence[Account], again: str) -> int:
    print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in story.done.items()))
    if story.pages:
        print(f"{story.pages} pages that were not synced were lost with the power")
    for one in accounts:
        print(
            f"{one.name:<8} {one.messages:>9,} messages: {one.lost} lost, {one.repeated} repeated,"
            f" {one.reordered} reordered; {one.gaps} gaps name {one.missing:,} missing"
        )
        for fault in one.faults[:5]:
            print(f"         {fault}")
    if any(one.faults for one in accounts):
        print(f"failed; again: {again}")
        return FAILED
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
