"""Rows of the US tape to messages: examples done by hand, reasons, the sums of a recorded day."""

import random
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, Quote, Side, Trade
from protocol.message import Message, decode
from relays.adapters import equities
from relays.adapters.adapter import Adapter
from relays.adapters.equities import QuoteAdapter, TradeAdapter
from relays.errors import RelayError
from tests.wire.recordings import lines, recording

SEED = 20261121
PART = 20_000
BAC = InstrumentId.stock(VenueId.NYSE, "BAC")
DAY = date(2013, 10, 8)
# Midnight in New York, in daylight time: 04:00 UTC.
MIDNIGHT = 1381204800 * 10**9
TRADE = "34201559,138200,970078,N,40,0"
BID = "34200001,138200,500,0,0,N,1,0"
ASK = "34200002,0,0,138300,700,P,1,0"


def trades() -> TradeAdapter:
    return TradeAdapter("BAC", DAY)


def quotes() -> QuoteAdapter:
    made = QuoteAdapter("BAC", DAY)
    for row in (BID, ASK):
        made.convert(row)
    return made


def market(made: Adapter, line: str) -> list[tuple[int, Message]]:
    records = made.convert(line)
    introduced = InstrumentDiscovered
    return [(r.received, r.message) for r in records if not isinstance(r.message, introduced)]


def reason(made: Adapter, line: str) -> str:
    before = made.skipped.copy()
    assert made.convert(line) == []
    (name,) = made.skipped - before
    return name


def test_a_trade_is_of_the_stock_where_it_is_listed_and_its_exchange_is_in_the_flags() -> None:
    # 09:30:01.559; 13.82 dollars; 970,078 shares; the opening print of NYSE.
    received = MIDNIGHT + 34_201_559 * 10**6
    trade = Trade(BAC, price=13_82000000, volume=970_078_00000000, flags=ord("N"))
    assert market(trades(), TRADE + "\r\n") == [(received, trade)]
    assert trade.side is Side.NOT_SET


def test_the_stock_is_introduced_before_its_first_message() -> None:
    first, second = trades().convert(TRADE)
    assert first.message == InstrumentDiscovered(BAC, decimals=8, symbol="BAC")
    assert isinstance(second.message, Trade)


@pytest.mark.parametrize(
    ("condition", "marked"),
    [
        ("1", False),
        ("20000020", False),
        ("20002020", False),
        ("80", False),
        ("20000002", True),
        ("20000004", True),
        ("20002008", True),
        ("20100200", True),
        ("20100000", True),
        ("2000000", True),
        # Out of sequence, and sold late.
        ("4000", True),
        ("800", True),
    ],
)
def test_a_price_that_is_not_the_markets_is_marked(condition: str, marked: bool) -> None:
    ((_, trade),) = market(trades(), f"34201559,138200,100,D,{condition},0")
    assert isinstance(trade, Trade)
    assert trade.flags == ord("D") + 0x80 * marked


def test_the_first_row_has_one_side_only() -> None:
    made = QuoteAdapter("BAC", DAY)
    assert reason(made, BID) == "one_side_only"
    quote = Quote(
        BAC,
        bid_price=13_82000000,
        ask_price=13_83000000,
        bid_size=500 * 10**8,
        ask_size=700 * 10**8,
    )
    assert market(made, ASK) == [(MIDNIGHT + 34_200_002 * 10**6, quote)]


def test_a_side_that_did_not_change_stays_whichever_exchange_has_the_other() -> None:
    ((_, quote),) = market(quotes(), "34200003,138100,400,0,0,Q,1,0")
    assert isinstance(quote, Quote)
    assert (quote.bid_price, quote.bid_size) == (13_81000000, 400 * 10**8)
    assert (quote.ask_price, quote.ask_size) == (13_83000000, 700 * 10**8)


