"""Frames that peers write: valid ones of each domain, and lies.

Every frame a producer means has a tag of its own in `timestamp`, so that no two have the same
bytes. Used by `peers`.
"""

from __future__ import annotations

import random
import zlib

from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, Quote
from protocol.tails import Level
from tests.simulator.checker.facts import HEADER, MAGIC

PAIRS = [InstrumentId.spot(VenueId.BINANCE, f"PAIR{n}") for n in range(5)]
IDS = [pair.to_bytes() for pair in PAIRS]
# Type: payload bytes to choose from. Types no schema is known of may have any.
PLAIN = {
    "market_data": {1: (32,), 2: (48,), 7: (0, 8, 200), 8: (40,)},
    "signals": {20: (64,), 28: (0, 16, 300), 31: (72,)},
    "execution": {40: (80,), 42: (128,), 50: (0, 24, 400)},
}
FOREIGN = {"market_data": 25, "signals": 7, "execution": 7}
HAS_ID = {1, 2, 20, 31, 40, 42}


def seal(
    kind: int, payload: bytes, sequence: int, tag: int, *, version: int = 1, magic: int = MAGIC
) -> bytes:
    """A frame with the right checksum."""
    head = HEADER.pack(magic, kind, version, 1, 0, len(payload), sequence, tag, 0)[:28]
    return head + zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "little") + payload


class Maker:
    """Makes the frames of one domain; `largest` is the most payload bytes it may use."""

    def __init__(self, domain: str, largest: int, chance: random.Random, books: bool) -> None:
        self.domain, self.largest, self.chance, self.books = domain, largest, chance, books
        self.types = PLAIN[domain]
        self._kinds = list(self.types)
        self._number = 0

    def frame(self, sequence: int, tag: int) -> bytes:
        """One that is accepted where its sequence is."""
        chance = self.chance
        if self.books and chance.random() < 0.3:
            return self._book(sequence, tag)
        kind = chance.choice(self._kinds)
        size = chance.choice(self.types[kind])
        if len(self.types[kind]) > 1 and chance.random() < 0.05:
            size = chance.randrange(self.largest + 1)
        payload = bytes(size)
        if kind in HAS_ID:
            payload = chance.choice(IDS) + payload[12:]
        return seal(kind, payload, sequence, tag)

    def _book(self, sequence: int, tag: int) -> bytes:
        chance = self.chance
        self._number += 1
        pair = chance.choice(PAIRS)
        if chance.random() < 0.4:
            return Quote(pair, bid_price=tag, ask_price=tag + 1, bid_size=5, ask_size=6).frame(
                sequence=sequence, timestamp=tag, source=1
            )
        kind = BookKind(1 if chance.random() < 0.3 else 2)
        levels = tuple(Level(1000 - n, self._number + n) for n in range(chance.randrange(1, 6)))
        book = OrderBook(pair, kind, self._number, bids=levels, asks=(Level(1001, sequence),))
        return book.frame(sequence=sequence, timestamp=tag, source=1)

    # --- lies ---

    def wrong_checksum(self, sequence: int, tag: int) -> bytes:
        frame = bytearray(self.frame(sequence, tag))
        frame[28 + self.chance.randrange(4)] ^= 1 << self.chance.randrange(8)
        return bytes(frame)

    def foreign(self, sequence: int, tag: int) -> bytes:
        """Another domain's."""
        return seal(FOREIGN[self.domain], bytes(64), sequence, tag, version=7)

    def fatal(self, sequence: int, tag: int) -> bytes:
        """One that loses framing: no magic, too large, or not the size of its type."""
        kind = self._kinds[0]
        lie = self.chance.randrange(3)
        if lie == 0:
            return seal(kind, bytes(32), sequence, tag, magic=0xBAD)
        size = 1 << 19 if lie == 1 else 33
        return seal(kind, bytes(33), sequence, tag)[:8] + size.to_bytes(4, "little") + bytes(60)
