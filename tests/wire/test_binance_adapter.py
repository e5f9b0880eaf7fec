"""Binance text to messages: literal lines, whatever else may come, and the real recordings."""

import json
from collections import Counter
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import BookKind, InstrumentDiscovered, OrderBook, Quote, Side, Trade
from protocol.message import Message
from relays.adapters.adapter import Record, merge
from relays.adapters.binance import Binance, Market
from tests.wire.recordings import lines, recording

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
PAIR = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
PERPETUAL = InstrumentId.perpetual(VenueId.BINANCE_FUTURES, "BTCUSDT")


def introduced(instrument: InstrumentId, symbol: str = "BTCUSDT") -> InstrumentDiscovered:
    return InstrumentDiscovered(instrument_id=instrument, decimals=8, symbol=symbol, metadata=b"")


def depth(first: int, last: int, bids: Any = (), asks: Any = (), **more: object) -> str:
    data = {"e": "depthUpdate", "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return f"17 {json.dumps({'stream': 'btcusdt@depth@100ms', 'data': data | more})}"


def snapshot(last: int, bids: Any = (("9", "1"),), asks: Any = (("11", "1"),)) -> str:
    return f"18 {json.dumps({'lastUpdateId': last, 'bids': bids, 'asks': asks})}"


def messages(adapter: Binance, *given: str) -> list[Message]:
    return [record.message for record in adapter.records(given)]


def books(adapter: Binance, *given: str) -> list[tuple[BookKind, int]]:
    """Kind and number of each OrderBook that these lines give."""
    found = messages(adapter, *given)
    return [(one.kind, one.book_sequence) for one in found if isinstance(one, OrderBook)]


def test_a_spot_trade_becomes_a_trade_with_its_receive_time_after_its_instrument() -> None:
    # m: the buyer was the maker, so the aggressor sold.
    trade = Trade(PAIR, price=61837_63000000, volume=2000000, side=Side.SELL)
    received = 1723161254087896568
    adapter = Binance(Market.SPOT)
    assert adapter.convert(SPOT_TRADE) == [
        Record(received, introduced(PAIR)),
        Record(received, trade),
    ]
    assert adapter.convert(SPOT_TRADE) == [Record(received, trade)]


def test_a_futures_trade_is_of_the_perpetual() -> None:
    trade = Trade(PERPETUAL, price=61800_30000000, volume=600000, side=Side.BUY)
    assert messages(Binance(Market.USDM), USDM_TRADE) == [introduced(PERPETUAL), trade]


def test_a_book_ticker_becomes_a_quote() -> None:
    quote = Quote(
        PAIR,
        bid_price=61837_63000000,
        ask_price=61837_64000000,
        bid_size=3_78826000,
        ask_size=1_54698000,
    )
    found = Binance(Market.SPOT).convert(SPOT_QUOTE + "\n")
    assert found[1:] == [Record(1723161254087891268, quote)]


def test_a_symbol_that_is_too_long_gets_a_short_form_and_is_introduced_whole() -> None:
    introduction, trade = messages(
        Binance(Market.SPOT), SPOT_TRADE.replace("BTCUSDT", "1000SHIBUSDT")
    )
    short = InstrumentId.spot(VenueId.BINANCE, "100~K3RF")
    assert introduction == introduced(short, "1000SHIBUSDT")
    assert isinstance(trade, Trade)
    assert trade.instrument_id == short == Market.SPOT.instrument("1000SHIBUSDT")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("\n", "blank"),
        ("yesterday {}", "no_receive_time"),
        (SPOT_TRADE[20:], "no_receive_time"),
        (f"{2**64} {SPOT_TRADE[20:]}", "no_receive_time"),
        (SPOT_TRADE[:-1], "not_json"),
        ("17 ", "not_json"),
        ("17 NaN", "not_json"),
        ("17 " + "[" * 100_000, "not_json"),
        ("17 [1]", "other_stream"),
        ("17 7", "other_stream"),
        (snapshot(1), "book_snapshot_of_unknown"),
        ('17 {"lastUpdateId":"1","bids":[],"asks":[]}', "bad_field"),
        (depth(1, 2), "book_before_snapshot"),
        (depth(1, 2).replace("depth@100ms", "depth20@100ms"), "partial_depth"),
        (depth(1, 2, bids=[["1", "-1"]]), "bad_field"),
        (depth(1, 2, bids=[["1"]]), "bad_field"),
        (depth(1, 2).replace('"u": 2', '"u": true'), "bad_field"),
        ('17 {"stream":"btcusdt@depth@0ms","data":{}}', "bad_field"),
        ('17 {"stream":"btcusdt@kline_1m","data":{}}', "other_stream"),
        ('17 {"result":null,"id":1}', "other_stream"),
        ('17 {"stream":"btcusdt@trade"}', "bad_field"),
        ('17 {"stream":"btcusdt@trade","data":[]}', "bad_field"),
        (SPOT_TRADE.replace("BTCUSDT", "BTC\u20ac"), "bad_symbol"),
        (SPOT_TRADE.replace("BTCUSDT", ""), "bad_symbol"),
        (USDM_TRADE, "wrong_market"),
        (depth(1, 2, pu=0), "wrong_market"),
        (SPOT_QUOTE.replace('"u"', '"E":1,"u"'), "wrong_market"),
        (SPOT_TRADE.replace('"0.02000000"', '"0.00"'), "nothing_traded"),
        (SPOT_TRADE.replace('"61837.63000000"', '"0"'), "nothing_traded"),
        (SPOT_TRADE.replace('"61837.63000000"', '"-5"'), "bad_field"),
        (SPOT_QUOTE.replace('"61837.63000000"', '"-5"'), "bad_field"),
        (SPOT_QUOTE.replace('"61837.63000000"', '"0.00000000"'), "one_sided"),
        (SPOT_QUOTE.replace('"61837.64000000"', '"0.00000000"'), "one_sided"),
        (SPOT_TRADE.replace('"0.02000000"', '"-0.02"'), "bad_field"),
        (SPOT_TRADE.replace('"0.02000000"', '"0.020000001"'), "not_in_units"),
        (SPOT_TRADE.replace('"0.02000000"', '"999999999999999"'), "does_not_fit"),
        (SPOT_TRADE.replace('"61837.63000000"', '"61800.123456789"'), "not_in_units"),
        (SPOT_TRADE.replace('"61837.63000000"', '"99999999999999"'), "does_not_fit"),
        (SPOT_QUOTE.replace('"61837.63000000"', '"61800.123456789"'), "not_in_units"),
        (SPOT_QUOTE.replace('"1.54698000"', '"999999999999999"'), "does_not_fit"),
        (depth(1, 2, bids=[["61800.123456789", "1"]]), "not_in_units"),
        (depth(1, 2, asks=[["1", "999999999999999"]]), "does_not_fit"),
        (SPOT_TRADE.replace('"m":true', '"m":1'), "bad_field"),
        (SPOT_QUOTE.replace('"b":"61837.63000000",', ""), "bad_field"),
        (SPOT_QUOTE.replace('"BTCUSDT"', '["BTCUSDT"]'), "bad_field"),
    ],
)
def test_what_gives_no_message_is_counted_under_its_reason(line: str, reason: str) -> None:
    adapter = Binance(Market.SPOT)
    assert adapter.convert(line) == []
    assert (adapter.read, adapter.skipped) == (1, Counter({reason: 1}))


