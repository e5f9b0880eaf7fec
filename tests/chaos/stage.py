"""The processes of the chaos: one relay, producers and consumers, and what can be done to them.

Called by `tests.chaos.story`. Each client keeps a notebook that outlives it. Every process ends
with this one, however that dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocol.header import Header
from tests.chaos.notebook import Entry, Seen, Sent
from tests.chaos.power import Disk
from tests.harness import Client, RelayProcess, eventually, hello

ROOT = Path(__file__).parents[2]
GUARD = shutil.which("setpriv")
GUARDED = (GUARD, "--pdeathsig", "KILL") if GUARD else ()
# In memory; with a journal so little that who lags is served from that.
LOG_BYTES, LITTLE = 32 << 20, 8 << 20
# Of one that does not read for a second.
LIMITS = {"circuit_breaker": 1000, "max_queue_size": 2000}
RUN = "run"
JOURNAL = {
    "journal": "on", "journal_before_delivery": True, "journal_segment": 8 << 20,
    "journal_bytes": 16 << 20,
}  # fmt: skip
FINISH = 60.0
PRODUCERS = 3
# Name, seconds of a pause in which it does not read, what happens when it lags.
CONSUMERS = (
    ("steady", 0.0, "catch_up"), ("killed", 0.0, "catch_up"), ("stopped", 0.0, "catch_up"),
    ("slow", 1.0, "gap"),
)  # fmt: skip
LATE = ("late", 0.0, "catch_up")


class Actor:
    """One client process, which is started again with the same notebook after it was killed."""

    def __init__(self, module: str, folder: Path, name: str, **told: Any) -> None:
        self.module, self.name = module, name
        self.notebook = folder / f"{name}.notes"
        self.errors = folder / f"{name}.stderr"
        self.told = {"name": name, "notebook": str(self.notebook), **told}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [*GUARDED, sys.executable, "-m", f"tests.chaos.{self.module}"]
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [*command, json.dumps(self.told)], cwd=ROOT, stdout=subprocess.DEVNULL,
                stderr=errors,
            )  # fmt: skip

    def tell(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def reached(self, end: int, log_id: int | None = None) -> Callable[[], bool]:
        """Asks whether a consumer, which must be there, has all up to this position, and exactly
        that of this log."""

        def ask() -> bool:
            self.check()
            where = Seen.where(self.notebook)
            return where == (end, log_id) if log_id is not None else where[0] >= end

        return ask

    def check(self) -> None:
        """AssertionError when it has ended by itself."""
        assert self.process is not None
        code = self.process.poll()
        assert code is None, f"{self.name} ended with {code}: {self.errors.read_text()[-2000:]}"

    def finish(self) -> None:
        """It is told to end, and does."""
        self.check()
        self.tell(signal.SIGTERM)
        assert self.process is not None
        process = self.process
        eventually(lambda: process.poll() is not None, f"{self.name} ends", FINISH)
        code = process.returncode
        assert code == 0, f"{self.name} ended with {code}: {self.errors.read_text()[-2000:]}"


class Stage:
    """One relay in `folder`/run and its clients. `kills` counts those of the relay.

    With `journal` it delivers only what is on the disk, so nothing that was seen can be lost.
    """

    def __init__(
        self, domain: str, folder: Path, journal: bool = False, **settings: object
    ) -> None:
        place = folder / RUN
        place.mkdir(mode=0o750, exist_ok=True)
        kept = LITTLE if journal else LOG_BYTES
        self.relay = RelayProcess(domain, place, prefix=GUARDED, log_bytes=kept)
        self.disk = Disk(folder, place / "journal" / domain) if journal else None
        self.relay.settings |= {"journal": "off", **LIMITS}
        if self.disk is not None:
            self.relay.prefix = (*GUARDED, *self.disk.prefix)
            self.relay.settings |= JOURNAL | {"journal_dir": place / "journal"}
        self.relay.settings |= settings
        own = self._own = {"path": self.relay.path, "domain": domain}
        self.folder = folder
        self.producers = [
            Actor("producer", folder, f"producer-{n}", id=n, burst=8 * n, pause=0.004, **own)
            for n in range(1, PRODUCERS + 1)
        ]
        self.consumers = [self._consumer(*each) for each in CONSUMERS]
        self.kills = 0

    def _consumer(self, name: str, pause: float, on_lag: str) -> Actor:
        told = {"pause": pause, "on_lag": on_lag, "heartbeat_ms": 500, **self._own}
        return Actor("consumer", self.folder, name, **told)

    @property
    def clients(self) -> list[Actor]:
        return self.producers + self.consumers

    def start(self) -> None:
        self.relay.start()
        for client in self.clients:
            client.start()
        eventually(lambda: self.relay.end() > 100, "messages flow", FINISH)

    def kill_relay(self) -> None:
        self.relay.kill()
        self.kills += 1

    def kill_while_it_starts(self, after: float) -> None:
        """Start the relay and kill it at some moment of that."""
        starting = threading.Thread(target=self._start_in_vain)
        before = self.relay.process
        starting.start()
        eventually(lambda: self.relay.process is not before, "the relay is being started")
        time.sleep(after)
        self.kill_relay()
        starting.join()

    def _start_in_vain(self) -> None:
        with contextlib.suppress(AssertionError):
            self.relay.start()

    def refused(self) -> str:
        """Start the relay, which does not, for its journal is damaged; gives what it says."""
        before = len(self.relay.log())
        with contextlib.suppress(AssertionError):
            self.relay.start()
        assert self.relay.process is not None
        code, said = self.relay.process.poll(), self.relay.log()[before:]
        assert code == os.EX_DATAERR, f"exit {code} on a damaged journal: {said[-2000:]}"
        return said

    def caught_up(self) -> None:
        """Wait until every consumer has what there was when this was called, but the slow one."""
        end = self.relay.end()
        for consumer in self.consumers[:-1]:
            eventually(consumer.reached(end), f"{consumer.name} is at {end}", FINISH)

    def knock(self, producer_id: int) -> None:
        """A producer that was never here says Hello: whether there is room for it or not, it is
        answered."""
        with Client(self.relay.path) as client:
            client.send(hello(2, producer_id=producer_id))
            assert Header.unpack(client.frame()).message_type in (102, 105)

    def check(self) -> None:
        """AssertionError when something has ended by itself."""
        for client in self.clients:
            client.check()
        assert self.relay.process is not None
        assert self.relay.process.poll() is None, self.relay.log()[-3000:]

    def finish(self) -> None:
        """Everybody comes to the end, also who only comes now and reads all that is kept: all sent,
        all read, all accounted for."""
        for producer in self.producers:
            producer.finish()
        for consumer in self.consumers:
            consumer.tell(signal.SIGUSR1)
        self.consumers.append(self._consumer(*LATE))
        self.consumers[-1].start()
        end, log_id = self.relay.end(), self._log_id()
        for consumer in self.consumers:
            eventually(consumer.reached(end, log_id), f"{consumer.name} is at {end}", FINISH)
            consumer.finish()
        self.relay.accounted()
        assert self.relay.stop() == 0

    def _log_id(self) -> int:
        with self.relay.client() as client:
            log_id: int = client.hello(0).log_id
        return log_id

    def seen(self) -> dict[str, list[Entry]]:
        return {consumer.name: list(Seen.read(consumer.notebook)) for consumer in self.consumers}

    def sent(self) -> dict[int, tuple[int, int]]:
        return {one.told["id"]: Sent.read(one.notebook) for one in self.producers}

    def clear(self) -> None:
        """End what is left."""
        for client in self.clients:
            if client.process is not None and client.process.poll() is None:
                client.kill()
        with contextlib.suppress(AssertionError):
            self.relay.clean()


class Fill:
    """The file system of a folder, full while this lasts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "filler"

    def __enter__(self) -> None:
        with self.path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(os.statvfs(self.path).f_bsize))

    def __exit__(self, *_: object) -> None:
        self.path.unlink()
