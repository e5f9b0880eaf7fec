"""The numpy dtypes of messages: how a row of an array of frames is laid out.

Called by `protocol.batch`, which hands all of it on; import it from there. Only layouts and single
columns: reading and sealing frames is `protocol.batch`'s. (SPEC.md, Many at once)
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from protocol.errors import FieldError
from protocol.fields import Field
from protocol.header import FIELDS, HEADER_SIZE
from protocol.instruments import InstrumentId
from protocol.message import Message
from protocol.structure import Structure

Rows = npt.NDArray[np.void]
HEADER = np.dtype([(name, f"<u{bits // 8}") for name, (bits, _) in FIELDS.items()])
"""A header's fields, 32 bytes."""
INSTRUMENT = np.dtype(
    [("venue", "<u2"), ("asset_type", "u1"), ("reserved", "u1"), ("asset_id", "<u8")]
)
"""An InstrumentId, 12 bytes: `InstrumentId._make(row.item())`, `row[...] = tuple(instrument)`."""
U128 = np.dtype([("lo", "<u8"), ("hi", "<u8")])
I128 = np.dtype([("lo", "<u8"), ("hi", "<i8")])
"""128-bit integers in two halves: see `integers` and `halves`."""
LEVEL = np.dtype([("price", "<i8"), ("size", "<u8")])
"""A level of an order book, both in units of 1e-8."""
_LOW = 2**64 - 1


@cache
def dtype(cls: type[Message]) -> np.dtype[np.void]:
    """A whole frame of this class, its fixed part where it has tails: `header`, then the fields.

    Packed and little-endian. Pads are bytes between fields, without a name.

    >>> from protocol.market_data import Trade
    >>> dtype(Trade).names, dtype(Trade).itemsize
    (('header', 'instrument_id', 'price', 'volume', 'side', 'flags'), 64)
    """
    return _laid_out(cls, [("header", HEADER, 0)], HEADER_SIZE)


@cache
def payload_dtype(cls: type[Structure]) -> np.dtype[np.void]:
    """The same without the header: what `encode` also takes, and what a TLV's payload has.

    >>> from protocol.market_data import Quote
    >>> payload_dtype(Quote).itemsize
    48
    """
    return _laid_out(cls, [], 0)


def _laid_out(
    cls: type[Structure], first: list[tuple[str, Any, int]], base: int
) -> np.dtype[np.void]:
    named = [one for one in cls.FIELDS if one.wire and one.kind != "pad"]
    places = first + [(one.name, _format(one), base + one.offset) for one in named]
    return np.dtype(
        {
            "names": [name for name, _, _ in places],
            "formats": [kind for _, kind, _ in places],
            "offsets": [at for _, _, at in places],
            "itemsize": base + sum(one.size for one in cls.FIELDS if one.wire),
        }
    )


def _format(one: Field) -> Any:
    signed = bool(one.wire and one.wire.signed)
    if one.python is InstrumentId:
        return INSTRUMENT
    if one.python is bytes:
        return ("u1", (one.size,))
    if one.size == 16:
        return I128 if signed else U128
    return f"<{'i' if signed else 'u'}{one.size}"


def integers(column: Rows) -> list[int]:
    """The Python ints of a column of U128 or I128.

    >>> integers(halves([2**100, 7]))[0] == 2**100
    True
    """
    pairs = zip(column["hi"].tolist(), column["lo"].tolist(), strict=True)
    return [high << 64 | low for high, low in pairs]


def halves(values: Iterable[int], *, signed: bool = False) -> Rows:
    """A column of U128, or I128, of these ints. FieldError names the first that does not fit."""
    given = list(values)
    least, most = (-(2**127), 2**127 - 1) if signed else (0, 2**128 - 1)
    for row, value in enumerate(given):
        if not least <= value <= most:
            expected = f"{least} to {most}"
            raise FieldError(f"row {row} of 128-bit integers", expected=expected, got=value)
    pairs = [(value & _LOW, value >> 64) for value in given]
    return np.array(pairs, dtype=I128 if signed else U128)


def instruments(column: Rows) -> list[InstrumentId]:
    """The InstrumentIds of a column of them.

    >>> from protocol.instruments import VenueId
    >>> aapl = InstrumentId.stock(VenueId.NASDAQ, "AAPL")
    >>> instruments(np.array([tuple(aapl)], dtype=INSTRUMENT)) == [aapl]
    True
    """
    return [InstrumentId._make(row) for row in column.tolist()]
