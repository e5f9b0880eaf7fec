"""Control frames, types 100-109: what a relay and its sessions tell each other (relays.md 3).

Built and read by the relays and the client. Never forwarded; sequence 0. Whether a relay honours
what a Hello asks for is decided there; here only what can be said at all. (SPEC.md, Message types)
"""

import json
import re
from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import Annotated, Self

from protocol.catalogue import MessageType
from protocol.errors import FieldError
from protocol.fields import (
    U8,
    U8_WIRE,
    U16,
    U32,
    U64,
    Bytes32,
    JsonText,
    Text,
    Tlvs,
    count,
    field,
    pad,
)
from protocol.instruments import SIZE, InstrumentId
from protocol.message import Message
from protocol.reject import Reject
from protocol.tails import parse_json
from protocol.tlv import build, find

CLIENT_NAME, INSTRUMENTS = 1, 2
CHAIN, CHAIN_SIZE = 1, 4
INSTRUMENTS_IN_TLV = 21
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
ALL_TYPES = bytes(32)
MOST_TYPE = 255
UNKNOWN_COUNT = 2**64 - 1


class Role(IntFlag):
    """What a session does, any of these together; 0 = control only. Bits 3-7 are reserved.

    * CONSUME: it wants the feed.
    * PRODUCE: it will send domain frames.
    * SNAPSHOT: it wants snapshots before the feed and after gaps.
    """

    CONSUME = 1
    PRODUCE = 2
    SNAPSHOT = 4


class OnLag(IntEnum):
    """What happens to a session that lags too far; 4 (conflate) is reserved.

    * DEFAULT: what the domain's configuration says.
    * GAP: it goes on live after a Gap that names what it lost.
    * DISCONNECT: it is closed with SLOW_CONSUMER.
    * CATCH_UP: it is served from the log until it has caught up.
    """

    DEFAULT = 0
    GAP = 1
    DISCONNECT = 2
    CATCH_UP = 3


class Start(IntEnum):
    """Where a session's feed begins.

    * LIVE: at the log's end.
    * AT_POSITION: at start_position of the log log_id.
    * OLDEST: at the oldest position kept.
    * LAST: start_position positions before the end.
    * RECEIVED: at the first message received at start_position (ns since 1970) or later; only
      where the relay has a journal.
    """

    LIVE = 0
    AT_POSITION = 1
    OLDEST = 2
    LAST = 3
    RECEIVED = 4


class SnapshotKind(IntEnum):
    """Which end of a snapshot.

    * BEGIN: the frames of the snapshot follow.
    * END: they have all been sent.
    """

    BEGIN = 1
    END = 2


class GapReason(IntEnum):
    """Why positions are missing; 4 (conflated) is reserved.

    * TOO_SLOW: the session lagged past its allowance.
    * TOO_OLD: they are older than what is kept.
    * LOG_REPLACED: the log asked for is gone, this is another.
    """

    TOO_SLOW = 1
    TOO_OLD = 2
    LOG_REPLACED = 3


class Durability(IntEnum):
    """What an Ack promises to survive.

    * MEMORY: the death of the relay's process.
    * JOURNAL: that, and what has reached the disk by itself.
    * SYNCED: the death of the machine.
    """

    MEMORY = 0
    JOURNAL = 1
    SYNCED = 2


class Heartbeat(Message, type=MessageType.HEARTBEAT, version=1):
    """I am here, 48 bytes and TLVs; FIX 35=0. `position` is the next the relay will offer, or the
    next the client needs.

    >>> len(Heartbeat(position=7).frame())
    48
    """

    position: U64 = field("the next position offered or needed", unit="messages", default=0)
    lag: U64 = field("how far behind the end", unit="messages", default=0)
    tlvs: Tlvs = field("1 chain", default=b"")


class Snapshot(Message, type=MessageType.SNAPSHOT, version=1):
    """A snapshot begins or ends, 48 bytes; between the two frames without positions.

    >>> Snapshot(SnapshotKind.BEGIN, count=0, position=9).kind.name
    'BEGIN'
    """

    kind: Annotated[SnapshotKind, U8_WIRE] = field("begin or end")
    _start = pad(3)
    count: U32 = field("instruments in it", unit="instruments")
    position: U64 = field("where the feed goes on afterwards", unit="messages")


