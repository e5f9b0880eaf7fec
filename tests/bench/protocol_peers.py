"""The same Trade written with struct, ctypes, msgspec and protobuf, each in its best known forms.

Called by protocol_suite. Forms are statements, not functions: a call would be added to each peer.
A peer's frame carries what ours does: source, flags, sequence, timestamp, the fields of a Trade,
and a CRC-32 over all of it. Nothing is measured here.
"""

import ctypes
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import msgspec
from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

from protocol.checksum import crc32, seal

HEAD = (0xDEADBEEF, 1, 1, 1, 0x10, 32, 7_000_000_001, 1_763_700_000_123_456_789)
BODY = (1, 4, 0, int.from_bytes(b"BTCUSDT\0", "big"), 6_123_450_000_000, 25_000_000, 1, 3)
GIVEN = {
    "sequence": HEAD[6],
    "timestamp": HEAD[7],
    "source": HEAD[3],
    "flags": HEAD[4],
    "venue": BODY[0],
    "asset_type": BODY[1],
    "asset_id": BODY[3],
    "price": BODY[4],
    "volume": BODY[5],
    "side": BODY[6],
    "marks": BODY[7],
}
IDENTIFIER = ("venue", "asset_type", "asset_id")
# The CRC-32 of anything that is followed by its own CRC-32, little-endian.
RESIDUE = 0x2144DF1C
CRCS = {"zlib.crc32": zlib.crc32, "protocol.checksum.crc32": crc32}
# A buffer for views has so many frames; where one is looked at, it is that one.
PLACES, PLACE = 100, 3


@dataclass(frozen=True)
class Form:
    """One way to do a task: a statement that leaves its result in `out`, with the names it uses.

    A statement that calls `crc` is tried with each of CRCS. `right` says whether a result is.
    Where `frame` is among the names, a damaged one has to make the statement raise ValueError.
    `each` is how many operations one statement is."""

    statement: str
    names: dict[str, Any]
    right: Callable[[Any], bool]
    each: int = 1


Tasks = dict[str, list[Form]]


class Body(NamedTuple):
    """A Trade as a user of struct keeps it."""

    venue: int
    asset_type: int
    reserved: int
    asset_id: int
    price: int
    volume: int
    side: int
    marks: int


WHOLE = struct.Struct("<IBBBBIQQIHBBQqQBB2x")
HEAD_PART, BODY_PART = struct.Struct("<IBBBBIQQ"), struct.Struct("<HBBQqQBB2x")
PARTS = struct.Struct("<28sI32s")
PRICE_AND_VOLUME, PRICE_AT = struct.Struct("<qQ"), 44
PADDED_PRICE_AND_VOLUME = struct.Struct("<44xqQ4x")
SOUND = """
a, c, b = parts(frame)
if crc(b, crc(a)) != c or not a.startswith(start): raise ValueError
"""
UNPACKED = """
_, _, _, source, flags, _, sequence, timestamp = unpack_head(a)
venue, asset_type, _, asset_id, price, volume, side, out = unpack(b)
"""


def of_struct(frame: bytes) -> Tasks:
    """Prebuilt Structs; objects are plain tuples, which pack and unpack quickest."""
    find = {"buffer": bytearray(frame * PLACES), "at": PLACE * 64, "unpack": WHOLE.unpack_from}
    return {
        "encode": _packing(frame, "*head", "*body"),
        "build": _packing(frame, ", ".join(_numbered(HEAD, "h")), ", ".join(_numbered(BODY, "b"))),
        "decode": [_unpacking(frame, "out = unpack(b)", lambda out: out == BODY)],
        "fields": [_unpacking(frame, UNPACKED, lambda out: out == BODY[7])],
        "view": [Form("v = unpack(buffer, at); v[13]; out = v[14]", find, _is_volume)],
        "walk": [
            _walking("for v in walk(buffer): v[13]; out = v[14]", frame, walk=WHOLE.iter_unpack)
        ],
    }


def of_struct_named(frame: bytes) -> Tasks:
    """As above, decoded to a named tuple: an object with attributes."""
    named = "out = make(unpack(b))"
    return {"decode": [_unpacking(frame, named, lambda out: out.price == BODY[4])]}


