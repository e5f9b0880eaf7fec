"""What a producer says and hears on its connections: the core of both fronts. No I/O, no clock.

Called by `relays.client.producer` and `relays.client.aio.producer`, which own the socket, hand in
the time (seconds, monotonic) and do what `phase` says. Sockets, threads and waiting are not for
here; the bytes that are kept are `relays.client.window`'s. (relays.md 3, 4)

    OFFLINE --connected()--> GREETING --Welcome--> OPEN
       ^                        |                   |
       +--------lost()----------+-------------------+--FENCED, access denied--> OVER
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from enum import Enum

from protocol.catalogue import CONTROL, SourceType, type_name
from protocol.control import Ack, Error, Heartbeat, Hello, Role, Welcome, hello_tlvs
from protocol.errors import FieldError, ProtocolError, SchemaError
from protocol.header import COMPRESSED, HEADER_SIZE, Header
from protocol.message import Message, Unknown, decode, sizes
from protocol.reject import CONSUMED, Reject, label
from relays.client.dial import Backoff
from relays.client.outcomes import (
    Ended,
    FencedError,
    HandedBack,
    RejectedError,
    UnknownOutcome,
    counted,
)
from relays.client.refusal import refused, sequences
from relays.client.window import Window
from relays.domains import DOMAINS, Domain

WRITE_BYTES = 256 << 10
EXECUTION_MAX_AGE = 1.0
# Ages are known to this part of max_age, and never taken for less than they are.
AGE_STEPS = 20
SEQUENCES = 2**64
SOME_DAY = float("inf")

# The relay took this producer for good, or cannot have it: another try would end the same way.
FINAL = {
    Reject.BAD_MAGIC, Reject.NOT_A_PRODUCER, Reject.BAD_HELLO, Reject.ACCESS_DENIED,
    Reject.FENCED, Reject.SEQUENCE_CONFLICT,
}  # fmt: skip
# Said of a frame as it is: it would be refused again. The others are about when it came.
REFUSED = CONSUMED | {Reject.BAD_CHECKSUM, Reject.PAYLOAD_TOO_LARGE, Reject.BAD_SIZE}
AGAIN = {Reject.SEQUENCE_GAP, Reject.NOT_ACCEPTING}


class Phase(Enum):
    """How far the connection is: see the module."""

    OFFLINE = "offline"
    GREETING = "greeting"
    OPEN = "open"
    OVER = "over"


class Producing:
    """Messages in, frames out, acknowledged or handed back in `outcomes`.

    The front connects when `retry_at` is over, says `connected`, writes what `due` gives and tells
    how much with `sent`, hands what it reads to `received`, says `lost` at the end, and `tick` at
    `deadline`. When `phase` is OFFLINE or OVER afterwards, it closes the socket it has.

    >>> core = Producing(producer_id=7)
    >>> core.connected(now=0.0)
    >>> len(core.due(now=0.0)), core.phase.name
    (96, 'GREETING')
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        producer_id: int | None = None,
        source: int = SourceType.EXTERNAL,
        linger: float = 0.0,
        batch_bytes: int = 65536,
        window_bytes: int = 16 << 20,
        max_age: float | None = None,
        reconnect: bool = True,
        backoff: Backoff | None = None,
        patience: float = 5.0,
    ) -> None:
        self.producer_id = producer_id or 1 + secrets.randbelow(SEQUENCES - 1)
        self.source, self.linger, self.batch_bytes = source, linger, batch_bytes
        self.window_bytes, self.max_age, self.reconnect = window_bytes, max_age, reconnect
        self.window = Window(max(1, min(batch_bytes, window_bytes // 8)), SOME_DAY)
        self.phase = Phase.OFFLINE
        self.acked = 0
        self.hurry = False
        self.since = 0.0  # when the first byte came that is not sent yet
        self.look_again = SOME_DAY  # how long after a message came `deadline` is, at the least
        self.retry_at = 0.0
        self.why = "not connected yet"
        self.over: HandedBack | None = None
        self.outcomes: deque[HandedBack] = deque()
        self.welcome: Welcome | None = None
        self.domain: Domain | None = None
        self.connections = 0
        self._backoff, self._patience = backoff or Backoff(), patience
        self._done = 0  # everything up to this sequence is acknowledged or handed back
        self._refused: set[int] = set()  # and these, which the relay has not passed over yet
        self._inbox = bytearray()
        self._greet_by = 0.0
        self._fit: set[type[Message | Unknown]] = set()
        hello = Hello(Role.PRODUCE, producer_id=self.producer_id, tlvs=hello_tlvs(name))
        self._hello = hello.frame(source=SourceType.EXTERNAL)
        self._greeting = b""

    # --- what the program does ---

    @property
    def unacked(self) -> int:
        """Messages neither acknowledged nor handed back."""
        return self.window.next - 1 - self._done - len(self._refused)

    @property
    def full(self) -> bool:
        """Whether what is kept has reached `window_bytes`."""
        return len(self.window.frames) >= self.window_bytes

    def put(self, message: Message | Unknown, now: float, timestamp: int, flags: int) -> int:
        """Take a message; gives its sequence. FieldError or SchemaError for one that the relay
        would refuse, TypeError for what is none: nothing is taken then."""
        window = self.window
        sequence = window.next
        try:
            frame = message.frame(sequence, timestamp, self.source, flags)
        except AttributeError:
            if hasattr(message, "frame"):
                raise
            what = f"{type(message).__module__}.{type(message).__qualname__}"
            raise TypeError(f"a message (a Trade, a Fill ...) is expected, {what} came") from None
        if type(message) not in self._fit:
            self._admit(message, frame)
        # Window.put, written out: this is for each message, and a call costs as much as it does.
        if len(window.frames) >= window.full or now >= window.until:
            window.open(now)
        window.frames += frame
        window.next = sequence + 1
        if not self.since:
            self.since = now
        return sequence

    def put_frames(self, frames: bytes | bytearray, count: int, now: float) -> None:
        """Take sealed frames, checked before, whose sequences begin at `window.next`."""
        self.window.put(frames, now, count)
        self.since = self.since or now

    def _admit(self, message: Message | Unknown, frame: bytes) -> None:
        header = Header.unpack(frame)
        self.check(header.message_type, header.version, header.flags, header.payload_size)
        if isinstance(message, Message) and message.EXACT:
            self._fit.add(type(message))

    def check(self, kind: int, version: int, flags: int, size: int) -> None:
        """FieldError or SchemaError when the relay would refuse a frame with this header."""
        if self.domain and kind not in self.domain.types:
            types = self.domain.types
            expected = f"{types[0]} to {types[-1]}, what {self.domain.name} takes"
            raise FieldError("message_type", expected=expected, got=f"{kind} ({type_name(kind)})")
        most = self.welcome.max_payload if self.welcome else 0
        if most and size > most:
            raise FieldError("payload_size", expected=f"at most {most} bytes", got=size)
        if flags & COMPRESSED:
            return
        least, exact = sizes().get((kind, version), (0, False))
        if size < least or (exact and size != least):
            what = f"payload of {type_name(kind)} version {version}"
            expected = f"{'' if exact else 'at least '}{least} bytes"
            raise SchemaError(what, expected=expected, got=size)

    # --- what the front does ---

    def connected(self, now: float) -> None:
        """A connection is made: its Hello is due, and Welcome within `patience` seconds."""
        self.phase = Phase.GREETING
        self.connections += 1
        self._inbox.clear()  # of the connection before: what was read as it was given up
        self._greeting, self._greet_by = self._hello, now + self._patience

    def due(self, now: float) -> memoryview:
        """What to write now; empty when nothing is. Release it before anything else is done."""
        if self._greeting:
            return memoryview(self._greeting)
        window, unsent = self.window, self.window.unsent
        late = now >= self.since + self.linger or self.hurry or unsent >= self.batch_bytes
        if self.phase is not Phase.OPEN or not unsent or not late:
            return memoryview(b"")
        return memoryview(window.frames)[window.cursor : window.cursor + WRITE_BYTES]

    def sent(self, size: int) -> None:
        """The kernel took so many bytes of what was due."""
        if self._greeting:
            self._greeting = self._greeting[size:]
            return
        self.window.cursor += size
        if not self.window.unsent:
            self.since, self.hurry = 0.0, False

    def received(self, data: bytes, now: float) -> None:
        """Bytes came from the relay."""
        self._inbox += data
        try:
            self._read(now)
        except ProtocolError as error:
            self._end(Ended(f"what came is not what a relay says: {error}"))

    def lost(self, now: float, why: str, *, wait: bool = True) -> None:
        """The connection is over, or could not be made; `wait`: the next try comes after a while.

        What was sent and not acknowledged is decided by the next Welcome.
        """
        if self.phase is Phase.OVER:
            return
        self.why, self.phase = why, Phase.OFFLINE
        self.window.cursor = 0
        self._inbox.clear()
        self._greeting = b""
        self.retry_at = now + self._backoff.next() if wait else now
        if not self.reconnect:
            self._end(Ended(why))

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self.phase is Phase.GREETING and now >= self._greet_by:
            self.lost(now, f"no Welcome within {self._patience:g} s")
        self._expire(now)

    def deadline(self, *, blocked: bool = False) -> float | None:
        """When to look again if nothing happens: `tick`, a new connection, or, unless the socket is
        `blocked`, `due`."""
        times = []
        if self.phase is Phase.OFFLINE:
            times.append(self.retry_at)
        elif self.phase is Phase.GREETING:
            times.append(self._greet_by)
        elif self.linger and self.window.unsent and not blocked:
            times.append(self.since + self.linger)
        if self.max_age and self.window.oldest is not None:
            times.append(self.window.oldest + self.max_age)
        return min(times, default=None)

    def give_up(self, why: str) -> None:
        """The program closes: what is not acknowledged comes back as an UnknownOutcome."""
        frames = self._unanswered()
        self.phase = Phase.OVER
        if frames:
            text = f"{counted(self.unacked)} not acknowledged: {why}"
            self.outcomes.append(UnknownOutcome(text, frames))
        self._forget()

    def broken(self, why: str) -> None:
        """Its front cannot go on: the producer is over, with what is not acknowledged."""
        self._end(Ended(f"the producer cannot go on: {why}"))

    # --- what the relay says ---

    def _read(self, now: float) -> None:
        while len(self._inbox) >= HEADER_SIZE:
            header = Header.unpack(self._inbox)
            size = HEADER_SIZE + header.payload_size
            if len(self._inbox) < size:
                return
            frame = bytes(self._inbox[:size])
            del self._inbox[:size]
            if header.message_type in CONTROL:
                self._hear(header.source, decode(frame), now)

    def _hear(self, source: int, message: Message | Unknown, now: float) -> None:
        match message:
            case Welcome() if self.phase is Phase.GREETING:
                self._welcomed(source, message, now)
            case Ack() if self.phase is Phase.OPEN:
                self._backoff.reset()
                self._acknowledged(message.sequence)
            case Error():
                self._refusal(message, now)
            case Heartbeat():
                self._backoff.reset()

    def _acknowledged(self, sequence: int) -> None:
        if not self.acked < sequence < self.window.next:
            return
        self.acked, self._done = sequence, max(self._done, sequence)
        self.window.through(sequence, exact=False)
        if self._refused:
            self._refused = {one for one in self._refused if one > sequence}

    def _welcomed(self, source: int, welcome: Welcome, now: float) -> None:
        first, self.welcome = self.welcome is None, welcome
        self._fit.clear()
        self.domain = next((one for one in DOMAINS.values() if one.source == source), None)
        if first:
            self._begin(welcome.last_sequence)
        elif welcome.last_sequence >= self.window.next:
            text = f"another producer {self.producer_id} was here: {welcome.last_sequence} was sent"
            self._end(FencedError(text))
            return
        self._acknowledged(welcome.last_sequence)
        self.window.through(self._done)
        self._expire(now)
        self._renumber(welcome.last_sequence)
        self.phase, self.hurry = Phase.OPEN, self.window.unsent > 0

    def _begin(self, last: int) -> None:
        """The first connection: where this producer's sequence stands, and what its domain asks."""
        self.window.next, self.acked, self._done = last + 1, last, last
        if self.max_age is None and self.domain is not None and self.domain.name == "execution":
            self.max_age = EXECUTION_MAX_AGE
        if self.max_age:
            self.window.span = self.max_age / AGE_STEPS
        self.look_again = min(self.linger or SOME_DAY, self.max_age or SOME_DAY)

    def _renumber(self, last: int) -> None:
        """Close the holes that handed back frames have left. What is kept now is above `last`, so
        this relay has none of it, and its numbers are free."""
        window, gone = self.window, sorted(self._refused, reverse=True)
        for sequence in gone:
            window.without(sequence)
        self._refused.clear()
        first = last + 1 if last else window.first
        if gone or window.first != first:
            window.number(first)
        self._done, self.acked = first - 1, min(self.acked, first - 1)

    def _expire(self, now: float) -> None:
        """What is older than max_age goes back to the caller, and out no more."""
        last = self.window.older(now - self.max_age) if self.max_age else 0
        if not last:
            return
        unsent = self.window.cursor < self.window.place(last + 1)
        frames, count = self._unanswered(last), self.unacked
        self.window.through(last)
        self._done = max(self._done, last)
        self._refused = {one for one in self._refused if one > last}
        if frames:
            text = f"{counted(count - self.unacked)} not acknowledged in {self.max_age:g} s"
            self.outcomes.append(UnknownOutcome(f"{text}: {self._state()}", frames))
        if unsent and self.phase is Phase.OPEN:
            # Their numbers must be used again: only a Welcome says from where on.
            self.lost(now, "messages that were not sent in time were taken back", wait=False)

    def _state(self) -> str:
        return "the relay does not answer" if self.phase is Phase.OPEN else self.why

    def _refusal(self, error: Error, now: float) -> None:
        text = f"{label(error.code)}: {error.text}"
        if error.code in AGAIN:
            self.lost(now, text)
        elif error.code in REFUSED:
            self._hand_back(error)
        if error.code in FINAL:
            self._end(_ending(error, text))
        elif error.fatal:
            self.lost(now, text)

    def _hand_back(self, error: Error) -> None:
        """The frames an Error names: only the first, or, of those that are consumed, also the ones
        up to the last that are refused for the same reason. Of which that is not certain come back
        as unknown: the next Ack is for all of them."""
        first = error.sequence
        if error.code in CONSUMED:
            # Those of them that have come back already are not refused a second time.
            asked = self._unanswered(max(first, error.expected), first)
            frames, perhaps = refused(asked, error, self.domain)
            self._refused.update(sequences(frames), sequences(perhaps))
        elif not self._done < first < self.window.next or first in self._refused:
            return
        else:
            frames, perhaps = self.window.take(first, first), b""
            self._refused.add(first)
        if frames:
            self.outcomes.append(RejectedError(first, error.code, error.text, frames))
        if perhaps:
            text = f"some of these were refused, which of them is not known: {error.text}"
            self.outcomes.append(UnknownOutcome(text, perhaps))

    # --- the end ---

    def _unanswered(self, last: int = SEQUENCES, first: int = 0) -> bytes:
        """The frames from `first` to `last` that are neither acknowledged nor handed back."""
        first, last = max(first, self._done + 1), min(last, self.window.next - 1)
        if not self._refused:
            return self.window.take(first, last) if first <= last else b""
        kept = range(first, last + 1)
        return b"".join(self.window.take(n, n) for n in kept if n not in self._refused)

    def _end(self, error: HandedBack) -> None:
        if self.phase is Phase.OVER:
            return
        error.frames = self._unanswered()
        self.phase, self.over, self.why = Phase.OVER, error, str(error)
        self._forget()

    def _forget(self) -> None:
        self.window.through(self.window.next - 1)
        self._done = self.window.next - 1
        self._refused.clear()


def _ending(error: Error, text: str) -> HandedBack:
    if error.code != Reject.FENCED:
        return Ended(text)
    pid = re.search(r"\bpid (\d+)", error.text)
    return FencedError(text, pid=int(pid[1]) if pid else None)
