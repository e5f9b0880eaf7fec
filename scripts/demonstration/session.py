"""The order of things: relays up, everybody connected, play, finish down the flow, sum up.

Called by `scripts.demonstration.__main__`. Each step is a method; what a process does is in its own
module. However it ends, every process is ended and every file removed, unless they are to be kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from relays.domains import DOMAINS
from relays.edge.status import Look
from relays.errors import RelayError
from scripts.demonstration.processes import Worker, end_workers
from scripts.demonstration.reading import reading
from scripts.demonstration.recording import Choice
from scripts.demonstration.stage import Stage
from scripts.demonstration.summary import Account, Summary, account
from scripts.demonstration.table import Screen

LISTEN_EVERY = 0.05
LOOK_EVERY = 0.5
PATIENCE = 60.0
PRODUCERS = {
    "market_data": ("player",),
    "signals": ("strategy",),
    "execution": ("portfolio", "engine"),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for; `speed` 0 is max, `seconds` 0 is once through."""

    choice: Choice
    speed: int
    seconds: float


class Session:
    """One demonstration on a stage, shown on a screen. `run` gives its summary."""

    def __init__(self, wishes: Wishes, stage: Stage, screen: Screen) -> None:
        self.wishes, self.stage, self.screen = wishes, stage, screen
        self.workers: dict[str, Worker] = {}
        self.first: dict[str, Look] = {}
        self.began: dict[str, Look] = {}
        self.before: dict[str, Look] = {}
        self._looked = 0.0

    def run(self) -> Summary:
        """All of it. RelayError when a process fails; the caller ends the workers and the stage."""
        self.meet()
        self.play()
        self.finish()
        accounts = self.add_up()
        facts = {name: worker.facts for name, worker in self.workers.items()}
        return Summary(
            self.wishes.choice.title, accounts, facts, (), max_speed=not self.wishes.speed
        )

    def begin(self) -> None:
        """Everything starts at once; the player parses while the relays start."""
        self.screen.show(0.0, "starting", ())
        wishes = self.wishes
        self._hire(
            "player",
            "player",
            paths=wishes.choice.paths,
            speed=wishes.speed,
            seconds=wishes.seconds,
            consumers=["strategy", "portfolio", "engine"] + [f"verifier-{n}" for n in DOMAINS],
        )
        self.stage.start()

    def meet(self) -> None:
        """Everybody connects and says that it is ready."""
        self.first = self.began = self.before = self.stage.look()
        for domain in DOMAINS:
            self._hire(f"verifier-{domain}", "verifier", domain=domain)
        for name in ("engine", "portfolio", "strategy"):
            self._hire(name, name)
        self._until(lambda: all(w.state == "ready" for w in self.workers.values()), "connecting")

    def play(self) -> None:
        """The player plays until its time is over and everything it sent is acknowledged."""
        self.began = self.before = self.stage.look()
        self.workers["player"].order("go")
        limit = self.wishes.seconds or float("inf")
        self._until(lambda: self._done("player"), "playing", limit + PATIENCE)

    def finish(self) -> None:
        """Down the flow: a log is complete when those who write to it are done."""
        for domain, readers in (("market_data", ["strategy"]), ("signals", ["portfolio"])):
            self._complete(domain, [*readers, f"verifier-{domain}"])
        self._complete("execution", ["engine", "verifier-execution"])

    def _complete(self, domain: str, readers: Sequence[str]) -> None:
        end = self.stage.look()[domain].end
        for name in readers:
            self.workers[name].order(f"finish {end}")
        self._until(lambda: all(map(self._done, readers)), "finishing")

    def add_up(self) -> tuple[Account, ...]:
        """The books of the three relays, while everybody is still connected."""
        facts = {name: worker.facts for name, worker in self.workers.items()}
        last = self.stage.look()
        return tuple(
            account(
                name,
                [facts[producer] for producer in PRODUCERS[name]],
                facts[f"verifier-{name}"],
                self.first[name],
                last[name],
            )
            for name in DOMAINS
        )

    def end(self) -> None:
        """End every process that is not a relay."""
        end_workers(list(self.workers.values()))

    # --- while waiting ---

    def _hire(self, name: str, module: str, **settings: Any) -> None:
        settings["runtime_dir"] = self.stage.runtime_dir
        self.workers[name] = Worker(name, module, self.stage.folder, settings)

    def _done(self, name: str) -> bool:
        return self.workers[name].state == "done"

    def _until(self, what: Callable[[], bool], doing: str, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not what():
            for worker in self.workers.values():
                worker.listen()
            self.stage.check()
            self._show(doing)
            if time.monotonic() > deadline:
                missing = [n for n, worker in self.workers.items() if worker.state != "done"]
                text = f"{doing}: not done after {patience:.0f} s: {', '.join(missing)}"
                raise RelayError(text, os.EX_SOFTWARE)
            time.sleep(LISTEN_EVERY)
        self._looked = 0.0
        self._show(doing)

    def _show(self, doing: str) -> None:
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        now = self.stage.look()
        # The last table, which stays on the screen, is of the whole time.
        since = self.began if doing == "finishing" else self.before
        readings = [reading(name, self.first[name], since[name], now[name]) for name in now]
        self.before = now
        if doing == "connecting":
            readings = []
        part = self.workers["player"].facts.get("part", 0.0)
        self.screen.show(1.0 if doing == "finishing" else part, doing, readings)
