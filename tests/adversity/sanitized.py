"""Random and damaged bytes through the compiled module, for a process under sanitizers.

Run by test_sanitizer.py with the build of tests.fuzz. Every buffer is one allocation of exactly its
size, so that one byte read or written beyond it ends the process, as does a number read where it is
not aligned.
"""

from __future__ import annotations

import contextlib
import ctypes
import random
import socket
import struct
import sys
from array import array
from typing import Any

from protocol import scan as readable
from protocol._core import (
    connection,
    crc,
    decisions,
    fan,
    gather,
    ingress,
    journal_check,
    keep,
    reader,
    record,
    ring,
    runs,
    scan,
    stamp,
    state,
)
from protocol.errors import ProtocolError
from protocol.header import HEADER_SIZE
from protocol.message import REGISTRY, Message, catalogue, decode, instrument_offsets, sizes
from relays.core import snapshot
from tests.daemon.fake_edge import FakeSocket, World
from tests.daemon.test_core_hub import Schedule
from tests.harness import frame, hello
from tests.journal import handmade

STREAMS = 3000
MODULES = (
    connection, crc, decisions, fan, gather, ingress, journal_check, keep, reader, record, ring,
    runs, scan, stamp, state,
)  # fmt: skip


def exact(data: bytes) -> Any:
    """These bytes in an allocation of their size (a bytearray has one byte more)."""
    return memoryview(array("B", data)[:])  # a slice is not over-allocated


def guarded() -> bool:
    """Whether the byte behind an allocation of ours is known to the sanitizer as forbidden."""
    kept = array("B", bytes(100))[:]
    begin, count = kept.buffer_info()
    is_poisoned = ctypes.CDLL(None).__asan_address_is_poisoned
    is_poisoned.argtypes = [ctypes.c_void_p]
    return bool(is_poisoned(begin + count)) and not is_poisoned(begin + count - 1)


def instrumented(module: Any) -> bool:
    """Whether a compiled module was built with the sanitizer."""
    with open(module.__file__, "rb") as file:
        return b"__asan_report_load" in file.read()


def stream(chance: random.Random) -> bytes:
    """Frames of every kind, some of them cut, flipped or with a size that is a lie."""
    parts = []
    for _ in range(chance.randrange(1, 12)):
        kind = chance.choice([1, 2, 7, 10, 11, 20, 60, 100, 104, chance.randrange(256)])
        size = chance.choice([0, 4, 16, 32, 48, 64, 100, chance.randrange(2000)])
        part = bytearray(
            frame(chance.randrange(8), kind, chance.randbytes(size), version=chance.randrange(10))
        )
        if chance.random() < 0.2:
            part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.1:
            part[8:12] = chance.choice([0xFFFFFFFF, 0x7FFFFFFF, 1 << 20, 2001]).to_bytes(
                4, "little"
            )
        parts.append(bytes(part))
    whole = b"".join(parts)
    return whole[: chance.choice([len(whole), chance.randrange(len(whole) + 1)])]


def row(chance: random.Random) -> bytes:
    """Frames of one kind and size that number on, one of them perhaps damaged."""
    payload = chance.randbytes(chance.choice([0, 1, 4, 16, 33, 128, 144]))
    first, source = chance.randrange(1, 2**32), chance.randrange(1, 5)
    count = chance.randrange(80)
    data = bytearray(b"".join(frame(first + n, 7, payload, source=source) for n in range(count)))
    if data and chance.random() < 0.5:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def scan_all(chance: random.Random) -> None:
    """One stream through the compiled scan, whole, and again in two pieces."""
    data = stream(chance) if chance.random() < 0.8 else row(chance)
    if not data:
        return
    checksums, strict = chance.random() < 0.5, chance.random() < 0.5
    rules = scan.Rules(checksums, strict, 1, 19, chance.choice([64, 2000, 65536]), sizes())
    windows = exact(bytes(readable.WINDOW * 8)) if strict else None
    track = scan.Track(identified=strict, window=windows)
    tally = scan.Tally()
    for piece in (data, data[: chance.randrange(len(data) + 1)]):
        buffer = exact(piece)
        dst = src = 0
        for _ in range(50):
            most = chance.choice([5, 1000])
            stop = scan.scan(buffer, dst, src, len(buffer), rules, track, tally, most)
            dst, src = tally.dst, tally.src
            tally.offences_kept()
            if stop not in (scan.STOP_CONTROL, scan.STOP_LIMIT):
                break


