"""The base of every message: what a class that declares its fields once gets for it.

Called by the message classes (to derive), by readers (`decode`) and by relays (`sizes`,
`instrument_offsets`). A message is its payload, as `protocol.structure` has it; here it gets a
header around it and a place in the registry. Particular messages belong in market_data, signals,
defi, execution and control; headers are handed in and out and are no part of a message.
(SPEC.md, Message types)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from typing import ClassVar, NamedTuple, Self, dataclass_transform

from protocol._core.frames import Views, decode_known
from protocol.catalogue import CONTROL, type_name
from protocol.errors import FieldError, ProtocolError, SchemaError, Words
from protocol.fields import count, field, start
from protocol.framing import Buffer, octets, unwrap, wrap
from protocol.header import COMPRESSED, HEADER_SIZE, Header, wrong_value
from protocol.instruments import InstrumentId
from protocol.structure import Structure

CATALOGUE = ("market_data", "signals", "defi", "execution", "control")
MOST = 255
MADE_OF_DATA = "protocol.schema"


@dataclass_transform(frozen_default=True, field_specifiers=(field, count, start))
class Message(Structure):
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

    TYPE: ClassVar[int]
    VERSION: ClassVar[int]

    def __init_subclass__(cls, *, type: int, version: int) -> None:
        super().__init_subclass__()
        if not (1 <= type <= MOST and 1 <= version <= MOST):
            raise TypeError(f"{cls.__name__}: type and version are 1 to 255")
        if type in CONTROL and cls.__module__ != "protocol.control":
            raise TypeError(f"{cls.__name__}: types 100 to 109 are what relays and clients say")
        cls.TYPE, cls.VERSION = int(type), version
        cls.declare(cls.TYPE, version)
        # The compiled functions themselves: a method that calls them costs as much as they do.
        for name, made in (
            ("decode", cls._layout.decode),
            ("view", cls._layout.view),
            ("views", partial(Views, cls._layout)),
        ):
            setattr(cls, name, made)
        register(cls)

    # A method of the compiled base: a message has a frame, other structures have none.
    frame = Structure._frame

    @classmethod
    def decode(cls, frame: Buffer, offset: int = 0, *, verify: bool = True) -> Self:
        """The message in the frame at `offset`; bytes after that frame are not looked at.

        `verify=False` leaves out the checksum. Raises HeaderError (no header, or the frame is cut
        short), SchemaError (another type, version or size), ChecksumError, FieldError.
        """
        raise NotImplementedError

    @classmethod
    def view(cls, buffer: Buffer, offset: int = 0, *, verify: bool = False) -> Self:
        """The message in the frame at `offset`, left there: fields are read from the caller's
        buffer when they are asked for, nothing is copied.

        Header and sizes are checked now (errors as `decode`, the checksum only if asked for), a
        value when it is read; pads, and what a class demands beyond single fields, by `detach`.
        While the view lives the buffer cannot be resized or released; when its bytes change, so
        does the view. So it cannot be hashed; `detach()` is what to keep.

        >>> from protocol.control import Ack
        >>> buffer = bytearray(Ack(sequence=4, position=9).frame())
        >>> Ack.view(buffer).position
        9
        """
        raise NotImplementedError

    @classmethod
    def views(cls, buffer: Buffer) -> Iterator[Self]:
        """A view of each frame of this class in a buffer of whole frames; others are skipped.

        A view costs next to nothing while none is kept: one that you let go is used again. Each
        keeps the buffer as it is (see `view`). Raises as `view`, when it comes to what is not a
        whole frame of the class.

        >>> from protocol.control import Ack, Heartbeat
        >>> buffer = Ack(1, position=9).frame() + Heartbeat().frame() + Ack(2, position=9).frame()
        >>> [ack.sequence for ack in Ack.views(buffer)]
        [1, 2]
        """
        raise NotImplementedError

    @classmethod
    def title(cls) -> str:
        """Name and version, as errors have them: `trade version 1`."""
        return f"{type_name(cls.TYPE)} version {cls.VERSION}"

    @classmethod
    def label(cls) -> str:
        return type_name(cls.TYPE)

    def __reduce__(self) -> tuple[object, ...]:
        return restore, (self.TYPE, self.VERSION, self.payload)

    @classmethod
    def _refuse_frame(cls, frame: Buffer, offset: int, verify: bool) -> ProtocolError:
        """The error for a frame that is not a whole one of this class."""
        try:
            frame = octets(frame)
            header = Header.unpack(frame, offset)
            unwrap(frame, offset, header, verify=False)
            if header.message_type != cls.TYPE or header.version != cls.VERSION:
                got = Words(f"{type_name(header.message_type)} version {header.version}")
                return SchemaError(f"frame at {offset}", expected=cls.title(), got=got)
            if header.compressed:
                what = f"flags of a {cls.title()}"
                return SchemaError(what, expected="no compression", got=header.flags)
            return cls._refuse_payload(unwrap(frame, offset, header, verify))
        except ProtocolError as error:
            return error

    @classmethod
    def _refuse_header(
        cls, size: int, sequence: object, timestamp: object, source: object, flags: object
    ) -> ProtocolError:
        """The error for the first header value that does not fit."""
        if isinstance(flags, int) and 0 <= flags <= 255 and flags & COMPRESSED:
            return FieldError("header.flags", expected="bits 0 and 1 zero", got=flags)
        values = {"payload_size": size, "sequence": sequence, "timestamp": timestamp}
        return wrong_value(values | {"source": source, "flags": flags})


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
    known: Message | None = decode_known(REGISTRY, frame, offset, verify)
    if known is not None:
        return known
    frame = octets(frame)
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
    return dict(sorted(REGISTRY.copy().items()))


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


def register(cls: type[Message]) -> None:
    """Put a class under its type and version; SchemaError when another one is there.

    The same class statement run again (a module that is reloaded) takes the place of the first; of
    classes made of data at the same time the first stays.
    """
    there = REGISTRY.setdefault((cls.TYPE, cls.VERSION), cls)
    if there is cls:
        return
    if cls.__module__ == MADE_OF_DATA or _statement(there) != _statement(cls):
        raise SchemaError(f"{cls.title()} is {there.__name__} already", got=cls.__name__)
    REGISTRY[cls.TYPE, cls.VERSION] = cls


def _statement(cls: type[Message]) -> tuple[object, ...]:
    """Where a class is from, and what its bytes are."""
    bytes_of = tuple((f.name, f.kind, f.type_name, f.ranges, f.mask) for f in cls.FIELDS)
    return cls.__module__, cls.__qualname__, bytes_of


def restore(message_type: int, version: int, payload: bytes) -> Message | Unknown:
    """The message of this payload: what pickle calls, also for classes declared from data."""
    cls = find(message_type, version)
    if cls is None:
        return Unknown(message_type, version, payload)
    return cls.from_payload(payload)
