"""Binance text to messages: literal lines, whatever else may come, and the real recordings."""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Quote, Side, Trade
from relays.adapters.binance import Adapter, Market, Record, merge, units

ROOT = Path(__file__).parent.parent.parent
SPOT_TRADE = (
    '1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,'
    '"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,'
    '"m":true,"M":true}}'
)
USDM_TRADE = (
    '1723161255088176367 {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,'
    '"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET",'
    '"m":false}}'
)
SPOT_QUOTE = (
    '1723161254087891268 {"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT",'
    '"b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}'
)


def test_a_spot_trade_becomes_a_trade_with_its_receive_time() -> None:
    pair = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
    # m: the buyer was the maker, so the aggressor sold.
    trade = Trade(pair, price=61837_63000000, volume=2000000, side=Side.SELL)
    assert Adapter(Market.SPOT).parse(SPOT_TRADE) == Record(1723161254087896568, trade)


def test_a_futures_trade_is_of_the_perpetual() -> None:
    perpetual = InstrumentId.perpetual(VenueId.BINANCE_FUTURES, "BTCUSDT")
    trade = Trade(perpetual, price=61800_30000000, volume=600000, side=Side.BUY)
    assert Adapter(Market.USDM).parse(USDM_TRADE) == Record(1723161255088176367, trade)


def test_a_book_ticker_becomes_a_quote() -> None:
    quote = Quote(
        InstrumentId.spot(VenueId.BINANCE, "BTCUSDT"),
        bid_price=61837_63000000,
        ask_price=61837_64000000,
        bid_size=3_78826000,
        ask_size=1_54698000,
    )
    assert Adapter(Market.SPOT).parse(SPOT_QUOTE + "\n") == Record(1723161254087891268, quote)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("\n", "blank"),
        ("yesterday {}", "no_receive_time"),
        (SPOT_TRADE[20:], "no_receive_time"),
        (SPOT_TRADE[:-1], "not_json"),
        ("17 ", "not_json"),
        ("17 " + "[" * 100_000, "not_json"),
        ("17 [1]", "other_stream"),
        ("17 7", "other_stream"),
        ('17 {"lastUpdateId":1,"bids":[],"asks":[]}', "book_snapshot"),
        ('17 {"stream":"btcusdt@depth@0ms","data":{}}', "depth"),
        ('17 {"stream":"btcusdt@kline_1m","data":{}}', "other_stream"),
        ('17 {"result":null,"id":1}', "other_stream"),
        ('17 {"stream":"btcusdt@trade"}', "bad_field"),
        ('17 {"stream":"btcusdt@trade","data":[]}', "bad_field"),
        (SPOT_TRADE.replace("BTCUSDT", "1000SHIBUSDT"), "long_symbol"),
        (USDM_TRADE.replace("MARKET", "INSURANCE_FUND"), "not_a_market_trade"),
        (SPOT_TRADE.replace('"0.02000000"', "0.02"), "bad_field"),
        (SPOT_TRADE.replace('"0.02000000"', '"-0.02"'), "bad_field"),
        (SPOT_TRADE.replace('"0.02000000"', '"0.020000001"'), "bad_field"),
        (SPOT_TRADE.replace('"0.02000000"', '"99999999999999"'), "bad_field"),
        (SPOT_TRADE.replace('"m":true', '"m":1'), "bad_field"),
        (SPOT_QUOTE.replace('"b":"61837.63000000",', ""), "bad_field"),
        (SPOT_QUOTE.replace('"BTCUSDT"', '["BTCUSDT"]'), "bad_field"),
    ],
)
def test_what_gives_no_message_is_counted_under_its_reason(line: str, reason: str) -> None:
    adapter = Adapter(Market.SPOT)
    assert adapter.parse(line) is None
    assert adapter.skipped == Counter({reason: 1})


@given(st.text())
def test_no_text_at_all_is_an_exception(text: str) -> None:
    adapter = Adapter(Market.USDM)
    for line in (text, f"17 {text}", f'17 {{"stream":"x@trade","data":{{"p":{text}}}}}'):
        assert adapter.parse(line) is None
    assert adapter.skipped.total() == 3


@given(st.decimals(min_value=0, max_value=92_233_720_368, places=8, allow_nan=False))
def test_decimal_text_is_exact(number: Decimal) -> None:
    assert units(f"{number:f}") == int(number.scaleb(8))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1.", 100_000_000),
        ("0.00000001", 1),
        ("7.1000000000000", 710_000_000),
        ("92233720368.54775807", 2**63 - 1),
        ("0.1", 10_000_000),
    ],
)
def test_what_is_a_number_is_read(text: str, value: int) -> None:
    assert units(text) == value


@pytest.mark.parametrize(
    "text",
    ["", ".5", "1e5", "-1", "+1", "1_0", " 1", "1,5", "٣", "0.000000001", "92233720368.54775808"],
)
def test_what_is_not_exactly_a_number_of_units_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|64 bits"):
        units(text)


def test_recordings_are_merged_in_receive_order() -> None:
    spot, usdm = Adapter(Market.SPOT), Adapter(Market.USDM)
    late = USDM_TRADE.replace("1723161255088176367", "1723161254087891268")
    merged = list(merge([spot.records([SPOT_QUOTE, SPOT_TRADE]), usdm.records([late, USDM_TRADE])]))
    assert [record.received for record in merged] == [
        1723161254087891268,
        1723161254087891268,
        1723161254087896568,
        1723161255088176367,
    ]
    assert isinstance(merged[0].message, Quote)


# --- the real recordings ---


def recording(name: str) -> Path:
    folder = Path(os.environ.get("RELAYS_DATA") or ROOT.parent / "shared" / "data", "binance")
    path = next(iter(sorted(folder.glob(f"{name}_*.gz"))), None)
    if path is None:
        pytest.skip(f"no recording {name}_*.gz in {folder} (RELAYS_DATA, ../shared/data)")
    return path


def lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from file


def test_every_line_of_the_real_recordings_is_a_message_or_counted() -> None:
    paths = {Market.SPOT: recording("spot_btcusdt"), Market.USDM: recording("usdm_btcusdt")}
    adapters = {market: Adapter(market) for market in paths}
    merged = list(merge(adapters[market].records(lines(paths[market])) for market in paths))
    found = Counter((r.message.instrument_id.venue, type(r.message).__name__) for r in merged)
    assert found == {
        (VenueId.BINANCE, "Trade"): 9_757,
        (VenueId.BINANCE, "Quote"): 28_040,
        (VenueId.BINANCE_FUTURES, "Trade"): 21_313,
        (VenueId.BINANCE_FUTURES, "Quote"): 66_089,
    }
    assert adapters[Market.SPOT].skipped == {"depth": 3_451, "book_snapshot": 1}
    assert adapters[Market.USDM].skipped == {"depth": 6_551, "book_snapshot": 1}
    assert all(a.received <= b.received for a, b in pairwise(merged))


def test_prices_of_the_real_recordings_are_those_of_the_text() -> None:
    adapter = Adapter(Market.USDM)
    for line in islice(lines(recording("usdm_btcusdt")), 2_000):
        record = adapter.parse(line)
        data = json.loads(line.partition(" ")[2]).get("data", {})
        message = record.message if record else None
        if isinstance(message, Trade):
            assert message.price == Decimal(data["p"]).scaleb(8)
            assert message.volume == Decimal(data["q"]).scaleb(8)
        elif isinstance(message, Quote):
            assert message.bid_price == Decimal(data["b"]).scaleb(8)
            assert message.ask_size == Decimal(data["A"]).scaleb(8)
