"""Schemas: classes from data and data from classes, one class for a type and version, threads."""

from __future__ import annotations

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from types import new_class
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import message, schema
from protocol.catalogue import CONTROL
from protocol.control import Hello, Snapshot
from protocol.errors import FieldError, SchemaError
from protocol.fields import U8, U64, Instrument, field
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Trade
from protocol.message import REGISTRY, Message, Unknown, decode
from protocol.schema import declaration, find, forget, newest, register
from protocol.structure import Extension, Structure
from tests.wire.declared import TOLD, registry, told
from tests.wire.strategies import CLASSES, structures

__all__ = ["registry"]
pytestmark = pytest.mark.usefixtures("registry")
BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")


def test_a_declared_type_works_like_one_of_the_catalogue() -> None:
    quote_type = register(json.dumps(TOLD))
    quote = quote_type(BTC, strike=5_500, venue=103, marks=5, size=2**127)  # type: ignore[call-arg]
    assert type(quote).__doc__ == "A quote of an option."
    assert decode(quote.frame(sequence=5)) == quote == quote_type.view(quote.frame())
    values = quote.values()
    assert values["key"] == bytes(range(1, 13))
    assert (values["value"], values["size"]) == (-1, 2**127)
    assert (values["right"].name, values["venue"].name) == ("CALL", "CBOE")
    assert (values["name"], values["bids"], values["bids_at"]) == ("none", ((1, 2),), 32 + 77 + 4)
    assert find(210, 1) is newest(210) is quote_type
    assert message.sizes()[210, 1] == (quote_type.PAYLOAD_SIZE, False)
    assert message.instrument_offsets()[210, 1] == (32,)
    for bad, text in (({"strike": 1001}, "0 to 1000 or 5000 to 6000"), ({"right": 3}, "1 CALL")):
        with pytest.raises(FieldError, match=rf"^type_210\.{next(iter(bad))}: expected .*{text}"):
            quote.replace(**bad)


@given(st.data())
def test_any_message_of_a_declared_type_decodes_to_itself(data: st.DataObject) -> None:
    cls = register(TOLD)
    one = data.draw(structures(cls))
    assert decode(one.frame()) == one


@pytest.mark.parametrize("cls", CLASSES)
def test_a_declaration_of_a_class_gives_the_class_back(cls: type[Message]) -> None:
    text = json.dumps(declaration(cls))
    if cls.TYPE in CONTROL:
        with pytest.raises(SchemaError, match=r"^declaration\.type: expected a type th"):
            register(text)
    else:
        assert register(text) is register(declaration(cls)) is cls
    assert register(cls) is cls


@given(st.sampled_from([cls for cls in CLASSES if cls.TYPE not in CONTROL]), st.data())
def test_a_class_made_of_a_declaration_reads_what_the_declared_class_writes(
    cls: type[Message], data: st.DataObject
) -> None:
    again = declaration(cls) | {"version": 200 + cls.VERSION}
    twin = register(again)
    assert (twin.PAYLOAD_SIZE, twin.EXACT) == (cls.PAYLOAD_SIZE, cls.EXACT)
    assert declaration(twin) == again
    one = data.draw(structures(cls))
    assert twin.from_payload(one.payload).values() == one.values()
    assert twin(**arguments(one)).payload == one.payload


def arguments(one: Message) -> dict[str, Any]:
    given = {each.name for each in one.FIELDS if each.kind in ("value", "tail")}
    return {name: value for name, value in one.values().items() if name in given}


