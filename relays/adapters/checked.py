"""The text of book levels, kept for the venues whose checksums are over it.

Called by the Kraken and OKX modules: both check the best levels with a CRC-32 over the very text
that they sent. The books themselves are in `book`; what a venue puts between the numbers is for
its module.
"""

from __future__ import annotations

from heapq import nlargest, nsmallest
from itertools import islice
from zlib import crc32

from relays.adapters.book import Book

# Texts of levels that are gone, kept before it is worth while to look for them.
SPARE = 64
# Price in units of 1e-8 to what the checksum is over.
Side = dict[int, str]


class Texts:
    """The text of one book's levels."""

    def __init__(self) -> None:
        self.bids: Side = {}
        self.asks: Side = {}

    def change(self, book: Book, bids: Side, asks: Side) -> None:
        """Take the text of levels that changed; what the book has no more is dropped."""
        for texts, levels, changed in ((self.bids, book.bids, bids), (self.asks, book.asks, asks)):
            texts |= changed
            # Also what fell out at the end without a word: looked for once it is many.
            if len(texts) > 2 * len(levels) + SPARE:
                for price in texts.keys() - levels.keys():
                    del texts[price]

    def best(self, book: Book, depth: int) -> tuple[list[str], list[str]]:
        """The text of the best `depth` bids and asks of the book, best first."""
        bids = [self.bids[price] for price in nlargest(depth, book.bids)]
        return bids, [self.asks[price] for price in nsmallest(depth, book.asks)]


def interleaved(bids: list[str], asks: list[str]) -> list[str]:
    """Bid, ask, bid, ask; what the longer side has more comes last.

    >>> interleaved(["b1", "b2", "b3"], ["a1"])
    ['b1', 'a1', 'b2', 'b3']
    """
    both = [text for pair in zip(bids, asks, strict=False) for text in pair]
    return both + list(islice(bids, len(asks), None)) + list(islice(asks, len(bids), None))


def checksum(text: str) -> int:
    """CRC-32 of the text, without a sign.

    >>> hex(checksum("123456789"))
    '0xcbf43926'
    """
    return crc32(text.encode())
