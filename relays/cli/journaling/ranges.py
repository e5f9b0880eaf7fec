"""Which messages of a journal: as people write them, and as positions.

Called by `relays journal`. Pure: the text of a range, and a catalogue, to positions.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click

from relays.cli.common.times import moment
from relays.core.journal.catalogue import Catalogue

SECOND = 1_000_000_000
LATEST = re.compile(r"last:(\d+)")
POSITION = re.compile(r"\d{1,19}")
WAYS = "N, FIRST..LAST, last:N, or times: 2026-01-31T09:00..2026-01-31T09:05, 09:00..09:05"


class Span(NamedTuple):
    """A range as it was asked for. `first` to `last`, both included, are positions, or times (ns)
    with `last` not included; None is open. `latest` above 0: so many before the end."""

    first: int | None = None
    last: int | None = None
    times: bool = False
    latest: int = 0

    def positions(self, catalogue: Catalogue, end: int) -> tuple[int, int]:
        """The first position and the one behind the last, in a journal that ends at `end`."""
        if self.latest:
            return max(end - self.latest, catalogue.oldest), end
        first = catalogue.oldest if self.first is None else self.first
        if self.times:
            first = catalogue.oldest if self.first is None else catalogue.since(self.first)
            return first, end if self.last is None else min(catalogue.since(self.last), end)
        return first, end if self.last is None else min(self.last + 1, end)


EVERYTHING = Span()


class RangeType(click.ParamType[Span]):
    """`N`, `A..B`, `last:N`, with positions or times."""

    name = "RANGE"

    def convert(self, value: Any, _: Any, __: Any) -> Span:
        try:
            return value if isinstance(value, Span) else parse(value)
        except ValueError as error:
            return self.fail(str(error))


def parse(text: str, now: datetime | None = None) -> Span:
    """The range that is written so; ValueError, saying the ways to write it, for another.

    >>> parse("5"), parse("7..")
    (Span(first=5, last=5, times=False, latest=0), Span(first=7, last=None, times=False, latest=0))
    >>> parse("1970-01-01..1970-01-01T00:00:01")
    Span(first=0, last=1000000000, times=True, latest=0)
    """
    if found := LATEST.fullmatch(text):
        return Span(latest=int(found[1]))
    first, dots, last = text.partition("..")
    if not dots and POSITION.fullmatch(text):
        return Span(int(text), int(text))
    if not dots:
        raise ValueError(f"{text!r} is no range: {WAYS}")
    times = not all(POSITION.fullmatch(one) for one in (first, last) if one)
    today = now or datetime.now(UTC)
    read = (lambda one: _time(one, today)) if times else int
    made = Span(read(first) if first else None, read(last) if last else None, times)
    if made.first is not None and made.last is not None and made.first > made.last:
        raise ValueError(f"{text!r} ends before it begins")
    return made


def _time(text: str, today: datetime) -> int:
    """ns since 1970 of a time; UTC where it does not say, today where it has no date."""
    try:
        since = moment(text, today) - datetime(1970, 1, 1, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text!r} is neither a position nor a time: {WAYS}") from None
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000