def of_struct_by_hand(frame: bytes) -> Tasks:
    """Two fields at an offset that somebody counted: no header, type or size is looked at."""
    names = {"buffer": bytearray(frame * PLACES), "at": PLACE * 64}
    names |= {"two": PRICE_AND_VOLUME.unpack_from}
    walk = "for _, out in walk(buffer): pass"
    return {
        "view": [Form(f"_, out = two(buffer, at + {PRICE_AT})", names, _is_volume)],
        "walk": [_walking(walk, frame, walk=PADDED_PRICE_AND_VOLUME.iter_unpack)],
    }


def _walking(statement: str, frame: bytes, **names: Any) -> Form:
    """A form that reads two fields of every frame in a buffer."""
    given = {"buffer": bytearray(frame * PLACES), **names}
    return Form(statement, given, _is_volume, PLACES)


def _numbered(values: tuple[int, ...], letter: str) -> dict[str, int]:
    return {f"{letter}{n}": value for n, value in enumerate(values)}


def _packing(frame: bytes, head: str, body: str) -> list[Form]:
    scratch = bytearray(64)
    names: dict[str, Any] = {
        "pack_head": HEAD_PART.pack,
        "pack_body": BODY_PART.pack,
        "join": PARTS.pack,
    }
    names |= {"into": WHOLE.pack_into, "scratch": scratch, "seal": seal}
    names |= {"head": HEAD, "body": BODY}
    names |= _numbered(HEAD, "h") | _numbered(BODY, "b")
    parts = f"a = pack_head({head}); b = pack_body({body}); out = join(a, crc(b, crc(a)), b)"
    whole = f"into(scratch, 0, {head}, 0, {body}); seal(scratch); out = bytes(scratch)"
    return [Form(statement, names, lambda out: out == frame) for statement in (parts, whole)]


def _unpacking(frame: bytes, then: str, right: Callable[[Any], bool]) -> Form:
    names = {"frame": frame, "parts": PARTS.unpack, "start": frame[:6], "make": Body._make}
    names |= {"unpack": BODY_PART.unpack, "unpack_head": HEAD_PART.unpack}
    return Form(f"{SOUND}{then}", names, right)


def _is_volume(out: object) -> bool:
    return out == BODY[5]


