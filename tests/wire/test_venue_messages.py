"""Single lines of the venues to messages, checked by hand: recorded lines, shortened where fields
that are not looked at make them long, and documented ones of what was not recorded."""

import json
from pathlib import Path
from zlib import crc32

import pytest

from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import BookKind, InstrumentDiscovered, OrderBook, Quote, Side, Trade
from protocol.message import Message
from relays.adapters.adapter import Adapter
from relays.adapters.kinds import KINDS
from relays.adapters.symbols import instrument
from relays.adapters.venue import Venue

SPOT, PERPETUAL, FUTURE = AssetType.SPOT, AssetType.PERPETUAL, AssetType.FUTURE


def made(kind: str) -> Adapter:
    return KINDS[kind](Path("recording"))


def messages(adapter: Adapter, line: str) -> list[Message]:
    """What a line gives, its time left out; introductions too."""
    return [record.message for record in adapter.convert(line)]


def one(kind: str, line: str, *before: str) -> Message:
    """The last message of a line."""
    adapter = made(kind)
    for earlier in before:
        adapter.convert(earlier)
    return messages(adapter, line)[-1]


BITFINEX_CHANNELS = (
    '1618677543.951173: {"event":"subscribed","channel":"ticker","chanId":232952,'
    '"symbol":"tTESTBTC:TESTUSD","pair":"TESTBTC:TESTUSD"}',
    '1618677543.960452: {"event":"subscribed","channel":"trades","chanId":232959,'
    '"symbol":"tBFTUSD","pair":"BFTUSD"}',
    '1618677543.960452: {"event":"subscribed","channel":"trades","chanId":5,'
    '"symbol":"tBTCF0:USTF0","pair":"BTCF0:USTF0"}',
)

TRADES = {
    # The side is the maker's: it sold, so the aggressor bought.
    "coinbase": (
        '1618677817.1295161: {"type":"match","trade_id":280232,"side":"sell","size":"985",'
        '"price":"0.00001305","product_id":"SKL-BTC","sequence":177100030}',
        (SPOT, "SKL-BTC", 1305, 985_00000000, Side.BUY),
    ),
    "kraken": (
        '1534614057.5: [0,[["5541.20000","0.15850568","1534614057.321597","s","l",""],'
        '["6060.00000","0.02455000","1534614057.324998","b","l",""]],"trade","XBT/USD"]',
        (SPOT, "XBT/USD", 6060_00000000, 2455000, Side.BUY),
    ),
    "bybit": (
        '1618677786.799711: {"topic":"trade.BCHUSDT","data":[{"symbol":"BCHUSDT",'
        '"tick_direction":"PlusTick","price":"1054.45","size":0.82,"side":"Sell"}]}',
        (PERPETUAL, "BCHUSDT", 1054_45000000, 82000000, Side.SELL),
    ),
    "dydx": (
        '1635444232.717576: {"type":"channel_data","connection_id":"60a4","message_id":375,'
        '"id":"ETH-USD","channel":"v3_trades","contents":{"trades":[{"size":"0.1","side":"SELL",'
        '"price":"4215.5","createdAt":"2021-10-28T18:03:52.741Z"}]}}',
        (PERPETUAL, "ETH-USD", 4215_50000000, 10000000, Side.SELL),
    ),
    # The size is in contracts.
    "bitmex": (
        '1626993371.697268: {"table":"trade","action":"insert","data":[{"symbol":"XBTUSD",'
        '"side":"Buy","size":100,"price":32180.5,"homeNotional":0.00310747}]}',
        (PERPETUAL, "XBTUSD", 32180_50000000, 100_00000000, Side.BUY),
    ),
    "bitstamp": (
        '1641343709.545449: {"data":{"id":216000485,"amount":3.2394864,"amount_str":"3.23948640",'
        '"price":3802.89,"price_str":"3802.89","type":1},"channel":"live_trades_ethusd",'
        '"event":"trade"}',
        (SPOT, "ETHUSD", 3802_89000000, 3_23948640, Side.SELL),
    ),
    "bitfinex": (
        '1618677550.5: [232959,"te",[669899159,1618665870435,-166.391496,0.076989]]',
        (SPOT, "BFTUSD", 7698900, 166_39149600, Side.SELL),
    ),
    "okx": (
        '1652459225.5070758: {"arg":{"channel":"trades","instId":"BTC-USD-220527"},"data":[{'
        '"instId":"BTC-USD-220527","tradeId":"7849","px":"30218.8","sz":"1","side":"buy"}]}',
        (FUTURE, "BTC-USD-220527", 30218_80000000, 1_00000000, Side.BUY),
    ),
}


