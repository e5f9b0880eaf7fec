"""What must not happen to messages, whatever a program does with their classes and objects."""

import importlib
import inspect
import pickle
import struct
from enum import IntEnum
from types import ModuleType, new_class
from typing import Annotated, Any
from unittest.mock import Mock

import pytest

from protocol import message, schema
from protocol.control import Error, Heartbeat
from protocol.defi import DeFiSignal
from protocol.errors import FieldError, HeaderError, ProtocolError, SchemaError
from protocol.fields import U8, U32, U64, U128, Blob, Bytes32, Levels, Wire, count, field, start
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, Side, Trade
from protocol.message import Message, Unknown, decode

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
TRADE = Trade(BTC, price=-5, volume=6, side=Side.SELL)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes that a test declares are gone after it."""
    monkeypatch.setattr(message, "REGISTRY", dict(message.REGISTRY))


class Pretender:
    """Says it is an InstrumentId, and is none."""

    __class__ = InstrumentId  # type: ignore[assignment]


@pytest.mark.parametrize(
    "bad",
    [
        Mock(spec=InstrumentId),
        Pretender(),
        tuple.__new__(InstrumentId, ()),
        tuple.__new__(InstrumentId, (1, 2, 3)),
        InstrumentId._make((1.5, 1, 0, 2.5)),
        InstrumentId._make((99_999, 1, 0, 2)),
        InstrumentId._make((1, 300, 0, 2)),
        tuple(BTC),
        None,
    ],
)
def test_what_only_looks_like_an_instrument_is_a_field_error(bad: Any) -> None:
    with pytest.raises(FieldError, match=r"trade\.instrument_id: expected an InstrumentId"):
        Trade(bad, 1, 1)


@pytest.mark.parametrize("wire", [U64, U128, Annotated[int, Wire("i32", 4, signed=True)]])
def test_a_count_or_start_of_a_tail_is_at_most_32_bits_and_has_no_sign(wire: Any) -> None:
    namespace = {"n": count("how long", of="body"), "body": field("the tail")}
    with pytest.raises(TypeError, match="n: a count is a u8, u16 or u32"):
        _declared(namespace, {"n": wire, "body": Blob})
    namespace = {"n": start("where", of="body"), "body": field("the tail")}
    with pytest.raises(TypeError, match="n: a start is a u8, u16 or u32"):
        _declared(namespace, {"n": wire, "body": Blob})


def test_a_count_of_levels_that_would_overflow_is_refused() -> None:
    made = _declared(
        {"n": count("levels", of="body"), "body": field("the tail")}, {"n": U32, "body": Levels}
    )
    for lie in (1, 2**28, 2**31, 2**32 - 1):
        with pytest.raises(FieldError, match="expected 0, what is left"):
            made.from_payload(struct.pack("<I", lie))
    assert made(body=((1, 2),)).n == 1


def _declared(namespace: dict[str, Any], hints: dict[str, Any]) -> Any:
    body = {"__annotations__": hints, **namespace}
    return new_class(
        "Made", (Message,), {"type": 240, "version": 1}, lambda made: made.update(body)
    )


def test_enumerations_and_ranges_are_of_at_most_64_bits() -> None:
    class Wide(IntEnum):
        A = 1
        B = 70_000

    ranged: dict[str, Any] = {"within": ((0, 5),)}
    for hint, facts in ((Annotated[Wide, Wire("u128", 16)], {}), (U128, ranged)):
        with pytest.raises(TypeError, match="kind: ranges are for integers of up to 64 bits"):
            _declared({"kind": field("a number", **facts)}, {"kind": hint})


def test_no_field_is_called_header() -> None:
    with pytest.raises(TypeError, match="header is what arrays"):
        _declared({"header": field("a number")}, {"header": U32})


@pytest.mark.parametrize(
    ("cls", "made", "name", "bad"),
    [
        (OrderBook, OrderBook(BTC, BookKind.DELTA, 7, 1, 1, (), ()), "part", 0),
        (Error, Error(5, fatal=1), "fatal", 7),
    ],
)
def test_a_view_refuses_a_value_outside_its_fields_ranges_when_it_is_read(
    cls: type[Message], made: Message, name: str, bad: int
) -> None:
    buffer = bytearray(made.frame())
    place = next(one for one in cls.FIELDS if one.name == name)
    buffer[32 + place.offset : 32 + place.offset + place.size] = bad.to_bytes(place.size, "little")
    view = cls.view(buffer)
    with pytest.raises(FieldError, match=rf"\.{name}: expected .*, got {bad}"):
        getattr(view, name)
    (moved,) = list(cls.views(buffer))
    with pytest.raises(FieldError):
        getattr(moved, name)


def test_a_view_is_what_it_was_when_the_next_frame_is_an_error() -> None:
    short = Unknown(Heartbeat.TYPE, 1, bytes(8)).frame()
    views = Heartbeat.views(Heartbeat(position=5).frame() + short)
    first = next(views)
    with pytest.raises(SchemaError):
        next(views)
    assert (first.position, first.tlvs) == (5, b"")


def test_a_message_that_was_never_given_a_payload_has_none() -> None:
    empty = Trade.__new__(Trade)
    with pytest.raises(TypeError, match="no payload"):
        empty.frame()
    with pytest.raises(AttributeError):
        _ = empty.price


def test_a_message_is_not_made_twice() -> None:
    view = Trade.view(TRADE.frame())
    for one in (TRADE, view):
        with pytest.raises(TypeError, match="does not change"):
            one.__init__(BTC, 999, 1)  # type: ignore[misc]
    assert TRADE.price == view.price == -5


def test_a_class_that_goes_past_the_quick_call_is_built_the_same() -> None:
    slow = type.__call__(Trade, BTC, -5, volume=6, side=Side.SELL)
    assert slow == TRADE
    assert hash(slow) == hash(TRADE)
    with pytest.raises(TypeError, match="unexpected keyword argument 'prize'"):
        type.__call__(Trade, BTC, -5, 6, prize=1)


def test_calls_are_wrong_in_the_words_of_python() -> None:
    for arguments, names, words in (
        ((BTC,), {}, "missing the argument 'price'"),
        ((BTC, 1, 2, Side.BUY, 0, 9), {}, "takes 5 positional arguments but 6 were given"),
        ((BTC, 1, 2), {"price": 3}, "multiple values for argument 'price'"),
        ((BTC, 1, 2), {"colour": 3}, "unexpected keyword argument 'colour'"),
    ):
        with pytest.raises(TypeError, match=words):
            Trade(*arguments, **names)  # type: ignore[arg-type]


def test_a_class_of_a_class_with_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="its base has fields already"):

        class Bigger(Trade, type=241, version=1):
            blob: Bytes32 = field("more")  # type: ignore[misc]


def test_a_class_with_its_own_way_of_making_objects_keeps_it() -> None:
    seen: list[object] = []

    class Noted(Message, type=242, version=1):
        number: U8 = field("a number")

        def __init__(self, number: int) -> None:
            seen.append(number)
            super().__init__(number=number)  # type: ignore[call-arg]

    assert Noted(7).number == 7
    assert seen == [7]


def test_a_class_shows_its_signature() -> None:
    shown = inspect.signature(Trade)
    assert list(shown.parameters) == ["instrument_id", "price", "volume", "side", "flags"]
    assert shown.parameters["flags"].default == 0


@pytest.mark.parametrize("number", [0, 100, 108, 109, 256])
def test_types_that_are_not_for_programs_are_refused(number: int) -> None:
    with pytest.raises(TypeError, match="type"):

        class Taken(Message, type=number, version=1):
            number: U8 = field("a number")


def test_a_module_that_is_reloaded_declares_its_classes_again(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
from protocol.fields import U8, field
from protocol.message import Message

class Pulse(Message, type=243, version=1):
    number: U8 = field("a number")
"""
    (tmp_path / "reloaded_pulse.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    module: ModuleType = importlib.import_module("reloaded_pulse")
    first = module.Pulse
    module = importlib.reload(module)
    assert decode(module.Pulse(3).frame()) == module.Pulse(3)
    assert module.Pulse is not first
    (tmp_path / "reloaded_pulse.py").write_text(source.replace("U8", "U32"))
    importlib.invalidate_caches()
    with pytest.raises(SchemaError, match="is Pulse already"):
        exec(compile((tmp_path / "reloaded_pulse.py").read_text(), "x", "exec"), module.__dict__)


def test_a_message_of_a_class_declared_from_data_is_pickled() -> None:
    fields = [{"name": "rate", "type": "u32"}]
    made: Any = schema.register({"name": "Rate", "type": 244, "version": 1, "fields": fields})
    try:
        one = made(rate=60)
        assert pickle.loads(pickle.dumps(one)) == one
    finally:
        schema.forget(244, 1)
    assert pickle.loads(pickle.dumps(TRADE)) == TRADE


@pytest.mark.parametrize("items", ["H", "Q"])
def test_a_memoryview_of_wider_items_is_read_as_its_bytes(items: Any) -> None:
    for frame in (TRADE.frame(), Unknown(200, 1, bytes(range(32))).frame()):
        assert decode(memoryview(frame).cast(items)) == decode(frame)
        cut = memoryview(frame[:56]).cast(items)
        with pytest.raises(HeaderError, match="cut short"):
            decode(cut)
        with pytest.raises(ProtocolError):
            Trade.decode(cut)


def test_an_error_names_the_value_that_is_wrong_and_not_its_neighbour() -> None:
    class Number:
        def __index__(self) -> int:
            return 1

    with pytest.raises(FieldError, match=r"header\.flags: expected 0 to 255, got 300"):
        TRADE.frame(sequence=Number(), flags=300)  # type: ignore[arg-type]
    levels = tuple((n, n) for n in range(70_000))
    with pytest.raises(FieldError, match=r"order_book\.bids: expected at most 65535 levels"):
        OrderBook(BTC, BookKind.DELTA, 7, 1, 1, levels, ())  # type: ignore[arg-type]
    with pytest.raises(FieldError, match=r"order_book\.bids: expected levels"):
        OrderBook(BTC, BookKind.DELTA, 7, 1, 1, iter(levels), ())  # type: ignore[arg-type]
    assert DeFiSignal.label() == "defi_signal"
