"""Every recording there is, through the adapter of its kind: each line is messages or a reason.

What the messages must be is for the tests of each venue; here is what holds for all of them.
"""

import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

import relays.adapters
from protocol.instruments import InstrumentId
from protocol.market_data import InstrumentDiscovered, OrderBook, PoolDiscovered, Quote, Trade
from protocol.message import decode
from relays.adapters.kinds import KINDS
from tests.wire.recordings import data, lines, recordings

# In the sources: raised or counted as such, or what a table gives for a name of the venue's.
REASON = re.compile(
    r'(?:(?:Skipped|skipped|left_out)[(\[]|^    "[^"]+": )"([a-z_]+)"', re.MULTILINE
)
# Where the recordings of each kind are, and every reason that their lines are counted under. A
# reason that is not here is a line nobody has looked at.
CRYPTOFEED = {"sent_or_connection", "subscription", "status", "heartbeat", "past_trades"}
FRAMING = {"blank", "configuration", "header"}
# Fees collected, and liquidity that comes or goes where the price is not: no quote changes.
LIQUIDITY = {"other_event", "out_of_range"}
KNOWN = {
    "binance": ("binance/spot_*.gz", {"book_before_snapshot"}),
    "binance-futures": ("binance/usdm_*.gz", {"book_before_snapshot"}),
    "coinbase": ("cryptofeed/COINBASE.*", CRYPTOFEED),
    "kraken": ("cryptofeed/KRAKEN.*", CRYPTOFEED),
    "bybit": ("cryptofeed/BYBIT.*", CRYPTOFEED),
    # An order smaller than what its level says already has come before: the venue's rule.
    "dydx": ("cryptofeed/DYDX.*", CRYPTOFEED | {"old_level"}),
    # Prices of coins with more than 8 decimals cannot be said exactly.
    "bitmex": ("cryptofeed/BITMEX.*", CRYPTOFEED | {"not_in_units"}),
    # The recording has changes of books but no snapshot to begin with.
    "bitstamp": ("cryptofeed/BITSTAMP.*", CRYPTOFEED | {"book_before_snapshot"}),
    "bitfinex": ("cryptofeed/BITFINEX.*", CRYPTOFEED),
    "okx": ("cryptofeed/OKX.*", CRYPTOFEED),
    "uniswap": ("uniswap-v3/*.csv.gz", LIQUIDITY | {"nothing_moved"}),
    "us-equities": ("us-equities/*.zip", {"official_price", "one_side_only"}),
    "pools": ("pools.csv", set[str]()),
}


# The logs of whole blocks are of every contract that spoke in them, and few pools are in the table.
BLOCKS = (
    "ethereum-blocks/*.jsonl.gz",
    LIQUIDITY | {"unknown_decimals", "unknown_pool", "no_price_yet"},
)


def written(path: Path, kind: str) -> tuple[Counter[str], Counter[str]]:
    """Messages by class and lines by reason of a recording, with what must hold for each."""
    adapter, found = KINDS[kind](path), Counter[str]()
    introduced: set[InstrumentId] = set()
    gave = given = 0
    for line in lines(path):
        records = adapter.convert(line)
        given, gave = given + 1, gave + bool(records)
        for received, message in records:
            name = type(message).__name__
            found[name] += 1
            assert isinstance(
                message, InstrumentDiscovered | PoolDiscovered | Trade | Quote | OrderBook
            )
            if isinstance(message, InstrumentDiscovered | PoolDiscovered):
                introduced.add(message.instrument_id)
            assert message.instrument_id in introduced
            if found[name] <= 100:
                frame = message.frame(timestamp=received, source=adapter.SOURCE)
                assert decode(frame) == message
    assert (adapter.read, gave + adapter.skipped.total()) == (given, given)
    assert adapter.collisions == {}
    return found, adapter.skipped


def places() -> list[tuple[str, str, set[str]]]:
    """Kind, pattern and reasons of each row above."""
    rows = [*KNOWN.items(), ("uniswap", BLOCKS)]
    return [(kind, pattern, reasons | FRAMING) for kind, (pattern, reasons) in rows]


def test_every_kind_has_its_recordings() -> None:
    assert set(KNOWN) == set(KINDS)


@pytest.mark.parametrize(("kind", "pattern", "reasons"), places())
def test_every_line_of_every_recording_is_messages_or_counted_under_a_known_reason(
    kind: str, pattern: str, reasons: set[str]
) -> None:
    for path in recordings(pattern):
        found, skipped = written(path, kind)
        assert found.total() > 0
        assert set(skipped) <= reasons


# What the venues that have lists of their products say, with prices in other steps than 1e-8.
PRODUCTS = {
    "coinbase": 'https://c/products -> 1.5: [{"id":"A-B","base_currency":"A","quote_currency":"B",'
    '"quote_increment":"0.01"}]',
    "kraken": 'https://k/AssetPairs -> 1.5: {"result":{"AB":{"wsname":"A/B","base":"A",'
    '"quote":"B","pair_decimals":2,"lot_decimals":8}}}',
    "bitmex": '1.5: {"table":"instrument","action":"partial","data":[{"symbol":"AB",'
    '"tickSize":0.01}]}',
    "okx": '1.5: {"arg":{"channel":"instruments"},"data":[{"instId":"A-B","tickSz":"0.01"}]}',
}


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"uniswap", "pools"}))
def test_every_instrument_of_an_exchange_says_the_decimals_of_the_fixed_point(kind: str) -> None:
    if kind in PRODUCTS:
        (record,) = KINDS[kind](Path("recording")).convert(PRODUCTS[kind])
        assert isinstance(record.message, InstrumentDiscovered)
        assert record.message.decimals == 8
        assert json.loads(record.message.metadata)["price_decimals"] == 2
    found = []
    for path in recordings(KNOWN[kind][0]):
        adapter = KINDS[kind](path)
        said = (record.message for record in adapter.records(islice(lines(path), 1_000)))
        found += [one for one in said if isinstance(one, InstrumentDiscovered)]
    assert {one.decimals for one in found} == {8}


def test_every_file_of_the_recordings_is_of_a_kind() -> None:
    known = {path for _, pattern, _ in places() for path in data().glob(pattern)}
    others = {"LICENSE", "README.md", "manifest.json"}
    files = {path for path in data().rglob("*") if path.is_file() and path.name not in others}
    assert files == known


def test_no_adapter_raises_at_the_lines_of_another_kind_whole_or_cut() -> None:
    paths = {kind: recordings(pattern)[-1] for kind, pattern, _ in places()}
    given = [line for path in paths.values() for line in islice(lines(path), 30)]
    given += [line[: len(line) * cut // 7] for line in given for cut in range(1, 7)]
    for kind, path in paths.items():
        adapter = KINDS[kind](path)
        gave = sum(bool(adapter.convert(line)) for line in given)
        assert (adapter.read, gave + adapter.skipped.total()) == (len(given), len(given))


def test_the_readme_explains_every_reason_and_kind() -> None:
    folder = Path(relays.adapters.__file__).parent
    text = (folder / "README.md").read_text()
    sources = [path.read_text() for path in folder.glob("*.py")]
    reasons = {name for source in sources for name in REASON.findall(source)}
    named = reasons.union(*(known for _, _, known in places()), KINDS)
    assert len(reasons) > 50
    assert sorted(name for name in named if f"`{name}`" not in text) == []