@pytest.mark.parametrize("kind", TRADES)
def test_a_trade_has_the_aggressors_side_and_exact_numbers(kind: str) -> None:
    line, (asset_type, symbol, price, volume, side) = TRADES[kind]
    pair = instrument(VenueId[kind.upper()], asset_type, symbol)
    assert one(kind, line, *BITFINEX_CHANNELS) == Trade(pair, price, volume, side=side)


@pytest.mark.parametrize("number", ["true", "null", '""', '"1,5"', '"-1"', '" 1"', "[1]"])
def test_what_is_no_number_is_a_bad_field_also_after_one_that_python_calls_equal(
    number: str,
) -> None:
    adapter = made("bybit")
    line = TRADES["bybit"][0]
    assert messages(adapter, line.replace("0.82", "1"))
    assert messages(adapter, line.replace("0.82", number)) == []
    assert adapter.skipped == {"bad_field": 1}


NUMBERS = [
    ("0.000000001", "not_in_units"),
    ("1e-9", "not_in_units"),
    ("1e30", "does_not_fit"),
    ("184467440738", "does_not_fit"),
]
# The price and the size of each trade above (Kraken's: of the last one), in quotes where the venue
# writes them so.
WRITTEN = {
    "coinbase": ('"0.00001305"', '"985"'),
    "kraken": ('"6060.00000"', '"0.02455000"'),
    "bybit": ('"1054.45"', "0.82"),
    "dydx": ('"4215.5"', '"0.1"'),
    "bitmex": ("32180.5", "100"),
    "bitstamp": ('"3802.89"', '"3.23948640"'),
    "bitfinex": ("0.076989", "166.391496"),
    "okx": ('"30218.8"', '"1"'),
}


@pytest.mark.parametrize("kind", TRADES)
@pytest.mark.parametrize(("number", "reason"), NUMBERS)
def test_a_number_that_units_of_ten_to_the_minus_eight_cannot_say_is_counted_as_such(
    kind: str, number: str, reason: str
) -> None:
    for written in WRITTEN[kind]:
        adapter = made(kind)
        for earlier in BITFINEX_CHANNELS if kind == "bitfinex" else ():
            adapter.convert(earlier)
        said = f'"{number}"' if written.startswith('"') else number
        before, _, after = TRADES[kind][0].rpartition(written)
        found = [one for one in messages(adapter, before + said + after) if isinstance(one, Trade)]
        # The other trade of Kraken's line is not taken with it.
        counted = adapter.left_out if kind == "kraken" else adapter.skipped
        assert (len(found), counted[reason]) == (kind == "kraken", 1)


@pytest.mark.parametrize("number", ["0", '"0.000"'])
@pytest.mark.parametrize("known", ['"1054.45"', "0.82"])
def test_a_trade_of_nothing_or_for_nothing_is_counted(known: str, number: str) -> None:
    adapter = made("bybit")
    assert messages(adapter, TRADES["bybit"][0].replace(known, number)) == []
    assert adapter.skipped == {"nothing_traded": 1}


def test_a_price_below_nothing_is_a_bad_field() -> None:
    adapter = made("bybit")
    assert messages(adapter, TRADES["bybit"][0].replace("1054.45", "-1054.45")) == []
    assert adapter.skipped == {"bad_field": 1}


