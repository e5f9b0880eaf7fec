"""The base of every message: what a class that declares its fields once gets for it.

Called by the message classes (to derive), by readers (`decode`) and by relays (`sizes`,
`instrument_offsets`). A message is its payload: an immutable value over the bytes, whose fields are
read when they are asked for. Particular messages belong in market_data, signals, execution and
control; headers are handed in and out and are no part of a message. (SPEC.md, Message types)
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform, get_type_hints

from protocol.catalogue import type_name
from protocol.codec import write
from protocol.errors import FieldError, ProtocolError, SchemaError
from protocol.fields import Declared, Field, count, field, lay_out
from protocol.framing import Buffer, unwrap, wrap
from protocol.header import COMPRESSED, HEADER_SIZE, Header
from protocol.instruments import InstrumentId

CATALOGUE = ("market_data", "signals", "execution", "control")


@dataclass_transform(frozen_default=True, field_specifiers=(field, count))
class Message:
    """A message: build it from its fields, `frame()` it, `decode()` it; compare, hash, print it.

    Derive with `class Trade(Message, type=MessageType.TRADE, version=1)` and declare fields as in
    `protocol.fields`. The class gets TYPE, VERSION, FIELDS, PAYLOAD_SIZE (bytes; the least where
    EXACT is False) and joins the registry under (type, version). Building one raises FieldError,
    which names type, field, value and what is allowed.

    >>> from protocol.control import Snapshot
    >>> snapshot = Snapshot(kind=1, count=0, position=7)
    >>> Snapshot.decode(snapshot.frame(source=20)) == snapshot
    True
    """

    __slots__ = ("_payload",)

    TYPE: ClassVar[int]
    VERSION: ClassVar[int]
    PAYLOAD_SIZE: ClassVar[int]
    EXACT: ClassVar[bool]
    FIELDS: ClassVar[tuple[Field, ...]]
    _payload: bytes

    def __init_subclass__(cls, *, type: int, version: int) -> None:
        super().__init_subclass__()
        declared = {name: v for name, v in vars(cls).items() if isinstance(v, Declared)}
        cls.TYPE, cls.VERSION = int(type), version
        cls.FIELDS = lay_out(declared, get_type_hints(cls, include_extras=True))
        cls.PAYLOAD_SIZE = sum(field.size for field in cls.FIELDS)
        cls.EXACT = not any(field.tail for field in cls.FIELDS)
        for name in declared:
            delattr(cls, name)
        for name, made in write(cls.FIELDS, _put, _explain).items():
            setattr(cls, name, made)
        _register(cls)

    @property
    def payload(self) -> bytes:
        """The bytes after the header."""
        return self._payload

    def frame(
        self, sequence: int = 0, timestamp: int = 0, source: int = 0, flags: int = 0
    ) -> bytes:
        """The whole frame, sealed. `timestamp` is ns since the epoch, `source` a SourceType.

        FieldError when a header value does not fit, or flags say that the payload is compressed.
        """
        if flags & COMPRESSED:
            raise FieldError("header.flags", expected="bits 0 and 1 zero", got=flags)
        return wrap(self.TYPE, self.VERSION, self._payload, sequence, timestamp, source, flags)

    @classmethod
    def decode(cls, frame: Buffer, offset: int = 0, *, verify: bool = True) -> Self:
        """The message in the frame at `offset`; bytes after that frame are not looked at.

        `verify=False` leaves out the checksum. Raises HeaderError (no header, or the frame is cut
        short), SchemaError (another type, version or size), ChecksumError, FieldError.
        """
        header = Header.unpack(frame, offset)
        if header.message_type != cls.TYPE or header.version != cls.VERSION:
            got = f"{type_name(header.message_type)} version {header.version}"
            raise SchemaError(f"frame at {offset}", expected=cls.title(), got=got)
        if header.compressed:
            raise SchemaError(f"flags of a {cls.title()}", expected="no compression", got=header)
        return cls.from_payload(unwrap(frame, offset, header, verify))

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """The message whose payload this is. SchemaError for its size, FieldError for a value."""
        size = len(payload)
        if size != cls.PAYLOAD_SIZE and (cls.EXACT or size < cls.PAYLOAD_SIZE):
            expected = f"{'' if cls.EXACT else 'at least '}{cls.PAYLOAD_SIZE} payload bytes"
            raise SchemaError(cls.title(), expected=expected, got=size)
        if not cls._sound(payload):
            raise _explain_payload(cls, payload)
        self = cls.__new__(cls)
        _put(self, payload)
        if not cls.EXACT:
            _check_tail(cls, payload)
        self.check()
        return self

    def check(self) -> None:
        """What a class demands beyond single fields: overridden to raise ProtocolError."""

    def values(self) -> dict[str, Any]:
        """Every field by its name, in wire order, without pads."""
        return {f.name: getattr(self, f.name) for f in self.FIELDS if f.kind != "pad"}

    def replace(self, **changes: Any) -> Self:
        """The same message with some fields changed; errors as when building one."""
        given = (f.name for f in self.FIELDS if f.kind in ("value", "tail"))
        return type(self)(**{name: getattr(self, name) for name in given} | changes)

    @classmethod
    def title(cls) -> str:
        """Name and version, as errors have them: `trade version 1`."""
        return f"{type_name(cls.TYPE)} version {cls.VERSION}"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a message does not change: use replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a message does not change")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._payload == other._payload)

    def __hash__(self) -> int:
        return hash((self.TYPE, self.VERSION, self._payload))

    def __repr__(self) -> str:
        shown = (f"{name}={_show(value)}" for name, value in self.values().items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).from_payload, (self._payload,)

    @staticmethod
    def _sound(payload: bytes) -> bool:
        """Written by the codec: whether every fixed field of the payload is allowed."""
        raise NotImplementedError


_put = Message.__dict__["_payload"].__set__


class Unknown(NamedTuple):
    """A frame that is passed on unlooked-at: no class for it here, or a compressed payload."""

    message_type: int
    version: int
    payload: bytes

    def frame(
        self, sequence: int = 0, timestamp: int = 0, source: int = 0, flags: int = 0
    ) -> bytes:
        """The whole frame, sealed, as `Message.frame`; any flags."""
        kind, version, payload = self
        return wrap(kind, version, payload, sequence, timestamp, source, flags)


REGISTRY: dict[tuple[int, int], type[Message]] = {}


def decode(frame: Buffer, offset: int = 0, *, verify: bool = True) -> Message | Unknown:
    """The message in the frame at `offset`, by the type and version its header names.

    Types and versions that have no class here, and compressed payloads, come back as Unknown.
    Errors as `Message.decode`.

    >>> decode(Unknown(200, 1, b"mine").frame())
    Unknown(message_type=200, version=1, payload=b'mine')
    """
    header = Header.unpack(frame, offset)
    payload = unwrap(frame, offset, header, verify)
    cls = find(header.message_type, header.version)
    if cls is None or header.compressed:
        return Unknown(header.message_type, header.version, payload)
    return cls.from_payload(payload)


def find(message_type: int, version: int) -> type[Message] | None:
    """The class of a type and version, None when there is none."""
    _load()
    return REGISTRY.get((message_type, version))


def catalogue() -> dict[tuple[int, int], type[Message]]:
    """Every message class by (type, version), in the order of types."""
    _load()
    return dict(sorted(REGISTRY.items()))


def sizes() -> dict[tuple[int, int], tuple[int, bool]]:
    """(type, version) to (payload bytes, exact); where not exact the bytes are the least.

    >>> sizes()[1, 1], sizes()[102, 1]
    ((32, True), (24, False))
    """
    return {key: (cls.PAYLOAD_SIZE, cls.EXACT) for key, cls in catalogue().items()}


def instrument_offsets() -> dict[tuple[int, int], tuple[int, ...]]:
    """(type, version) to where its InstrumentIds are, in bytes from the frame's start; only of
    those that have any.

    >>> instrument_offsets()[20, 1]
    (32, 44)
    """
    found = {
        key: tuple(HEADER_SIZE + f.offset for f in cls.FIELDS if f.python is InstrumentId)
        for key, cls in catalogue().items()
    }
    return {key: offsets for key, offsets in found.items() if offsets}


@cache
def _load() -> None:
    # The classes derive from Message, so this module can only import them when somebody asks.
    for name in CATALOGUE:
        import_module(f"protocol.{name}")


def _register(cls: type[Message]) -> None:
    there = REGISTRY.setdefault((cls.TYPE, cls.VERSION), cls)
    if there is not cls:
        raise SchemaError(f"{cls.title()} is {there.__name__} already", got=cls.__name__)


def _explain(cls: type[Message], given: dict[str, object]) -> ProtocolError:
    """The error for the first argument that its field does not accept."""
    for one in cls.FIELDS:
        if one.name in given and not one.accepts(given[one.name]):
            return _refusal(cls, one, given[one.name])
    # Each is fine by itself: the tail is longer than the field that counts it can say.
    counted = [one.wire.limits[1] for one in cls.FIELDS if one.kind == "count" and one.wire]
    what = f"{type_name(cls.TYPE)}.{cls.FIELDS[-1].name}"
    return FieldError(what, expected=f"at most {min(counted, default=0)} bytes")


def _explain_payload(cls: type[Message], payload: bytes) -> ProtocolError:
    """The error for the first fixed field of a payload that is not allowed."""
    for one in cls.FIELDS:
        raw = payload[one.offset : one.offset + one.size]
        number = int.from_bytes(raw, "little", signed=bool(one.wire and one.wire.signed))
        if one.kind == "pad" and number:
            return _refusal(cls, one, raw)
        if one.kind == "value" and issubclass(one.python, int) and not one.accepts(number):
            return _refusal(cls, one, number)
        if one.kind == "count" and number != len(payload) - cls.FIELDS[-1].offset:
            expected = f"{len(payload) - cls.FIELDS[-1].offset}, the bytes after the fixed part"
            return FieldError(f"{type_name(cls.TYPE)}.{one.name}", expected=expected, got=number)
    return FieldError(cls.title(), expected="allowed values", got=payload)


def _check_tail(cls: type[Message], payload: bytes) -> None:
    last = cls.FIELDS[-1]
    if last.tail:
        try:
            last.tail.decode(payload[last.offset :], HEADER_SIZE + last.offset)
        except ValueError as error:
            what = f"{type_name(cls.TYPE)}.{last.name}"
            raise FieldError(what, expected=last.allowed(), hint=str(error)) from None


def _refusal(cls: type[Message], one: Field, got: object) -> FieldError:
    return FieldError(f"{type_name(cls.TYPE)}.{one.name}", expected=one.allowed(), got=got)


def _show(value: object) -> str:
    if isinstance(value, InstrumentId):
        return f"<{value}>"
    if isinstance(value, int):
        return getattr(value, "name", None) or str(int(value))
    return value.hex() if isinstance(value, bytes) else repr(value)
