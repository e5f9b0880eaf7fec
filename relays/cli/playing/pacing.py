"""How fast recorded messages go out: when each is due, and recordings merged by time.

Called by publish and replay. Pure: times are handed in, nothing waits here. What the messages are
does not matter; they come with the time that is in their header, in ns.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

SECOND = 1_000_000_000
STEP = 0.001
MANY = 1 << 20
NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6}
WAYS = "1 (as recorded), a factor (0.5, 10), max, or a rate (1000/s, 50k/s)"


class Speed(NamedTuple):
    """`factor` of the recorded timing, or `rate` messages a second; neither: as fast as it goes.

    >>> Speed.parse("2.5"), Speed.parse("50k/s").rate, Speed.parse("max")
    (Speed(factor=2.5, rate=None), 50000.0, Speed(factor=None, rate=None))
    >>> [Speed.parse(text).together for text in ("1", "100/s", "50k/s")]
    [1, 1, 50]
    """

    factor: float | None = None
    rate: float | None = None

    @classmethod
    def parse(cls, text: str) -> Speed:
        """The speed that is written so; ValueError, saying the ways to write it, for another."""
        word = text.strip().lower()
        if word == "max":
            return cls()
        number, slash, unit = word.partition("/")
        scale = SUFFIXES.get(number[-1:]) if slash else None
        value = _positive(number[:-1] if scale else number)
        if value is None or (slash and unit not in ("s", "sec", "second")):
            raise ValueError(f"{text!r} is no speed: {WAYS}")
        return cls(rate=value * (scale or 1.0)) if slash else cls(factor=value)

    @property
    def together(self) -> int:
        """How many messages may go out at once: a millisecond's at a rate, one where each has its
        time."""
        if self.factor is not None:
            return 1
        return max(1, int(self.rate * STEP)) if self.rate else MANY


def _positive(text: str) -> float | None:
    value = float(text) if NUMBER.fullmatch(text) else 0.0
    return value if 0 < value < math.inf else None


class Pace:
    """When each message is due: `due` once for each, in order.

    Recorded times that step back do not hold up what follows; what is late goes out at once, and
    the rest is due as if it had not been.

    >>> pace = Pace(Speed.parse("2"), now=100)
    >>> [pace.due(time) for time in (5_000, 6_000, 5_500, 9_000)]
    [100, 600, 600, 2100]
    """

    def __init__(self, speed: Speed, now: int) -> None:
        self.speed, self.begun = speed, now
        self._count = 0
        self._first = self._latest = 0

    @property
    def waits(self) -> bool:
        """Whether anything is ever due later than now."""
        return self.speed != Speed()

    def due(self, time: int, many: int = 1) -> int:
        """When the next message is due, on the clock of `now`; `time` is its own, both in ns.
        `many` go out together with it."""
        factor, rate = self.speed
        if factor is not None:
            if not self._count:
                self._first = time
            self._latest = max(self._latest, time, self._first)
            after = (self._latest - self._first) / factor
        else:
            after = self._count * SECOND / rate if rate else 0.0
        self._count += many
        return self.begun + int(after)


class Timed(Protocol):
    """What has a time in ns; 0 where it is not known."""

    @property
    def time(self) -> int: ...


T = TypeVar("T", bound=Timed)


def merged(recordings: Iterable[Iterable[T]]) -> Iterator[T]:
    """Several recordings in the order of their times; each keeps its own order.

    What has no time, or an earlier one than what precedes it in its recording, comes right after
    that.

    >>> class At(NamedTuple):
    ...     time: int
    >>> [at.time for at in merged([[At(1), At(0), At(7)], [At(2), At(6)]])]
    [1, 0, 2, 6, 7]
    """
    return (one for _, _, one in heapq.merge(*map(_keyed, _numbered(recordings)), key=_first_two))


def _numbered(recordings: Iterable[Iterable[T]]) -> list[tuple[int, Iterable[T]]]:
    return list(enumerate(recordings))


def _keyed(recording: tuple[int, Iterable[T]]) -> Iterator[tuple[int, int, T]]:
    number, items = recording
    latest = 0
    for item in items:
        latest = max(latest, item.time)
        yield latest, number, item


def _first_two(keyed: tuple[int, int, T]) -> tuple[int, int]:
    return keyed[0], keyed[1]