def test_the_same_declaration_again_gives_the_same_class() -> None:
    first = register(TOLD)
    reworded: Any = json.loads(json.dumps(TOLD))
    reworded["fields"][0]["meaning"] = "what it is a quote of"
    reworded["doc"] = "Other words."
    assert register(TOLD) is register(reworded) is register(json.dumps(TOLD).encode()) is first
    assert register(declaration(first)) is first


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (1, {"type": "u64"}),
        (1, {"unit": "1e-6"}),
        (1, {"name": "price"}),
        (1, {"within": [[0, 1000]]}),
        (2, {"default": "PUT"}),
        (2, {"enum": {"NOT_SET": 0, "CALL": 1, "PUT": 2, "BOTH": 3}}),
        (3, {"names": {"CBOE": 104}}),
        (4, {"flags": {"STALE": 1, "INDICATIVE": 2}}),
        (5, {"pad": 2}),
    ],
)
def test_a_contradiction_is_refused_and_names_both(at: int, change: dict[str, Any]) -> None:
    first = register(TOLD)
    other: Any = json.loads(json.dumps(TOLD)) | {"name": "Rival"}
    other["fields"][at] |= change
    with pytest.raises(
        SchemaError, match=r"Rival contradicts the class OptionQuote, type 210 version 1: ex"
    ):
        register(other)
    assert find(210, 1) is first


def test_a_shorter_or_renamed_declaration_is_a_contradiction_too() -> None:
    register(TOLD)
    with pytest.raises(SchemaError, match="got 'no field more'"):
        register(told(fields=TOLD["fields"][:-1]))
    with pytest.raises(SchemaError, match="expected the name OptionQuote, got 'Rival'"):
        register(told(name="Rival"))
    with pytest.raises(SchemaError, match="Rival contradicts the class Trade, type 1 version 1"):
        register({"name": "Rival", "type": 1, "version": 1, "fields": TOLD["fields"]})
    assert find(1, 1) is Trade


def test_versions_of_a_type_live_side_by_side_and_the_newest_is_known() -> None:
    first = register(TOLD)
    third = register(told(version=3, fields=TOLD["fields"][:2]))
    assert (find(210, 1), find(210, 2), find(210, 3)) == (first, None, third)
    assert newest(210) is third
    assert newest(211) is None
    assert register(declaration(Trade) | {"version": 9}) is newest(1)
    assert find(1, 1) is Trade


def test_a_python_class_is_registered_when_it_is_made_and_again_when_asked() -> None:
    class Pulse(Message, type=220, version=1):
        """A beat."""

        instrument_id: Instrument = field("whose")
        rate: U64 = field("how many", unit="1/min")

    assert register(Pulse) is find(220, 1) is Pulse
    assert register(declaration(Pulse)) is Pulse
    del REGISTRY[220, 1]
    assert find(220, 1) is None
    assert register(Pulse) is find(220, 1) is Pulse
    del REGISTRY[220, 1]
    there = register(declaration(Pulse))
    assert register(Pulse) is there is not Pulse
    del REGISTRY[220, 1]

    class Rival(Message, type=220, version=1):
        """Something else."""

        rate: U8 = field("how many")

    with pytest.raises(SchemaError, match="Pulse contradicts the class Rival, type 220 version 1"):
        register(Pulse)


@pytest.mark.parametrize("thing", [Message, Structure, Extension, int])
def test_a_class_that_declares_no_message_is_named(thing: Any) -> None:
    for asked in (register, declaration):
        with pytest.raises(SchemaError) as info:
            asked(thing)
        text = f"declaration: expected a message class or data, got {thing!r}"
        assert str(info.value) == text


@pytest.mark.parametrize("thing", [None, 5, [], bytearray(b"{}"), object])
def test_what_is_no_declaration_is_a_schema_error(thing: Any) -> None:
    with pytest.raises(SchemaError, match=r"^declaration: expected "):
        register(thing)


@pytest.mark.parametrize("error", [TypeError("no"), OverflowError("no"), ValueError("no")])
def test_whatever_a_class_cannot_be_made_for_is_a_schema_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(schema, "new_class", fail)
    with pytest.raises(SchemaError, match=r"^OptionQuote: no$"):
        register(TOLD)
    assert find(210, 1) is None


def test_messages_of_declared_types_can_be_pickled_and_copied() -> None:
    cls = register(TOLD)
    quote = cls(BTC, strike=5_500, venue=103, size=1)  # type: ignore[call-arg]
    written = pickle.dumps(quote)
    assert pickle.loads(written) == copy.copy(quote) == copy.deepcopy(quote) == quote
    forget(210, 1)
    assert pickle.loads(written) == Unknown(210, 1, quote.payload)
    assert register(TOLD) is not cls
    assert pickle.loads(written).frame() == quote.frame()


