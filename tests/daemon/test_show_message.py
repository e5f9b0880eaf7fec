"""Messages as lines and JSON, instruments by name, filters and rates: without a relay."""

from __future__ import annotations

import json
import random
import string

import pytest
from hypothesis import given

from protocol.as_json import take
from protocol.catalogue import SourceType
from protocol.control import UNKNOWN_COUNT, Gap, GapReason
from protocol.defi import DeFiSignal
from protocol.errors import InstrumentError, ProtocolError
from protocol.execution import OrderRequest
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import (
    BookKind,
    InstrumentDiscovered,
    OrderBook,
    PoolDiscovered,
    Side,
    Trade,
    VenueStatus,
    VenueUpdate,
)
from protocol.message import Message, Unknown
from protocol.orders import OrderType, TimeInForce
from protocol.tails import Level
from relays.cli.common.naming import Names, Wanted, clean, number, parse_instrument, type_number
from relays.cli.tapping.show_message import (
    Frame,
    Lines,
    Paint,
    as_object,
    gap_object,
    gap_text,
    hex_dump,
    one_line,
    time_of_day,
)
from relays.cli.tapping.watching import MOST_COUNTED, Filter, Rates, instruments
from relays.domains import DOMAINS
from tests.vectors.values import cases
from tests.wire.strategies import ANY_MESSAGE

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
NOON = 1_700_000_000_000_000_000
TRADE = Trade(BTC, price=61_234_50000000, volume=25_000000, side=Side.BUY)


def shown(message: Message | Unknown, names: Names | None = None, **header: int) -> str:
    raw = message.frame(timestamp=NOON, source=1, **header)
    lines = Lines(names or Names(), Paint(False), time_of_day)
    return lines.line(Frame(7, False, raw))


# --- lines ---


def test_a_trade_is_one_line_with_whole_units() -> None:
    expected = (
        "22:13:20.000000 7 trade binance:spot:BTCUSDT price=61234.5 volume=0.25 side=BUY"
        " [binance_collector #3]"
    )
    assert shown(TRADE, sequence=3) == expected


def test_what_says_nothing_is_left_out() -> None:
    line = shown(OrderBook(BTC, BookKind.DELTA, 9, bids=(Level(5_00000000, 0),), asks=()))
    assert line.split(" ")[3:-2] == [
        "binance:spot:BTCUSDT", "kind=DELTA", "book_sequence=9", "bids(1)=5x0"
    ]  # fmt: skip


def test_a_long_book_is_cut() -> None:
    levels = tuple(Level(n * 100_000_000, 1_00000000) for n in range(20, 0, -1))
    line = shown(OrderBook(BTC, BookKind.SNAPSHOT, 9, bids=levels, asks=()))
    assert "bids(20)=20x1,19x1,18x1,..." in line


def test_a_message_without_an_instrument_has_a_dash_in_its_place() -> None:
    line = shown(VenueUpdate(venue=VenueId.NASDAQ, status=VenueStatus.HALTED, effective_time=NOON))
    assert " venue_update - venue=NASDAQ status=HALTED effective_time=2023-11-14T22:13:20" in line


def test_an_unknown_type_and_a_priority_are_shown() -> None:
    line = shown(Unknown(199, 3, b"\x01\x02"), flags=0x20)
    assert " type_199 - version=3 payload=0x0102 [binance_collector #0 priority 2]" in line


def test_a_damaged_frame_is_a_line_that_says_so() -> None:
    damaged = bytearray(TRADE.frame(timestamp=NOON))
    damaged[40] ^= 1
    raw = bytes(damaged)
    lines = Lines(Names(), Paint(False))
    assert " trade - damaged: checksum" in lines.line(Frame(1, False, raw))
    assert as_object(Frame(1, False, raw), Names())["frame"] == f"0x{raw.hex()}"


def test_text_from_the_wire_cannot_command_the_terminal() -> None:
    names = Names()
    bad = InstrumentDiscovered(BTC, decimals=8, symbol="X\x1b[2J Y\n", metadata=b"\x9b\xff")
    names.learn(bad.replace(metadata=b""))
    for line in (shown(bad, names), shown(TRADE, names)):
        assert line.isprintable()
        assert r"\x1b[2J" in line
    assert clean("tab\tand é") == r"tab\tand é"


@given(message=ANY_MESSAGE)
def test_every_message_has_a_printable_line_and_json_that_comes_back(message: Message) -> None:
    assert shown(message).isprintable()
    made = json.loads(one_line(as_object(Frame(1, True, message.frame(source=1)), Names())))
    assert take({name: made[name] for name in ("type", "name", "version", "fields")}) == message


def test_colour_is_by_type_and_only_where_it_is_wanted() -> None:
    frame = Frame(1, False, TRADE.frame())
    coloured = Lines(Names(), Paint(True)).line(frame)
    assert "\x1b[1;32mtrade\x1b[0m" in coloured
    assert "\x1b" not in Lines(Names(), Paint(False)).line(frame)


def test_a_gap_names_positions_count_and_reason() -> None:
    gap = Gap(100, 199, count=100, reason=GapReason.TOO_SLOW)
    assert gap_text(gap) == "100 messages are missing, positions 100 to 199 (too_slow)"
    replaced = Gap(5, 5, count=UNKNOWN_COUNT, reason=GapReason.LOG_REPLACED)
    assert gap_text(replaced).startswith("an unknown number of messages")
    assert gap_object(replaced)["gap"] == {
        "first_position": "5", "last_position": "5", "count": None, "reason": "log_replaced"
    }  # fmt: skip