@given(st.text())
def test_no_text_at_all_is_an_exception(text: str) -> None:
    adapter = Binance(Market.USDM)
    for line in (text, f"17 {text}", f'17 {{"stream":"x@trade","data":{{"p":{text}}}}}'):
        assert adapter.convert(line) == []
    assert adapter.skipped.total() == adapter.read == 3


def test_two_symbols_with_one_id_are_counted_and_both_named() -> None:
    adapter = Binance(Market.SPOT)
    adapter.convert(SPOT_TRADE)
    assert adapter.convert(SPOT_TRADE.replace("BTCUSDT", "BTC-USDT")) == []
    assert adapter.skipped == {"id_collision": 1}
    (said,) = adapter.collisions
    assert "'BTCUSDT' and 'BTC-USDT'" in said


def test_recordings_are_merged_in_receive_order() -> None:
    spot, usdm = Binance(Market.SPOT), Binance(Market.USDM)
    late = USDM_TRADE.replace("1723161255088176367", "1723161254087891268")
    merged = list(merge([spot.records([SPOT_QUOTE, SPOT_TRADE]), usdm.records([late, USDM_TRADE])]))
    assert [(record.received, type(record.message)) for record in merged] == [
        (1723161254087891268, InstrumentDiscovered),
        (1723161254087891268, Quote),
        (1723161254087891268, InstrumentDiscovered),
        (1723161254087891268, Trade),
        (1723161254087896568, Trade),
        (1723161255088176367, Trade),
    ]
    assert isinstance(merged[1].message, Quote)