def test_a_row_may_have_both_sides() -> None:
    ((_, quote),) = market(QuoteAdapter("BAC", DAY), "34200003,138100,400,138200,300,Q,1,0")
    assert isinstance(quote, Quote)
    assert (quote.bid_price, quote.ask_price) == (13_81000000, 13_82000000)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("\n", "blank"),
        (BID, "bad_row"),
        (TRADE + ",0", "bad_row"),
        (TRADE[:-1] + "1", "suspicious"),
        (TRADE[:-1] + "2", "bad_row"),
        (TRADE.replace("N", "n"), "unknown_exchange"),
        (TRADE.replace("N", "NQ"), "unknown_exchange"),
        (TRADE.replace(",40,", ",4000000,"), "official_price"),
        (TRADE.replace(",40,", ",1000000,"), "official_price"),
        (TRADE.replace(",40,", ",,"), "bad_condition"),
        (TRADE.replace(",40,", ",0x40,"), "bad_condition"),
        (TRADE.replace("970078", "0"), "nothing_traded"),
        (TRADE.replace("138200", "0"), "nothing_traded"),
        (TRADE.replace("138200", "-138200"), "bad_number"),
        (TRADE.replace("138200", "13.82"), "bad_number"),
        (TRADE.replace("138200", "1_38"), "bad_number"),
        (TRADE.replace("138200", "٣"), "bad_number"),
        (TRADE.replace("138200", ""), "bad_number"),
        (TRADE.replace("138200", "922337203685478"), "does_not_fit"),
        (TRADE.replace("970078", "184467440738"), "does_not_fit"),
        (TRADE.replace("970078", "9" * 5_000), "does_not_fit"),
        (TRADE.replace("34201559", "86400000"), "bad_time"),
    ],
)
def test_a_row_that_is_no_trade_is_counted(line: str, why: str) -> None:
    assert reason(trades(), line) == why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (BID.replace("138200,500", "0,0"), "no_side"),
        (BID.replace("138200", "0"), "bad_row"),
        (BID[:-1] + "1", "suspicious"),
        (BID.replace("138200", "x"), "bad_number"),
        (BID.replace("34200001", "99999999"), "bad_time"),
        (BID.replace(",1,0", ",z,0"), "bad_condition"),
        (BID.replace("N", "?"), "unknown_exchange"),
    ],
)
def test_a_row_that_is_no_quote_is_counted_and_changes_nothing(line: str, why: str) -> None:
    made = quotes()
    assert reason(made, line) == why
    assert market(made, ASK) == market(quotes(), ASK)


@pytest.mark.parametrize("day", [DAY, date(2013, 1, 8), date(2013, 3, 10), date(2013, 11, 3)])
def test_midnight_is_that_of_new_york_in_summer_winter_and_when_clocks_are_set(day: date) -> None:
    made = TradeAdapter("BAC", day)
    for hour in (0, 1, 3, 9, 23):
        ((received, _),) = market(made, f"{hour * 3_600_000 + 5},138200,100,N,1,0")
        clock = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("America/New_York"))
        assert received == int(clock.timestamp()) * 10**9 + 5_000_000


@pytest.mark.parametrize(
    ("name", "made", "listing"),
    [
        ("bac_20131008_trade.zip", TradeAdapter, VenueId.NYSE),
        ("20131008_bac_Quote_Tick.csv", QuoteAdapter, VenueId.NYSE),
        ("brk.b_20131008_quote.csv.gz", QuoteAdapter, VenueId.NASDAQ),
    ],
)
def test_the_file_name_says_stock_day_and_kind(name: str, made: type, listing: int) -> None:
    found = equities.adapter(Path("folder", name), listing)
    assert type(found) is made
    symbol = "BRK.B" if name.startswith("brk") else "BAC"
    assert found.instrument_id == InstrumentId.stock(listing, symbol)


