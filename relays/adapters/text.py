"""Text to numbers, exactly: decimal text to integers, times to nanoseconds, JSON without floats.

Called by the adapters with what a venue or a recorder wrote. What a number means (whose price,
which unit of time) is for the adapter; nothing here knows a venue.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NoReturn

from relays.adapters.adapter import Skipped, Unsayable

DECIMALS = 8
LEAST, MOST = -(2**63), 2**63 - 1
MOST_UNSIGNED = 2**64 - 1
NANOSECONDS = 9
# More than any number of 64 bits has, with all its decimals: beyond it a number is 0 or too large.
LARGEST_EXPONENT = 40
# Characters; Python reads no numbers of some thousand digits.
LONGEST_NUMBER = 1_000
# Prices and sizes come again and again; a look-up costs a fifth of reading the text.
REMEMBERED = 1 << 16
SIGNS = ("+", "-")
_POWERS: tuple[int, ...] = tuple(10**power for power in range(LARGEST_EXPONENT + 1))


@lru_cache(REMEMBERED, typed=True)
def units(number: str | int) -> int:
    """A decimal number as a signed integer of 1e-8; for prices (SPEC.md, Fixed point).

    Text with an optional sign, fraction and exponent, or an int as JSON has it. ValueError when it
    is not a number; Unsayable, which is one too, when it is not a whole number of 1e-8
    (`not_in_units`), or does not fit 64 bits with a sign (`does_not_fit`).

    >>> units("61837.63000000"), units("-0.1"), units("1e-7"), units(3)
    (6183763000000, -10000000, 10, 300000000)
    """
    value = scaled(number, DECIMALS)
    if not LEAST <= value <= MOST:
        raise _too_large(number)
    return value


@lru_cache(REMEMBERED, typed=True)
def quantity(number: str | int) -> int:
    """A decimal number as an unsigned integer of 1e-8; for sizes. ValueError for one below nothing,
    otherwise as `units`.

    >>> quantity("0.00000001")
    1
    """
    value = scaled(number, DECIMALS)
    if value < 0:
        raise ValueError(f"{number!r} is less than nothing")
    if value > MOST_UNSIGNED:
        raise _too_large(number)
    return value


def scaled(number: str | int, decimals: int) -> int:
    """A decimal number times 10**decimals (at most 40). ValueError for what is no number, Unsayable
    unless that is exact.

    >>> scaled("12.5", 2)
    1250
    """
    if type(number) is int:
        return number * _POWERS[decimals]
    if not isinstance(number, str):
        raise ValueError(f"{number!r} is not a decimal number")
    mantissa, _, exponent = number.replace("E", "e", 1).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    if not (whole.lstrip("+-") and _is_integer(digits)):
        raise ValueError(f"{number!r} is not a decimal number")
    shift = decimals - len(fraction)
    if len(mantissa) < len(number) and not _is_integer(exponent):
        raise ValueError(f"{number!r} is not a decimal number")
    if len(number) > LONGEST_NUMBER:
        raise Unsayable(f"a number of more than {LONGEST_NUMBER} characters", "does_not_fit")
    if exponent:
        shift += int(exponent)
    return _shifted(number, int(digits), shift)


def _is_integer(text: str) -> bool:
    return text[text[:1] in SIGNS :].isdigit() and text.isascii()


def _shifted(number: str, value: int, shift: int) -> int:
    if shift >= 0:
        if value and shift > LARGEST_EXPONENT:
            raise _too_large(number)
        return value * _POWERS[min(shift, LARGEST_EXPONENT)]
    # Digits that a power of ten this high would move behind the point are all of them.
    lost: int = 10 ** min(-shift, len(number))
    whole, rest = divmod(abs(value), lost)
    if rest:
        raise Unsayable(f"{number!r} has more decimals than its unit", "not_in_units")
    return whole if value > 0 else -whole


def _too_large(number: str | int) -> Unsayable:
    return Unsayable(f"{number!r} does not fit 64 bits", "does_not_fit")


def nanoseconds(seconds: str) -> int:
    """Seconds since the epoch as a recorder writes them, in ns; digits beyond are dropped.
    ValueError when that is no time, or one that no header can hold.

    >>> nanoseconds("1618677816.8414998")
    1618677816841499800
    """
    whole, _, fraction = seconds.partition(".")
    digits = whole + fraction
    if not (whole and digits.isascii() and digits.isdigit()):
        raise ValueError(f"{seconds!r} is not a time")
    time = int(whole + fraction[:NANOSECONDS].ljust(NANOSECONDS, "0"))
    if time > MOST_UNSIGNED:
        raise ValueError(f"{seconds!r} is not a time of 64 bits")
    return time


def recorded(line: str) -> tuple[int, str]:
    """Receive time (ns) and text of a line `<epoch s>: <text>`, as cryptofeed records them.

    Raises Skipped for what is no such line: `blank`, `sent_or_connection` (`wss://...`,
    `https://...`), `configuration`, `no_receive_time`.

    >>> recorded('1618677816.5: {"type":"ticker"}')
    (1618677816500000000, '{"type":"ticker"}')
    """
    time, colon, text = line.partition(": ")
    try:
        if colon:
            return nanoseconds(time), text.rstrip()
    except ValueError:
        pass
    raise Skipped(_unrecorded(line.strip()))


def _unrecorded(line: str) -> str:
    if not line:
        return "blank"
    if line.startswith(("wss://", "https://")):
        return "sent_or_connection"
    return "configuration" if line.startswith("configuration:") else "no_receive_time"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


_DECODER = json.JSONDecoder(parse_float=str, parse_constant=_refuse)


def events(text: str) -> Any:
    """The JSON of a venue: whole numbers as int, all others as the text they are written in, so
    that nothing becomes a float. Raises Skipped `not_json`.

    >>> events('{"price":0.10,"id":7}')
    {'price': '0.10', 'id': 7}
    """
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise Skipped("not_json") from None
