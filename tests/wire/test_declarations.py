"""Declarations that make no sense, come from somebody else or are too much."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.as_json import dump, load
from protocol.declarations import INTEGERS, TAILS
from protocol.errors import ProtocolError, SchemaError
from protocol.message import REGISTRY, Message, decode
from protocol.schema import declaration, forget, register
from tests.wire.declared import TOLD, registry, told
from tests.wire.strategies import structures

__all__ = ["registry"]
pytestmark = pytest.mark.usefixtures("registry")


def with_field(*fields: dict[str, Any]) -> dict[str, Any]:
    """A declaration with an `id` and these fields."""
    return told(fields=[{"name": "id", "type": "u8"}, *fields])


BAD: list[tuple[object, str]] = [
    ([], "declaration: expected an object with "),
    (told(more=1), "declaration: expected an object with "),
    ({"name": "X"}, "declaration: expected an object with "),
    (told(name="optionQuote"), "declaration.name: expected a name: "),
    (told(name="X" * 65), "declaration.name: expected a name: "),
    (told(name=5), "declaration.name: expected a name: "),
    (told(type=0), "declaration.type: expected an integer, 1 to 255, got 0"),
    (told(type=256), "declaration.type: expected an integer, 1 to 255, got 256"),
    (told(type=1.0), "declaration.type: expected an integer, 1 to 255, got 1.0"),
    (told(type=100), "declaration.type: expected a type that is not of the control range "),
    (told(type=109), "declaration.type: expected a type that is not of the control range "),
    (told(version=0), "declaration.version: expected an integer, 1 to 255, got 0"),
    (told(version=True), "declaration.version: expected an integer, 1 to 255, got True"),
    (told(doc="x" * 1001), "OptionQuote.doc: expected text of at most 1000 characters"),
    (told(fields=[]), "OptionQuote.fields: expected a list of 1 to 64"),
    (told(fields={}), "OptionQuote.fields: expected a list of 1 to 64"),
    (told(fields=[{"pad": 1}] * 65), "OptionQuote.fields: expected a list of 1 to 64"),
    (told(fields=["id"]), "OptionQuote.0: expected an object with "),
    (with_field({"pad": 0}), "OptionQuote.1.pad: expected an integer, 1 to 65536, got 0"),
    (with_field({"pad": 1, "name": "x"}), "OptionQuote.x: expected an object with pad"),
    (with_field({"pad": 65_536}), "OptionQuote: expected at most 65536 bytes, got 65537"),
    (with_field({"name": "x"}), "OptionQuote.x: expected an object with name, type"),
    (with_field({"name": "X", "type": "u8"}), "OptionQuote.X: expected a name: "),
    (with_field({"name": "_x", "type": "u8"}), "OptionQuote._x: expected a name: "),
    (with_field({"name": "x" * 65, "type": "u8"}), f"OptionQuote.{'x' * 65}: expected a name: "),
    (with_field({"name": "id", "type": "u8"}), "OptionQuote.id: expected a name of its own"),
    (with_field({"name": [], "type": "u8"}), "OptionQuote.[]: expected a name: "),
    (with_field({"name": "x", "type": "u24"}), "OptionQuote.x.type: expected one of u8, "),
    (with_field({"name": "x", "type": []}), "OptionQuote.x.type: expected one of u8, "),
    (with_field({"name": "x", "type": "bytes0"}), "OptionQuote.x.type: expected one of u8, "),
    (
        with_field({"name": "x", "type": "bytes65537"}),
        "OptionQuote.x.type: expected an integer, 1 to 65536, got '65537'",
    ),
    (with_field({"name": "x", "type": "u8", "size": 1}), "OptionQuote.x: expected an object with "),
    (
        with_field({"name": "x", "type": "u8", "meaning": "m" * 1001}),
        "OptionQuote.x.meaning: expected text of at most 1000 characters",
    ),
    (with_field({"name": "x", "type": "u8", "unit": 1}), "OptionQuote.x.unit: expected text of at"),
    (
        with_field({"name": "x", "type": "u8", "within": [[0, 256]]}),
        "OptionQuote.x.within: expected an integer, 0 to 255, got 256",
    ),
    (
        with_field({"name": "x", "type": "u8", "within": [[2, 1]]}),
        "OptionQuote.x.within: expected an integer, 2 to 255, got 1",
    ),
    (with_field({"name": "x", "type": "u8", "within": []}), "OptionQuote.x.within: expected a li"),
    (
        with_field({"name": "x", "type": "u8", "within": [1]}),
        "OptionQuote.x.within: expected pairs",
    ),
    (
        with_field({"name": "x", "type": "u8", "within": [[0, 1]] * 17}),
        "OptionQuote.x.within: expected a list of 1 to 16",
    ),
    *[
        (
            with_field({"name": "x", "type": kind, rule: value}),
            f"OptionQuote.x.{rule}: expected a type of at most 64 bits, got '{kind}'",
        )
        for kind in ("u128", "i128")
        for rule, value in (("within", [[0, 1]]), ("enum", {"A": 1}), ("flags", {"A": 1}))
    ],
    (
        with_field({"name": "x", "type": "bytes8", "within": [[0, 1]]}),
        "OptionQuote.x: expected at most one of within, enum, flags, names, for an integer",
    ),
    (
        with_field({"name": "x", "type": "u8", "enum": {"A": 1}, "names": {"A": 1}}),
        "OptionQuote.x: expected at most one of within, enum, flags, names, for an integer",
    ),
    (with_field({"name": "x", "type": "u8", "enum": {}}), "OptionQuote.x.enum: expected an object"),
    (with_field({"name": "x", "type": "u8", "enum": {"a": 1}}), "OptionQuote.x.enum: expected a n"),
    (
        with_field({"name": "x", "type": "u8", "enum": {"A": 256}}),
        "OptionQuote.x.enum.A: expected an integer, 0 to 255, got 256",
    ),
    (
        with_field({"name": "x", "type": "u8", "enum": {"A": 1, "B": 1}}),
        "OptionQuote.x.enum: expected a number of its own for each name",
    ),
    (
        with_field({"name": "x", "type": "u8", "flags": {"A": 3}}),
        "OptionQuote.x.flags: expected one bit for each name",
    ),
    (
        with_field({"name": "x", "type": "i32", "flags": {"A": -1}}),
        "OptionQuote.x.flags: expected one bit for each name",
    ),
    (
        with_field({"name": "x", "type": "u16", "enum": {f"A{n}": n for n in range(257)}}),
        "OptionQuote.x.enum: expected an object of 1 to 256 names",
    ),
    (
        with_field({"name": "x", "type": "u8", "default": 256}),
        "OptionQuote.x.default: expected 0 to 255, got 256",
    ),
    (
        with_field({"name": "x", "type": "u8", "default": None}),
        "OptionQuote.x.default: expected 0 to 255, got None",
    ),
    (
        with_field({"name": "x", "type": "u8", "enum": {"A": 1}, "default": "B"}),
        "OptionQuote.x.default: expected 1 A, got 'B'",
    ),
    (
        with_field({"name": "x", "type": "u8", "counts": "tail"}),
        "OptionQuote: x: there is no tail tail to count",
    ),
    (
        with_field({"name": "x", "type": "u8", "counts": "id"}),
        "OptionQuote: x: there is no tail id to count",
    ),
    (
        with_field({"name": "x", "type": "i64", "counts": "y"}, {"name": "y", "type": "text"}),
        "OptionQuote.x.type: expected u8 or u16 or u32, got 'i64'",
    ),
    *[
        (
            with_field({"name": "x", "type": kind, key: "y"}, {"name": "y", "type": "text"}),
            f"OptionQuote.x.type: expected u8 or u16 or u32, got '{kind}'",
        )
        for kind in ("u64", "u128", "i32", "bytes4", "text")
        for key in ("counts", "starts")
    ],
    *[
        (
            with_field(
                {"name": "n", "type": "u8", "counts": "y"},
                {"name": "y", "type": kind, "default": default},
            ),
            f"OptionQuote.y.default: expected at most 255 {unit}, as n can say, got ",
        )
        for kind, default, unit in (
            ("text", "x" * 256, "bytes"),
            ("text", "\u20ac" * 86, "bytes"),
            ("bytes", "0x" + "00" * 256, "bytes"),
            ("json", "[" + " " * 254 + "]", "bytes"),
            ("tlvs", [{"type": 1, "payload": "0x" + "00" * 254}], "bytes"),
            ("levels", [["1", "1"]] * 256, "levels"),
        )
    ],
    (
        with_field(
            {"name": "n", "type": "u8", "starts": "y"},
            {"name": "z", "type": "bytes222"},
            {"name": "y", "type": "text"},
        ),
        "OptionQuote.n: expected a type that can say 256, where y begins at least, got 'u8'",
    ),
    (
        with_field({"name": "x", "type": "u8", "counts": "y", "unit": "s"}),
        "OptionQuote.x: expected an object with name, type; and perhaps counts, meaning",
    ),
    (
        with_field(
            {"name": "x", "type": "u8", "counts": "y"},
            {"name": "z", "type": "u8", "counts": "y"},
            {"name": "y", "type": "text"},
        ),
        "OptionQuote: expected one count and one start for a tail",
    ),
    (
        with_field({"name": "x", "type": "text"}, {"name": "y", "type": "u8"}),
        "OptionQuote: y: nothing but tails can follow the tail x",
    ),
    (
        with_field({"name": "x", "type": "text"}, {"name": "y", "type": "text"}),
        "OptionQuote: x: only the last tail can do without a count",
    ),
]


@pytest.mark.parametrize(("declared", "text"), BAD)
def test_a_declaration_that_makes_no_sense_says_where(declared: Any, text: str) -> None:
    before = dict(REGISTRY)
    for form in (declared, json.dumps(declared)):
        with pytest.raises(SchemaError) as info:
            register(form)
        assert str(info.value).startswith(text)
    assert before == REGISTRY


@pytest.mark.parametrize(
    "name",
    ["self", "cls", "class", "header", *(name for name in dir(Message) if name[0] != "_"), "mro"],
)
def test_a_field_cannot_take_the_name_of_what_every_message_has(name: str) -> None:
    with pytest.raises(SchemaError, match="another name: this is"):
        register(with_field({"name": name, "type": "u8"}))


@pytest.mark.parametrize("name", ["type", "id", "dict", "len", "print", "x__y"])
def test_other_names_are_fields_and_nothing_else(name: str) -> None:
    cls = register(told(fields=[{"name": name, "type": "u8"}, {"pad": 1}]))
    assert decode(cls(**{name: 7}).frame()).values() == {name: 7}  # type: ignore[union-attr]


def test_the_longest_defaults_and_the_farthest_starts_are_taken() -> None:
    counted = {"name": "n", "type": "u8", "counts": "y"}
    for kind, default in (("text", "x" * 255), ("levels", [["1", "2"]] * 255)):
        tail = {"name": "y", "type": kind, "default": default}
        cls = register(told(fields=[counted, tail]))
        assert decode(cls().frame()) == cls()
        forget(210, 1)
    started = {"name": "at", "type": "u8", "starts": "y"}
    fields = [started, {"name": "z", "type": "bytes222"}, {"name": "y", "type": "text"}]
    cls = register(told(fields=fields))
    one = cls(z=bytes(222), y="hm")  # type: ignore[call-arg]
    assert (decode(one.frame()), one.values()["at"]) == (one, 255)


@pytest.mark.parametrize("rule", ["enum", "flags", "names"])
@pytest.mark.parametrize("kind", ["u64", "i64", "u8"])
def test_members_may_have_every_bit_of_their_type(rule: str, kind: str) -> None:
    most = 2 ** (int(kind[1:]) - (kind[0] == "i")) - 1
    top = (most + 1) // 2 if rule == "flags" else most
    cls = register(told(fields=[{"name": "x", "type": kind, rule: {"TOP": str(top)}}]))
    one = cls(x=top)  # type: ignore[call-arg]
    assert decode(one.frame()) == one == load(dump(one))
    assert one.values()["x"].name == "TOP"


def test_names_may_be_given_to_numbers_of_any_size() -> None:
    cls = register(told(fields=[{"name": "x", "type": "u128", "names": {"TOP": str(2**128 - 1)}}]))
    for number, shown in ((2**128 - 1, "TOP"), (2**127, str(2**127))):
        one = cls(x=number)  # type: ignore[call-arg]
        assert decode(one.frame()) == one == load(dump(one))
        assert f'"{shown}"' in dump(one)


@pytest.mark.parametrize("text", ["", "{", "[" * 60_000, '{"name": 1, "name": 2}', b"\xff"])
def test_text_that_is_not_json_is_a_protocol_error(text: str | bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^JSON: expected a document"):
        register(text)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@given(st.integers(0, len(TOLD["fields"]) - 1), st.data())
def test_whatever_stands_in_a_declaration_gives_a_class_or_a_protocol_error(
    at: int, data: st.DataObject
) -> None:
    declared: Any = json.loads(json.dumps(TOLD))
    place = data.draw(st.sampled_from([declared, declared["fields"][at]]))
    key = data.draw(st.sampled_from([*place, "within", "enum", "default", "counts", "pad"]))
    kinds = st.sampled_from([*INTEGERS, *TAILS, "instrument", "bytes3"])
    place[key] = data.draw(JUNK | kinds | st.just({"A": 1}))
    with suppress(ProtocolError):
        cls = register(declared)
        assert register(declaration(cls)) is cls
        forget(cls.TYPE, cls.VERSION)


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).map(lambda name: f"{name}_")
MEMBERS = st.dictionaries(
    st.from_regex(r"[A-Z][A-Z0-9_]{0,4}", fullmatch=True), st.integers(0, 7), min_size=1, max_size=4
)


@st.composite
def declarations(draw: st.DrawFn) -> dict[str, Any]:
    """Declarations that make sense: values, pads, tails, and counts for all tails but the last."""
    names = iter(draw(st.lists(NAMES, unique=True, min_size=12, max_size=12)))
    kinds = st.sampled_from([*INTEGERS, "instrument", "bytes1", "bytes20", "bytes33"])
    fields: list[dict[str, Any]] = []
    for kind in draw(st.lists(kinds, min_size=1, max_size=5)):
        one: dict[str, Any] = {"name": next(names), "type": kind}
        rule = draw(st.sampled_from(["", "enum", "flags", "names", "within"]))
        if kind in INTEGERS and rule == "within" and not kind.endswith("128"):
            one[rule] = [[0, 3], [9, 100]]
        elif kind in INTEGERS and rule:
            members = draw(MEMBERS.filter(lambda found: len(set(found.values())) == len(found)))
            flags = {name: 1 << number for name, number in members.items()}
            rule = "names" if kind.endswith("128") else rule
            one[rule] = flags if rule == "flags" else members
        fields.append(one)
        fields += [{"pad": draw(st.integers(1, 5))}] * draw(st.integers(0, 1))
    tails = draw(st.lists(st.sampled_from(list(TAILS)), max_size=3))
    ends = [{"name": next(names), "type": kind} for kind in tails]
    uncounted = draw(st.integers(0, 1))
    for end in ends[: len(ends) - uncounted]:
        fields.append({"name": next(names), "type": "u16", "counts": end["name"]})
    if draw(st.booleans()) and ends:
        fields.append({"name": next(names), "type": "u32", "starts": ends[-1]["name"]})
    return {"name": "Drawn", "type": 211, "version": 1, "fields": fields + ends}


@given(declarations(), st.data())
def test_a_message_of_any_declaration_comes_back_from_bytes_and_from_json(
    declared: dict[str, Any], data: st.DataObject
) -> None:
    cls = register(declared)
    try:
        assert declaration(cls) == declared
        one = data.draw(structures(cls))
        assert decode(one.frame()) == one == cls.view(bytearray(one.frame()))
        assert one.replace() == one
        assert load(dump(one)) == one
        cut = one.payload[: data.draw(st.integers(0, len(one.payload)))]
        with suppress(ProtocolError):
            assert cls.from_payload(cut).payload == cut
    finally:
        forget(211, 1)
