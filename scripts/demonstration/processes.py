"""The processes of the demonstration: started in groups of their own, ended by pid.

Called by `session`. A process group of their own keeps the terminal's Ctrl-C from them: the session
ends them, in its order. What they write to stderr is in one file each.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from relays.errors import RelayError

ROOT = Path(__file__).parent.parent.parent
HURRY = 5.0


class Process:
    """One child. `ends_with_us`: the kernel ends it when the session dies without saying so."""

    def __init__(
        self, name: str, arguments: Sequence[str], folder: Path, *, ends_with_us: bool, **pipes: Any
    ) -> None:
        self.name = name
        self.errors = folder / f"{name}.stderr"
        guard = shutil.which("setpriv") if ends_with_us else None
        prefix = [guard, "--pdeathsig", "TERM"] if guard else []
        # -P and PYTHONPATH: what lies in the user's working directory is not imported.
        command = [*prefix, sys.executable, "-P", "-m", *arguments]
        with self.errors.open("wb") as errors:
            # A kept relay that held our stdout would hold up who reads the other end of it.
            streams = {"stdin": subprocess.DEVNULL, "stdout": errors, "stderr": errors, **pipes}
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            self.process = subprocess.Popen(command, process_group=0, env=environment, **streams)

    @property
    def pid(self) -> int:
        return self.process.pid

    def complaint(self) -> str:
        """How it ended, and the last line it wrote to stderr."""
        lines = self.errors.read_text(errors="replace").strip().splitlines()
        how = self.process.poll()
        return f"{self.name} ended with {how}" + (f": {lines[-1]}" if lines else "")

    def running(self) -> bool:
        return self.process.poll() is None

    def tell(self, number: signal.Signals) -> None:
        if self.running():
            self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code; SIGKILL for what is still there after so many seconds."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Worker(Process):
    """A process that speaks JSON lines and takes orders (`station`). `facts` is all it said."""

    def __init__(self, name: str, module: str, folder: Path, settings: Mapping[str, Any]) -> None:
        arguments = [f"scripts.demonstration.{module}", json.dumps({"name": name, **settings})]
        super().__init__(
            name, arguments, folder, ends_with_us=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.state = "starting"
        self.facts: dict[str, Any] = {}
        self._rest = b""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def listen(self) -> None:
        """Take what it has said. RelayError when it has failed or ended before it was done."""
        ended = not self.running()
        assert self.process.stdout is not None
        while data := self.process.stdout.read():
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            said = json.loads(line)
            self.state = said.pop("state")
            self.facts |= said
        if self.state == "failed":
            raise RelayError(f"{self.name}: {self.facts['why']}", os.EX_SOFTWARE)
        if ended:
            raise RelayError(self.complaint(), os.EX_SOFTWARE)

    def order(self, words: str) -> None:
        """`go` or `finish N`; one that has gone is found by `listen`."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(words.encode() + b"\n")
            self.process.stdin.flush()

    def dismiss(self) -> None:
        """Close its stdin, which ends it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


def end_workers(workers: Sequence[Worker]) -> None:
    """All of them, at once."""
    for worker in workers:
        worker.dismiss()
        worker.tell(signal.SIGTERM)
    deadline = time.monotonic() + HURRY
    for worker in workers:
        worker.wait(max(0.0, deadline - time.monotonic()))