def check_all(chance: random.Random) -> None:
    """One frame through checksums and filters; bytes that are none are refused, not read."""
    offsets = instrument_offsets()
    wanted = gather.Filter({1, 2, 7, 20}, [chance.randbytes(12) for _ in range(40)], offsets)
    data = exact(stream(chance) or b"\0")
    crc.crc32(data, 5)
    for offer in (wanted.matches, crc.frame_checksum):
        try:
            offer(data)
        except ValueError:
            continue
    whole = frame(1, chance.choice([1, 2, 7, 20]), chance.randbytes(chance.randrange(100)))
    wanted.matches(exact(whole))
    crc.frame_checksum(exact(whole))
    crc.seal_all(exact(whole + whole))
    crc.count_right(exact(whole * chance.randrange(1, 12)), len(whole))


def decode_all(chance: random.Random) -> None:
    """A damaged frame of some class decoded, viewed and read: a message or an error."""
    cls = chance.choice(list(catalogue().values()))
    size = cls.PAYLOAD_SIZE + chance.choice([0, 0, 0, 1, 7, 16, chance.randrange(400)])
    payload = bytearray(chance.choice([bytes(size), chance.randbytes(size)]))
    for _ in range(chance.randrange(3)):
        payload[chance.randrange(len(payload))] = chance.choice([0, 1, 2, 16, 255])
    data = frame(0, cls.TYPE, bytes(payload), version=cls.VERSION)
    buffer = exact(data[: chance.choice([len(data), chance.randrange(len(data) + 1)])])
    for read in (decode, cls.decode, cls.view):
        for offset in (0, 1, -1, len(buffer)):
            try:
                found = read(buffer, offset, verify=chance.random() < 0.5)
            except ProtocolError:
                continue
            if isinstance(found, Message):
                read_all(found)


def take_apart(chance: random.Random) -> None:
    """What a client reads as runs of frames, and what it sends again, from any byte on."""
    data = stream(chance)
    begin = chance.choice([0, len(data), chance.randrange(len(data) + 1)])
    for at in (0, begin):
        runs.span(exact(data) if data else bytearray(), at, len(data), chance.choice([64, 1 << 20]))
        for look in (runs.frames, runs.damaged):
            look(data, at)
        made, stop, _ = runs.decode(data, at, REGISTRY, decode, chance.random() < 0.5, at == 0)
        assert at <= stop <= len(data)
        for one in made:
            if isinstance(one, Message):
                read_all(one)
        with contextlib.suppress(ValueError):
            runs.skip(data, at, chance.randrange(15))
    assert len(runs.headers(data)) == HEADER_SIZE * len(runs.frames(data, 0))
    if data:
        whole, cuts, _ = stamp.survey(exact(data), chance.choice([1, 500, 1 << 20]))
        assert cuts[-1:] in ([], [whole])
        with contextlib.suppress(ValueError):
            stamp.renumber(exact(data), chance.getrandbits(63), chance.choice([None, 7]))


def read_all(message: Message) -> None:
    """Every field of a message or of a view, whose counts may point anywhere."""
    for one in message.FIELDS:
        try:
            getattr(message, one.name, None)
        except ProtocolError:
            continue
    message.frame()


def go_round(chance: random.Random) -> None:
    """The smallest log gone round many times, frames across its edge, whole and filtered."""
    world = World(log_bytes=2 * ring.PAGE, max_payload=900, producer_breaker=10**9)
    _, producer = world.connect()
    socks = [world.connect()[1] for _ in range(4)]
    for n, sock in enumerate(socks):
        kinds = (1 << 1 | 1 << 7) if n % 2 else 0
        world.send(sock, hello(1, on_lag=3, type_filter=kinds.to_bytes(32, "little")))
    for number in range(150):
        payload = bytes(chance.choice([0, 1, 33, 500, 899]))
        world.send(producer, frame(number, chance.choice([7, 8]), payload))
        sock = chance.choice(socks)
        sock.room = chance.choice([0, 1, 33, 700, 1 << 20])
        world.write(sock)
    world.accounted()
    kept = decisions.read(world.state)
    assert kept
    for number in range(decisions.CAPACITY):
        text = "x" * chance.randrange(300)
        decisions.note(world.state, number, name=text, text=text, last=2**64 - 1)
    assert len(decisions.read(world.state)) == decisions.CAPACITY


def read_in(chance: random.Random) -> None:
    """What comes through a socket in any pieces, frames that are completed outside the log too."""
    world = World(max_payload=14_000, producer_breaker=10**9)
    peer, sock = world.connect()
    world.send(sock, frame(0))
    reading = world.relay.connections[peer.number]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer.ingress.line = ours
        for number in range(1, 40):
            theirs.sendall(frame(number, 7, bytes(chance.choice([0, 100, 5000, 14_000]))))
            while reading.read(world.clock.now(), chance.choice([33, 700, 5000, 1 << 20])):
                pass
    assert world.state.end_position == 40
    world.accounted()


