"""Whole recordings of the venues: every line is messages or counted, whatever happens to it.

Expected numbers of trades are counted in the text with regular expressions, not with the adapters.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from protocol.market_data import InstrumentDiscovered, Trade
from protocol.message import decode
from relays.adapters.adapter import Adapter
from relays.adapters.kinds import KINDS
from tests.wire.recordings import lines, recording

FILES = {
    "COINBASE.0": "coinbase",
    "COINBASE.ws": "coinbase",
    "KRAKEN.0": "kraken",
    "KRAKEN.ws": "kraken",
    "BYBIT.ws": "bybit",
    "DYDX.ws": "dydx",
    "BITMEX.ws": "bitmex",
    "BITSTAMP.ws": "bitstamp",
    "BITFINEX.ws": "bitfinex",
    "OKX.ws": "okx",
}
VENUES = sorted(set(FILES.values()))
SEEDS = (1, 2)
DAMAGED_LINES = 400


def text(name: str) -> list[str]:
    return list(lines(recording(f"cryptofeed/{name}*.gz")))


def made(name: str) -> Adapter:
    return KINDS[FILES.get(name, name)](Path(name))


def convert(adapter: Adapter, recorded: Iterable[str]) -> Counter[str]:
    """Messages by class; every one goes into a frame and out again, every line is accounted for."""
    found: Counter[str] = Counter()
    for number, line in enumerate(recorded, adapter.read + 1):
        before = adapter.skipped.total()
        records = adapter.convert(line)
        assert adapter.read == number
        assert adapter.skipped.total() == before + (not records)
        for record in records:
            assert decode(record.message.frame()) == record.message
        found.update(type(record.message).__name__ for record in records)
    return found


FOUND: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "COINBASE.0": ({"InstrumentDiscovered": 162}, {"configuration": 1}),
    "COINBASE.ws": (
        {"InstrumentDiscovered": 10, "Quote": 107, "Trade": 97, "OrderBook": 9_734},
        {"sent_or_connection": 4, "subscription": 3, "past_trades": 10, "blank": 2},
    ),
    "KRAKEN.0": ({"InstrumentDiscovered": 304}, {"configuration": 1}),
    "KRAKEN.ws": (
        {"InstrumentDiscovered": 10, "OrderBook": 4_279},
        {"sent_or_connection": 2, "status": 1, "subscription": 10, "heartbeat": 31, "blank": 2},
    ),
    "BYBIT.ws": (
        {"InstrumentDiscovered": 8, "Trade": 101, "OrderBook": 3_260},
        {"sent_or_connection": 17, "subscription": 16, "blank": 2},
    ),
    "DYDX.ws": (
        {"InstrumentDiscovered": 10, "Trade": 26, "OrderBook": 4_664},
        {"sent_or_connection": 21, "status": 1, "past_trades": 10, "old_level": 34},
    ),
    "BITMEX.ws": (
        {"InstrumentDiscovered": 10, "Quote": 435, "Trade": 17, "OrderBook": 1_981},
        {
            "sent_or_connection": 4,
            "status": 1,
            "subscription": 30,
            "past_trades": 10,
            # Prices of TRXU21 are multiples of 1e-10.
            "not_in_units": 4,
        },
    ),
    "BITSTAMP.ws": (
        {"InstrumentDiscovered": 9, "Trade": 10},
        {"sent_or_connection": 21, "subscription": 20, "book_before_snapshot": 717},
    ),
    "BITFINEX.ws": (
        {"InstrumentDiscovered": 7, "Quote": 21, "OrderBook": 1_600},
        {
            "sent_or_connection": 23,
            "status": 2,
            "subscription": 21,
            "past_trades": 7,
            "heartbeat": 42,
            "blank": 2,
        },
    ),
    "OKX.ws": (
        {"InstrumentDiscovered": 3, "Quote": 28, "Trade": 74, "OrderBook": 290},
        {"sent_or_connection": 4, "subscription": 18},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_line_of_a_recording_is_messages_or_counted_under_its_reason(name: str) -> None:
    adapter = made(name)
    found = convert(adapter, text(name))
    messages, skipped = FOUND[name]
    assert (dict(found), dict(adapter.skipped)) == (messages, skipped)
    assert adapter.collisions == {}
    assert adapter.left_out.total() == 0


TRADE_LINES = {
    "COINBASE.ws": r'"type":"(match)"',
    "KRAKEN.ws": r'"(trade)"',
    "BYBIT.ws": r'^\d.*"topic":"trade\.',
    "DYDX.ws": r'"type":"channel_data".*"channel":"v3_trades"',
    "BITMEX.ws": r'"table":"trade","action":"insert"',
    "BITSTAMP.ws": r'"event":"trade"',
    "BITFINEX.ws": r'"te"',
    "OKX.ws": r'^\d.*"channel":"trades".*"data"',
}
TRADE_PRICE = re.compile(r'"(?:price|px)":"?([^",}]+)')


@pytest.mark.parametrize("name", TRADE_LINES)
def test_the_trades_are_those_that_stand_in_the_text(name: str) -> None:
    recorded = text(name)
    pattern = re.compile(TRADE_LINES[name])
    prices = [p for line in recorded if pattern.search(line) for p in TRADE_PRICE.findall(line)]
    trades = [r.message for r in made(name).records(recorded) if isinstance(r.message, Trade)]
    expected = [int(whole + part.ljust(8, "0")) for whole, _, part in map(split, prices)]
    assert [trade.price for trade in trades] == expected


def split(number: str) -> tuple[str, str, str]:
    return number.partition(".")


def test_the_product_lists_introduce_every_pair_that_stands_in_the_text() -> None:
    for name, pattern in (("COINBASE.0", r'"id":"([^"]+)"'), ("KRAKEN.0", r'"altname":"([^"]+)"')):
        recorded = text(name)
        found = [record.message for record in made(name).records(recorded)]
        symbols = [m.symbol for m in found if isinstance(m, InstrumentDiscovered)]
        names = re.findall(pattern, recorded[0])
        assert [symbol.replace("/", "") for symbol in symbols] == names
        assert len({m.instrument_id for m in found if isinstance(m, InstrumentDiscovered)}) == len(
            names
        )


@pytest.mark.parametrize("kind", VENUES)
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("\n", "blank"),
        ("wss://somewhere <-> 1618677543.367689", "sent_or_connection"),
        ('https://somewhere/else -> 1618677543.367689: {"a":1}', "other_answer"),
        ("https://somewhere/else -> 1618677543.367689: {", "not_json"),
        ("https://somewhere/else", "sent_or_connection"),
        ("yesterday: {}", "no_receive_time"),
        ("1618677543.5 {}", "no_receive_time"),
        ("1618677543.5: {", "not_json"),
        ("1618677543.5: " + "[" * 100_000, "not_json"),
        ("1618677543.5: NaN", "not_json"),
        ("1618677543.5: 7", "bad_field"),
        ("1618677543.5: null", "bad_field"),
    ],
)
def test_what_gives_no_message_is_counted_under_its_reason(
    kind: str, line: str, reason: str
) -> None:
    adapter = made(kind)
    assert adapter.convert(line) == []
    assert adapter.skipped == {reason: 1}


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("okx", '{"arg":{"channel":"trades","instId":"A-B"},"data":[]}'),
        ("okx", '{"arg":{"channel":"books","instId":"A"},"action":"update","data":[%s]}'),
        ("coinbase", '{"type":"l2update","product_id":"A-B","changes":[]}'),
        ("bybit", '{"topic":"trade.A","data":[]}'),
        ("bitmex", '{"table":"trade","action":"insert","data":[]}'),
    ],
)
def test_a_list_of_nothing_is_counted_as_no_change(kind: str, event: str) -> None:
    adapter = made(kind)
    assert adapter.convert("1.5: " + event.replace("%s", '{"bids":[],"asks":[]}')) == []
    assert adapter.skipped == {"no_change": 1}


JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 2**64, 10**30, "", "0", "-1", "x", "1e400", "1e-400", "\u0663"),
    *("0.000000001", "-0.5", "NaN", "buy", "SELL", [], {}, [[]], [[1, 2, 3]], ["1", "2"], {"a": 1}),
)


def junked(event: Any, chance: random.Random) -> Any:
    """The same JSON with something else somewhere."""
    inside = event if isinstance(event, dict | list) and event and chance.random() < 0.9 else None
    if inside is None:
        return chance.choice(JUNK)
    key = chance.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    if chance.random() < 0.1:
        return {k: v for k, v in inside.items() if k != key} if isinstance(inside, dict) else []
    changed = dict(inside) if isinstance(inside, dict) else list(inside)
    changed[key] = junked(inside[key], chance)
    return changed


def damaged(line: str, chance: random.Random) -> str:
    """A line that is cut, has characters replaced, or other JSON in it."""
    way = chance.randrange(3)
    if way == 0:
        return line[: chance.randrange(len(line) + 1)]
    if way == 1 and line:
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(line))
            line = line[:at] + chr(ord(line[at]) ^ 1 << chance.randrange(8)) + line[at + 1 :]
        return line
    time, colon, event = line.partition(": ")
    try:
        return f"{time}{colon}{json.dumps(junked(json.loads(event), chance))}"
    except ValueError:
        return line[::-1]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FILES)
def test_damaged_lines_are_counted_and_never_raise(name: str, seed: int) -> None:
    print(f"seed {seed} of {name}")
    chance, recorded, adapter = random.Random(f"{seed} {name}"), text(name), made(name)
    # A list of products is one long line.
    for _ in range(DAMAGED_LINES if len(recorded) > 2 else DAMAGED_LINES // 20):
        at = chance.randrange(len(recorded))
        # Lines as they follow each other, so that there is a state to damage.
        around = recorded[at : at + 3]
        around[chance.randrange(len(around))] = damaged(chance.choice(recorded[:60]), chance)
        around.append(damaged(recorded[at], chance))
        convert(adapter, around)


@pytest.mark.parametrize("name", ["COINBASE.ws", "OKX.ws", "KRAKEN.ws"])
def test_a_book_message_that_cannot_be_read_ends_its_book_alone(name: str) -> None:
    recorded, adapter = text(name), made(name)
    half = len(recorded) // 2
    convert(adapter, recorded[:half])
    change = {"COINBASE.ws": "l2update", "OKX.ws": '"update"', "KRAKEN.ws": '"b":'}[name]
    line = next(line for line in recorded[half:] if change in line)
    spoiled = re.sub(r'\[\["', '[["x', line) if name != "COINBASE.ws" else line.replace("sell", "?")
    spoiled = spoiled.replace("buy", "?")
    assert adapter.convert(spoiled) == []
    assert adapter.skipped["bad_field"] == 1
    found = convert(adapter, recorded[half:])
    assert found["OrderBook"] > 0
    assert adapter.skipped["book_hole"] > 0
