"""Books kept from the raw text of the venues, the slow and obvious way: the oracle of the adapters.

Called by the tests of the venue adapters. Decimals in dictionaries, one function a venue, nothing
of the adapters in it; what a venue's messages mean is written down here a second time.
"""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from zlib import crc32

# Price to size.
Side = dict[Decimal, Decimal]
# Symbol to bids and asks.
RawBooks = dict[str, tuple[Side, Side]]


def events(lines: Iterable[str]) -> Iterator[Any]:
    """The JSON that a venue sent, numbers as they are written."""
    for line in lines:
        if line[:1].isdigit():
            yield json.loads(line.partition(": ")[2], parse_float=str)


def put(side: Side, price: object, size: object) -> None:
    """Set a level; size 0 deletes it."""
    if Decimal(str(size)):
        side[Decimal(str(price))] = Decimal(str(size))
    else:
        side.pop(Decimal(str(price)), None)


def coinbase(lines: Iterable[str]) -> RawBooks:
    books: RawBooks = {}
    for event in events(lines):
        if event["type"] == "snapshot":
            bids, asks = books.setdefault(event["product_id"], ({}, {}))
            for side, rows in ((bids, event["bids"]), (asks, event["asks"])):
                for price, size in rows:
                    put(side, price, size)
        elif event["type"] == "l2update":
            for way, price, size in event["changes"]:
                put(books[event["product_id"]][way == "sell"], price, size)
    return books


def kraken(lines: Iterable[str]) -> RawBooks:
    """Checks the checksum after every message, over the text alone."""
    texts: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for event in events(lines):
        if not isinstance(event, list):
            continue
        sides = texts.setdefault(event[-1], ({}, {}))
        for content in event[1:-2]:
            for key, rows in content.items():
                if key != "c":
                    kraken_rows(sides["a" in key], rows)
        for content in event[1:-2]:
            if "c" in content:
                assert kraken_checksum(*sides) == int(content["c"])
    return {symbol: (numbers(bids), numbers(asks)) for symbol, (bids, asks) in texts.items()}


def kraken_rows(side: dict[str, str], rows: Any) -> None:
    for price, size, *_ in rows:
        side[price] = size
        if not Decimal(size):
            del side[price]


def kraken_checksum(bids: dict[str, str], asks: dict[str, str]) -> int:
    best = [(price, asks[price]) for price in sorted(asks, key=Decimal)[:10]]
    best += [(price, bids[price]) for price in sorted(bids, key=Decimal, reverse=True)[:10]]
    digits = (number.replace(".", "").lstrip("0") for level in best for number in level)
    return crc32("".join(digits).encode())


def bitstamp(lines: Iterable[str]) -> RawBooks:
    """From the books of the web address on, all changes that are newer, also those that were
    received before them."""
    books: RawBooks = {}
    last: dict[str, int] = {}
    early: dict[str, list[Any]] = {}
    for line in lines:
        address, arrow, answer = line.partition(" -> ")
        event = json.loads((answer if arrow else line).partition(": ")[2] or "{}")
        if arrow:
            symbol = address.rstrip("/").rpartition("/")[2].upper()
            books[symbol], last[symbol] = ({}, {}), -1
            given = [event, *early.get(symbol, [])]
        elif event.get("channel", "").startswith("diff_order_book_") and "bids" in event["data"]:
            symbol, given = event["channel"].rpartition("_")[2].upper(), [event["data"]]
            early.setdefault(symbol, []).extend(given)
        else:
            continue
        for said in given if symbol in books else []:
            if int(said["microtimestamp"]) > last[symbol]:
                last[symbol] = int(said["microtimestamp"])
                for side, name in zip(books[symbol], ("bids", "asks"), strict=True):
                    for price, size in said[name]:
                        put(side, price, size)
    return books


def numbers(side: dict[str, str]) -> Side:
    return {Decimal(price): Decimal(size) for price, size in side.items()}


def bybit(lines: Iterable[str]) -> RawBooks:
    books: RawBooks = {}
    for event in events(lines):
        if "orderBook" not in event.get("topic", ""):
            continue
        sides = books.setdefault(event["topic"].split(".")[1], ({}, {}))
        for what, rows in event["data"].items():
            for row in rows:
                size = 0 if what == "delete" else row["size"]
                put(sides[row["side"] == "Sell"], row["price"], size)
    return books


def dydx(lines: Iterable[str]) -> RawBooks:
    books: RawBooks = {}
    offsets: dict[tuple[str, str, Decimal], int] = {}
    for event in events(lines):
        if event.get("channel") != "v3_orderbook":
            continue
        said, sides = event["contents"], books.setdefault(event["id"], ({}, {}))
        for name, side in zip(("bids", "asks"), sides, strict=True):
            for row in said[name]:
                price, size, offset = dydx_row(row, said)
                if offset > offsets.get((event["id"], name, price), -1):
                    offsets[event["id"], name, price] = offset
                    put(side, price, size)
    return books


def dydx_row(row: Any, said: Any) -> tuple[Decimal, str, int]:
    if isinstance(row, dict):
        return Decimal(row["price"]), row["size"], int(row["offset"])
    return Decimal(row[0]), row[1], int(said["offset"])


def bitmex(lines: Iterable[str]) -> RawBooks:
    levels: dict[str, dict[tuple[str, int], Any]] = {}
    for event in events(lines):
        if event.get("table") != "orderBookL2":
            continue
        for row in event["data"]:
            book = levels.setdefault(row["symbol"], {})
            if event["action"] == "delete":
                del book[row["side"], row["id"]]
            elif event["action"] == "update":
                book[row["side"], row["id"]] |= row
            else:
                book[row["side"], row["id"]] = row
    return {symbol: bitmex_sides(book) for symbol, book in levels.items()}


def bitmex_sides(book: dict[tuple[str, int], Any]) -> tuple[Side, Side]:
    sides: tuple[Side, Side] = {}, {}
    for (way, _), row in book.items():
        put(sides[way == "Sell"], row["price"], row["size"])
    return sides


def bitfinex(lines: Iterable[str]) -> RawBooks:
    books: RawBooks = {}
    channels: dict[int, str] = {}
    for event in events(lines):
        if isinstance(event, dict):
            if event.get("channel") == "book" and event["event"] == "subscribed":
                channels[event["chanId"]] = event["pair"]
        elif event[0] in channels and event[1] != "hb":
            rows = event[1] if isinstance(event[1][0], list) else [event[1]]
            for price, count, amount in rows:
                size = abs(Decimal(amount)) if count else 0
                put(
                    books.setdefault(channels[event[0]], ({}, {}))[Decimal(amount) < 0], price, size
                )
    return books


def okx(lines: Iterable[str]) -> RawBooks:
    books: RawBooks = {}
    for event in events(lines):
        if event["arg"]["channel"] == "books" and "data" in event:
            sides = books.setdefault(event["arg"]["instId"], ({}, {}))
            for name, side in zip(("bids", "asks"), sides, strict=True):
                for price, size, *_ in event["data"][0][name]:
                    put(side, price, size)
    return books