@pytest.mark.parametrize(("number", "reason"), [("0", "one_sided"), ("-1", "bad_field")])
def test_a_quote_has_two_prices_above_nothing(number: str, reason: str) -> None:
    adapter = made("coinbase")
    assert messages(adapter, QUOTES["coinbase"][0].replace("14.7550", number)) == []
    assert adapter.skipped == {reason: 1}


QUOTES = {
    # Neither Coinbase's ticker of then nor Bitfinex's says what is there at the best price: size 0.
    "coinbase": (
        '1618677817.079694: {"type":"ticker","product_id":"BAND-GBP","price":"14.7775",'
        '"best_bid":"14.7550","best_ask":"14.8060","side":"buy","last_size":"0.04"}',
        (SPOT, "BAND-GBP", 14_75500000, 14_80600000, 0, 0),
    ),
    "bitfinex": (
        "1618677543.9515572: [232952,[60400,76.16686512,60406,86.2067634199999,-1292,-0.0209]]",
        (SPOT, "TESTBTC:TESTUSD", 60400_00000000, 60406_00000000, 0, 0),
    ),
    "bitmex": (
        '1626993370.0327702: {"table":"quote","action":"partial","data":[{"symbol":"XRPU21",'
        '"bidSize":15,"bidPrice":0.00001814,"askPrice":1.819e-5,"askSize":1703}]}',
        (FUTURE, "XRPU21", 1814, 1819, 15_00000000, 1703_00000000),
    ),
    "okx": (
        '1652459225.5069652: {"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{'
        '"instType":"SPOT","instId":"BTC-USDT","last":"30236","askPx":"30228.7",'
        '"askSz":"1.55896972","bidPx":"30228.6","bidSz":"0.23393"}]}',
        (SPOT, "BTC-USDT", 30228_60000000, 30228_70000000, 23393000, 1_55896972),
    ),
    "kraken": (
        '1542057299.6: [0,["5698.40000","5700.00000","1542057299.545897","1.01234567",'
        '"0.98765432"],"spread","XBT/USD"]',
        (SPOT, "XBT/USD", 5698_40000000, 5700_00000000, 1_01234567, 98765432),
    ),
}


@pytest.mark.parametrize("kind", QUOTES)
def test_a_quote_has_both_prices_and_the_sizes_that_the_venue_says(kind: str) -> None:
    line, (asset_type, symbol, *numbers) = QUOTES[kind]
    pair = instrument(VenueId[kind.upper()], asset_type, symbol)
    assert one(kind, line, *BITFINEX_CHANNELS) == Quote(pair, *numbers)


def test_other_forms_of_quotes() -> None:
    pair = instrument(VenueId.KRAKEN, SPOT, "XBT/USD")
    ticker = (
        '1.5: [0,{"a":["5525.40000",1,"1.25"],"b":["5525.10000",1,"0.5"],"c":["5525.1","0.1"]},'
        '"ticker","XBT/USD"]'
    )
    quote = Quote(pair, 5525_10000000, 5525_40000000, 50000000, 1_25000000)
    assert one("kraken", ticker) == quote
    best = (
        '1.5: {"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["11","2","0",'
        '"1"]],"bids":[["10","3","0","1"]],"ts":"1","seqId":3}]}'
    )
    pair = instrument(VenueId.OKX, SPOT, "BTC-USDT")
    assert one("okx", best) == Quote(pair, 10_00000000, 11_00000000, 3_00000000, 2_00000000)
    sized = (
        '1.5: {"type":"ticker","product_id":"BTC-USD","best_bid":"10","best_bid_size":"3",'
        '"best_ask":"11","best_ask_size":"2"}'
    )
    pair = instrument(VenueId.COINBASE, SPOT, "BTC-USD")
    assert one("coinbase", sized) == Quote(pair, 10_00000000, 11_00000000, 3_00000000, 2_00000000)


def book(message: Message) -> tuple[object, ...]:
    assert isinstance(message, OrderBook)
    return message.kind, message.book_sequence, message.bids, message.asks


