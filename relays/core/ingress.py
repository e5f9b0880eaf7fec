"""A producer's bytes in: carry, scan, commit (architecture.md, the path of a frame, 1-3).

Called by `relays.core.hub`, once per read. The kernel writes straight behind the log's end; the
scan closes over what is refused; what is left is at most one incomplete frame, the carry. Nothing
here runs once per frame, and nothing decides what a refusal means for the connection.
"""

from __future__ import annotations

from protocol._core.connection import Record
from protocol._core.scan import Rules, Tally, Track, scan
from protocol.header import HEADER_SIZE, Header
from relays.core.log import SMALL_CARRY, Log


class Ingress:
    """The reading half of one connection.

    Use: `room()` gives memory to read into, `received(n)` says how much came, then `step()` until
    it gives 0 with nothing left. `carry` holds an incomplete frame between reads.
    """

    def __init__(self, log: Log, record: Record, rules: Rules) -> None:
        self.log, self.record, self.rules = log, record, rules
        self.track = Track()
        self.producer = -1
        self.carry = bytearray()
        self.large: bytearray | None = None
        self.filled = 0
        self.incomplete_since = 0
        self._base = self._src = self._dst = self._have = self._new = 0

    @property
    def wants(self) -> int:
        """Bytes of room behind the log's end that the next read and its carry may fill."""
        if self.large is not None:
            return len(self.large)
        return self.log.read_size + len(self.carry)

    @property
    def held(self) -> int:
        """Bytes of an incomplete frame kept between reads."""
        return len(self.carry) if self.large is None else self.filled

    @property
    def unscanned(self) -> int:
        """Bytes of the last read that no scan has decided yet."""
        return self._have - self._src

    def shift(self, by: int) -> None:
        """The clock was set by `by` ns."""
        if self.incomplete_since:
            self.incomplete_since += by

    def room(self) -> memoryview:
        """Where the next read goes. A large frame is completed outside the log, byte for byte."""
        if self.large is not None:
            return memoryview(self.large)[self.filled :]
        at = len(self.carry)
        view = self.log.after_end(at + self.log.read_size)
        view[:at] = self.carry
        return view[at:]

    def received(self, size: int) -> bool:
        """`size` bytes were read into `room()`. False while a large frame is still incomplete."""
        self._new = size
        self._base = self.log.state.end_offset
        self._src = self._dst = 0
        if self.large is None:
            self._have = len(self.carry) + size
            self.carry = bytearray()
            return True
        self.filled += size
        if self.filled < len(self.large):
            return False
        self._have = self.filled
        self.log.after_end(self._have)[:] = self.large
        self.large = None
        return True

    def count_unfinished(self, tally: Tally, now: int) -> None:
        """Bytes of a large frame came, nothing to scan: only the count moves."""
        scan(self.log.view, 0, 0, 0, self.rules, self.track, tally, 0)
        self._commit(tally, self._base, self.held, 0, now)

    def step(self, tally: Tally, limit: int, now: int) -> int:
        """Scan on, accept at most `limit` frames, commit. Gives what the scan stopped at."""
        begin = self._base % self.log.size
        view = self.log.view[begin : begin + self._have]
        stop = scan(view, self._dst, self._src, self._have, self.rules, self.track, tally, limit)
        self._src, self._dst = tally.src, tally.dst
        self._commit(tally, self._base, self._have - self._src, 0, now)
        return stop

    def _commit(self, tally: Tally, base: int, unfinished: int, lost: int, now: int) -> None:
        self.log.state.commit(
            tally, self.track, self.record.slot, self.producer, base, self._new, unfinished, lost,
            now,
        )  # fmt: skip
        self._new = 0

    def control_frame(self, size: int) -> bytes:
        """The control frame of `size` bytes that the last step stopped behind."""
        begin = (self._base + self._src - size) % self.log.size
        return bytes(self.log.view[begin : begin + size])

    def next_frame(self) -> bytes:
        """The whole frame that the last step stopped before."""
        begin = (self._base + self._src) % self.log.size
        size = HEADER_SIZE + Header.unpack(self.log.view, begin).payload_size
        return bytes(self.log.view[begin : begin + size])

    def begun_frame(self) -> bytes:
        """What is held of the incomplete frame, its first bytes if it is large."""
        return bytes(self.carry if self.large is None else self.large[:SMALL_CARRY])

    def put_aside(self, tally: Tally, now: int) -> None:
        """What is not scanned becomes the carry; the log's end is free for somebody else's read."""
        begin = (self._base + self._src) % self.log.size
        self.carry = bytearray(self.log.view[begin : begin + self._have - self._src])
        if self._src or not self.incomplete_since:
            self.incomplete_since = now
        self._have = self._src = self._dst = 0
        if not self.carry:
            self.incomplete_since = 0
        elif tally.need and len(self.carry) >= SMALL_CARRY:
            self._grow(tally.need)

    def _grow(self, missing: int) -> None:
        self.filled = len(self.carry)
        self.large = self.carry + bytes(missing)

    def restore(self, held: bytes, missing: int, now: int) -> None:
        """Go on behind `held` bytes of an incomplete frame; of a large one `missing` more come."""
        self.carry = bytearray(held)
        self.incomplete_since = now if held else 0
        if missing:
            self._grow(missing)

    def discard(self, tally: Tally, now: int) -> None:
        """After a fatal reject nothing more of this connection is looked at."""
        lost = self._have - self._src if self._have else self.held
        scan(self.log.view, 0, 0, 0, self.rules, self.track, tally, 0)
        self._commit(tally, self.log.state.end_offset, 0, lost, now)
        self.carry, self.large = bytearray(), None
        self._have = self._src = self._dst = 0
