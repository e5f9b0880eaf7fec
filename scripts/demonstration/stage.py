"""The three relays of the demonstration: started as a user starts them, looked at, cleared away.

Called by `session`. A relay that already runs in the directory is used and left alone; what was
there before is there afterwards.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from relays.client import Link, NotListening
from relays.domains import DOMAINS
from relays.edge.memory import files, open_state
from relays.edge.status import Look, look
from relays.errors import RelayError
from scripts.demonstration.processes import Process

READY_SECONDS = 30.0
LOOK_EVERY = 0.02
STOP_SECONDS = 15.0


def answers(name: str, runtime_dir: str) -> bool:
    """Whether a relay listens there."""
    try:
        Link(DOMAINS[name].socket(runtime_dir)).close()
    except NotListening:
        return False
    return True


class Stage:
    """The relays in one runtime directory; `folder` is where output of processes goes.

    `runtime_dir` None: a new one, which goes away at the end with everything in it.
    """

    def __init__(self, runtime_dir: str | None, keep: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="alphapulse-demo-"))
        self.runtime_dir = os.path.abspath(runtime_dir or self.folder / "run")
        self.keep = keep
        self.before = {path for path in self._paths() if os.path.lexists(path)}
        self.relays: dict[str, Process] = {}

    def start(self) -> None:
        """Start those that do not run; returns when all accept. RelayError when one does not."""
        for name in DOMAINS:
            if not answers(name, self.runtime_dir):
                arguments = ["relays.cli", "run", name, "--runtime-dir", self.runtime_dir]
                arguments += ["--metrics-port", "0"]
                process = Process(name, arguments, self.folder, ends_with_us=not self.keep)
                self.relays[name] = process
        deadline = time.monotonic() + READY_SECONDS
        for name, process in self.relays.items():
            while not self._ready(name, process):
                if time.monotonic() > deadline:
                    raise RelayError(f"{name} is not ready after {READY_SECONDS:.0f} s")
                time.sleep(LOOK_EVERY)

    def _ready(self, name: str, process: Process) -> bool:
        if not process.running():
            raise RelayError(process.complaint(), process.process.returncode)
        try:
            status = open_state(name, self.runtime_dir).read_status()
        except RelayError:
            return False
        return status["pid"] == process.pid and bool(status["ready"])

    def look(self) -> dict[str, Look]:
        """What every relay is doing now, from its state file."""
        return {name: look(open_state(name, self.runtime_dir)) for name in DOMAINS}

    def check(self) -> None:
        """RelayError when a relay has ended."""
        for process in self.relays.values():
            if not process.running():
                raise RelayError(process.complaint(), os.EX_SOFTWARE)

    def stop(self, hurry: bool) -> list[str]:
        """End the relays that were started here; a sentence for each that did not end well.

        In a hurry they are told twice, which spares them the draining.
        """
        for _ in range(2 if hurry else 1):
            for process in self.relays.values():
                process.tell(signal.SIGTERM)
        codes = {name: process.wait(STOP_SECONDS) for name, process in self.relays.items()}
        return [self.relays[name].complaint() for name, code in codes.items() if code]

    def clear(self) -> None:
        """Remove what was not there before."""
        for path in self._paths():
            if path not in self.before:
                with suppress(OSError):
                    if path.name == "journal":
                        shutil.rmtree(path)
                    else:
                        path.rmdir() if path.is_dir() else path.unlink()
        for path in self.folder.glob("*.stderr"):
            path.unlink()
        with suppress(OSError):
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        """Every file the relays may make, and then their directories."""
        found: list[Path] = []
        for name in DOMAINS:
            where = files(name, self.runtime_dir)
            memory = [where.log, where.state]
            found += memory + [path.with_name(path.name + ".bad") for path in memory]
            found += [Path(self.runtime_dir, f"{name}.{end}") for end in ("sock", "lock")]
        directories = {path.parent for path in found}
        return [*found, Path(self.runtime_dir, "journal"), *sorted(directories)]

    def folders(self) -> list[Path]:
        """The directories that were made for this and are there now."""
        made = {path for path in self._paths() if path.is_dir()} - self.before
        return sorted({path for path in made if self.folder not in path.parents} | {self.folder})