# --- books: the procedure that Binance documents ---

S, D = BookKind.SNAPSHOT, BookKind.DELTA


def test_updates_before_the_snapshot_are_counted_and_what_they_add_is_in_it() -> None:
    adapter = Binance(Market.SPOT)
    given = [
        depth(1, 5, bids=[["9", "7"]]),
        depth(6, 8, bids=[["9", "3"], ["8", "2"]], asks=[["11", "0"]]),
        snapshot(5),
    ]
    book = messages(adapter, *given)[-1]
    assert isinstance(book, OrderBook)
    assert (book.kind, book.book_sequence) == (S, 8)
    assert book.bids == ((9 * 10**8, 3 * 10**8), (8 * 10**8, 2 * 10**8))
    assert book.asks == ()
    assert adapter.skipped == {"book_before_snapshot": 2}


def test_an_update_that_reaches_over_the_snapshot_joins_it() -> None:
    adapter = Binance(Market.SPOT)
    assert books(adapter, depth(1, 5), snapshot(7), depth(6, 9), depth(10, 10)) == [
        (S, 7),
        (D, 9),
        (D, 10),
    ]


def test_an_update_that_the_snapshot_has_already_is_old() -> None:
    adapter = Binance(Market.SPOT)
    assert books(adapter, depth(1, 5), snapshot(7), depth(6, 7), depth(8, 9)) == [(S, 7), (D, 9)]
    assert adapter.skipped == {"book_before_snapshot": 1, "book_old": 1}


def test_after_a_hole_updates_are_counted_until_the_next_snapshot() -> None:
    adapter = Binance(Market.SPOT)
    given = [depth(1, 5), snapshot(5), depth(6, 7), depth(9, 9), depth(10, 11)]
    assert books(adapter, *given) == [(S, 5), (D, 7)]
    assert adapter.skipped == {"book_before_snapshot": 1, "book_hole": 2}
    # The first of the two is in the snapshot, the second is beyond it.
    assert books(adapter, snapshot(9), depth(12, 12)) == [(S, 11), (D, 12)]


def test_a_snapshot_that_no_waiting_update_joins_is_too_old() -> None:
    adapter = Binance(Market.SPOT)
    assert books(adapter, depth(10, 12), snapshot(8)) == []
    assert adapter.skipped == {"book_before_snapshot": 1, "book_snapshot_too_old": 1}
    assert books(adapter, snapshot(9)) == [(S, 12)]


def test_a_later_snapshot_replaces_the_book_and_an_older_one_does_not() -> None:
    adapter = Binance(Market.SPOT)
    given = [depth(1, 5), snapshot(5), snapshot(5), snapshot(20), depth(6, 20), depth(21, 22)]
    assert books(adapter, *given) == [(S, 5), (S, 20), (D, 22)]
    assert adapter.skipped == {"book_before_snapshot": 1, "book_old": 2}


def test_futures_join_by_the_number_of_the_update_before() -> None:
    adapter = Binance(Market.USDM)
    given = [
        depth(1, 5, pu=0),
        snapshot(8),
        depth(7, 9, pu=5),
        # Numbers of other symbols lie between; pu says that nothing is missing.
        depth(15, 16, pu=9),
        depth(17, 18, pu=15),
    ]
    assert books(adapter, *given) == [(S, 8), (D, 9), (D, 16)]
    assert adapter.skipped == {"book_before_snapshot": 1, "book_hole": 1}


