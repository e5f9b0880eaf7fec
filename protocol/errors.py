"""The errors of the wire: every complaint about bytes or values is a ProtocolError.

Raised by the whole package, caught by daemons, clients and tools. Errors about connections or
configuration belong to the packages that have these.
"""

from __future__ import annotations

LONGEST_VALUE = 120


class Words(str):
    """What came, in words: an error shows it without the quotes of text that came."""

    __slots__ = ()
    __repr__ = str.__str__


class ProtocolError(ValueError):
    """Something on the wire, or meant for it, breaks a rule of SPEC.md.

    Attributes: `expected` (what the rule allows), `got` (the value that came), `hint` (what to do);
    None or empty where there is nothing to say. `str()` is one line with all of them.

    >>> print(ProtocolError("trade.side", expected="BUY 1 or SELL 2", got=9))
    trade.side: expected BUY 1 or SELL 2, got 9
    """

    def __init__(
        self, what: str, *, expected: object = None, got: object = ..., hint: str = ""
    ) -> None:
        super().__init__(what)
        self.what, self.expected, self.hint = what, expected, hint
        # None can be the very value that is refused, so "no value" needs another sign.
        self.got, self._came = (None, False) if got is ... else (got, True)

    def __str__(self) -> str:
        facts = [] if self.expected is None else [f"expected {_plain(self.expected)}"]
        facts += [f"got {_brief(self.got)}"] if self._came else []
        line = f"{self.what}: {', '.join(facts)}" if facts else self.what
        return " ".join((f"{line} ({self.hint})" if self.hint else line).splitlines())

    def __reduce__(self) -> tuple[object, ...]:
        got = self.got if self._came else ...
        return type(self)._again, (self.what, self.expected, got, self.hint)

    @classmethod
    def _again(cls, what: str, expected: object, got: object, hint: str) -> ProtocolError:
        return cls(what, expected=expected, got=got, hint=hint)


class HeaderError(ProtocolError):
    """The bytes are not a header, or end before the frame does (SPEC.md, Header)."""


class SchemaError(ProtocolError):
    """Another message type, version or payload size than the class has (SPEC.md, Message types)."""


class FieldError(ProtocolError):
    """A field's value is not allowed: names type and field (SPEC.md, Message types)."""


class ChecksumError(ProtocolError):
    """The checksum in the header is not that of the bytes (SPEC.md, Header)."""


class TlvError(ProtocolError):
    """A TLV runs past the end or cannot be built: names the offset (SPEC.md, TLV extensions)."""


class InstrumentError(ProtocolError):
    """No InstrumentId can be made, or packed, from this (SPEC.md, Identifiers)."""


def _plain(value: object) -> str:
    return value if isinstance(value, str) else _brief(value)


def _brief(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        # An integer of more digits than Python agrees to write out, or an object that is broken.
        kind = type(value).__name__
        text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else f"a {kind}"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