class _Id(ctypes.LittleEndianStructure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (
        ("venue", ctypes.c_uint16),
        ("asset_type", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8),
        ("asset_id", ctypes.c_uint64),
    )


class _Frame(ctypes.LittleEndianStructure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (
        ("magic", ctypes.c_uint32),
        ("message_type", ctypes.c_uint8),
        ("version", ctypes.c_uint8),
        ("source", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("payload_size", ctypes.c_uint32),
        ("sequence", ctypes.c_uint64),
        ("timestamp", ctypes.c_uint64),
        ("checksum", ctypes.c_uint32),
        ("instrument_id", _Id),
        ("price", ctypes.c_int64),
        ("volume", ctypes.c_uint64),
        ("side", ctypes.c_uint8),
        ("marks", ctypes.c_uint8),
        ("end", ctypes.c_uint8 * 2),
    )


MADE = """
out = make(frame)
if crc(frame[32:], crc(frame[:28])) != out.checksum or out.magic != magic: raise ValueError
"""
SEALED = "a = bytes(o); b = a[32:]; a = a[:28]; out = join(a, crc(b, crc(a)), b)"


def of_ctypes(frame: bytes) -> Tasks:
    """A packed LittleEndianStructure of the whole frame; building fills one structure again."""
    one = _Frame.from_buffer_copy(frame)
    memory = memoryview(one).cast("B")
    names: dict[str, Any] = {"o": one, "i": one.instrument_id, "seal": seal, "join": PARTS.pack}
    names |= GIVEN | {"memory": memory, "first": memory[:28], "second": memory[32:]}
    put = "".join(f"{'i' if name in IDENTIFIER else 'o'}.{name} = {name}; " for name in GIVEN)
    fill = "o.checksum = crc(second, crc(first)); out = bytes(o)"
    make = {"frame": frame, "make": _Frame.from_buffer_copy, "magic": HEAD[0]}
    every = "i = out.instrument_id; " + "; ".join(
        f"{'i' if name in IDENTIFIER else 'out'}.{name}" for name in GIVEN
    )
    find = {"buffer": bytearray(frame * PLACES), "at": PLACE * 64, "view": _Frame.from_buffer}
    encoded = ("out = bytearray(o); seal(out)", SEALED)
    built = (f"{put}{fill}", f"{put}seal(memory); out = bytes(o)")
    return {
        "encode": [Form(statement, names, lambda out: out == frame) for statement in encoded],
        "build": [Form(statement, names, lambda out: out == frame) for statement in built],
        "decode": [Form(MADE, make, lambda out: bytes(out) == frame)],
        "fields": [Form(f"{MADE}{every}", make, lambda out: bytes(out) == frame)],
        "view": [Form("o = view(buffer, at); o.price; out = o.volume", find, _is_volume)],
        "walk": [
            _walking(
                "for o in walk(buffer): o.price; out = o.volume",
                frame,
                walk=(_Frame * PLACES).from_buffer,
            )
        ],
    }


class _Packed(msgspec.Struct, array_like=True, gc=False):
    sequence: int
    timestamp: int
    source: int
    flags: int
    venue: int
    asset_type: int
    asset_id: int
    price: int
    volume: int
    side: int
    marks: int


def of_msgspec(_: bytes) -> Tasks:
    """MessagePack of an array-like Struct that is not tracked by the garbage collector."""
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(_Packed)
    message = _Packed(**GIVEN)
    names: dict[str, Any] = {"encode": encoder.encode, "new": _Packed, "decode": decoder.decode}
    made = f"new({', '.join(GIVEN)})"
    return _described(message, encoder.encode(message), names, [f"encode({made})"])


def of_protobuf(_: bytes) -> Tasks:
    """upb; fields that are always large are fixed64, the others varints."""
    new = protobuf_class()
    message = new(**GIVEN)
    names: dict[str, Any] = {"encode": new.SerializeToString, "new": new, "decode": new.FromString}
    names["used"] = new()
    made = f"new({', '.join(f'{name}={name}' for name in GIVEN)}).SerializeToString()"
    put = "".join(f"used.{name} = {name}; " for name in GIVEN)
    builds = [made, f"encode(used)  # {put}"]
    return _described(message, message.SerializeToString(), names, builds)


def _described(message: Any, body: bytes, names: dict[str, Any], builds: list[str]) -> Tasks:
    """The tasks of a format with a layout of its own: a CRC is appended to what it gives."""
    frame = body + zlib.crc32(body).to_bytes(4, "little")
    add = "out = a + crc(a).to_bytes(4, 'little')"
    check = "if crc(frame) != residue: raise ValueError\nout = decode(frame[:-4])"
    every = "; ".join(f"out.{name}" for name in GIVEN)
    both = "o.price; out = o.volume"
    buffer = bytearray(frame * PLACES)
    names = names | GIVEN | {"o": message}
    read = {"frame": frame, "residue": RESIDUE, "decode": names["decode"]}
    find = {"view": memoryview(buffer), "decode": names["decode"], "buffer": buffer}
    find |= {"at": PLACE * len(frame), "end": PLACE * len(frame) + len(body)}
    looks = (f"o = decode(view[at:end]); {both}", f"o = decode(bytes(view[at:end])); {both}")
    statements = [_assigning(build, add) for build in builds]
    return {
        "encode": [Form(f"a = encode(o); {add}", names, lambda out: out == frame)],
        "build": [Form(statement, names, lambda out: out == frame) for statement in statements],
        "decode": [Form(check, read, lambda out: out == message)],
        "fields": [Form(f"{check}\n{every}", read, lambda out: out == message)],
        "view": [Form(statement, find, _is_volume) for statement in looks],
        "walk": [
            _walking(
                f"for at in starts: o = decode(view[at : at + {len(body)}]); {both}",
                frame,
                starts=range(0, len(buffer), len(frame)),
                view=memoryview(buffer),
                decode=names["decode"],
            )
        ],
    }


def _assigning(build: str, add: str) -> str:
    expression, _, first = build.partition("  # ")
    return f"{first}a = {expression}; {add}"


def protobuf_class() -> Any:
    """The message class, from a descriptor made here: no protoc, no generated file."""
    file = descriptor_pb2.FileDescriptorProto(name="bench_trade.proto", syntax="proto3")
    made = file.message_type.add(name="Trade")
    kinds = descriptor_pb2.FieldDescriptorProto
    special = {"timestamp": kinds.TYPE_FIXED64, "asset_id": kinds.TYPE_FIXED64}
    special["price"] = kinds.TYPE_SINT64
    for number, name in enumerate(GIVEN, 1):
        kind = special.get(name, kinds.TYPE_UINT64)
        made.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return cast(Any, message_factory).GetMessageClass(pool.FindMessageTypeByName("Trade"))
