"""The venues' books: those of the recordings against books kept from the raw text, and what a
venue's own checks (numbers, checksums, ids) do when a message is missing."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import pytest

from protocol.market_data import BookKind, InstrumentDiscovered, OrderBook
from relays.adapters.adapter import Adapter, Record
from relays.adapters.book import Reader
from relays.adapters.kinds import KINDS
from tests.wire import raw_books
from tests.wire.raw_books import RawBooks, Side
from tests.wire.recordings import lines, recording

RAW: dict[str, tuple[str, Callable[[Iterable[str]], RawBooks]]] = {
    "coinbase": ("COINBASE.ws", raw_books.coinbase),
    "kraken": ("KRAKEN.ws", raw_books.kraken),
    "bybit": ("BYBIT", raw_books.bybit),
    "dydx": ("DYDX", raw_books.dydx),
    "bitmex": ("BITMEX", raw_books.bitmex),
    "bitfinex": ("BITFINEX", raw_books.bitfinex),
    "okx": ("OKX", raw_books.okx),
}


def text(kind: str) -> list[str]:
    return list(lines(recording(f"cryptofeed/{RAW[kind][0]}*.gz")))


def made(kind: str) -> Adapter:
    return KINDS[kind](Path("recording"))


def read(adapter: Adapter, recorded: Iterable[str]) -> tuple[dict[str, tuple[Side, Side]], Reader]:
    """The books that a reader of the messages has in the end, by symbol."""
    reader, names = Reader(), {}
    for record in adapter.records(recorded):
        message = record.message
        if isinstance(message, InstrumentDiscovered):
            names[message.instrument_id] = message.symbol
        elif isinstance(message, OrderBook):
            reader.read(OrderBook.decode(message.frame()))
    books = {
        names[key]: (decimals(book.bids), decimals(book.asks)) for key, book in reader.books.items()
    }
    return books, reader


def decimals(side: dict[int, int]) -> Side:
    return {Decimal(price).scaleb(-8): Decimal(size).scaleb(-8) for price, size in side.items()}


@pytest.mark.parametrize("kind", RAW)
def test_books_read_from_the_messages_are_those_kept_from_the_raw_text(kind: str) -> None:
    recorded = text(kind)
    books, reader = read(made(kind), recorded)
    expected = RAW[kind][1](recorded)
    # Prices of this one are multiples of 1e-10: it is counted, as not in units of 1e-8.
    expected.pop("TRXU21", None)
    assert books == expected
    assert reader.dropped == 0


def test_every_kraken_checksum_of_the_recording_holds() -> None:
    adapter = made("kraken")
    found = [record.message for record in adapter.records(text("kraken"))]
    deltas = [m for m in found if isinstance(m, OrderBook) and m.kind == BookKind.DELTA]
    assert len(deltas) == sum('"c":"' in line for line in text("kraken")) == 4_269
    assert "book_checksum" not in adapter.skipped


@pytest.mark.parametrize("kind", RAW)
def test_after_an_unreadable_line_books_wait_for_their_next_snapshots(kind: str) -> None:
    """Nobody can say whose change it was."""
    recorded, adapter = text(kind), made(kind)
    half = len(recorded) // 2
    adapter_gave = [adapter.convert(line) for line in recorded[:half]]
    assert any(isinstance(r.message, OrderBook) for gave in adapter_gave for r in gave)
    assert adapter.convert(recorded[half][:-9]) == []
    assert adapter.skipped["not_json"] == 1
    rest = [r.message for line in recorded[half + 1 :] for r in adapter.convert(line)]
    assert not [m for m in rest if isinstance(m, OrderBook) and m.kind == BookKind.DELTA]
    assert adapter.skipped["book_hole"] > 0
    again = [r.message for line in recorded for r in adapter.convert(line)]
    assert [m for m in again if isinstance(m, OrderBook) and m.kind == BookKind.DELTA]


LOSSES = {
    "kraken": ('1618678134.215185: [992,{"b":[["354.12', "book_checksum"),
    "okx": ('1652459225.7091627: {"arg":{"channel":"books","instId":"UNI-USD', "book_checksum"),
    "bitfinex": ("1618677545.8366", "book_hole"),
    "dydx": ('1635444230.85921: {"type":"channel_data"', "book_hole"),
    "bitmex": ('1626993370.431732: {"table":"orderBookL2","action":"insert"', "book_hole"),
    "bybit": ('1618677786.98285: {"topic":"orderBookL2_25.BCHUSDT","type":"delta"', "book_hole"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_change_that_was_not_recorded_is_noticed_by_what_the_venue_says(kind: str) -> None:
    beginning, reason = LOSSES[kind]
    recorded = text(kind)
    lost = next(n for n, line in enumerate(recorded) if line.startswith(beginning))
    adapter = made(kind)
    books, _ = read(adapter, recorded[:lost] + recorded[lost + 1 :])
    assert adapter.skipped[reason] > 0
    assert books != RAW[kind][1](recorded)


def test_nothing_shows_that_a_change_of_coinbase_was_not_recorded() -> None:
    """What the documentation says of it is so: this venue has no numbers in these messages."""
    recorded, adapter = text("coinbase"), made("coinbase")
    changes = (n for n, line in enumerate(recorded) if "1618677817.2921548" in line)
    lost = next(changes)
    assert "l2update" in recorded[lost]
    read(adapter, recorded[:lost] + recorded[lost + 1 :])
    assert not {"book_hole", "book_old", "book_checksum"} & set(adapter.skipped)


def with_answers(recorded: list[str]) -> Iterator[str]:
    """The recording of Bitstamp, which has no book to begin with, and an empty one of each pair
    after its fourth change, as old as the second."""
    seen: dict[str, list[str]] = {}
    for line in recorded:
        yield line
        found = re.search(r'"microtimestamp":"(\d+)".*"channel":"diff_order_book_(\w+)"', line)
        if not found:
            continue
        numbers = seen.setdefault(found[2], [])
        numbers.append(found[1])
        if len(numbers) == 4:
            answer = f'{{"microtimestamp":"{numbers[1]}","bids":[],"asks":[]}}'
            address = f"https://www.bitstamp.net/api/v2/order_book/{found[2]}/"
            yield f"{address} -> {line.partition(':')[0]}: {answer}\n"


def test_books_of_bitstamp_are_those_kept_from_the_raw_text() -> None:
    recorded = list(with_answers(list(lines(recording("cryptofeed/BITSTAMP*.gz")))))
    books, reader = read(made("bitstamp"), recorded)
    assert len(books) == 9
    assert books == raw_books.bitstamp(recorded)
    assert reader.dropped == 0
    changes = [n for n, line in enumerate(recorded) if '"channel":"diff' in line]
    lost = changes[len(changes) // 2]
    adapter = made("bitstamp")
    fewer, _ = read(adapter, recorded[:lost] + recorded[lost + 1 :])
    # Its numbers grow, but not by one: nothing shows that.
    assert set(adapter.skipped) & {"book_hole", "book_old"} == set()
    assert len(fewer) == 9


def line(event: object, time: str = "1.5") -> str:
    return f"{time}: {json.dumps(event)}"


def test_levels_that_bybit_deletes_without_having_inserted_them_show_a_hole() -> None:
    adapter = made("bybit")
    level = {"price": "35.373", "symbol": "UNIUSDT", "id": "353730", "side": "Buy"}
    there = level | {"size": 72}

    def convert(kind: str, number: int, **changes: object) -> list[Record]:
        data = {"delete": [], "update": [], "insert": []} | changes
        topic = {"topic": "orderBookL2_25.UNIUSDT", "type": kind, "cross_seq": str(number)}
        return adapter.convert(line(topic | {"data": data}))

    assert convert("snapshot", 7, order_book=[there])
    assert convert("delta", 9, delete=[level])
    assert not convert("delta", 9, insert=[there])
    assert not convert("delta", 12, update=[there])
    assert not convert("delta", 13, insert=[there])
    assert adapter.skipped == {"book_old": 1, "book_hole": 2}


@pytest.mark.parametrize(
    ("action", "level"),
    [
        ("update", {"id": 8, "side": "Buy", "size": 3}),
        ("update", {"id": 7, "side": "Sell", "size": 3}),
        ("delete", {"id": 8, "side": "Buy"}),
        ("insert", {"id": 7, "side": "Buy", "size": 3, "price": 5}),
    ],
)
def test_ids_that_do_not_fit_a_bitmex_book_show_a_hole(action: str, level: object) -> None:
    adapter = made("bitmex")

    def convert(action: str, **level: object) -> list[Record]:
        data = [{"symbol": "XBTUSD"} | level]
        return adapter.convert(line({"table": "orderBookL2", "action": action, "data": data}))

    assert isinstance(level, dict)
    assert convert("partial", id=7, side="Buy", size=3, price=5)
    assert convert("insert", id=6, side="Buy", size=3, price=4)
    assert not convert(action, **level)
    assert not convert("update", id=6, side="Buy", size=4)
    assert adapter.skipped == {"book_hole": 2}


def test_levels_that_fall_out_of_a_kraken_book_are_deleted() -> None:
    """Kraken sends no deletion for them: its book is as deep as was asked for."""
    adapter = made("kraken")
    asks = [[f"{price}.0", "1.0", "1618678133.0"] for price in range(9, 20)]
    adapter.convert(line([1, {"as": asks[1:], "bs": []}, "book-10", "A/B"]))
    best = "".join(f"{price}010" for price in range(9, 19))
    change = {"a": asks[:1], "c": str(crc32(best.encode()))}
    (record,) = adapter.convert(line([1, change, "book-10", "A/B"]))
    assert isinstance(record.message, OrderBook)
    assert record.message.asks == ((900000000, 100000000), (1900000000, 0))


def test_bitstamp_changes_have_a_book_once_a_snapshot_of_the_web_address_is_recorded() -> None:
    adapter = made("bitstamp")
    address = "https://www.bitstamp.net/api/v2/order_book/xlmgbp/ -> "

    def change(number: int) -> list[Record]:
        data = {"microtimestamp": str(number), "bids": [["0.20820", "7.0"]], "asks": []}
        event = {"data": data, "channel": "diff_order_book_xlmgbp", "event": "data"}
        return adapter.convert(line(event))

    def answer(number: int) -> list[Record]:
        book = {"microtimestamp": str(number), "bids": [["0.2", "1"]], "asks": [["0.3", "2"]]}
        return adapter.convert(address + line(book, "1.3"))

    assert not change(1001)
    assert not answer(1000)
    _, snapshot = answer(1005)
    assert not change(1004)
    (delta,) = change(1006)
    assert isinstance(snapshot.message, OrderBook)
    assert isinstance(delta.message, OrderBook)
    assert (snapshot.received, snapshot.message.book_sequence) == (1_300_000_000, 1005)
    assert delta.message.bids == ((20820000, 7_00000000),)
    skipped = {"book_before_snapshot": 1, "book_snapshot_too_old": 1, "book_old": 1}
    assert adapter.skipped == skipped


def okx(channel: str, action: str, bids: list[list[str]], **more: int) -> str:
    data = {"bids": bids, "asks": []} | more
    arg = {"channel": channel, "instId": "A-B"}
    return line({"arg": arg, "action": action, "data": [data]})


def test_okx_numbers_show_a_hole_where_they_are_said() -> None:
    adapter = made("okx")
    bids = [["10", "1", "0", "1"]]
    assert adapter.convert(okx("books", "snapshot", bids, seqId=5, prevSeqId=-1))
    assert adapter.convert(okx("books", "update", bids, seqId=9, prevSeqId=5))
    assert not adapter.convert(okx("books", "update", [], seqId=9, prevSeqId=9))
    assert not adapter.convert(okx("books", "update", bids, seqId=12, prevSeqId=10))
    assert not adapter.convert(okx("books", "update", bids, seqId=13, prevSeqId=12))
    assert adapter.convert(okx("books", "snapshot", bids, seqId=20, prevSeqId=-1))
    assert adapter.skipped == {"no_change": 1, "book_hole": 2}


def test_the_five_best_levels_of_okx_are_a_book_where_the_whole_one_does_not_come() -> None:
    adapter = made("okx")
    bids = [["10", "1", "0", "1"]]
    assert adapter.convert(okx("books5", "", bids, seqId=5))
    assert adapter.convert(okx("books5", "", bids, seqId=6))
    assert adapter.convert(okx("books", "snapshot", bids, seqId=7))
    assert not adapter.convert(okx("books5", "", bids, seqId=8))
    assert adapter.skipped == {"best_levels": 1}


def dydx(number: int, kind: str = "channel_data", **contents: object) -> str:
    channel = {"message_id": number, "id": "A-USD", "channel": "v3_orderbook"}
    return line(channel | {"type": kind, "contents": {"bids": [], "asks": []} | contents})


DYDX_BOOK = dydx(1, "subscribed", bids=[{"price": "10", "offset": "3", "size": "5"}])


def test_a_dydx_level_is_not_changed_by_an_older_offset() -> None:
    adapter = made("dydx")
    assert adapter.convert(DYDX_BOOK)
    assert not adapter.convert(dydx(2, offset="3", bids=[["10", "0"]]))
    (record,) = adapter.convert(dydx(3, offset="2", bids=[["10", "0"], ["11", "3"]]))
    assert isinstance(record.message, OrderBook)
    assert record.message.bids == ((11_00000000, 3_00000000),)
    assert adapter.skipped == {"old_level": 1}
    assert adapter.left_out == {"old_level": 1}


def test_dydx_messages_may_come_a_hundred_late_and_no_more() -> None:
    adapter = made("dydx")
    assert adapter.convert(DYDX_BOOK)
    # 2 comes as late as it may, 3 never.
    for number in range(4, 103):
        assert adapter.convert(dydx(number, offset=str(number), bids=[["10", str(number)]]))
    (late,) = adapter.convert(dydx(2, offset="2", bids=[["10", "1"], ["12", "1"]]))
    assert isinstance(late.message, OrderBook)
    assert late.message.bids == ((12_00000000, 1_00000000),)
    assert adapter.convert(dydx(103, offset="103", bids=[["10", "1"]]))
    assert not adapter.convert(dydx(104, offset="104", bids=[["10", "1"]]))
    assert adapter.skipped == {"book_hole": 1}


@pytest.mark.parametrize("kind", RAW)
def test_a_new_connection_ends_the_books_of_the_old_one(kind: str) -> None:
    recorded, adapter = text(kind), made(kind)
    half = len(recorded) // 2
    list(adapter.records(recorded[:half]))
    before = adapter.skipped["book_hole"]
    adapter.convert("wss://somewhere <-> 1618677543.367689")
    books = [r for line in recorded[half:] for r in adapter.convert(line)]
    deltas = [r.message for r in books if isinstance(r.message, OrderBook)]
    assert not [message for message in deltas if message.kind == BookKind.DELTA]
    assert before == 0
    if kind != "bitfinex":
        assert adapter.skipped["book_hole"] > 0
