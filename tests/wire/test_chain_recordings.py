"""The recorded chain logs as messages, held against sums and prices reckoned in another way.

The other way: `csv` and `ast` for the text, bytes for the words, Fraction for the prices. Damaged
lines of the same recordings are here too; examples done by hand are in test_chain_adapters.py.
"""

import ast
import csv
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from protocol.market_data import InstrumentDiscovered, PoolDiscovered, Quote, Side, Trade
from protocol.message import Message, decode
from protocol.objects import Objects
from relays.adapters import pools, uniswap
from relays.adapters.adapter import Adapter, Record
from tests.wire.recordings import lines, recording

SEED = 20261121
DAMAGED_LINES = 1_500
SYNC, V2_SWAP, V3_SWAP = "0x1c411e9a", "0xd78ad95f", "0xc42079f9"
MINT, BURN, COLLECT = "0x7a53080b", "0x0c396cd9", "0x70935338"
# USDC has 6 decimals and WETH 18: wei per millionth of a USDC to units of 1e-8 of the price.
PRICE_UNITS = Fraction(10**6 * 10**8, 10**18)
SIZE_UNITS = 100
MILLION = 1_000_000


class Row(NamedTuple):
    """A log as this file reads it: the first digits of its event, its words, signed."""

    event: str
    topics: list[int]
    data: list[int]
    time: str


def rows(path: Path) -> Iterator[Row]:
    for entry in csv.DictReader(lines(path)):
        event, *topics = ast.literal_eval(entry.get("topics") or entry["pool_topics"])
        data = entry.get("data") or entry["pool_data"]
        indexed = words("0x" + "".join(topic[2:] for topic in topics))
        yield Row(event[:10], indexed, words(data), entry["block_timestamp"])


def words(text: str) -> list[int]:
    data = bytes.fromhex(text[2:])
    places = range(0, len(data), 32)
    return [int.from_bytes(data[place : place + 32], "big", signed=True) for place in places]


def converted(made: Adapter, path: Path) -> list[list[Record]]:
    """The records of each line; every line gave some or is counted."""
    found = [made.convert(line) for line in lines(path)]
    assert made.read == len(found) == sum(map(bool, found)) + made.skipped.total()
    return found


def messages(records: list[Record]) -> list[Message]:
    """Those that are not introductions."""
    introduced = (InstrumentDiscovered, PoolDiscovered)
    return [record.message for record in records if not isinstance(record.message, introduced)]


class Day(NamedTuple):
    """A recorded day of a pool: what it is expected to hold, the lines and their records."""

    path: Path
    fee: Fraction
    spacing: int
    events: list[Row]
    found: list[list[Record]]
    skipped: Counter[str]


EXPECTED = {
    "ethereum-0x88e6": (500, 10, {V3_SWAP: 6_046, MINT: 54, BURN: 69, COLLECT: 65}),
    "ethereum-0x8ad5": (3000, 60, {V3_SWAP: 267, MINT: 4, BURN: 17, COLLECT: 16}),
    "polygon-0x45dd": (500, 10, {V3_SWAP: 3_972, MINT: 64, BURN: 62, COLLECT: 60}),
}


@pytest.fixture(scope="module", params=EXPECTED)
def day(request: pytest.FixtureRequest) -> Day:
    fee, spacing, counts = EXPECTED[request.param]
    path = recording(f"uniswap-v3/{request.param}*")
    made = uniswap.adapter(path)
    header, *found = converted(made, path)
    events = list(rows(path))
    assert header == []
    assert len(events) == len(found)
    assert Counter(row.event for row in events) == counts
    return Day(path, Fraction(fee, MILLION), spacing, events, found, made.skipped)


def test_every_line_of_a_day_is_a_message_or_counted(day: Day) -> None:
    both = zip(day.events, day.found, strict=True)
    given = Counter(row.event for row, records in both if records)
    events = Counter(row.event for row in day.events)
    assert given[V3_SWAP] == events[V3_SWAP]
    assert day.skipped["other_event"] == events[COLLECT]
    left = events[MINT] + events[BURN] - given[MINT] - given[BURN]
    assert day.skipped["out_of_range"] + day.skipped["nothing_moved"] == left
    assert set(day.skipped) == {"header", "other_event", "out_of_range", "nothing_moved"}


