"""Hypothesis strategies for the wire, made from the declared fields of the message classes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocol.control import Hello, hello_tlvs
from protocol.fields import Field
from protocol.instruments import InstrumentId
from protocol.market_data import OrderBook
from protocol.message import Message, catalogue
from protocol.tails import BLOB, JSON, LEVELS, TEXT, TLVS, Level
from protocol.tlv import build

CLASSES = list(catalogue().values())
U8, U16, U64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 64))
INSTRUMENTS = st.builds(InstrumentId, U16, U8, U64, U8)
NAMES = st.none() | st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
HELLO_TLVS = st.builds(hello_tlvs, NAMES, st.lists(INSTRUMENTS, max_size=50))
PLAIN_TLVS = st.lists(st.tuples(U8, st.binary(max_size=255)), max_size=5).map(build)
DOCUMENTS = st.sampled_from(["{}", "[]", "1", '"x"', '{"a": [1, null, "\u20ac"]}', ' {"b":1e9} '])
LEVEL = st.builds(Level, st.integers(-(2**63), 2**63 - 1), U64)
# At most 60 characters are at most 240 bytes, which a length of one byte can say.
TAILS: dict[Any, st.SearchStrategy[Any]] = {
    TEXT: st.text(max_size=60),
    JSON: DOCUMENTS,
    TLVS: PLAIN_TLVS,
    BLOB: st.binary(max_size=400),
    LEVELS: st.lists(LEVEL, max_size=9).map(tuple),
}
PARTS = st.tuples(st.integers(1, 2**16 - 1), st.integers(1, 2**16 - 1)).map(sorted)
STAMPS = st.fixed_dictionaries(
    {"sequence": U64, "timestamp": U64, "source": U8, "flags": U8.map(lambda flags: flags & 0xFC)}
)


def values(field: Field) -> st.SearchStrategy[Any]:
    """What a field allows."""
    if field.tail:
        return TAILS[field.tail]
    if field.enum:
        return st.sampled_from(list(field.enum))
    if field.flags:
        return st.integers(0, field.mask).map(field.flags)
    if field.python is InstrumentId:
        return INSTRUMENTS
    if field.python is bytes:
        return st.binary(min_size=field.size, max_size=field.size)
    assert field.wire
    ranges = field.declared.within or (field.wire.limits,)
    return st.one_of([st.integers(low, high) for low, high in ranges])


def messages(cls: type[Message]) -> st.SearchStrategy[Message]:
    """Any message of a class."""
    given = {f.name: values(f) for f in cls.FIELDS if f.kind in ("value", "tail")}
    if cls is Hello:
        given["tlvs"] = HELLO_TLVS
    if cls is OrderBook:
        del given["part"], given["parts"]
        return PARTS.flatmap(
            lambda two: st.builds(cls, part=st.just(two[0]), parts=st.just(two[1]), **given)
        )
    return st.builds(cls, **given)


ANY_MESSAGE = st.sampled_from(CLASSES).flatmap(messages)
