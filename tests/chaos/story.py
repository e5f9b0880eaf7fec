"""What happens, one thing after the other, by chance and from a seed.

Called by `tests.chaos.__main__` and by the tests. When things happen is the machine's affair, so
the same seed gives the same story, not the same run.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.checker import Account, check
from tests.chaos.harm import Harm
from tests.chaos.stage import Actor, Fill, Stage
from tests.harness import remove_memory

# How often each comes, of all; `fill` only on a file system of our own, `forget` and `damage` only
# where asked, `lose_power` with a journal.
WEIGHTS = {
    "kill_relay": 40, "kill_twice": 5, "restart_relay": 8, "stop_relay": 8, "kill_producer": 10,
    "kill_consumer": 12, "stop_producer": 5, "stop_consumer": 8, "fill": 6, "forget": 10,
    "lose_power": 10, "damage": 6,
}  # fmt: skip
SHORT, LONG = (0.02, 0.4), (0.5, 2.5)


@dataclass(frozen=True)
class Wishes:
    """How long: at least so many seconds and kills of the relay; and what may be done."""

    seconds: float = 0.0
    kills: int = 0
    fills: bool = False
    forgets: bool = False
    journal: bool = False
    damages: bool = False


class Story:
    """One run; `done` counts what happened."""

    def __init__(self, stage: Stage, seed: int, wishes: Wishes) -> None:
        self.stage, self.wishes = stage, wishes
        self.chance = random.Random(seed)
        self.done: dict[str, int] = {}
        self.pages = 0  # that were lost with the power
        self.begun = time.monotonic()

    def run(self, tell: Callable[[Story], None] = lambda _: None) -> list[Account]:
        """Everything, and the accounts of the consumers. AssertionError when something ended that
        should not, or does not come to its end."""
        self.stage.start()
        names = self._names()
        weights = [WEIGHTS[name] for name in names]
        while not self.over():
            name = self.chance.choices(names, weights)[0]
            self.done[name] = self.done.get(name, 0) + 1
            getattr(self, name)()
            time.sleep(self.chance.uniform(*SHORT))
            self.stage.check()
            tell(self)
        if self.wishes.damages:
            self.accept_damage()
        self.stage.finish()
        return check(self.stage.seen(), self.stage.sent())

    def _names(self) -> list[str]:
        wishes = self.wishes
        asked = {
            "fill": wishes.fills, "forget": wishes.forgets, "lose_power": wishes.journal,
            "damage": wishes.damages,
        }  # fmt: skip
        return [name for name in WEIGHTS if asked.get(name, True)]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def over(self) -> bool:
        return self.seconds >= self.wishes.seconds and self.stage.kills >= self.wishes.kills

    # --- what can happen ---

    def kill_relay(self) -> None:
        self.stage.kill_relay()
        time.sleep(self.chance.choice([0, 0, self.chance.uniform(*SHORT)]))
        self.stage.relay.start()

    def kill_twice(self) -> None:
        """Its successor is killed while it takes over."""
        self.stage.kill_relay()
        self.stage.kill_while_it_starts(self.chance.uniform(0, 0.5))
        self.stage.relay.start()

    def restart_relay(self) -> None:
        assert self.stage.relay.stop() == 0
        self.stage.relay.start()

    def stop_relay(self) -> None:
        self._pause(self.stage.relay.signal)

    def kill_producer(self) -> None:
        self._kill(self.chance.choice(self.stage.producers))

    def kill_consumer(self) -> None:
        self._kill(self.chance.choice(self.stage.consumers[1:]))

    def stop_producer(self) -> None:
        self._pause(self.chance.choice(self.stage.producers).tell)

    def stop_consumer(self) -> None:
        self._pause(self.chance.choice(self.stage.consumers[1:]).tell)

    def fill(self) -> None:
        """The file system is full: for what runs, for who connects and for who takes over."""
        with Fill(self.stage.relay.folder):
            self.stage.knock(self.chance.randrange(1000, 10**9))
            self._kill(self.chance.choice(self.stage.consumers[1:]))
            time.sleep(self.chance.uniform(*SHORT))
            self.stage.kill_relay()
            self.stage.relay.start()
            time.sleep(self.chance.uniform(*SHORT))

    def forget(self) -> None:
        """The memory files go while the relay is dead: another log begins, without a journal."""
        self.stage.kill_relay()
        self._forget()
        self.stage.relay.start()

    def lose_power(self) -> None:
        """The machine dies: no memory, and of the disk what was synced, and some pages more."""
        self.stage.kill_relay()
        self._forget()
        assert self.stage.disk is not None
        self.pages += self.stage.disk.lose_power(self.chance)
        self.stage.relay.start()

    def damage(self) -> None:
        """The disk harms what was safe: the relay does not start on it, and says where it is. What
        was harmed comes back from a copy."""
        self.stage.kill_relay()
        if self.chance.random() < 0.5:
            self._forget()
        self._harm().undo()
        self.stage.relay.start()

    def accept_damage(self) -> None:
        """It starts when it is told to go on without what is damaged. Everybody has that, only who
        comes late has not, and is told."""
        self.stage.caught_up()
        self.stage.kill_relay()
        self._harm()
        self.stage.relay.options = ("--accept-damage",)
        self.stage.relay.start()

    def _harm(self) -> Harm:
        assert self.stage.disk is not None
        harm = Harm(self.stage.disk.journal, self.chance)
        said = self.stage.refused()
        assert f"{harm.path.name}, byte " in said, f"{harm}, and not a word of it: {said}"
        return harm

    def _forget(self) -> None:
        remove_memory(self.stage.relay.domain, self.stage.relay.folder)

    def _kill(self, client: Actor) -> None:
        client.kill()
        time.sleep(self.chance.choice([0, self.chance.uniform(*SHORT)]))
        client.start()

    def _pause(self, tell: Callable[[int], None]) -> None:
        tell(signal.SIGSTOP)
        time.sleep(self.chance.uniform(*(SHORT if self.chance.random() < 0.8 else LONG)))
        tell(signal.SIGCONT)


def play(
    domain: str, folder: Path, seed: int, wishes: Wishes,
    tell: Callable[[Story], None] = lambda _: None, **settings: object,
) -> tuple[Story, list[Account]]:  # fmt: skip
    """A story from beginning to end, cleared away whatever happens. `settings` are the relay's."""
    stage = Stage(domain, folder, wishes.journal, **settings)
    try:
        story = Story(stage, seed, wishes)
        return story, story.run(tell)
    finally:
        stage.clear()
