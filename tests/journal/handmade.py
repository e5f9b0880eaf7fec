"""A journal written in plain Python: what the tests of reading one read, and are held against.

Written from the tables in relays/core/journal/README.md, with zlib's CRC-32 and without anything of
the relay's own code, so that the two can differ. `Disk` is a segment file in memory.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PAGE = 4096
HEADER = 32
MAGIC = 0xDEADBEEF
RECORD = 80
NONE: tuple[int, ...] = ()


class Disk:
    """The bytes of one file, as the relay's readers want them."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = bytearray(data)

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self.data[offset : offset + size])

    def read_into(self, offset: int, buffer: memoryview) -> int:
        found = self.read(offset, len(buffer))
        buffer[: len(found)] = found
        return len(found)


def frame(
    sequence: int, payload: int = 32, message_type: int = 1, fill: int | None = None
) -> bytes:
    """A frame of `payload` bytes with a right checksum."""
    body = bytes(sequence * 31 + n & 255 for n in range(payload))
    head = struct.pack("<IBBBBIQQ", MAGIC, message_type, 1, 1, 0, payload, sequence, sequence * 7)
    return head + struct.pack("<I", zlib.crc32(body, zlib.crc32(head))) + body


@dataclass
class Sent:
    """One commit: frames of one producer, and what is recorded of it."""

    frames: list[bytes]
    producer_id: int = 0
    last_sequence: int = 0
    receive_ns: int = 0
    synced: int = 0
    connection: int = 1
    uid: int = 1000
    pid: int = 77

    @property
    def data(self) -> bytes:
        return b"".join(self.frames)


@dataclass
class Wrote:
    """Where a commit has got to: all that an oracle needs."""

    sent: Sent
    file: str
    number: int
    first: int
    place: int
    chain: int

    @property
    def end(self) -> int:
        return self.first + len(self.sent.frames)


@dataclass
class Journal:
    """Segments of `size` bytes, filled with commits in order."""

    size: int = 64 * 1024
    log_id: int = 7
    log_begin: int = 0
    position: int = 0
    offset: int = 0
    chain: int = 0
    synced: int = 0
    files: dict[str, Disk] = field(default_factory=dict)
    wrote: list[Wrote] = field(default_factory=list)
    producers: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    name: str = ""

    def begin(self, created_ns: int = 0) -> str:
        """A new segment at the journal's end."""
        rows = [(uid, who, *kept) for (uid, who), kept in self.producers.items()]
        table = b"".join(struct.pack("<QQQQ", *row) for row in rows)
        self.head = PAGE + -(-len(table) // PAGE) * PAGE
        fields = struct.pack(
            "<8sIIQQQQQQQIII8x", b"ALPSEGMT", 1, self.head, self.size, self.log_id, self.log_begin,
            self.position, self.offset, created_ns, self.synced, self.chain, len(rows),
            zlib.crc32(table),
        )  # fmt: skip
        self.seed = zlib.crc32(fields)
        page = (fields + struct.pack("<I", self.seed)).ljust(PAGE, b"\0")
        self.name = f"{self.position:020d}.segment"
        self.files[self.name] = Disk((page + table).ljust(self.size, b"\0"))
        self.number, self.place = 0, self.head
        return self.name

    def commit(self, sent: Sent) -> Wrote:
        """Write one commit, in a new segment if it does not fit."""
        if not self.name or self.place + len(sent.data) > self.size - RECORD * (self.number + 1):
            self.begin(sent.receive_ns)
        data, disk = sent.data, self.files[self.name].data
        wrote = Wrote(sent, self.name, self.number, self.position, self.place, 0)
        self.chain = wrote.chain = zlib.crc32(data, self.chain)
        disk[self.place : self.place + len(data)] = data
        where = self.size - RECORD * (self.number + 1)
        disk[where : where + RECORD] = self.record(wrote)
        self.wrote.append(wrote)
        self.number, self.place = self.number + 1, self.place + len(data)
        self.position, self.offset = wrote.end, self.offset + len(data)
        if sent.producer_id:
            self.producers[sent.uid, sent.producer_id] = (sent.last_sequence, sent.receive_ns)
        return wrote

    def record(self, wrote: Wrote) -> bytes:
        """The record of a commit."""
        sent = wrote.sent
        raw = struct.pack(
            "<QQQQQQIIIIIII", wrote.first, sent.producer_id, sent.last_sequence, sent.receive_ns,
            sent.synced, sent.connection, wrote.place, len(sent.frames), len(sent.data), sent.uid,
            sent.pid, zlib.crc32(sent.data), wrote.chain,
        )  # fmt: skip
        return raw + struct.pack("<I", zlib.crc32(raw, self.seed))


def commits(count: int, frames: int = 3, payload: int = 32, lag: int = 2) -> list[Sent]:
    """Commits of three producers; each says that what came `lag` commits before is synced."""
    made = []
    for n in range(count):
        made.append(
            Sent(
                [frame(n * frames + k, payload) for k in range(frames)],
                producer_id=n % 3,
                last_sequence=n * frames + frames - 1,
                receive_ns=1_000 * (n + 1),
                synced=max(n - lag, 0) * frames,
                connection=n % 3 + 1,
                uid=1000 + n % 2,
            )
        )
    return made


def journal(sent: Sequence[Sent], size: int = 64 * 1024) -> Journal:
    """A journal with these commits."""
    made = Journal(size=size)
    for each in sent:
        made.commit(each)
    return made


def copied(files: Mapping[str, Disk]) -> dict[str, Disk]:
    """The same files, to be damaged."""
    return {name: Disk(each.data) for name, each in files.items()}
