"""What venues recorded as websocket text have in common: lines, numbers, books that may be lost.

The modules of single venues derive from `Venue`; nobody else calls it. A line is `<epoch s>: JSON`
or the answer of a web address, `https://... -> <epoch s>: JSON`. What a venue's event means does
not belong here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from protocol.catalogue import SourceType
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade
from relays.adapters.adapter import REFUSED, Adapter, Record, Skipped, Unsayable
from relays.adapters.book import Books
from relays.adapters.symbols import Collision, introduction
from relays.adapters.text import events, quantity, recorded, units

NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?")
# After one of these nobody knows what the line was: it may have changed any book.
LOST = {"not_json", "no_receive_time", "other_event"}
BUY_OR_SELL = {"buy": Side.BUY, "sell": Side.SELL}

Levels = list[tuple[int, int]]
# How deep a book of this channel goes, and the channel: the greater one is the better book.
Form = tuple[int, str]
WHOLE = (1 << 30, "")


class Venue(Adapter):
    """An adapter of websocket text: derive, set VENUE, write `_event` and, for more than spot,
    `asset_type`.

    Books are never guessed. A line that cannot be read, or of an unknown kind, may have changed any
    of them, so all wait for their next snapshots (`book_hole`); a book message that cannot be read,
    or that has numbers which no message can say (`not_in_units`, `does_not_fit`), does that to its
    own book; a new connection to all. Trades, quotes and products that cannot be read change no
    book. A book is of one channel, the deepest that is recorded: what others say of it is
    `best_levels`.

    Reasons, besides those of `Adapter`, `Books` and `text`: `heartbeat`, `subscription`, `status`,
    `venue_error`, `other_event`, `other_answer`, `past_trades` (trades from before the
    subscription: their time is not that of the line), `one_sided` (a quote with one side),
    `nothing_traded`, `no_change` (a list of nothing), `book_checksum`.
    """

    SOURCE = SourceType.EXTERNAL
    VENUE: ClassVar[VenueId]

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self._unfit: dict[InstrumentId, str] = {}
        self._forms: dict[InstrumentId, Form] = {}

    def _convert(self, line: str) -> Iterable[Record]:
        address, arrow, answer = line.partition(" -> ")
        if arrow and address.startswith("https://"):
            received, text = recorded(answer)
            return self._some(self._answer(received, address, events(text)))
        if line.startswith("wss://") and " <-> " in line:
            self._connected()
        try:
            received, text = recorded(line)
            return self._some(self._event(received, self._parse(text)))
        except REFUSED as error:
            # What trades and books raise is Skipped, a Collision has a symbol without a book.
            known = isinstance(error, Skipped | Collision) and str(error) not in LOST
            if not known:
                self._lost()
            raise

    def _some(self, records: Iterable[Record]) -> Iterable[Record]:
        if not records:
            raise Skipped("no_change")
        return records

    def _parse(self, text: str) -> Any:
        return events(text)

    def _event(self, received: int, event: Any) -> Iterable[Record]:
        """Written by the venue's module: the records of one JSON value, or Skipped."""
        raise NotImplementedError

    def _answer(self, received: int, address: str, answer: Any) -> Iterable[Record]:
        """The records of what a web address answered."""
        raise Skipped("other_answer")

    def _connected(self) -> None:
        """A new connection: what was kept of the old one is over."""
        self._lost()
        self._forms.clear()

    def _lost(self) -> None:
        self.books.lost()

    def asset_type(self, symbol: str) -> AssetType:
        """What the venue's symbol stands for."""
        return AssetType.SPOT

    def instrument(self, symbol: str) -> InstrumentId:
        """The InstrumentId of the venue's symbol; introduced at first sight."""
        return self.instruments.get(self.VENUE, self.asset_type(symbol), symbol)

    def trade(self, received: int, symbol: str, price: Any, volume: Any, side: Side) -> Record:
        """One trade; `side` is the aggressor's. `nothing_traded` without a price or a volume."""
        numbers = units(price), quantity(volume)
        if numbers[0] < 0:
            raise ValueError(price)
        if not all(numbers):
            raise Skipped("nothing_traded")
        return Record(received, Trade(self.instrument(symbol), *numbers, side=side))

    def quote(self, received: int, symbol: str, bid: Any, ask: Any, sizes: Any = (0, 0)) -> Record:
        """Best bid and ask; `one_sided` without one of them. Size 0: the venue does not say what
        is there at the best price."""
        if bid in (None, "") or ask in (None, ""):
            raise Skipped("one_sided")
        prices = units(bid), units(ask)
        if min(prices) < 0:
            raise ValueError(prices)
        if not all(prices):
            raise Skipped("one_sided")
        bid_size, ask_size = map(quantity, sizes)
        return Record(received, Quote(self.instrument(symbol), *prices, bid_size, ask_size))

    def product(self, symbol: str, price_step: Any = None, **facts: object) -> None:
        """Introduce an instrument with what a product list says of it, also when it is known.

        What prices are multiples of and `facts` that are not None become the metadata, a JSON
        object; numbers in it that are not whole are text. A step says the `price_decimals` too.
        """
        if price_step:
            facts |= {"price_step": price_step, "price_decimals": decimals_of(str(price_step))}
        said = {name: fact for name, fact in facts.items() if fact is not None}
        metadata = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
        waiting = len(self.instruments.discovered)
        made = self.instruments.get(self.VENUE, self.asset_type(symbol), symbol, metadata)
        if len(self.instruments.discovered) == waiting:
            self.instruments.discovered.append(introduction(made, symbol, metadata))

    def book(
        self,
        symbol: str,
        read: Callable[[InstrumentId], list[Record]],
        *,
        snapshot: bool = False,
        form: Form = WHOLE,
    ) -> list[Record]:
        """What `read` makes of a message for this symbol's book; the book is lost where it cannot
        be read. Messages of a shallower form than the book's are `best_levels`; a deeper one takes
        the book over, from its next snapshot on."""
        instrument = self.instrument(symbol)
        self._claim(instrument, form)
        if instrument in self._unfit and not snapshot:
            raise Skipped(self._unfit[instrument])
        try:
            records = read(instrument)
        except REFUSED as error:
            reason = self.reason(error)
            if isinstance(error, Unsayable):
                self._unfit[instrument] = reason
            if not isinstance(error, Skipped):
                self.books.broken(instrument)
            raise Skipped(reason) from None
        self._unfit.pop(instrument, None)
        return records

    def _claim(self, instrument: InstrumentId, form: Form) -> None:
        owner = self._forms.setdefault(instrument, form)
        if form < owner:
            raise Skipped("best_levels")
        if form > owner:
            self._forms[instrument] = form
            self.books.broken(instrument)

    def hole(self, instrument: InstrumentId, reason: str = "book_hole") -> Skipped:
        """This book is not the venue's any more: to be raised."""
        self.books.broken(instrument)
        return Skipped(reason)


def levels(pairs: Any) -> Levels:
    """Book levels from lists that begin with price and size."""
    return [(units(pair[0]), quantity(pair[1])) for pair in pairs]


def decimals_of(step: str) -> int:
    """How many decimals numbers in steps of this have. ValueError for what is no number.

    >>> decimals_of("0.00100000"), decimals_of("5"), decimals_of("1e-7")
    (3, 0, 7)
    """
    if not NUMBER.fullmatch(step):
        raise ValueError(f"{step!r} is not a step")
    mantissa, _, exponent = step.lower().partition("e")
    fraction = mantissa.partition(".")[2].rstrip("0")
    return max(0, len(fraction) - int(exponent or 0))
