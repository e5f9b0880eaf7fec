"""Which frames somebody wants to see, and how many of each kind there are, told from their bytes.

Called by tap for every frame, so nothing is decoded here: header fields and InstrumentIds are read
where the catalogue says they are. Pure: time is handed in. How it looks is `show_message`'s and
tap's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from protocol.catalogue import source_name, type_name
from protocol.header import COMPRESSED
from protocol.instruments import SIZE, InstrumentId
from protocol.message import catalogue, instrument_offsets
from relays.cli.naming import Names, Wanted

KIND_AT, VERSION_AT, SOURCE_AT, FLAGS_AT = 4, 5, 6, 7
OWNER, OWNER_SIZE = "owner_id", 8
# Instruments counted one by one; the rest together, so that memory stays bounded.
MOST_INSTRUMENTS = 20_000
NONE, OTHERS = b"", b"*"
Raw = bytes | memoryview


@cache
def offsets() -> dict[tuple[int, int], tuple[int, ...]]:
    """Where the InstrumentIds of a (type, version) are, in bytes from the frame's start."""
    return instrument_offsets()


@cache
def owners() -> dict[tuple[int, int], int]:
    """Where the `owner_id` of a (type, version) is: the producer_id of who orders."""
    return {
        key: 32 + one.offset
        for key, cls in catalogue().items()
        for one in cls.FIELDS
        if one.name == OWNER
    }


@dataclass(frozen=True)
class Filter:
    """What must hold of a frame; what is empty or None does not matter.

    >>> from protocol.market_data import Quote
    >>> from relays.cli.naming import parse_instrument
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
class _Group:
    messages: Counter[int | bytes] = field(default_factory=Counter)
    sizes: Counter[int | bytes] = field(default_factory=Counter)
    before: Counter[int | bytes] = field(default_factory=Counter)

    def add(self, key: int | bytes, size: int) -> None:
        self.messages[key] += 1
        self.sizes[key] += size


class Rates:
    """Counts frames by type, source and instrument (the first that a frame names); `rows` says
    what came since it was last asked. Times in seconds on one clock.

    >>> from protocol.market_data import VenueUpdate
    >>> rates = Rates(Names(), now=10.0)
    >>> rates.add(VenueUpdate(venue=1, status=1).frame(source=1))
    >>> [(row.group, row.name, row.messages, row.rate) for row in rates.rows(now=12.0)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('all', 'all', 1, 0.5), ('type', 'venue_update', 1, 0.5),
     ('source', 'binance_collector', 1, 0.5), ('instrument', '-', 1, 0.5)]
    """

    def __init__(self, names: Names, now: float) -> None:
        self.names, self.begun, self._looked = names, now, now
        self.missed = 0
        self._groups = {name: _Group() for name in ("all", "type", "source", "instrument")}
        self._all, self._types, self._sources, self._instruments = self._groups.values()

    def add(self, raw: Raw) -> None:
        """Count one frame."""
        size, kind = len(raw), raw[KIND_AT]
        self._all.add(0, size)
        self._types.add(kind, size)
        self._sources.add(raw[SOURCE_AT], size)
        self._instruments.add(self._key(raw, kind), size)

    def _key(self, raw: Raw, kind: int) -> bytes:
        places = offsets().get((kind, raw[VERSION_AT]))
        if not places or raw[FLAGS_AT] & COMPRESSED or places[0] + SIZE > len(raw):
            return NONE
        key = bytes(raw[places[0] : places[0] + SIZE])
        seen = self._instruments.messages
        return key if key in seen or len(seen) < MOST_INSTRUMENTS else OTHERS

    @property
    def messages(self) -> int:
        """How many frames were counted."""
        return self._all.messages[0]

    def rows(self, now: float, *, since_begin: bool = False) -> list[Row]:
        """All counts, the busiest first; rates are per second since the last call, or the begin."""
        span = max(1e-9, now - (self.begun if since_begin else self._looked))
        found = [
            row
            for name, group in self._groups.items()
            for row in self._rows(name, group, span, since_begin)
        ]
        self._looked = now
        for group in self._groups.values():
            group.before = group.messages.copy()
        return found

    def _rows(self, name: str, group: _Group, span: float, since_begin: bool) -> list[Row]:
        before = Counter[int | bytes]() if since_begin else group.before
        rows = [
            Row(name, self._name(name, key), count, group.sizes[key], (count - before[key]) / span)
            for key, count in group.messages.items()
        ]
        return sorted(rows, key=lambda row: (-row.rate, -row.messages, row.name))

    def _name(self, group: str, key: int | bytes) -> str:
        if isinstance(key, bytes):
            if key in (NONE, OTHERS):
                return "-" if key == NONE else "others"
            return self.names.of(InstrumentId.from_bytes(key))
        return {"type": type_name, "source": source_name}.get(group, lambda _: "all")(key)