def market_payload(chance: random.Random, kind: int) -> bytes:
    """What may be in a message that snapshots are made of, its counts perhaps a lie."""
    pair = bytes([1, 0, 4, 0, chance.randrange(5)]) + bytes(7)
    if kind == 2:
        return pair + chance.randbytes(36)
    if kind == 3:
        levels, parts = chance.choice([0, 1, 5, 40]), chance.choice([1, 1, 2, 3])
        part = chance.randint(1, parts) if chance.random() < 0.9 else chance.randrange(5)
        numbers = struct.pack("<B3xQ4H", chance.choice([1, 2, 2, 3]), chance.randrange(3), part,
                              parts, levels, chance.choice([0, 0, 0, 9]))  # fmt: skip
        return pair + numbers + bytes(16 * levels)
    size = chance.choice([0, 3, 255])
    return pair + struct.pack("<BBH", 8, size, chance.choice([0, 0, 7, 65_535])) + bytes(size)


def tell_late(chance: random.Random) -> None:
    """State kept within bounds that are met, and snapshots of it read slowly, given up and cut."""
    snapshot.PIECE = chance.choice([1, 300, 5000])
    world = World(
        log_bytes=chance.choice([4, 64]) * ring.PAGE, producer_breaker=10**9,
        snapshot_instruments=chance.choice([3, 50]),
        snapshot_bytes=chance.choice([1200, 5000, 1 << 22]),
        circuit_breaker=chance.choice([50, 10**6]), max_queue_size=2 * 10**6,
    )  # fmt: skip
    _, producer = world.connect()
    socks = list[FakeSocket]()
    for number in range(300):
        kind = chance.choice([1, 2, 2, 3, 3, 3, 10, 11])
        world.send(producer, frame(number, kind, market_payload(chance, kind)))
        if producer.closed:
            _, producer = world.connect()
        if number % 25 == 0 and len(socks) < 10:
            _, sock = world.connect()
            sock.room = chance.choice([0, 100, 1 << 20])
            world.send(sock, hello(5, on_lag=chance.choice([1, 3])))
            socks.append(sock)
        if socks:
            sock = chance.choice(socks)
            sock.room = chance.choice([0, 1, 33, 700, 1 << 20])
            world.write(sock)
    for sock in socks:
        world.read(sock)
    world.accounted()


def read_journal(chance: random.Random) -> None:
    """Records and frames that lie, under right checksums or wrong ones, given in any part."""
    made = handmade.journal(handmade.commits(12, payload=chance.choice([0, 1, 33])), size=8192)
    disk = made.files[made.name].data
    for _ in range(chance.randrange(8)):
        at = made.size - handmade.RECORD * (1 + chance.randrange(12))
        field = at + chance.choice([0, 8, 32, 48, 50, 52, 54, 56, 58])
        disk[field : field + 2] = chance.choice([b"\0\0", b"\xff\xff", chance.randbytes(2)])
    for at in range(made.size - handmade.RECORD * 12, made.size, handmade.RECORD):
        good = crc.crc32(exact(bytes(disk[at : at + 76])), made.seed)
        disk[at + 76 : at + 80] = good.to_bytes(4, "little")
    number = chance.randrange(12)
    place = chance.choice([made.wrote[number].place] * 3 + [made.head, made.size, 2**64 - 2])
    low = chance.choice([min(place, made.size - 1), chance.randrange(made.size)])
    frames = exact(bytes(disk[low : chance.randrange(low + 1, made.size + 1)]))
    end = made.size - handmade.RECORD * number
    behind = exact(bytes(disk[chance.randrange(end) : end]))
    check = journal_check.Check(
        seed=made.seed, room=chance.choice([made.size, 0, 2**64 - 1]), number=number,
        position=chance.choice([number * 3, number * 3, 2**64 - 1]), place=place, chain=0,
        checksums=chance.random() < 0.5, chained=False,
    )  # fmt: skip
    check.run(frames, low, behind)
    if check.need or check.fault >= journal_check.BAD_FRAMES:
        check.step_over()
    check.search(behind)
    check.skim(behind)
    journal_check.learn_producers(behind, {})
    with contextlib.suppress(ValueError):
        journal_check.walk(frames, chance.choice([1, 3, 2**64 - 1]))


def main(seed: int) -> None:
    """See the module's docstring."""
    assert guarded(), "the sanitizer does not guard allocations"
    assert all(instrumented(module) for module in MODULES), "not built with the sanitizer"
    assert HEADER_SIZE == 32
    chance = random.Random(seed)
    for _ in range(STREAMS):
        scan_all(chance)
        check_all(chance)
        decode_all(chance)
        take_apart(chance)
        read_journal(chance)
    for _ in range(5):
        go_round(chance)
        read_in(chance)
    for _ in range(60):
        tell_late(chance)
    for number in range(4):
        schedule = Schedule(seed + number)
        for _ in range(200):
            schedule.step()
        schedule.settle()
    print("clean")


if __name__ == "__main__":
    main(int(sys.argv[1]))