def test_futures_without_the_number_of_the_update_before_are_refused() -> None:
    adapter = Binance(Market.USDM)
    assert adapter.convert(depth(1, 5)) == []
    assert adapter.skipped == {"wrong_market": 1}


def test_lines_of_spot_are_refused_as_futures() -> None:
    adapter = Binance(Market.USDM)
    assert messages(adapter, SPOT_TRADE, SPOT_QUOTE, depth(1, 5)) == []
    assert adapter.skipped == {"wrong_market": 3}


def test_trades_that_are_not_of_the_market_are_counted() -> None:
    adapter = Binance(Market.USDM)
    assert adapter.convert(USDM_TRADE.replace("MARKET", "INSURANCE_FUND")) == []
    assert adapter.skipped == {"not_a_market_trade": 1}


def test_a_contract_with_a_last_day_is_a_future() -> None:
    _, trade = messages(Binance(Market.USDM), USDM_TRADE.replace("BTCUSDT", "BTCUSDT_240927"))
    assert isinstance(trade, Trade)
    assert trade.instrument_id == Market.USDM.instrument("BTCUSDT_240927")
    assert trade.instrument_id.asset_type == AssetType.FUTURE


def test_a_symbol_without_depth_does_not_hide_whose_snapshot_it_is() -> None:
    adapter = Binance(Market.SPOT)
    given = [SPOT_TRADE.replace("BTCUSDT", "ETHUSDT"), depth(1, 5), snapshot(5), depth(6, 6)]
    assert books(adapter, *given) == [(S, 5), (D, 6)]


def test_a_snapshot_of_one_of_several_symbols_is_counted() -> None:
    adapter = Binance(Market.SPOT)
    given = [depth(1, 5), depth(1, 5).replace("BTCUSDT", "ETHUSDT"), snapshot(5)]
    assert books(adapter, *given) == []
    assert adapter.skipped == {"book_before_snapshot": 2, "book_snapshot_of_unknown": 1}


def test_without_books_all_that_is_about_them_is_counted() -> None:
    adapter = Binance(Market.SPOT, with_books=False)
    assert messages(adapter, depth(1, 5), snapshot(5)) == []
    assert adapter.skipped == {"depth": 2}


# --- the real recordings ---


@pytest.mark.parametrize(
    ("name", "market", "found"),
    [
        ("spot_btcusdt", Market.SPOT, (9_757, 28_040, 3_448)),
        ("spot_ethusdt", Market.SPOT, (6_106, 24_077, 3_432)),
        ("usdm_btcusdt", Market.USDM, (21_313, 66_089, 6_545)),
    ],
)
def test_every_line_of_the_real_recordings_is_a_message_or_counted(
    name: str, market: Market, found: tuple[int, int, int]
) -> None:
    adapter = Binance(market)
    records = list(adapter.records(lines(recording(f"binance/{name}_*.gz"))))
    count = Counter(type(record.message) for record in records)
    deltas = sum(r.message.kind is D for r in records if isinstance(r.message, OrderBook))
    assert (count[Trade], count[Quote], deltas) == found
    assert count[InstrumentDiscovered] == 1
    # The one line left is the snapshot.
    assert set(adapter.skipped) == {"book_before_snapshot"}
    assert adapter.read == sum(found) + adapter.skipped.total() + 1
    assert all(a.received <= b.received for a, b in pairwise(records))


def test_prices_of_the_real_recordings_are_those_of_the_text() -> None:
    adapter = Binance(Market.USDM)
    for line in islice(lines(recording("binance/usdm_btcusdt_*.gz")), 2_000):
        data = json.loads(line.partition(" ")[2]).get("data", {})
        for message in messages(adapter, line):
            if isinstance(message, Trade):
                assert message.price == Decimal(data["p"]).scaleb(8)
                assert message.volume == Decimal(data["q"]).scaleb(8)
            elif isinstance(message, Quote):
                assert message.bid_price == Decimal(data["b"]).scaleb(8)
                assert message.ask_size == Decimal(data["A"]).scaleb(8)
