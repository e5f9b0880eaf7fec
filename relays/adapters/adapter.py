"""The frame of every adapter: a line in, records out, and a named reason for every line without.

The venue modules derive from `Adapter`; the command `relays convert`, the demonstration and tests
call them. What a line means is for the venue modules; files, sockets and clocks for the callers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from heapq import merge as merge_sorted
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from protocol.catalogue import SourceType
from protocol.errors import InstrumentError
from protocol.message import Message
from relays.adapters.symbols import Collision, Instruments

LATEST = 2**64 - 1
# Characters; a recording without line ends is not to be held in memory whole.
LONGEST_LINE = 1 << 24
Made = TypeVar("Made")


class Record(NamedTuple):
    """A message and when the recorder received it (ns since the epoch, the recorder's clock)."""

    received: int
    message: Message


class Table(Protocol):
    """A file that an adapter looks things up in: its lines, and those of no use by reason."""

    path: Path | None
    read: int
    skipped: Counter[str]


class Skipped(Exception):
    """A line that gives no message; the text is the reason it is counted under."""


class Unsayable(ValueError):
    """A number that a field of 64 bits in units of 1e-8 cannot say. It is counted under `reason`:
    `not_in_units` (it has more decimals), `does_not_fit`."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


# All that reading a line may raise.
REFUSED = (
    *(Skipped, Collision, AttributeError, LookupError, TypeError, ValueError, ArithmeticError),
    RecursionError,
)


class Adapter:
    """Lines of one recording to records: derive, and write `_convert`.

    `read` counts the lines, `skipped` those that gave no message, by reason: a line is there once
    or gave messages. `left_out` counts, by reason, single events of lines that did give messages
    (one trade of a list, say). `instruments` makes the ids: what it sees for the first time comes
    out as an InstrumentDiscovered before the messages of the line that gives the next ones. An
    adapter keeps the state of its recording (ids, books), so each recording has its own. `order`
    is where the last line stands among those of the same time, for merging: block and index of a
    log, (0, 0) where nothing says it. `table` is what lines are looked up in, where there is one.

    Reasons every adapter has: `bad_field` (a field is missing, or not what the venue documents),
    `bad_symbol` (no id can be made of it), `id_collision` (two symbols with one id: both names are
    in `collisions`), `bad_time` (no header can hold it), `not_in_units` and `does_not_fit` (numbers
    finer than 1e-8, or too large for 64 bits of it), `gave_nothing`.
    """

    SOURCE: ClassVar[SourceType]

    def __init__(self) -> None:
        self.read = 0
        self.skipped: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.collisions: dict[str, None] = {}
        self.instruments = Instruments()
        self.order = (0, 0)
        self.table: Table | None = None

    def convert(self, line: str) -> list[Record]:
        """The records of one line, in the venue's order; none when the line is counted in
        `skipped`. Nothing that a line can hold raises."""
        self.read += 1
        try:
            if len(line) > LONGEST_LINE:
                self._lost()
                raise Skipped("too_long")
            records = list(self._convert(line))
            if not records:
                raise Skipped("gave_nothing")
            if not 0 <= records[0].received <= LATEST:
                raise Skipped("bad_time")
        except REFUSED as error:
            self.skipped[self.reason(error)] += 1
            return []
        if self.instruments.discovered:
            return self.introductions(records[0].received) + records
        return records

    def reason(self, error: Exception) -> str:
        """What a line or event is counted under that raised one of REFUSED."""
        if isinstance(error, Skipped):
            return str(error)
        if isinstance(error, Collision):
            self.collisions.setdefault(str(error))
            return "id_collision"
        if isinstance(error, Unsayable):
            return error.reason
        return "bad_symbol" if isinstance(error, InstrumentError) else "bad_field"

    def each(self, events: Iterable[Any], make: Callable[[Any], Made]) -> list[Made]:
        """What `make` makes of each event of a list. One that cannot be read is counted in
        `left_out` and takes none with it; Skipped when that is all of them."""
        made, reasons = [], []
        for event in events:
            try:
                made.append(make(event))
            except REFUSED as error:
                reasons.append(self.reason(error))
        if reasons and not made:
            raise Skipped(reasons[0])
        self.left_out.update(reasons)
        return made

    def introductions(self, received: int) -> list[Record]:
        """The InstrumentDiscovered that wait, as records: for lines that are lists of products."""
        return [Record(received, message) for message in self.instruments.take()]

    def records(self, lines: Iterable[str]) -> Iterator[Record]:
        """The records of these lines, in their order."""
        for line in lines:
            yield from self.convert(line)

    def _convert(self, line: str) -> Iterable[Record]:
        """Written by the venue's module: the records of a line, or Skipped with the reason."""
        raise NotImplementedError

    def _lost(self) -> None:
        """A line cannot be read: what it may have changed is forgotten, where there is such."""


def merge(recordings: Iterable[Iterable[Record]]) -> Iterator[Record]:
    """Several recordings as one, in receive order; equal times in the order of the recordings.

    Each must be in receive order itself. Reads them side by side, a record each at a time.
    """
    return merge_sorted(*recordings, key=attrgetter("received"))