def test_a_day_is_introduced_once_and_first(day: Day) -> None:
    first = [type(record.message) for record in next(filter(None, day.found))]
    introduced = [InstrumentDiscovered, InstrumentDiscovered, PoolDiscovered]
    assert first == [*introduced, Trade, Quote]
    kinds = Counter(type(record.message) for records in day.found for record in records)
    assert kinds[InstrumentDiscovered] + kinds[PoolDiscovered] == len(introduced)


def test_the_trades_of_a_day_are_its_swaps_and_add_up(day: Day) -> None:
    volume = bought = 0
    for row, records in zip(day.events, day.found, strict=True):
        for message in messages(records):
            if isinstance(message, Trade):
                volume += message.volume
                bought += message.volume * (message.side is Side.BUY)
                paid = Fraction(abs(row.data[1]), abs(row.data[0])) * PRICE_UNITS
                assert abs(message.price - paid) <= Fraction(1, 2)
    swaps = [row.data[0] for row in day.events if row.event == V3_SWAP]
    assert volume == sum(map(abs, swaps)) * SIZE_UNITS
    assert bought == -sum(change for change in swaps if change < 0) * SIZE_UNITS


def test_the_quotes_of_a_day_are_those_of_the_square_root(day: Day) -> None:
    root = 0
    for row, records in zip(day.events, day.found, strict=True):
        root = row.data[2] if row.event == V3_SWAP else root
        price = Fraction(root * root, 2**192) * PRICE_UNITS
        for message in messages(records):
            if isinstance(message, Quote):
                assert 0 <= price * (1 - day.fee) - message.bid_price < 1
                assert 0 <= message.ask_price - price / (1 - day.fee) < 1
                assert message.bid_size == message.ask_size
                if row.event == V3_SWAP:
                    size = Fraction(row.data[3] * 2**96, root) * SIZE_UNITS
                    assert 0 <= size - message.bid_size < 1


def same_range(spacing: int, one: Row, other: Row) -> bool:
    return one.data[4] // spacing == other.data[4] // spacing


def test_the_liquidity_kept_over_a_day_is_what_the_next_swap_says(day: Day) -> None:
    """Where no initialised tick can lie between two swaps, what was added and taken must agree."""
    last: Row | None = None
    size, agreed, moved = 0, 0, False
    for row, records in zip(day.events, day.found, strict=True):
        if row.event == V3_SWAP and last and same_range(day.spacing, last, row):
            assert row.data[3] * 2**96 * SIZE_UNITS // last.data[2] == size
            agreed += moved
        last, moved = (row, False) if row.event == V3_SWAP else (last, moved)
        for message in messages(records):
            if isinstance(message, Quote):
                size, moved = message.bid_size, row.event != V3_SWAP
    assert agreed


def test_a_day_has_the_times_of_its_blocks(day: Day) -> None:
    for row, records in zip(day.events, day.found, strict=True):
        text = row.time.removesuffix("+00:00") + "+00:00"
        for record in records:
            assert record.received == int(datetime.fromisoformat(text).timestamp()) * 10**9


# --- fifteen blocks of Ethereum ---


def test_every_log_of_the_blocks_is_a_message_or_counted() -> None:
    path = recording("ethereum-blocks/*.jsonl.gz")
    made = uniswap.adapter(path)
    found = converted(made, path)
    entries = [json.loads(line) for line in lines(path)]
    events = Counter(entry["topics"][0][:10] if entry["topics"] else "" for entry in entries)
    assert (events[SYNC], events[V2_SWAP], events[V3_SWAP]) == (382, 369, 90)
    assert made.skipped == {
        "other_event": len(entries) - 382 - 369 - 90 - events[MINT] - events[BURN],
        "unknown_decimals": 261 + 259 + 55,
        "unknown_pool": 46 + 38 + 4 + 9,
        "out_of_range": 1,
        "no_price_yet": 1,
    }
    both = zip(entries, found, strict=True)
    given = Counter(entry["topics"][0][:10] for entry, records in both if records)
    assert given == {SYNC: 75, V2_SWAP: 72, V3_SWAP: 35}
    kinds = Counter(type(message) for records in found for message in messages(records))
    # Thirteen of the version 3 swaps are of pools whose fee the table has.
    assert kinds == {Trade: 72 + 35, Quote: 75 + 13}
    assert made.left_out == {"unknown_fee": 35 - 13}