class Error(Message, type=MessageType.ERROR, version=1):
    """A frame or the connection was refused, 56 bytes and text; FIX 35=3 (Reject).

    `code` is a Reject, or a number this release does not know: data, never an exception.

    >>> Error(Reject.FENCED, fatal=1, text="go").text_len, Error(Reject.FENCED).code, Error(77).code
    (2, <Reject.FENCED: 18>, 77)
    """

    code: U16 = field("a Reject code", fix="373 SessionRejectReason", names=Reject)
    message_type: U8 = field("type of the frame concerned", fix="372 RefMsgType", default=0)
    fatal: U8 = field("1 when the connection closes", default=0, within=((0, 1),))
    text_len: U16 = count("length of text")
    _middle = pad(2)
    sequence: U64 = field("first frame concerned", fix="45 RefSeqNum", default=0)
    expected: U64 = field("SEQUENCE_GAP: the sequence wanted; else the last concerned", default=0)
    text: Text = field("what happened, with the count", fix="58 Text", default="")


class ConfigUpdate(Message, type=MessageType.CONFIG_UPDATE, version=1):
    """Settings as JSON, from 33 bytes on; kept as written, so that it encodes to the same bytes.

    >>> ConfigUpdate.of({"heartbeat_ms": 500}).value()
    {'heartbeat_ms': 500}
    """

    document: JsonText = field("a JSON document (RFC 8259)")

    @classmethod
    def of(cls, value: object) -> Self:
        """The message for a value JSON can say; FieldError for another."""
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            what, expected = f"{cls.label()}.document", "a value JSON can say"
            raise FieldError(what, expected=expected, got=value, hint=str(error)) from None
        return cls(text)

    def value(self) -> object:
        """The document as Python lists, dicts, numbers and text."""
        return parse_json(self.document)


class Hello(Message, type=MessageType.HELLO, version=1):
    """A session asks for what it wants, 96 bytes and TLVs; FIX 35=A (Logon).

    TLV 1 is the client's name, TLV 2 instruments wanted: `hello_tlvs` makes them.

    >>> hello = Hello(Role.CONSUME, start=Start.OLDEST, tlvs=hello_tlvs("desk-7"))
    >>> client_name(Hello.decode(hello.frame()))
    'desk-7'
    """

    role: Annotated[Role, U8_WIRE] = field("what the session does; 0 = control only")
    on_lag: Annotated[OnLag, U8_WIRE] = field(
        "what happens when it lags too far; 0 the domain's default", default=OnLag.DEFAULT
    )
    heartbeat_ms: U16 = field(
        "time between heartbeats; 0 = 1,000",
        unit="ms",
        fix="108 HeartBtInt",
        default=0,
        within=((0, 0), (100, 60_000)),
    )
    start: Annotated[Start, U8_WIRE] = field("where the feed begins", default=Start.LIVE)
    _middle = pad(3)
    producer_id: U64 = field("identity of the producer; 0 = anonymous", default=0)
    log_id: U64 = field("the log start_position is of; 0 = any", default=0)
    start_position: U64 = field("a position, or how many for the last", unit="messages", default=0)
    type_filter: Bytes32 = field(
        "bit n%8 of byte n//8 = type n; all zero = every type", default=ALL_TYPES
    )
    tlvs: Tlvs = field("1 client name, 2 instruments wanted", default=b"")

    def check(self) -> None:
        client_name(self)
        instruments(self)


class Welcome(Message, type=MessageType.WELCOME, version=1):
    """The answer to Hello, 88 bytes: what the session gets, and where it stands.

    >>> Welcome(log_id=5, position=10, end_position=10, oldest_position=0).durability.name
    'MEMORY'
    """

    log_id: U64 = field("names the log")
    position: U64 = field("of the next domain frame on this connection", unit="messages")
    end_position: U64 = field("frames below it are history", unit="messages")
    oldest_position: U64 = field("the oldest kept", unit="messages")
    last_sequence: U64 = field("last accepted of this producer; 0 = unknown", default=0)
    max_payload: U32 = field("the largest payload taken", unit="bytes", default=0)
    heartbeat_ms: U16 = field("time between heartbeats", unit="ms", default=0)
    durability: Annotated[Durability, U8_WIRE] = field(
        "what an Ack will promise", default=Durability.MEMORY
    )
    role: Annotated[Role, U8_WIRE] = field("the role granted", default=0)
    relay_pid: U32 = field("process id of the relay", default=0)
    _end = pad(4)


class Ack(Message, type=MessageType.ACK, version=1):
    """Everything up to `sequence` has been read, and is in the log or was named by an Error sent
    before this Ack; 56 bytes.

    >>> Ack(sequence=4, position=9).sequence
    4
    """

    sequence: U64 = field("last of the producer's frames that this covers")
    position: U64 = field("the log's end then", unit="messages")
    durability: Annotated[Durability, U8_WIRE] = field(
        "what it survives", default=Durability.MEMORY
    )
    _end = pad(7)