def test_what_was_declared_can_be_forgotten_and_the_catalogue_not() -> None:
    frame = register(TOLD)(BTC, strike=1, venue=1, size=1).frame()  # type: ignore[call-arg]
    forget(210, 1)
    assert isinstance(decode(frame), Unknown)
    for key in ((210, 1), (1, 1)):
        with pytest.raises(SchemaError, match="one that was declared from data"):
            forget(*key)
    assert find(1, 1) is Trade


def test_too_long_a_text_and_too_many_types_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SchemaError, match="at most 65536 bytes, got 65537"):
        register(" " * 65_537)
    monkeypatch.setattr(schema, "MOST_DECLARED", 2)
    register(told(version=1))
    register(told(version=2))
    with pytest.raises(SchemaError, match="OptionQuote, one more declared: expected at most 2"):
        register(told(version=3))
    assert register(told(version=2)) is find(210, 2)
    forget(210, 1)
    register(told(version=3))


def test_threads_that_register_the_same_get_one_class_and_readers_never_see_half_of_it() -> None:
    together = Barrier(6)

    def write(_: int) -> list[type[Message]]:
        together.wait()
        return [register(told(version=version)) for version in range(1, 41)]

    def look(_: int) -> int:
        together.wait()
        seen = 0
        while seen < 40:
            found = [find(210, version) for version in range(1, 41)]
            assert all(cls.PAYLOAD_SIZE == 77 for cls in found if cls)
            message.sizes()
            seen = len([cls for cls in found if cls])
        return seen

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(write, n) for n in range(4)]
        readers = [pool.submit(look, n) for n in range(2)]
        made = [writer.result(timeout=60) for writer in writers]
        assert [reader.result(timeout=60) for reader in readers] == [40, 40]
    assert all(one == made[0] for one in made)


@pytest.fixture
def slow_making(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may make a class at the same time as another has the time to begin."""
    making, make = Barrier(2), new_class

    def make_slowly(*told: Any) -> type:
        with suppress(BrokenBarrierError):
            making.wait(0.3)
        return make(*told)

    monkeypatch.setattr(schema, "new_class", make_slowly)


@pytest.mark.usefixtures("slow_making")
def test_of_two_threads_that_make_one_class_at_once_both_get_the_same() -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(register, [TOLD, TOLD])
    assert first is second is find(210, 1)


@pytest.mark.usefixtures("slow_making")
def test_two_threads_do_not_get_past_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MOST_DECLARED", 1)
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(register, told(version=version)) for version in (1, 2)]
        errors = [one.exception(timeout=60) for one in done]
    assert sorted(type(one).__name__ for one in errors) == ["NoneType", "SchemaError"]
    assert len([version for version in (1, 2) if find(210, version)]) == 1


def test_threads_that_contradict_each_other_leave_one_class() -> None:
    together = Barrier(4)

    def write(size: int) -> type[Message] | SchemaError:
        together.wait()
        try:
            return register(told(fields=[{"name": "x", "type": f"bytes{size}"}]))
        except SchemaError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(write, range(1, 5)))
    winners = [one for one in results if isinstance(one, type)]
    assert winners == [find(210, 1)]
    losers = [str(one) for one in results if one not in winners]
    assert all("OptionQuote contradicts the class OptionQuote" in line for line in losers)


def test_what_a_check_demands_is_not_in_a_declaration() -> None:
    assert declaration(Hello)["name"] == "Hello"
    assert declaration(Snapshot) == {
        "name": "Snapshot",
        "type": 101,
        "version": 1,
        "fields": [
            {
                "name": "kind",
                "type": "u8",
                "meaning": "begin or end",
                "enum": {"BEGIN": 1, "END": 2},
            },
            {"pad": 3},
            {"name": "count", "type": "u32", "meaning": "instruments in it", "unit": "instruments"},
            {
                "name": "position",
                "type": "u64",
                "meaning": "where the feed goes on afterwards",
                "unit": "messages",
            },
        ],
    }