def test_a_hex_dump_has_every_byte() -> None:
    raw = TRADE.frame()
    lines = list(hex_dump(raw))
    assert len(lines) == 4
    assert bytes.fromhex("".join(line[8:56] for line in lines)) == raw


# --- names ---


def test_instruments_are_named_as_their_discovery_names_them() -> None:
    pair = parse_instrument("binance:spot:1000SHIBUSDT")
    token = InstrumentId.ethereum_token("0x" + "ab" * 20)
    names = Names()
    assert names.of(pair) == "binance:spot:100~K3RF"
    assert names.of(token) == "ethereum:token:0xabababababababab"
    names.learn(InstrumentDiscovered(pair, decimals=8, symbol="1000SHIBUSDT"))
    names.learn(InstrumentDiscovered(token, decimals=18, symbol="WETH"))
    assert names.of(pair) == "binance:spot:1000SHIBUSDT"
    assert names.of(token) == "ethereum:token:WETH"


def test_two_things_with_one_id_are_said_once_and_the_first_name_stays() -> None:
    pool = InstrumentId(VenueId.UNISWAP_V2, AssetType.POOL, 77)
    names = Names()
    assert names.learn(PoolDiscovered(pool, decimals=0, symbol="A/B")) == ""
    said = names.learn(PoolDiscovered(pool, decimals=0, symbol="C/D"))
    assert "A/B" in said
    assert "C/D" in said
    assert names.learn(PoolDiscovered(pool, decimals=0, symbol="C/D")) == ""
    assert names.of(pool) == "uniswap_v2:pool:A/B"


def test_an_instrument_is_written_as_its_name_its_address_or_its_bytes() -> None:
    pool = InstrumentId.pool_from_address(VenueId.UNISWAP_V3, "0x" + "cd" * 20)
    for one in (BTC, pool, InstrumentId(999, 77, 5), InstrumentId.stock(VenueId.NYSE, "BRK.B")):
        assert parse_instrument(Names().of(one)) == one
        assert parse_instrument(one.to_bytes().hex()) == one
    assert parse_instrument("uniswap_v3:pool:0x" + "cd" * 20) == pool
    assert parse_instrument("Binance:SPOT:BTC-USDT") == BTC


def test_what_is_no_instrument_is_refused() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    texts = ["", ":", "::", "binance:spot:", "mars:spot:X", "binance:spot", "0x12", "1:4:0x"]
    texts += ["".join(source.choices(string.printable, k=9)) for _ in range(100)]
    for text in texts:
        with pytest.raises(InstrumentError):
            parse_instrument(text)


def test_types_and_sources_are_written_as_names_or_numbers() -> None:
    market = DOMAINS["market_data"]
    for text in ("order_book", "OrderBook", "ORDER-BOOK", "3"):
        assert type_number(text, market) == 3
    assert number(SourceType, "Kraken-Collector") == 2
    assert type_number("19", market) == 19
    for text in ("fill", "42", "wat", "", "-1", "256"):
        with pytest.raises(ProtocolError):
            type_number(text, market)
    with pytest.raises(ProtocolError, match="binance_collector"):
        number(SourceType, "nobody")


# --- filters and rates ---


def order(owner: int) -> OrderRequest:
    return OrderRequest(
        BTC, Side.BUY, OrderType.LIMIT, TimeInForce.DAY, owner_id=owner, account_id=1,
        client_order_id=1, price=1, quantity=1,
    )  # fmt: skip


def test_a_filter_looks_at_type_source_producer_and_every_instrument() -> None:
    raw = TRADE.frame(source=2)
    assert Filter().passes(raw)
    assert Filter(types={1}, sources={2}).passes(raw)
    assert not Filter(types={2}).passes(raw)
    assert not Filter(sources={1}).passes(raw)
    assert [Filter(producers={7}).passes(order(owner).frame()) for owner in (7, 8)] == [True, False]
    assert not Filter(producers={7}).passes(raw)
    message = next(cases(DeFiSignal)).message
    names = Names()
    for one in instruments(message.frame()):
        assert Filter(wanted=Wanted([names.of(one)], names)).passes(message.frame())


def test_a_filter_by_symbol_follows_what_has_been_learnt() -> None:
    names = Names()
    pair = parse_instrument("binance:spot:1000SHIBUSDT")
    wanted = Wanted(["1000shib*"], names)
    assert not wanted.has(pair)
    names.learn(InstrumentDiscovered(pair, decimals=8, symbol="1000SHIB-USDT"))
    assert wanted.has(pair)
    assert Wanted(["1000SHIBUSDT"], names).has(pair)
    assert not Wanted(["kraken:*"], names).has(pair)


def test_rates_add_up_and_stay_bounded() -> None:
    rates = Rates(Names(), now=0.0)
    for n in range(MOST_COUNTED + 5):
        rates.add(Trade(InstrumentId(1, 4, n), price=1, volume=1).frame(source=n % 2))
    rates.add(VenueUpdate(venue=1, status=VenueStatus.OPEN).frame())
    rows = rates.rows(now=2.0)
    total = rates.messages
    assert total == MOST_COUNTED + 6
    for group in ("all", "type", "source", "instrument"):
        assert sum(row.messages for row in rows if row.group == group) == total
        assert sum(row.rate for row in rows if row.group == group) == pytest.approx(total / 2)
    assert sum(row.group == "instrument" for row in rows) == MOST_COUNTED + 2
    assert all(row.rate == 0 for row in rates.rows(now=3.0))
    assert rates.rows(now=4.0, since_begin=True)[0].rate == pytest.approx(total / 4)