BOOKS = {
    "coinbase": (
        '1.5: {"type":"snapshot","product_id":"SKL-GBP","asks":[["0.5767","6327.2"],["0.5762",'
        '"2865.9"]],"bids":[["0.5752","10"]]}',
        (1, ((57520000, 10_00000000),), ((57620000, 2865_90000000), (57670000, 6327_20000000))),
        '1618677817.118808: {"type":"l2update","product_id":"SKL-GBP","changes":[["sell",'
        '"0.5762","0.00"]],"time":"2021-04-17T16:43:37.078325Z"}',
        (2, (), ((57620000, 0),)),
    ),
    "bybit": (
        '1618677786.9852: {"topic":"orderBookL2_25.UNIUSDT","type":"snapshot","data":'
        '{"order_book":[{"price":"35.373","symbol":"UNIUSDT","id":"353730","side":"Buy",'
        '"size":25.900002},{"price":"35.400","id":"354000","side":"Sell","size":3}]},'
        '"cross_seq":"916952400"}',
        (916952400, ((35_37300000, 25_90000200),), ((35_40000000, 3_00000000),)),
        '1618677786.985: {"topic":"orderBookL2_25.UNIUSDT","type":"delta","data":{"delete":'
        '[{"price":"35.400","id":"354000","side":"Sell"}],"update":[{"price":"35.373",'
        '"symbol":"UNIUSDT","id":"353730","side":"Buy","size":72.8}],"insert":[]},'
        '"cross_seq":"916952408","timestamp_e6":"1618677786522325"}',
        (916952408, ((35_37300000, 72_80000000),), ((35_40000000, 0),)),
    ),
    "dydx": (
        '1635444230.843457: {"type":"subscribed","message_id":1,"channel":"v3_orderbook","id":'
        '"ETH-USD","contents":{"bids":[{"price":"1","offset":"2693487298","size":"6.2"}],"asks":'
        '[{"price":"4210","offset":"2693932396","size":"0"}]}}',
        (1, ((1_00000000, 6_20000000),), ()),
        '1635444230.85921: {"type":"channel_data","message_id":2,"id":"ETH-USD","channel":'
        '"v3_orderbook","contents":{"offset":"2693988240","bids":[],"asks":[["4217.8","13.34"]]}}',
        (2, (), ((4217_80000000, 13_34000000),)),
    ),
    "bitmex": (
        '1626993370.146127: {"table":"orderBookL2","action":"partial","data":[{"symbol":"BCHUSD",'
        '"id":40199991243,"side":"Buy","size":7,"price":437.85},{"symbol":"BCHUSD","id":'
        '40199991245,"side":"Buy","size":3,"price":437.8}]}',
        (1, ((437_85000000, 7_00000000), (437_80000000, 3_00000000)), ()),
        '1626993370.431767: {"table":"orderBookL2","action":"update","data":[{"symbol":"BCHUSD",'
        '"id":40199991243,"side":"Buy","size":2104}]}',
        (2, ((437_85000000, 2104_00000000),), ()),
    ),
    "bitfinex": (
        "1618677545.5: [204928,[[0.02056,1,4510.99],[2e-2,2,3498],[0.02089,1,-9507]]]",
        (1, ((2056000, 4510_99000000), (2000000, 3498_00000000)), ((2089000, 9507_00000000),)),
        "1618677545.836687: [204928,[0.02089,0,-1]]",
        (2, (), ((2089000, 0),)),
    ),
    "okx": (
        '1.5: {"arg":{"channel":"books","instId":"A-B"},"action":"snapshot","data":[{"asks":'
        '[["5.16","122","0","1"]],"bids":[["5.134","66","0","2"]],"checksum":%d}]}',
        (1, ((5_13400000, 66_00000000),), ((5_16000000, 122_00000000),)),
        '1652459229.791222: {"arg":{"channel":"books","instId":"A-B"},"action":"update","data":'
        '[{"asks":[],"bids":[["5.134","0","0","0"]],"checksum":%d}]}',
        (2, ((5_13400000, 0),), ()),
    ),
    "kraken": (
        '1.5: [1,{"as":[["13.284500","1396.00000000","1618678133.3"]],"bs":[["13.2",'
        '"2.00000000","1618678133.3"]]},"book-1000","WAVES/EUR"]',
        (1, ((13_20000000, 2_00000000),), ((13_28450000, 1396_00000000),)),
        '1.6: [1,{"a":[["13.284500","0.00000000","1618678133.4"]]},{"b":[["13.2","1.00000000",'
        '"1618678133.4"]],"c":"%d"},"book-1000","WAVES/EUR"]',
        (2, ((13_20000000, 1_00000000),), ((13_28450000, 0),)),
    ),
}
BOOK_CHANNEL = (
    '1.5: {"event":"subscribed","channel":"book","chanId":204928,"symbol":"tODEUSD","prec":"P0"}'
)
CHECKSUMS = {
    "okx": ("5.134:66:5.16:122", "5.16:122"),
    "kraken": ("", "132100000000"),
}
"""What the checksums of these lines are over, written down as the venues document it."""


