"""What all adapters share: exact numbers, times, symbols, and the accounting of lines."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.catalogue import SourceType
from protocol.errors import InstrumentError
from protocol.instruments import AssetType, InstrumentId, VenueId
from protocol.market_data import InstrumentDiscovered, Trade
from relays.adapters.adapter import LONGEST_LINE, Adapter, Record, Skipped, Unsayable
from relays.adapters.symbols import Collision, Instruments, instrument, short_form
from relays.adapters.text import events, nanoseconds, quantity, recorded, scaled, units

# --- numbers ---


@given(st.decimals(min_value=-92_233_720_368, max_value=92_233_720_368, places=8))
def test_decimal_text_is_exact_with_and_without_exponent(number: Decimal) -> None:
    value = int(number.scaleb(8))
    assert units(f"{number:f}") == value
    assert units(f"{value}e-8") == value
    assert units(f"{number:E}") == value
    if value >= 0:
        assert quantity(f"{number:f}") == value


@given(st.from_regex(r"[+-]?[0-9]{1,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_any_number_is_the_decimal_it_is_or_refused(text: str) -> None:
    exact = Decimal(text).scaleb(8) if Decimal(text) else Decimal(0)
    # Decimal has 28 digits: beyond them only that it does not raise anything else is looked at.
    short = len(Decimal(text).as_tuple().digits) <= 28
    try:
        value = units(text)
    except ValueError:
        assert not short or exact != exact.to_integral_value() or abs(exact) >= 2**63 - 1
    else:
        assert not short or value == exact


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0.0", 0),
        ("1.", 100_000_000),
        ("0.00000001", 1),
        ("-1e-8", -1),
        ("+3", 300_000_000),
        ("1E2", 10_000_000_000),
        ("7.1000000000000", 710_000_000),
        ("0.0000000100", 1),
        ("0e999999999999", 0),
        ("92233720368.54775807", 2**63 - 1),
        ("-92233720368.54775808", -(2**63)),
        (5, 500_000_000),
        (-1, -100_000_000),
    ],
)
def test_what_is_a_number_is_read(text: str | int, value: int) -> None:
    assert units(text) == value


NO_NUMBERS = [
    "", ".", ".5", "-", "+-1", "--1", "1_0", " 1", "1 ", "1,5", "\u0663", "\u00b2", "1e", "1e+",
    "e5", "1e5e5", "1e1.0", "1e_1", "Infinity", "nan", "0x10", "1\n", True, None, 1.5, [1], b"1",
    "x" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("given", NO_NUMBERS)
@pytest.mark.parametrize("read", [units, quantity])
def test_what_is_no_number_is_refused(read: object, given: object) -> None:
    # Remembered as a number, 1 must not make a number of True.
    assert (units(1), quantity(1)) == (10**8, 10**8)
    assert callable(read)
    with pytest.raises((ValueError, TypeError)):
        read(given)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.000000001", "not_in_units"),
        ("1e-9", "not_in_units"),
        ("1e-999999999", "not_in_units"),
        ("1e999999999", "does_not_fit"),
        ("92233720368.54775808", "does_not_fit"),
        (10**11, "does_not_fit"),
        ("9" * 99, "does_not_fit"),
        ("9" * 5_000, "does_not_fit"),
    ],
)
def test_what_is_not_a_whole_number_of_units_in_64_bits_is_refused(
    text: str | int, reason: str
) -> None:
    with pytest.raises(Unsayable, match=r"64 bits|decimals|characters") as caught:
        units(text)
    assert caught.value.reason == reason


def test_a_quantity_has_no_sign_and_one_bit_more() -> None:
    assert quantity("184467440737.09551615") == 2**64 - 1
    with pytest.raises(Unsayable, match="64 bits"):
        quantity("184467440737.09551616")
    for text in ("-0.00000001", -1):
        with pytest.raises(ValueError, match="less than nothing"):
            quantity(text)


def test_a_number_of_digits_that_python_does_not_read_is_a_value_error() -> None:
    for text in ("1" * 5_000, "1." + "1" * 5_000, "1e" + "1" * 5_000):
        with pytest.raises(ValueError, match="more than 1000 characters"):
            scaled(text, 8)


# --- times and lines ---


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1618677816.8414998", 1_618_677_816_841_499_800),
        ("1618677816", 1_618_677_816_000_000_000),
        ("1.123456789987", 1_123_456_789),
        ("0.000000001", 1),
    ],
)
def test_seconds_become_nanoseconds_digit_by_digit(text: str, time: int) -> None:
    assert nanoseconds(text) == time


@pytest.mark.parametrize(
    "text",
    ["", ".5", "-1", "1e9", "1_0.0", "\u0663", "1.2.3", "1. 2", "1.000000000z", "18446744074"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        nanoseconds(text)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("\n", "blank"),
        ("   ", "blank"),
        ("wss://ws.kraken.com <-> 1618677816.8\n", "sent_or_connection"),
        ('wss://ws.kraken.com <- 1618677816.8: {"op":1}\n', "sent_or_connection"),
        ("https://api.kraken.com -> 16: {}", "sent_or_connection"),
        ('configuration: {"ticker":[]}', "configuration"),
        ("soon: {}", "no_receive_time"),
        ('{"a":1}', "no_receive_time"),
        ("1618677816.8", "no_receive_time"),
    ],
)
def test_lines_that_hold_no_message_say_why(line: str, reason: str) -> None:
    with pytest.raises(Skipped) as caught:
        recorded(line)
    assert str(caught.value) == reason


def test_json_keeps_numbers_as_they_are_written() -> None:
    assert events('{"a":0.10,"b":[1e-7,12],"c":"0.5"}') == {
        "a": "0.10",
        "b": ["1e-7", 12],
        "c": "0.5",
    }


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 100_000, "1" * 5_000, "{} x"])
def test_what_is_not_json_is_one_reason(text: str) -> None:
    with pytest.raises(Skipped, match="not_json"):
        events(text)


# --- symbols ---


@pytest.mark.parametrize(
    ("symbol", "short"),
    [
        ("BTCUSDT", "BTCUSDT"),
        ("BTC-USD", "BTCUSD"),
        ("XBT/USD", "XBTUSD"),
        ("A:B_C", "ABC"),
        ("ABCD-EFGH", "ABCDEFGH"),
        ("1000SHIBUSDT", "100~K3RF"),
        ("BTC-USD-220527", "BTC~WDQH"),
        ("BTC-USD-220528", "BTC~EBPW"),
    ],
)
def test_symbols_are_short_without_being_cut(symbol: str, short: str) -> None:
    assert short_form(symbol) == short
    made = instrument(VenueId.OKX, AssetType.FUTURE, symbol)
    assert made == InstrumentId.future(VenueId.OKX, short)


@pytest.mark.parametrize("symbol", ["", "-", "BTC\u20ac", "A" * 256, "A\0B", 7, None])
def test_a_symbol_that_no_id_can_be_made_of_is_refused(symbol: str) -> None:
    with pytest.raises(InstrumentError):
        instrument(VenueId.OKX, AssetType.SPOT, symbol)


def test_an_instrument_is_introduced_once_with_its_whole_symbol() -> None:
    seen = Instruments()
    long = seen.get(VenueId.OKX, AssetType.FUTURE, "BTC-USD-220527", metadata=b"{}")
    assert seen.get(VenueId.OKX, AssetType.FUTURE, "BTC-USD-220527") == long
    short = seen.get(VenueId.OKX, AssetType.SPOT, "BTC-USD")
    assert seen.take() == [
        InstrumentDiscovered(long, decimals=8, symbol="BTC-USD-220527", metadata=b"{}"),
        InstrumentDiscovered(short, decimals=8, symbol="BTC-USD"),
    ]
    assert seen.take() == []


def test_two_symbols_with_one_id_are_a_collision_each_time_and_the_first_keeps_it() -> None:
    seen = Instruments()
    first = seen.get(VenueId.OKX, AssetType.SPOT, "BTC-USD")
    for _ in range(2):
        with pytest.raises(Collision, match="'BTC-USD' and 'BTCUSD' have one id: Okx spot BTCUSD"):
            seen.get(VenueId.OKX, AssetType.SPOT, "BTCUSD")
    assert seen.get(VenueId.OKX, AssetType.SPOT, "BTC-USD") == first
    # Another kind of thing, or another venue, is another id.
    assert seen.get(VenueId.OKX, AssetType.PERPETUAL, "BTCUSD") != first
    assert seen.get(VenueId.BYBIT, AssetType.SPOT, "BTCUSD") != first


# --- the accounting ---


class Scripted(Adapter):
    """`SYMBOL n`: n trades of it, received at 5; `skip`, `raise`, `late SYMBOL`: as they say."""

    SOURCE = SourceType.EXTERNAL

    def _convert(self, line: str) -> Iterable[Record]:
        symbol, _, count = line.partition(" ")
        if symbol == "raise":
            raise {
                "value": ValueError,
                "key": KeyError,
                "zero": ZeroDivisionError,
                "deep": RecursionError,
            }[count]("no")
        made = self.instruments.get(VenueId.OKX, AssetType.SPOT, symbol)
        if count == "skip":
            raise Skipped("because")
        if count == "products":
            return self.introductions(6)
        received = 2**64 if count == "late" else 5
        trades = 1 if count == "late" else int(count)
        return (Record(received, Trade(made, 1, 1)) for _ in range(trades))


def test_every_line_is_messages_or_one_reason() -> None:
    adapter = Scripted()
    given = ["A 2", "A 0", "A skip", "A late", "A x", "raise key", "raise zero", "\u20ac 1", "A- 1"]
    gave = [len(adapter.convert(line)) for line in given]
    assert gave == [3, 0, 0, 0, 0, 0, 0, 0, 0]
    assert adapter.read == len(given)
    assert adapter.skipped == Counter(
        gave_nothing=1, because=1, bad_time=1, bad_field=3, bad_symbol=1, id_collision=1
    )
    assert list(adapter.collisions) == ["'A' and 'A-' have one id: Okx spot A"]


def test_what_python_gives_up_on_is_a_bad_field() -> None:
    adapter = Scripted()
    assert adapter.convert("raise deep") == []
    assert adapter.convert("A" * (LONGEST_LINE + 1)) == []
    assert adapter.skipped == {"bad_field": 1, "too_long": 1}


def test_introductions_wait_for_the_next_messages() -> None:
    adapter = Scripted()
    assert adapter.convert("A skip") == []
    found = adapter.convert("B 1")
    assert [record.received for record in found] == [5, 5, 5]
    symbols = [one.message.symbol for one in found if isinstance(one.message, InstrumentDiscovered)]
    assert symbols == ["A", "B"]
    assert isinstance(found[-1].message, Trade)


def test_a_list_of_products_gives_introductions_alone() -> None:
    adapter = Scripted()
    (found,) = adapter.convert("A products")
    assert found.received == 6
    assert isinstance(found.message, InstrumentDiscovered)
    assert adapter.convert("A products") == []
    assert adapter.skipped == {"gave_nothing": 1}
