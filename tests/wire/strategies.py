"""Hypothesis strategies for any message and extension, made from the fields their classes declare.

A class that demands more than its single fields do (`check`) has its say in SPECIAL; one that is
not there yet works too, and values it refuses are drawn again.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from hypothesis import reject
from hypothesis import strategies as st

from protocol import extensions
from protocol.control import Hello, hello_tlvs
from protocol.errors import FieldError
from protocol.fields import Field
from protocol.instruments import InstrumentId
from protocol.market_data import OrderBook
from protocol.message import Message, catalogue
from protocol.structure import Extension, Structure
from protocol.tails import BLOB, JSON, LEVELS, TEXT, TLVS, Level
from protocol.tlv import build

S = TypeVar("S", bound=Structure)

CLASSES: list[type[Message]] = list(catalogue().values())
EXTENSIONS: list[type[Extension]] = list(extensions.catalogue().values())
U8, U16, I64, U64 = (
    st.integers(low, high)
    for low, high in ((0, 2**8 - 1), (0, 2**16 - 1), (-(2**63), 2**63 - 1), (0, 2**64 - 1))
)
INSTRUMENTS = st.builds(InstrumentId, U16, U8, U64, U8)
NAMES = st.none() | st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
LEVEL = st.builds(Level, I64, U64)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
).map(lambda document: json.dumps(document, ensure_ascii=False))
STAMPS = st.fixed_dictionaries(
    {"sequence": U64, "timestamp": U64, "source": U8, "flags": U8.map(lambda flags: flags & 0xFC)}
)
# The most bytes of a tail that are drawn: any count can say it.
LONGEST = 255


def tlvs(most: int = 3, longest: int = 60) -> st.SearchStrategy[bytes]:
    """Whole TLVs: of any type, with any payload, known or not."""
    plain = st.tuples(U8, st.binary(max_size=longest))
    typed = st.sampled_from(EXTENSIONS).flatmap(structures).map(lambda one: one.tlv())
    return st.lists(plain | typed, max_size=most).map(build)


def values(field: Field) -> st.SearchStrategy[Any]:
    """Any value that a field accepts."""
    if field.tail:
        return _tails(field)
    if field.enum:
        return st.sampled_from(list(field.enum))
    if field.flags:
        return st.integers(0, field.mask).map(lambda bits: field.python(bits & field.mask))
    if field.python is InstrumentId:
        return INSTRUMENTS
    if field.python is bytes:
        return st.binary(min_size=field.size, max_size=field.size)
    assert field.wire
    ranges = field.declared.within or (field.wire.limits,)
    drawn = st.one_of([st.integers(low, high) for low, high in ranges])
    return drawn | st.sampled_from(list(field.declared.names)) if field.declared.names else drawn


def arguments(cls: type[Structure]) -> dict[str, st.SearchStrategy[Any]]:
    """What building one of a class takes, by name; `check` of the class not looked at."""
    given = [field for field in cls.FIELDS if field.kind in ("value", "tail")]
    return {field.name: values(field) for field in given}


def structures(cls: type[S]) -> st.SearchStrategy[S]:
    """Any message or extension of a class."""
    special = SPECIAL.get(cls.__name__, {})

    def make(given: dict[str, Any]) -> S:
        try:
            return cls(**given)
        except FieldError:
            if cls.check is Structure.check:
                raise
            reject()

    return st.fixed_dictionaries(arguments(cls) | special).map(make)


def _tails(field: Field) -> st.SearchStrategy[Any]:
    if field.tail is LEVELS:
        return st.lists(LEVEL, max_size=8).map(tuple)
    if field.tail is TLVS:
        return tlvs()
    if field.tail is BLOB:
        return st.binary(max_size=LONGEST)
    if field.tail is JSON:
        return DOCUMENTS
    assert field.tail is TEXT
    # Four bytes a character at most.
    return st.text(max_size=LONGEST // 4)


SPECIAL: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    Hello.__name__: {"tlvs": st.builds(hello_tlvs, NAMES, st.lists(INSTRUMENTS, max_size=30))},
    OrderBook.__name__: {"part": st.integers(1, 3), "parts": st.integers(3, 65_535)},
}
ANY_MESSAGE: st.SearchStrategy[Message] = st.sampled_from(CLASSES).flatmap(structures)
ANY_EXTENSION: st.SearchStrategy[Extension] = st.sampled_from(EXTENSIONS).flatmap(structures)