@pytest.mark.parametrize("kind", BOOKS)
def test_books_begin_with_a_snapshot_and_go_on_with_deltas(kind: str) -> None:
    snapshot, whole, delta, change = BOOKS[kind]
    adapter = made(kind)
    adapter.convert(BOOK_CHANNEL)
    for line, text in zip((snapshot, delta), CHECKSUMS.get(kind, ("", "")), strict=True):
        found = messages(adapter, line % crc32(text.encode()) if "%d" in line else line)
        expected = (BookKind.SNAPSHOT, *whole) if line is snapshot else (BookKind.DELTA, *change)
        assert book(found[-1]) == expected
    assert adapter.skipped.total() == 1


def test_the_first_sight_of_an_instrument_says_its_whole_symbol() -> None:
    introduction, trade = messages(made("okx"), TRADES["okx"][0])
    assert isinstance(introduction, InstrumentDiscovered)
    assert isinstance(trade, Trade)
    assert introduction.symbol == "BTC-USD-220527"
    assert introduction.instrument_id == trade.instrument_id


def test_receive_times_are_those_of_the_lines_to_the_last_digit() -> None:
    records = made("coinbase").convert(TRADES["coinbase"][0])
    assert [record.received for record in records] == [1618677817129516100] * 2


def product(kind: str, line: str) -> tuple[InstrumentId, int, str, object]:
    message = one(kind, line)
    assert isinstance(message, InstrumentDiscovered)
    metadata = json.loads(message.metadata)
    return message.instrument_id, message.decimals, message.symbol, metadata


def test_products_are_instruments_with_what_the_venue_says_of_them() -> None:
    skl = (
        "https://api.pro.coinbase.com/products -> 1618677816.8414998: "
        '[{"id":"SKL-EUR","base_currency":"SKL","quote_currency":"EUR","base_min_size":"5",'
        '"quote_increment":"0.0001","base_increment":"0.1","status":"online"}]'
    )
    facts: dict[str, object] = {
        "base": "SKL",
        "quote": "EUR",
        "price_step": "0.0001",
        "price_decimals": 4,
        "size_step": "0.1",
    }
    pair = InstrumentId.spot(VenueId.COINBASE, "SKLEUR")
    said = facts | {"least_size": "5", "status": "online"}
    assert product("coinbase", skl) == (pair, 8, "SKL-EUR", said)
    aave = (
        "https://api.kraken.com/0/public/AssetPairs -> 1618678132.358447: "
        '{"error":[],"result":{"AAVEAUD":{"altname":"AAVEAUD","wsname":"AAVE\\/AUD",'
        '"base":"AAVE","quote":"ZAUD","pair_decimals":2,"lot_decimals":8,"ordermin":"0.1"}}}'
    )
    named: dict[str, object] = {
        "name": "AAVEAUD",
        "base": "AAVE",
        "quote": "ZAUD",
        "least_size": "0.1",
    }
    pair = InstrumentId.spot(VenueId.KRAKEN, "AAVEAUD")
    said = named | {"price_decimals": 2, "size_decimals": 8}
    assert product("kraken", aave) == (pair, 8, "AAVE/AUD", said)


