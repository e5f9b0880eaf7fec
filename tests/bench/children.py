"""Child processes that cannot outlive the bench: waited for without polling, ended by pid.

Called by servers and runs. Nothing here knows what the children do.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


class RunFailed(Exception):
    """A run that is no measurement: a child failed, a frame was lost, or time was up."""


class Child:
    """One process with its output in files, so that no full pipe can hold it up.

    `cpus` is a list for taskset (`"0"`, `"1-3"`), empty for no pinning.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, cpus: str = "") -> None:
        self.name = name
        self._out = folder / f"{name}.out"
        self._err = folder / f"{name}.err"
        pinned = ["taskset", "-c", cpus, *command] if cpus else list(command)
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                pinned, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def ends_within(self, seconds: float) -> bool:
        """Waits that long at most for it to end."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def output(self) -> str:
        return self._out.read_text()

    def complaint(self) -> str:
        """How it ended and the last lines it wrote to stderr."""
        lines = self._err.read_text().strip().splitlines()[-5:]
        return f"{self.name} ended with {self.exit_code()}: " + " / ".join(lines)

    def cpu_ns(self) -> int:
        """Processor time of all its threads so far, from the scheduler's own count."""
        times = (path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat"))
        return sum(int(text.split()[0]) for text in times)

    def sleeps(self) -> int:
        """How often its first thread has waited for something so far."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(n) for n in map(_voluntary, lines) if n)

    def asleep(self) -> bool:
        """Whether its first thread waits for something: one that is ready to run, and has no
        processor, is not."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "S"

    def halt(self) -> None:
        """Stops it (SIGSTOP): it does nothing until it goes on."""
        self._process.send_signal(signal.SIGSTOP)

    def halted(self) -> bool:
        """Whether it is stopped, by itself or by somebody."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] == "T"

    def go_on(self) -> None:
        """Continues a process that is stopped."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it as the machine's death would: it does nothing more."""
        self._process.kill()
        self._process.wait()

    def stop(self, patience: float = 10.0) -> None:
        """SIGTERM, and SIGKILL for what is still there after `patience` seconds."""
        if self.exit_code() is None:
            self._process.terminate()
            self.go_on()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _voluntary(line: str) -> str:
    return line.partition("voluntary_ctxt_switches:")[2] if line.startswith("vol") else ""


def wait_for(children: Sequence[Child], seconds: float) -> None:
    """Returns when all have ended with 0; raises RunFailed at the first that does not.

    Sleeps in the kernel meanwhile: a polling harness would be measured with what it measures.
    """
    deadline = time.monotonic() + seconds
    poller = select.poll()
    for child in children:
        if child.exit_code():
            raise RunFailed(child.complaint())
    running = [child for child in children if child.exit_code() is None]
    waiting = {os.pidfd_open(child.pid): child for child in running}
    try:
        for descriptor in waiting:
            poller.register(descriptor, select.POLLIN)
        left = len(waiting)
        while left:
            ended = poller.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ended:
                raise RunFailed(f"not finished after {seconds:.0f} s")
            for descriptor, _ in ended:
                poller.unregister(descriptor)
                left -= 1
                if waiting[descriptor].exit_code() != 0:
                    raise RunFailed(waiting[descriptor].complaint())
    finally:
        for descriptor in waiting:
            os.close(descriptor)
