"""The state of instruments as somebody has it who was sent some frames (SPEC.md, Market data).

Used to compare who came late, with a snapshot, with who had every frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from protocol.errors import ProtocolError
from protocol.market_data import OrderBook
from relays.adapters.book import Reader
from tests.simulator.checker.facts import Wanted

KEPT = {2: 80, 10: 48, 11: 48}  # Quote and discoveries, with their least size
ORDER_BOOK = 3


class View:
    """The last Quote, discovery frames and book of every instrument that is wanted."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.frames: dict[tuple[int, bytes], bytes] = {}
        self.reader = Reader()

    @classmethod
    def of(cls, wanted: Wanted, frames: Iterable[bytes]) -> View:
        """What somebody has who was sent all of these."""
        view = cls(wanted)
        for frame in frames:
            if wanted.passes(frame):
                view.see(frame)
        return view

    def see(self, frame: bytes) -> None:
        """One more frame."""
        kind = frame[4]
        if kind in KEPT and frame[5] == 1:
            self.frames[kind, frame[32:44]] = frame
        elif kind == ORDER_BOOK:
            try:
                self.reader.read(OrderBook.decode(frame, verify=False))
            except ProtocolError:
                return

    @property
    def state(self) -> Any:
        """What two Views can be compared by."""
        books = self.reader.books.items()
        return self.frames, {id: (b.sequence, dict(b.bids), dict(b.asks)) for id, b in books}