def test_bitmex_says_of_an_instrument_what_a_contract_is() -> None:
    line = (
        '1.5: {"table":"instrument","action":"partial","data":[{"symbol":"XBTUSD","typ":"FFWCSX",'
        '"underlying":"XBT","quoteCurrency":"USD","settlCurrency":"XBt","tickSize":0.5,'
        '"lotSize":100,"multiplier":-100000000,"isInverse":true,"state":"Open","expiry":null}]}'
    )
    said: dict[str, object] = {
        "base": "XBT",
        "quote": "USD",
        "settle": "XBt",
        "price_step": "0.5",
        "price_decimals": 1,
        "size_step": 100,
    }
    said |= {"multiplier": -100000000, "inverse": True, "status": "Open"}
    pair = InstrumentId.perpetual(VenueId.BITMEX, "XBTUSD")
    assert product("bitmex", line) == (pair, 8, "XBTUSD", said)


def test_okx_says_of_an_instrument_what_a_contract_is() -> None:
    line = (
        '1.5: {"arg":{"channel":"instruments","instType":"SWAP"},"data":[{"instId":'
        '"UNI-USD-SWAP","baseCcy":"","quoteCcy":"","settleCcy":"UNI","ctVal":"10","ctValCcy":"USD",'
        '"tickSz":"0.001","lotSz":"1","minSz":"1","state":"live"}]}'
    )
    said: dict[str, object] = {
        "settle": "UNI",
        "price_step": "0.001",
        "price_decimals": 3,
        "size_step": "1",
        "least_size": "1",
    }
    said |= {"contract_value": "10", "contract_currency": "USD", "status": "live"}
    pair = instrument(VenueId.OKX, PERPETUAL, "UNI-USD-SWAP")
    assert product("okx", line) == (pair, 8, "UNI-USD-SWAP", said)


def test_an_instrument_that_is_known_is_introduced_again_with_what_a_list_says() -> None:
    adapter = made("coinbase")
    adapter.convert(TRADES["coinbase"][0])
    line = (
        '1.5: {"type":"status","products":[{"id":"SKL-BTC","base_currency":"SKL",'
        '"quote_currency":"BTC","quote_increment":"0.00000001","status":"online"}]}'
    )
    (message,) = messages(adapter, line)
    assert isinstance(message, InstrumentDiscovered)
    assert (message.decimals, json.loads(message.metadata)["status"]) == (8, "online")


@pytest.mark.parametrize(
    ("kind", "symbol", "asset_type"),
    [
        ("bybit", "BTCUSDT", PERPETUAL),
        ("bybit", "BTCUSD", PERPETUAL),
        ("bybit", "BTCUSDM21", FUTURE),
        ("bybit", "BTC-30JUN23", FUTURE),
        ("bitmex", "XBTUSD", PERPETUAL),
        ("bitmex", "XRPU21", FUTURE),
        ("bitmex", "XBT_USDT", SPOT),
        ("bitmex", ".BXBT", AssetType.INDEX),
        ("okx", "BTC-USDT", SPOT),
        ("okx", "BTC-USD-SWAP", PERPETUAL),
        ("okx", "BTC-USD-220527", FUTURE),
        ("okx", "BTC-USD-220527-30000-C", AssetType.OPTION),
        ("bitfinex", "BTCF0:USTF0", PERPETUAL),
        ("bitfinex", "BTCUSD", SPOT),
        ("dydx", "ETH-USD", PERPETUAL),
    ],
)
def test_a_symbol_says_what_is_traded(kind: str, symbol: str, asset_type: AssetType) -> None:
    adapter = made(kind)
    assert isinstance(adapter, Venue)
    assert adapter.asset_type(symbol) is asset_type