class Gap(Message, type=MessageType.GAP, version=1):
    """Positions this session does not get, 64 bytes. The next frame is `last_position` + 1, or
    Welcome.position where the log was replaced.

    >>> Gap(3, 5, count=3, reason=GapReason.TOO_SLOW).reason.name
    'TOO_SLOW'
    """

    first_position: U64 = field("first missing", unit="messages")
    last_position: U64 = field("last missing", unit="messages")
    count: U64 = field("positions missing, before filters; 2**64-1 = unknown", unit="messages")
    reason: Annotated[GapReason, U8_WIRE] = field("why")
    breaker: U8 = field(
        "the breaker's state: 0 closed, 1 open, 2 half open, 3 replaying", default=0
    )
    _end = pad(6)


def hello_tlvs(name: str | None = None, wanted: Iterable[InstrumentId] = ()) -> bytes:
    """The TLVs of a Hello: client name, instruments wanted (21 to a TLV). FieldError for a name
    that is not `[A-Za-z0-9_.-]{1,64}` and for what is no InstrumentId."""
    items: list[tuple[int, bytes]] = []
    if name is not None:
        items.append((CLIENT_NAME, _name(name).encode()))
    ids = b"".join(map(_wanted, wanted))
    step = INSTRUMENTS_IN_TLV * SIZE
    items += [(INSTRUMENTS, ids[at : at + step]) for at in range(0, len(ids), step)]
    return build(items)


def chain_tlvs(chain: int) -> bytes:
    """The TLVs of a Heartbeat that says the CRC-32 of all frames of the log before its position,
    from where the relay's journal began.

    >>> chain_of(Heartbeat(position=7, tlvs=chain_tlvs(0xCBF43926)))
    3421780262
    """
    return build([(CHAIN, chain.to_bytes(CHAIN_SIZE, "little"))])


def chain_of(heartbeat: Heartbeat) -> int | None:
    """The chain that a Heartbeat says; None where it says none. FieldError for one that is none."""
    said = find(heartbeat.tlvs, CHAIN)
    if not said:
        return None
    if len(said) > 1 or len(said[0]) != CHAIN_SIZE:
        raise FieldError("heartbeat.tlvs", expected="one chain of 4 bytes", got=len(said))
    return int.from_bytes(said[0], "little")


def type_filter(types: Iterable[int]) -> bytes:
    """The 32 bytes of a Hello's type_filter for these types (0-255); none = every type. FieldError
    for what is no type.

    >>> type_filter([1, 9])[:2].hex()
    '0202'
    """
    bits = 0
    for kind in types:
        if not isinstance(kind, int) or not 0 <= kind <= MOST_TYPE:
            expected = f"types 0 to {MOST_TYPE}"
            raise FieldError("hello.type_filter", expected=expected, got=kind)
        bits |= 1 << kind
    return bits.to_bytes(len(ALL_TYPES), "little")


def client_name(hello: Hello) -> str | None:
    """The name a client gave itself, None when it gave none; FieldError for a bad one."""
    names = find(hello.tlvs, CLIENT_NAME)
    if len(names) > 1:
        raise FieldError("hello.tlvs", expected="at most one client name", got=len(names))
    return _name(names[0].decode(errors="replace")) if names else None


def instruments(hello: Hello) -> list[bytes]:
    """The 12-byte ids a client wants, in its order; empty = every instrument. FieldError when a
    TLV is not whole ids."""
    found: list[bytes] = []
    for ids in find(hello.tlvs, INSTRUMENTS):
        if not ids or len(ids) % SIZE:
            expected = f"1 to {INSTRUMENTS_IN_TLV} ids of {SIZE} bytes"
            raise FieldError("hello.instruments", expected=expected, got=f"{len(ids)} bytes")
        found += [ids[at : at + SIZE] for at in range(0, len(ids), SIZE)]
    return found


def _name(text: object) -> str:
    if not isinstance(text, str) or not NAME.fullmatch(text):
        raise FieldError("hello.client_name", expected=NAME.pattern, got=text)
    return text


def _wanted(one: object) -> bytes:
    # Numbers and bytes would become ids of something.
    if not isinstance(one, InstrumentId):
        raise FieldError("hello.instruments", expected="an InstrumentId", got=one)
    return one.to_bytes()