def test_the_reserves_and_amounts_of_the_blocks_add_up() -> None:
    path = recording("ethereum-blocks/*.jsonl.gz")
    decimals = {
        row["pool"]: int(row["decimals0"])
        for row in csv.DictReader(lines(recording("pools.csv")))
        if row["decimals0"] and row["decimals1"]
    }
    made = uniswap.adapter(path)
    for line in lines(path):
        entry = json.loads(line)
        for message in messages(made.convert(line)):
            data = words(entry["data"])
            unit = Fraction(10**8, 10 ** decimals[entry["address"].lower()])
            if isinstance(message, Quote) and entry["topics"][0].startswith(SYNC):
                assert message.bid_size == int(data[0] * unit)
            if isinstance(message, Trade):
                v2 = entry["topics"][0].startswith(V2_SWAP)
                change = data[0] - data[2] if v2 else data[0]
                assert message.volume == int(abs(change) * unit)
                assert message.side is (Side.BUY if change < 0 else Side.SELL)


def test_a_swap_of_the_blocks_is_within_the_quotes_around_it() -> None:
    """A version 2 swap pays no better price than the marginal one with the fee, before it."""
    path = recording("ethereum-blocks/*.jsonl.gz")
    made, quotes, seen = uniswap.adapter(path), dict[object, Quote](), 0
    for records in converted(made, path):
        for message in messages(records):
            if isinstance(message, Trade) and message.instrument_id.venue == 300:
                # The Sync before it is the state after it: bought, the price has gone up.
                after = quotes[message.instrument_id]
                seen += 1
                if message.side is Side.BUY:
                    assert message.price <= after.ask_price
                else:
                    assert message.price >= after.bid_price
            if isinstance(message, Quote):
                quotes[message.instrument_id] = message
    assert seen == 72


# --- the table, and what is damaged ---


def test_every_row_of_the_table_is_a_pool() -> None:
    path = recording("pools.csv")
    made = pools.adapter(path)
    found = converted(made, path)
    assert made.skipped == {"header": 1}
    kinds = Counter(type(record.message) for records in found for record in records)
    assert kinds == {PoolDiscovered: 267, InstrumentDiscovered: 10}
    table = pools.Pools(lines(path))
    assert len(table) == 267
    assert table.skipped == {"header": 1}
    assert sum(pool.decimals is not None for pool in table) == 30
    objects = Objects()
    for record in (record for records in found for record in records):
        objects.feed(record.message)
    assert len(objects) == 277


def damaged(line: str, dice: random.Random) -> str:
    """A line with a few characters changed, left out, put in or cut off."""
    text = list(line)
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(text) or 1)
        match dice.randrange(4):
            case 0:
                text[place : place + 1] = dice.choice("0f9xX-+_,.\"\\'[]{} \0é\n")
            case 1:
                del text[place : place + dice.randint(1, 70)]
            case 2:
                text[place:place] = dice.choice(["null", "1e9", "ff" * 40, "[[", "9" * 30, "-1"])
            case _:
                del text[max(place, len(text) - 20) :]
    return "".join(text)


@pytest.mark.parametrize(
    "name", ["pools.csv", "uniswap-v3/e*", "uniswap-v3/p*", "ethereum-blocks/*.gz"]
)
def test_damaged_lines_are_counted_and_what_comes_out_is_sound(name: str) -> None:
    print(f"seed {SEED}")
    dice = random.Random(f"{SEED} {name}")
    path = recording(name)
    made: Adapter = pools.adapter(path) if name == "pools.csv" else uniswap.adapter(path)
    first, *rest = islice(lines(path), DAMAGED_LINES)
    found = [made.convert(line) for line in [first, *(damaged(line, dice) for line in rest)]]
    assert made.read == len(found) == sum(map(bool, found)) + made.skipped.total()
    assert any(found)
    for record in (record for records in found for record in records):
        assert decode(record.message.frame(timestamp=record.received)) == record.message
