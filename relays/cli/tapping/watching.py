"""Which frames somebody wants to see, and how many of each kind there are, told from their bytes.

Called by tap for every frame, so nothing is decoded here: header fields and InstrumentIds are read
where the catalogue says they are. Pure: time is handed in. How it looks is `show_message`'s and
tap's affair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from protocol._core import runs
from protocol.catalogue import source_name, type_name
from protocol.header import COMPRESSED, HEADER_SIZE, LAYOUT
from protocol.instruments import SIZE, InstrumentId
from protocol.message import catalogue, instrument_offsets
from relays.cli.common.naming import Names, Wanted

KIND_AT, VERSION_AT, SOURCE_AT, FLAGS_AT = 4, 5, 6, 7
OWNER, OWNER_SIZE = "owner_id", 8
# Instruments (of each type and source) counted one by one; the rest together: memory is bounded.
MOST_COUNTED = 50_000
NONE, OTHERS = b"", b"*"
NO_PLACES: tuple[int, ...] = ()
GROUPS = ("all", "type", "source", "instrument")
Raw = bytes | memoryview


@cache
def offsets() -> dict[tuple[int, int], tuple[int, ...]]:
    """Where the InstrumentIds of a (type, version) are, in bytes from the frame's start."""
    return instrument_offsets()


@cache
def owners() -> dict[tuple[int, int], int]:
    """Where the `owner_id` of a (type, version) is: the producer_id of who orders."""
    return {
        key: HEADER_SIZE + one.offset
        for key, cls in catalogue().items()
        for one in cls.FIELDS
        if one.name == OWNER
    }


@dataclass(frozen=True)
class Filter:
    """What must hold of a frame; what is empty or None does not matter.

    >>> from protocol.market_data import Quote
    >>> from relays.cli.common.naming import parse_instrument
    >>> pair, names = parse_instrument("kraken:spot:XBTUSD"), Names()
    >>> raw = Quote(pair, bid_price=1, ask_price=2, bid_size=3, ask_size=4).frame(source=2)
    >>> [Filter(types={2}).passes(raw), Filter(sources={1}).passes(raw)]
    [True, False]
    >>> Filter(wanted=Wanted(["XBT*"], names)).passes(raw)
    True
    """

    types: Collection[int] = frozenset()
    sources: Collection[int] = frozenset()
    producers: Collection[int] = frozenset()
    wanted: Wanted | None = None

    @property
    def asks(self) -> bool:
        """Whether there is anything that must hold."""
        return bool(self.types or self.sources or self.producers or self.wanted)

    @property
    def ids(self) -> Collection[InstrumentId]:
        """The instruments a relay can be asked for: where all are known by their ids."""
        return self.wanted.exact if self.wanted is not None else ()

    def passes(self, raw: Raw) -> bool:
        """Whether a frame is wanted; one whose instruments cannot be known is not, where an
        instrument or a producer is asked for."""
        if self.types and raw[KIND_AT] not in self.types:
            return False
        if self.sources and raw[SOURCE_AT] not in self.sources:
            return False
        if self.producers and owner(raw) not in self.producers:
            return False
        return self.wanted is None or any(map(self.wanted.has, instruments(raw)))


def instruments(raw: Raw) -> Iterator[InstrumentId]:
    """Every InstrumentId that the catalogue knows of in a frame."""
    if not raw[FLAGS_AT] & COMPRESSED:
        for at in offsets().get((raw[KIND_AT], raw[VERSION_AT]), ()):
            if at + SIZE <= len(raw):
                yield InstrumentId.from_bytes(raw[at : at + SIZE])


def owner(raw: Raw) -> int | None:
    """The producer_id that a frame names, None where it names none (all but execution)."""
    at = owners().get((raw[KIND_AT], raw[VERSION_AT]))
    if at is None or raw[FLAGS_AT] & COMPRESSED or at + OWNER_SIZE > len(raw):
        return None
    return int.from_bytes(raw[at : at + OWNER_SIZE], "little")


class Row(NamedTuple):
    """What came of one type, source or instrument: `rate` since the last look, both in all."""

    group: str
    name: str
    messages: int
    bytes: int
    rate: float


@dataclass
class _Count:
    messages: int = 0
    bytes: int = 0


class Rates:
    """Counts frames by type, source and instrument (the first that a frame names); `rows` says
    what came since it was last asked. Times in seconds on one clock.

    >>> from protocol.market_data import VenueStatus, VenueUpdate
    >>> rates = Rates(Names(), now=10.0)
    >>> rates.add(VenueUpdate(venue=1, status=VenueStatus.OPEN).frame(source=1))
    >>> [(row.group, row.name, row.messages, row.rate) for row in rates.rows(now=12.0)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('all', 'all', 1, 0.5), ('type', 'venue_update', 1, 0.5),
     ('source', 'binance_collector', 1, 0.5), ('instrument', '-', 1, 0.5)]
    """

    def __init__(self, names: Names, now: float) -> None:
        self.names, self.begun, self._looked = names, now, now
        self._counts: dict[tuple[int, int, bytes], _Count] = {}
        self._before: dict[tuple[str, int | bytes], int] = {}

    def add(self, frames: Raw) -> None:
        """Count whole frames, back to back."""
        data, at = bytes(frames), 0
        counts, places = self._counts, offsets()
        for _, kind, version, source, flags, size, *_ in LAYOUT.iter_unpack(runs.headers(data)):
            whole = HEADER_SIZE + size
            found = NO_PLACES if flags & COMPRESSED else places.get((kind, version), NO_PLACES)
            inside = found and found[0] + SIZE <= whole
            name = data[at + found[0] : at + found[0] + SIZE] if inside else NONE
            count = counts.get((kind, source, name)) or self._new(kind, source, name)
            count.messages += 1
            count.bytes += whole
            at += whole

    def _new(self, kind: int, source: int, name: bytes) -> _Count:
        if len(self._counts) >= MOST_COUNTED and name != NONE:
            name = OTHERS
        return self._counts.setdefault((kind, source, name), _Count())

    @property
    def messages(self) -> int:
        """How many frames were counted."""
        return sum(count.messages for count in self._counts.values())

    def rows(self, now: float, *, since_begin: bool = False) -> list[Row]:
        """All counts, the busiest first; rates are per second since the last call, or the begin."""
        span = max(1e-9, now - (self.begun if since_begin else self._looked))
        sums = self._sums()
        rows = [
            Row(
                group,
                self._name(group, key),
                count.messages,
                count.bytes,
                (count.messages - (0 if since_begin else self._before.get((group, key), 0))) / span,
            )
            for (group, key), count in sums.items()
        ]
        self._looked = now
        self._before = {key: count.messages for key, count in sums.items()}
        return sorted(rows, key=_busiest_first)

    def _sums(self) -> dict[tuple[str, int | bytes], _Count]:
        """The counts of each member of each group."""
        sums: defaultdict[tuple[str, int | bytes], _Count] = defaultdict(_Count)
        for (kind, source, name), count in self._counts.items():
            for key in (("all", 0), ("type", kind), ("source", source), ("instrument", name)):
                sums[key].messages += count.messages
                sums[key].bytes += count.bytes
        return sums

    def _name(self, group: str, key: int | bytes) -> str:
        if isinstance(key, bytes):
            if key in (NONE, OTHERS):
                return "-" if key == NONE else "others"
            return self.names.of(InstrumentId.from_bytes(key))
        return {"type": type_name, "source": source_name}.get(group, lambda _: "all")(key)


def _busiest_first(row: Row) -> tuple[int, float, int, str]:
    return GROUPS.index(row.group), -row.rate, -row.messages, row.name
