"""The typed extensions: their layouts written a second time, and what cannot be read."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import extensions
from protocol.chains import Lender, PoolType
from protocol.errors import FieldError, ProtocolError, SchemaError, TlvError
from protocol.extensions import (
    Bridge,
    CrossChain,
    CustomStrategy,
    FlashLoanParams,
    GasOptimization,
    GasStrategy,
    Layer2Params,
    LendingProtocol,
    LiquidationTarget,
    MEVBundle,
    PoolAddresses,
    Rollup,
    SandwichParams,
    SlippageCurve,
    SlippageModel,
    Submission,
    TertiaryVenue,
    TraceContext,
    find,
    of,
    register,
)
from protocol.fields import U8, U64, Blob, field
from protocol.structure import Extension
from protocol.tlv import Tlv, build
from tests.wire.strategies import ANY_EXTENSION, EXTENSIONS

A, B, C = b"a" * 20, b"b" * 20, b"c" * 20


def wide(number: int) -> bytes:
    """128 bits, which `struct` has no letter for."""
    return number.to_bytes(16, "little")


# Written from the specification's table by hand, not from the classes.
LAYOUTS = {
    PoolAddresses(A, B): struct.pack("<20s20s2x", A, B),
    TertiaryVenue(C, PoolType.CURVE, 400): struct.pack("<20sBI5x", C, 3, 400),
    MEVBundle(1, 2, 3, 4, 5, Submission.MEV_SHARE, 7): struct.pack(
        "<IIBQBBQ16x", 1, 2, 3, 4, 5, 2, 7
    ),
    SlippageModel(SlippageCurve.POWER, -1, 2, 3, 2**100): struct.pack(
        "<B7xqqQ16s", 4, -1, 2, 3, wide(2**100)
    ),
    TraceContext(b"t" * 16, b"p" * 8, 1): struct.pack("<16s8sB", b"t" * 16, b"p" * 8, 1),
    FlashLoanParams(Lender.AAVE_V3, 5, A, B, 2**99): struct.pack(
        "<B3xI20s20s16s", 2, 5, A, B, wide(2**99)
    ),
    LiquidationTarget(LendingProtocol.AAVE_V2, 5, 6, A, B, C, 7, 2**98): struct.pack(
        "<B3xII20s20s20sQ16s", 1, 5, 6, A, B, C, 7, wide(2**98)
    ),
    SandwichParams(b"h" * 32, 1, 2, 3, 2**97, 5, 6): struct.pack(
        "<32s16s16s16s16sQH6x", b"h" * 32, wide(1), wide(2), wide(3), wide(2**97), 5, 6
    ),
    GasOptimization(1, 2, 3, 4, 5, GasStrategy.CHEAPEST): struct.pack(
        "<QQQQIB3x", 1, 2, 3, 4, 5, 3
    ),
    CrossChain(1, 42161, Bridge.CCTP, 4, A, B, C, 5, 2**96): struct.pack(
        "<IIB3xI20s20s20sI16s", 1, 42161, 4, 4, A, B, C, 5, wide(2**96)
    ),
    Layer2Params(Rollup.VALIDIUM, 2, 3, 4, 2**95, 6, 7, 8): struct.pack(
        "<B3xIQQ16sQII", 3, 2, 3, 4, wide(2**95), 6, 7, 8
    ),
}
# Type and payload bytes, from the specification's table; later sizes are this project's own.
TABLE = {
    1: (PoolAddresses, 42),
    2: (TertiaryVenue, 30),
    3: (MEVBundle, 43),
    4: (SlippageModel, 48),
    5: (TraceContext, 25),
    11: (FlashLoanParams, 64),
    12: (LiquidationTarget, 96),
    13: (SandwichParams, 112),
    21: (GasOptimization, 40),
    22: (CrossChain, 96),
    23: (Layer2Params, 56),
}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes registered by a test are gone after it."""
    monkeypatch.setattr(extensions, "_known", dict(extensions._known))


def test_every_row_of_the_table_has_a_class_with_its_size() -> None:
    sizes = {kind: (cls, cls.PAYLOAD_SIZE) for kind, cls in extensions.catalogue().items()}
    assert sizes == TABLE
    assert all(cls.EXACT for cls in EXTENSIONS)
    assert {type(one) for one in LAYOUTS} == set(EXTENSIONS)


@pytest.mark.parametrize("one", LAYOUTS, ids=lambda one: type(one).__name__)
def test_an_extension_has_the_layout_of_the_specification(one: Extension) -> None:
    assert one.payload == LAYOUTS[one]
    assert build([one]) == bytes((one.TYPE, len(LAYOUTS[one]))) + LAYOUTS[one]
    assert type(one).from_payload(LAYOUTS[one]) == one
    assert one.replace() == one
    assert repr(one).startswith(type(one).__name__)


@given(st.lists(ANY_EXTENSION | st.builds(Tlv, st.integers(24, 99), st.binary(max_size=20))))
def test_what_was_built_is_read_again_in_order_and_by_class(
    items: list[Extension | Tlv],
) -> None:
    data = build(items)
    assert of(data) == items
    for cls in EXTENSIONS:
        assert find(data, cls) == [one for one in items if isinstance(one, cls)]
    assert of(memoryview(data)) == items


