"""Books are never guessed: lines made up of what venues document but the recordings have not, each
of which could leave a book that the venue has not, or take sound events with a bad one."""

import json
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

import pytest

from protocol.market_data import InstrumentDiscovered, OrderBook
from relays.adapters import dydx
from relays.adapters.adapter import LONGEST_LINE, Adapter, Record
from relays.adapters.book import Book, Reader
from relays.adapters.kinds import KINDS
from relays.adapters.kraken import Kraken

ONE = 10**8


def made(kind: str) -> Adapter:
    return KINDS[kind](Path("recording"))


def line(event: object, time: str = "1.5") -> str:
    return f"{time}: {json.dumps(event)}"


def book(adapter: Adapter, *given: str) -> tuple[dict[int, int], dict[int, int]]:
    """Bids and asks, in whole units, that a reader of the messages has in the end."""
    reader, found = Reader(), Book(0)
    for record in adapter.records(given):
        if isinstance(record.message, OrderBook):
            found = reader.read(record.message) or found
    return whole(found.bids), whole(found.asks)


def whole(side: dict[int, int]) -> dict[int, int]:
    return {price // ONE: size // ONE for price, size in side.items()}


def okx(channel: str, action: str, bids: Iterable[tuple[int, int]], **more: int) -> str:
    rows = [[str(price), str(size), "0", "1"] for price, size in bids]
    arg = {"channel": channel, "instId": "A-B"}
    return line({"arg": arg, "action": action, "data": [{"bids": rows, "asks": []} | more]})


def test_okx_may_begin_its_numbers_anew() -> None:
    adapter = made("okx")
    given = [
        okx("books", "snapshot", [(10, 1)], seqId=10, prevSeqId=-1),
        okx("books", "update", [(10, 2)], seqId=15, prevSeqId=10),
        okx("books", "update", [(10, 0), (9, 7)], seqId=3, prevSeqId=15),
        okx("books", "update", [(9, 8)], seqId=5, prevSeqId=3),
    ]
    assert book(adapter, *given) == ({9: 8}, {})
    assert adapter.skipped == {}
    # Lower than before, and not after it either: nothing says that it is old.
    assert book(adapter, okx("books", "update", [(9, 9)], seqId=4, prevSeqId=2)) == ({}, {})
    assert adapter.skipped == {"book_hole": 1}


def test_an_action_that_okx_does_not_document_loses_the_book() -> None:
    adapter = made("okx")
    for action in ("snapshot", "partial", "update"):
        adapter.convert(okx("books", action, [(10, 1)]))
    assert adapter.skipped == {"other_event": 1, "book_hole": 1}


def diff(number: int, *bids: tuple[str, str], channel: str = "diff_order_book") -> str:
    data = {"microtimestamp": str(number), "bids": bids, "asks": []}
    return line({"data": data, "channel": f"{channel}_xlmgbp", "event": "data"})


def answer(number: int, *bids: tuple[str, str]) -> str:
    said = {"microtimestamp": str(number), "bids": bids, "asks": []}
    return "https://www.bitstamp.net/api/v2/order_book/xlmgbp/ -> " + line(said)


def test_a_bitstamp_answer_that_is_older_than_the_book_does_not_replace_it() -> None:
    adapter = made("bitstamp")
    given = [answer(10, ("5", "1")), diff(20, ("5", "0"), ("6", "1")), answer(15, ("5", "1"))]
    assert book(adapter, *given, diff(25, ("4", "1"))) == ({6: 1, 4: 1}, {})
    assert adapter.skipped == {"book_old": 1}


def test_bitstamp_changes_of_the_whole_book_are_not_made_to_its_best_hundred() -> None:
    adapter = made("bitstamp")
    best = diff(10, ("10", "1"), ("9", "1"), channel="order_book")
    assert book(adapter, best) == ({10: 1, 9: 1}, {})
    assert adapter.convert(diff(11, ("10", "0"))) == []
    assert adapter.convert(best) == []
    assert adapter.skipped == {"book_hole": 1, "best_levels": 1}
    assert book(adapter, answer(12, ("9", "1")), diff(13, ("9", "2"))) == ({9: 2}, {})


def test_bitstamp_changes_wait_while_the_book_is_on_its_way() -> None:
    adapter = made("bitstamp")
    given = [diff(10, ("5", "1")), diff(15, ("5", "2")), answer(12, ("5", "1")), diff(20)]
    assert book(adapter, *given, diff(21, ("4", "1"))) == ({5: 2, 4: 1}, {})
    assert adapter.skipped == {"book_before_snapshot": 2, "no_change": 1}


def bitmex(action: str, *levels: dict[str, object], table: str = "orderBookL2") -> str:
    data = [{"symbol": "XBTUSD", "side": "Buy"} | level for level in levels]
    return line({"table": table, "action": action, "data": data})


BITMEX = bitmex("partial", {"id": 7, "size": 3, "price": 5}, {"id": 8, "size": 3, "price": 4})


def test_the_action_of_a_bitmex_message_says_what_becomes_of_a_level() -> None:
    adapter = made("bitmex")
    given = [BITMEX, bitmex("update", {"id": 7, "timestamp": "t"})]
    assert book(adapter, *given, bitmex("delete", {"id": 8, "size": 3})) == ({5: 3}, {})
    assert adapter.skipped == {"no_change": 1}
    assert book(adapter, bitmex("insert", {"id": 8, "size": 9, "price": 4})) == ({}, {})
    assert adapter.skipped == {"no_change": 1}


def test_an_action_that_bitmex_does_not_document_is_a_hole() -> None:
    adapter = made("bitmex")
    adapter.convert(BITMEX)
    assert adapter.convert(bitmex("replace", {"id": 7, "size": 4})) == []
    assert adapter.convert(bitmex("update", {"id": 7, "size": 4})) == []
    assert adapter.skipped == {"book_hole": 2}


def bybit(kind: str, number: int, **changes: object) -> str:
    topic = {"topic": "orderBookL2_25.U", "type": kind, "cross_seq": str(number)}
    rows: dict[str, object] = {"delete": [], "update": [], "insert": []}
    return line(topic | {"data": changes if kind == "snapshot" else rows | changes})


def test_a_level_that_one_bybit_message_deletes_and_inserts_is_no_hole() -> None:
    level = {"price": "35", "symbol": "U", "id": "1", "side": "Buy"}
    adapter = made("bybit")
    given = bybit("snapshot", 7, order_book=[level | {"size": 5}])
    change = bybit("delta", 8, delete=[level], insert=[level | {"size": 9}])
    assert book(adapter, given, change) == ({35: 9}, {})


# --- lines that cannot be read ---


def coinbase(kind: str, **more: object) -> str:
    return line({"type": kind, "product_id": "A-B"} | more)


BEGUN = coinbase("snapshot", bids=[["10", "1"]], asks=[["11", "1"]])
CHANGE = coinbase("l2update", changes=[["buy", "9", "3"]])


@pytest.mark.parametrize(
    ("unreadable", "reason"),
    [
        (CHANGE.replace("1.5:", "99999999999999.5:"), "no_receive_time"),
        (CHANGE.replace("1.5:", "1.500000000z:"), "no_receive_time"),
        (CHANGE.replace("type", "typf"), "bad_field"),
        (CHANGE.replace("product_id", "product"), "bad_field"),
        (CHANGE.replace("A-B", "A\u20acB"), "bad_symbol"),
        (CHANGE.replace("l2update", "l2updatf"), "other_event"),
        pytest.param("1" * (LONGEST_LINE + 1), "too_long", id="too long"),
    ],
)
def test_a_line_that_may_have_changed_any_book_loses_them_all(unreadable: str, reason: str) -> None:
    adapter = made("coinbase")
    assert adapter.convert(BEGUN)
    assert adapter.convert(unreadable) == []
    assert adapter.convert(CHANGE) == []
    assert adapter.skipped == {reason: 1, "book_hole": 1}
    assert adapter.convert(BEGUN)
    assert adapter.convert(CHANGE)


@pytest.mark.parametrize(
    "other",
    [
        coinbase("match", side="sell", size="x", price="1"),
        coinbase("ticker", best_bid="1"),
        coinbase("l2update", changes=[["buy", "x", "3"]]).replace("A-B", "C-D"),
        coinbase("l2update", changes=[]).replace("A-B", "AB"),
        "https://api/products -> 1.5: {",
        'https://api/products -> 1.5: [{"id":1}]',
    ],
)
def test_a_line_that_cannot_be_read_but_changed_no_book_or_another_leaves_it(other: str) -> None:
    adapter = made("coinbase")
    assert adapter.convert(BEGUN)
    assert adapter.convert(other) == []
    assert adapter.convert(CHANGE)


@pytest.mark.parametrize(
    ("price", "reason"), [("0.0000000001", "not_in_units"), ("1e12", "does_not_fit")]
)
def test_a_book_that_units_cannot_say_comes_back_with_a_snapshot_that_they_can(
    price: str, reason: str
) -> None:
    adapter = made("coinbase")
    unfit = coinbase("snapshot", bids=[[price, "1"]], asks=[])
    assert [adapter.convert(given) for given in (unfit, CHANGE)] == [[], []]
    assert adapter.skipped == {reason: 2}
    assert adapter.convert(BEGUN)
    assert adapter.convert(CHANGE)


# --- lists ---


def test_one_bad_event_of_a_list_takes_no_other_with_it() -> None:
    adapter = made("bybit")
    trades = [
        {"symbol": "AUSDT", "price": price, "size": 2, "side": "Sell"}
        for price in ("10", "10.000000001", "x", "11")
    ]
    assert len(adapter.convert(line({"topic": "trade.AUSDT", "data": trades}))) == 1 + 2
    assert adapter.left_out == {"not_in_units": 1, "bad_field": 1}
    assert adapter.convert(line({"topic": "trade.AUSDT", "data": trades[1:3]})) == []
    assert adapter.skipped == {"not_in_units": 1}
    assert adapter.left_out == {"not_in_units": 1, "bad_field": 1}


def test_a_quote_with_one_side_takes_no_other_with_it() -> None:
    adapter = made("okx")
    both = {"instId": "A-B", "bidPx": "1", "askPx": "2", "bidSz": "1", "askSz": "1"}
    data = [both, both | {"instId": "A-C", "bidPx": "", "bidSz": ""}]
    arg = {"channel": "tickers", "instId": "A-B"}
    assert len(adapter.convert(line({"arg": arg, "data": data}))) == 2
    assert adapter.left_out == {"one_sided": 1}


def coinbase_products(*symbols: object) -> str:
    facts = {"quote_increment": "0.01", "base_currency": "x", "quote_currency": "y"}
    return "https://api/products -> " + line([{"id": symbol} | facts for symbol in symbols])


def kraken_pairs(*symbols: object) -> str:
    facts = {"pair_decimals": 1, "lot_decimals": 8, "base": "x", "quote": "y"}
    pairs = {str(n): facts | {"wsname": symbol} for n, symbol in enumerate(symbols)}
    return "https://api/AssetPairs -> " + line({"result": pairs})


def okx_products(*symbols: object) -> str:
    data = [{"instId": symbol, "tickSz": "0.1"} for symbol in symbols]
    return line({"arg": {"channel": "instruments"}, "data": data})


def bitmex_products(*symbols: object) -> str:
    data = [{"symbol": symbol} for symbol in symbols]
    return line({"table": "instrument", "action": "partial", "data": data})


@pytest.mark.parametrize(
    ("kind", "products"),
    [
        ("coinbase", coinbase_products),
        ("kraken", kraken_pairs),
        ("okx", okx_products),
        ("bitmex", bitmex_products),
    ],
)
def test_one_bad_product_of_a_list_takes_no_other_with_it(kind: str, products: object) -> None:
    adapter = made(kind)
    assert callable(products)
    found = [r.message for r in adapter.convert(products("X/AB", "XA/B", "\u20ac", 7, "ETH/USD"))]
    symbols = [one.symbol for one in found if isinstance(one, InstrumentDiscovered)]
    assert symbols == ["X/AB", "ETH/USD"]
    assert adapter.left_out.total() == 3
    assert adapter.left_out["id_collision"] == len(adapter.collisions) == 1


# --- two books of one instrument ---


def kraken(channel: str, *prices: str) -> str:
    bids = [[price, "1.0", "1"] for price in prices]
    return line([1, {"as": [], "bs": bids}, channel, "A/B"])


def test_a_book_is_of_the_deepest_channel_alone() -> None:
    adapter = made("kraken")
    deep, best = ("100.0", "99.0", "98.0"), ("100.0", "99.0")
    assert len(book(adapter, kraken("book-10", *best))[0]) == 2
    assert len(book(adapter, kraken("book-25", *deep), kraken("book-10", *best))[0]) == 3
    assert adapter.skipped == {"best_levels": 1}
    adapter = made("okx")
    deep_levels = [(price, 1) for price in range(10, 2, -1)]
    given = [
        okx("books", "snapshot", deep_levels),
        okx("books50-l2-tbt", "snapshot", deep_levels[:5]),
        okx("books50-l2-tbt", "update", [(5, 0)]),
    ]
    assert len(book(adapter, *given)[0]) == 8
    assert adapter.skipped == {"best_levels": 2}
    adapter = made("bitmex")
    assert len(book(adapter, BITMEX, BITMEX.replace("L2", "L2_25"))[0]) == 2
    assert adapter.skipped == {"best_levels": 1}
    adapter = made("bybit")
    level = {"price": "35", "symbol": "U", "id": "1", "side": "Buy", "size": 5}
    given = [
        bybit("snapshot", 7, order_book=[level]).replace("L2_25", "_200.100ms"),
        bybit("snapshot", 8, order_book=[]),
    ]
    assert len(book(adapter, *given)[0]) == 1
    assert adapter.skipped == {"best_levels": 1}


def test_a_deeper_channel_has_no_book_before_its_snapshot() -> None:
    adapter = made("okx")
    assert adapter.convert(okx("books5", "", [(10, 1)], seqId=5))
    assert adapter.convert(okx("books", "update", [(9, 1)], seqId=6, prevSeqId=5)) == []
    assert adapter.convert(okx("books5", "", [(10, 1)], seqId=7)) == []
    assert adapter.skipped == {"book_hole": 1, "best_levels": 1}
    adapter.convert("wss://somewhere <-> 1618677543.367689")
    assert adapter.convert(okx("books5", "", [(10, 1)], seqId=8))


def test_two_bitfinex_books_of_one_pair_are_not_mixed() -> None:
    adapter = made("bitfinex")
    for number, length in ((7, 25), (8, 100)):
        told = {"event": "subscribed", "channel": "book", "chanId": number, "symbol": "tAB"}
        adapter.convert(line(told | {"prec": "P0", "len": str(length)}))
    deep = [[price, 1, "1"] for price in range(10, 2, -1)]
    assert len(book(adapter, line([7, deep[:5]]), line([8, deep]), line([7, deep[:5]]))[0]) == 8
    assert adapter.skipped == {"subscription": 2, "best_levels": 1}


# --- what is kept stays small ---


def test_the_texts_of_levels_that_are_gone_are_not_kept() -> None:
    adapter = made("kraken")
    assert isinstance(adapter, Kraken)
    adapter.convert(line([1, {"as": [], "bs": [["1.0", "1.0", "1"]]}, "book-10", "A/B"]))
    for price in range(2, 500):
        bids = [[f"{price - 1}.0", "0.0", "1"], [f"{price}.0", "1.0", "1"]]
        change = {"b": bids, "c": str(crc32(f"{price}010".encode()))}
        assert adapter.convert(line([1, change, "book-10", "A/B"]))
    (texts,) = adapter._texts.values()
    assert len(texts.bids) < 100


def test_the_offsets_of_levels_that_are_gone_are_kept_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dydx, "GONE", 10)
    adapter = made("dydx")
    assert isinstance(adapter, dydx.Dydx)

    def convert(number: int, **contents: object) -> list[Record]:
        kind = "channel_data" if number > 1 else "subscribed"
        event = {"message_id": number, "id": "A", "channel": "v3_orderbook", "type": kind}
        return adapter.convert(line(event | {"contents": {"bids": [], "asks": []} | contents}))

    assert convert(1, bids=[{"price": "1", "offset": "3", "size": "5"}])
    for number in range(2, 200):
        changes = [[str(number), "1"], [str(number - 1), "0"]]
        assert convert(number, offset=str(10 * number), bids=changes)
        ((bids, _),) = adapter._offsets.values()
        assert {max(1, number - back) * ONE for back in range(10)} <= bids.keys()
    assert len(bids) < 30
    # What went last is known still.
    assert convert(200, offset="1985", bids=[["198", "7"]]) == []
    assert adapter.skipped == {"old_level": 1}