@pytest.mark.parametrize("name", ["trades.csv", "bac_2013108_trade.zip", "bac_20131308_trade.zip"])
def test_a_file_whose_name_does_not_say_it_is_an_error(name: str) -> None:
    with pytest.raises(RelayError, match=r"expected a name like bac_20131008_trade\.zip"):
        equities.adapter(Path(name))


# --- the recorded day ---


def recorded(kind: str) -> Path:
    return recording(f"us-equities/*_{kind}.zip")


def check_trades(rows: list[str]) -> Counter[str]:
    """The Trades of these rows against their text; what was skipped."""
    made = equities.adapter(recorded("trade"))
    found = [message for row in rows for _, message in market(made, row)]
    assert made.read == len(rows) == len(found) + made.skipped.total()
    kept = [row.split(",") for row in rows if row.split(",")[4] not in ("1000000", "4000000")]
    value = sum(message.price * message.volume for message in found if isinstance(message, Trade))
    wanted = sum(Decimal(price) / 10_000 * Decimal(size) for _, price, size, *_ in kept)
    assert Decimal(value).scaleb(-16) == wanted
    exchanges = Counter(chr(m.flags & 0x7F) for m in found if isinstance(m, Trade))
    assert exchanges == Counter(cells[3] for cells in kept)
    return made.skipped


def check_quotes(rows: list[str]) -> None:
    """The Quotes of these rows against their text; they never cross."""
    made = equities.adapter(recorded("quote"))
    bid = ask = (0, 0)
    for row in rows:
        ms, *sides = map(int, row.split(",")[:5])
        bid = (sides[0], sides[1]) if sides[0] else bid
        ask = (sides[2], sides[3]) if sides[2] else ask
        for received, quote in market(made, row):
            assert isinstance(quote, Quote)
            assert received == MIDNIGHT + ms * 10**6
            assert (quote.bid_price, quote.bid_size) == (bid[0] * 10**4, bid[1] * 10**8)
            assert (quote.ask_price, quote.ask_size) == (ask[0] * 10**4, ask[1] * 10**8)
            assert quote.bid_price <= quote.ask_price
    assert made.read == len(rows)
    assert made.skipped == {"one_side_only": 1}


def test_the_first_trades_of_the_recorded_day_add_up() -> None:
    assert check_trades(list(islice(lines(recorded("trade")), PART))) == {"official_price": 1}


def test_the_first_quotes_of_the_recorded_day_are_those_of_the_rows() -> None:
    check_quotes(list(islice(lines(recorded("quote")), PART)))


@pytest.mark.full
def test_every_trade_of_the_recorded_day_adds_up() -> None:
    rows = list(lines(recorded("trade")))
    assert len(rows) == 125_872
    assert check_trades(rows) == {"official_price": 2}


@pytest.mark.full
def test_every_quote_of_the_recorded_day_is_that_of_the_rows() -> None:
    rows = list(lines(recorded("quote")))
    assert len(rows) == 576_096
    check_quotes(rows)


@pytest.mark.parametrize("kind", ["trade", "quote"])
def test_damaged_rows_are_counted_and_what_comes_out_is_sound(kind: str) -> None:
    print(f"seed {SEED}")
    dice = random.Random(f"{SEED} {kind}")
    made = equities.adapter(recorded(kind))
    found = [made.convert(damaged(row, dice)) for row in islice(lines(recorded(kind)), 5_000)]
    assert made.read == len(found) == sum(map(bool, found)) + made.skipped.total()
    assert any(found)
    for record in (record for records in found for record in records):
        assert decode(record.message.frame(timestamp=record.received)) == record.message


def damaged(row: str, dice: random.Random) -> str:
    """A row with a character or two changed, left out or put in."""
    text = row
    for _ in range(dice.randint(1, 2)):
        place = dice.randrange(len(text) or 1)
        put = dice.choice(["", "", ",", "-", "9", "9" * 30, "x", "\0", "é", " ", '"', "0", "\n"])
        text = text[:place] + put + text[place + dice.randrange(2) :]
    return text