def test_types_without_a_class_stay_as_they_are_and_a_strategys_own_say_so() -> None:
    data = build([(99, b"x"), (100, b""), (199, b"y"), (200, b"z"), (0, b"")])
    found = of(data)
    assert found == [(99, b"x"), (100, b""), (199, b"y"), (200, b"z"), (0, b"")]
    assert [type(one) for one in found] == [Tlv, CustomStrategy, CustomStrategy, Tlv, Tlv]
    assert find(data, CustomStrategy) == [(100, b""), (199, b"y")]
    assert len(find(data, Tlv)) == 5
    assert build([CustomStrategy(150, b"mine")]) == b"\x96\x04mine"
    for kind in (99, 200):
        with pytest.raises(TlvError, match="expected 100 to 199"):
            CustomStrategy(kind, b"")


@pytest.mark.parametrize("cls", EXTENSIONS)
@pytest.mark.parametrize("more", [-1, 1])
def test_a_payload_of_another_size_is_a_schema_error_that_names_the_class(
    cls: type[Extension], more: int
) -> None:
    data = build([(cls.TYPE, bytes(cls.PAYLOAD_SIZE + more))])
    for read in (of, lambda data: find(data, cls)):
        with pytest.raises(SchemaError, match=f"^{cls.__name__}: expected {cls.PAYLOAD_SIZE} "):
            read(data)


@given(st.sampled_from(EXTENSIONS), st.data())
def test_any_payload_of_the_right_size_is_read_or_refused(
    cls: type[Extension], data: st.DataObject
) -> None:
    payload = data.draw(st.binary(min_size=cls.PAYLOAD_SIZE, max_size=cls.PAYLOAD_SIZE))
    try:
        (one,) = of(build([(cls.TYPE, payload)]))
    except FieldError:
        return
    assert build([one])[2:] == payload


@given(st.binary(max_size=60))
def test_any_bytes_are_tlvs_or_a_protocol_error(data: bytes) -> None:
    try:
        found = of(data)
    except ProtocolError:
        return
    assert build(found) == data


def test_reserved_bytes_are_zeros() -> None:
    payload = bytearray(PoolAddresses(A, B).payload)
    payload[-1] = 1
    with pytest.raises(FieldError, match=r"PoolAddresses\._reserved: expected zeros"):
        PoolAddresses.from_payload(bytes(payload))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        "01-" + "ab" * 16 + "-" + "cd" * 8 + "-01",
        "00-" + "AB" * 16 + "-" + "cd" * 8 + "-01",
        "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01-00",
        "00-" + "ab" * 15 + "- " + "cd" * 8 + "-01",
        "00-" + "00" * 16 + "-" + "cd" * 8 + "-01",
        "00-" + "ab" * 16 + "-" + "00" * 8 + "-01",
        "00-" + "\u0661" * 32 + "-" + "cd" * 8 + "-01",
    ],
)
def test_a_traceparent_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match=r"^TraceContext"):
        TraceContext.of(text)


def test_a_traceparent_comes_back_as_it_was_written() -> None:
    text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    trace = TraceContext.of(text)
    assert trace.traceparent == text
    assert trace.sampled
    assert not TraceContext.of(text[:-1] + "2").sampled
    with pytest.raises(FieldError, match=r"TraceContext\.parent_id: expected not only zeros"):
        TraceContext.from_payload(trace.payload[:16] + bytes(9))


@pytest.mark.usefixtures("registry")
def test_a_strategys_own_class_reads_its_tlvs_once_registered() -> None:
    class Mine(Extension, type=150):
        """One number and a rest."""

        rate: U64 = field("a rate", unit="1/s")
        rest: Blob = field("whatever", default=b"")

    data = build([Mine(7, b"rest")])
    assert of(data) == [Tlv(150, Mine(7, b"rest").payload)]
    assert register(Mine) is register(Mine) is Mine
    assert of(data) == find(data, Mine) == [Mine(7, b"rest")]

    class Other(Extension, type=150):
        """Something else under the same number."""

        rate: U8 = field("a rate")

    with pytest.raises(SchemaError, match="TLV 150 is Mine already"):
        register(Other)


@pytest.mark.parametrize("kind", [1, 99, 200])
def test_only_a_strategys_own_types_can_be_registered(kind: int) -> None:
    class Odd(Extension, type=kind):
        """A type outside 100 to 199."""

        rate: U8 = field("a rate")

    with pytest.raises(SchemaError, match="TLV type of Odd: expected 100 to 199"):
        register(Odd)
    assert register(PoolAddresses) is PoolAddresses


@pytest.mark.parametrize("thing", [Extension, Tlv, int, None, PoolAddresses(bytes(20))])
def test_what_is_no_class_of_an_extension_cannot_be_registered(thing: Any) -> None:
    with pytest.raises(SchemaError) as info:
        register(thing)
    assert str(info.value).startswith("registered: expected a class of an extension, got ")


@pytest.mark.usefixtures("registry")
def test_the_same_statement_run_again_takes_the_place_of_the_first() -> None:
    def run(unit: str, meaning: str = "a rate") -> type[Extension]:
        class Mine(Extension, type=150):
            """One number."""

            rate: U64 = field(meaning, unit=unit)

        return Mine

    first, again, other = run("1/s"), run("1/s", "the rate"), run("1/min")
    assert register(first) is first
    assert register(again) is again
    assert type(of(build([(150, bytes(8))]))[0]) is again
    with pytest.raises(SchemaError, match="TLV 150 is Mine already"):
        register(other)