def test_a_new_connection_id_of_dydx_ends_its_books() -> None:
    adapter = made("dydx")

    def told(number: int, connection: str, kind: str = "channel_data") -> str:
        said = {"message_id": number, "id": "A", "channel": "v3_orderbook", "type": kind}
        bids = [] if kind == "subscribed" else [["1", "1"]]
        contents = {"offset": str(number), "bids": bids, "asks": []}
        return line(said | {"connection_id": connection, "contents": contents})

    assert adapter.convert(told(1, "a", "subscribed"))
    assert adapter.convert(told(2, "a"))
    assert adapter.convert(told(3, "b")) == []
    assert adapter.skipped == {"book_hole": 1}


def test_the_second_telling_of_a_bitfinex_trade_is_not_a_trade() -> None:
    adapter = made("bitfinex")
    told = {"event": "subscribed", "channel": "trades", "chanId": 7, "symbol": "tAB"}
    adapter.convert(line(told))
    assert adapter.convert('1.5: [7,"te",[1,1500,-2,10.5]]')
    assert adapter.convert('1.5: [7,"tu",[1,1500,-2,10.5]]') == []
    assert adapter.skipped == {"subscription": 1, "trade_again": 1}


def test_bitfinex_numbers_that_begin_anew_end_the_books() -> None:
    adapter = made("bitfinex")
    conf = line({"event": "conf", "status": "OK", "flags": 65536})
    told = {"event": "subscribed", "channel": "book", "chanId": 7, "symbol": "tAB", "prec": "P0"}
    for given in (conf, line(told)):
        adapter.convert(given)
    assert adapter.convert(line([7, [[10, 1, "1"]], 5]))
    adapter.convert(conf)
    assert adapter.convert(line([7, [10, 1, "2"], 1])) == []
    assert adapter.skipped["book_hole"] == 1
    assert adapter.convert(line([7, [[10, 1, "1"]], 2]))
