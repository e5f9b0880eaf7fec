"""What one connection wrote, and what a relay must make of it, frame by frame (SPEC.md, Reject
codes; relays.md 3 and 4).

Each frame is judged when it is known that the relay has got that far: by a frame in the order, an
Ack, an Error, or the end. What the relay accepted must be what comes next here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from protocol.control import Hello
from protocol.reject import Reject
from tests.simulator.checker.facts import (
    COMPRESSED,
    CONFIG_UPDATE,
    HEADER,
    HEADER_SIZE,
    HEARTBEAT,
    HELLO,
    MAGIC,
    PRODUCE,
    Facts,
    is_control,
    is_sealed,
    must,
    sequence_of,
)

VERSIONS, WINDOW = 8, 1024
NEW, PRODUCER, SESSION = range(3)
CONSUMED = (Reject.WRONG_DOMAIN, Reject.SOURCE_NOT_ALLOWED)
HELD_AGAINST = set(Reject) - {Reject.SEQUENCE_GAP, Reject.SEQUENCE_DUPLICATE}


class Writing:
    """The bytes of one connection to the relay, in order."""

    def __init__(self, facts: Facts, who: str, uid: int) -> None:
        self.facts, self.who, self.uid = facts, who, uid
        self.rest = bytearray()
        self.frames: list[bytes] = []
        self.at = 0
        self.framing: Reject | None = None
        self.since = 0
        self.was_late = False
        self.phase = NEW
        self.hello: Hello | None = None
        self.said_control = self.beat = False
        self.ended: Reject | None = None
        self.last, self.known = 0, False
        self.lasts = [0]
        self.consumed: list[int] = []
        self.guessed = False  # what the relay knew of it, for its Welcome did not come in time
        self.whole = self.hello_end = 0
        self.order = 0  # of its Hello among all that the relay read
        self.begun = False
        self.unanswered = True  # its Hello cannot have been looked at
        self.over = False
        self.window: dict[int, bytes] = {}
        self.rejects: Counter[Reject] = Counter()
        self.expected: list[int] = []
        self.accepted = self.answered = 0

    @property
    def identified(self) -> bool:
        return self.hello is not None and bool(self.hello.producer_id) and self.produces

    @property
    def produces(self) -> bool:
        return self.hello is not None and bool(self.hello.role & PRODUCE)

    @property
    def strict(self) -> bool:
        return self.facts.config.require_sequence

    # --- bytes to frames ---

    def feed(self, data: bytes, now: int) -> Iterator[bytes]:
        """The peer wrote these bytes; gives the domain frames that are whole with them."""
        timeout = round(self.facts.config.frame_timeout * 1e9)
        self.was_late = self.was_late or bool(self.rest and now - self.since >= timeout)
        if not self.rest:
            self.since = now
        self.rest += data
        at = 0
        while self.framing is None and len(self.rest) - at >= HEADER_SIZE:
            self.framing = self._framing(at)
            size = HEADER_SIZE + int.from_bytes(self.rest[at + 8 : at + 12], "little")
            if self.framing is not None or len(self.rest) - at < size:
                break
            frame = bytes(self.rest[at : at + size])
            at += size
            self.whole += size
            self._found(frame)
            if not is_control(frame):
                yield frame
        del self.rest[:at]
        self.since = now if at else self.since

    def _found(self, frame: bytes) -> None:
        self.frames.append(frame)
        if is_control(frame):
            self.said_control = True
            self.beat = self.beat or frame[4] == HEARTBEAT
            if frame[4] == HELLO and self.hello is None and is_sealed(frame):
                self.hello, self.hello_end = Hello.decode(frame), self.whole

    def _framing(self, at: int) -> Reject | None:
        magic, kind, version, _, flags, size, *_ = HEADER.unpack_from(self.rest, at)
        if magic != MAGIC:
            return Reject.BAD_MAGIC
        if size > self.facts.config.max_payload:
            return Reject.PAYLOAD_TOO_LARGE
        if flags & COMPRESSED or version >= VERSIONS:
            return None
        payload, exact = self.facts.sizes.get((kind, version), (0, False))
        fits = size == payload if exact else size >= payload
        return None if fits else Reject.BAD_SIZE

    # --- frames to verdicts ---

    def begin(self, last: int, window: dict[int, bytes]) -> None:
        """The relay knew this sequence of the producer when it said Welcome; 0 = none. `window` has
        the producer's last frames by sequence % 1024."""
        self.last, self.known, self.lasts, self.window = last, last > 0, [last], window
        self.begun = True

    def accept(self, frame: bytes, position: int) -> None:
        """The relay gave this frame a position: it must be the next that may be accepted."""
        due = self.next()
        if due is None:
            text = f"nothing more of it could be accepted (ended by {self.ended!r})"
            must(False, f"position {position} is frame {sequence_of(frame)} of {self.who}: {text}")
        if due != frame:
            must(
                False,
                f"position {position} is frame {sequence_of(frame)} of {self.who}, whose frame "
                f"{sequence_of(due or b'')} was due",
            )
        self.at += 1
        self.accepted += 1
        self.answered += 1
        self._consume(frame)
        self.lasts = [self.last]

    def next(self) -> bytes | None:
        """The next frame that would be accepted, after all that is refused before it."""
        while self.at < len(self.frames) and self.ended is None:
            frame = self.frames[self.at]
            if is_control(frame):
                self._control(frame)
            else:
                code = self._verdict(frame)
                if code is None:
                    return frame
                if self.ended is None:
                    self._refuse(code, frame)
            self.at += 1
        if self.ended is None and self.at == len(self.frames):
            self.ended = self.framing
        return None

    def refused_up_to(self, last: int) -> bool:
        """Whether `last` is the sequence spent by what is accepted so far and refused next."""
        if last <= self.last:
            return True
        self.next()
        return last in self.lasts

    def _control(self, frame: bytes) -> None:
        if not is_sealed(frame):
            self._refuse(Reject.BAD_CHECKSUM, frame)
        elif frame[4] == HELLO and self.phase == NEW:
            self.phase = SESSION
        elif not (self.phase == SESSION and frame[4] in (HEARTBEAT, CONFIG_UPDATE)):
            self.ended = Reject.BAD_HELLO

    def _verdict(self, frame: bytes) -> Reject | None:
        if self.phase == NEW:
            self.phase = PRODUCER
        if self.phase == SESSION and not self.produces:
            self.ended = Reject.NOT_A_PRODUCER
            return self.ended
        if self.facts.config.validate_checksums and not is_sealed(frame):
            return Reject.BAD_CHECKSUM
        code = self._order(frame)
        if code is not None:
            return code
        return None if frame[4] in self.facts.domain.types else Reject.WRONG_DOMAIN

    def _order(self, frame: bytes) -> Reject | None:
        sequence = sequence_of(frame)
        if not self.known or sequence == self.last + 1:
            return None
        if sequence > self.last:
            return Reject.SEQUENCE_GAP if self.strict else None
        if not self.identified:
            return Reject.SEQUENCE_DUPLICATE if self.strict else None
        kept = self.window.get(sequence % WINDOW) if self.strict else None
        if kept and sequence_of(kept) == sequence and kept != frame:
            return Reject.SEQUENCE_CONFLICT
        return Reject.SEQUENCE_DUPLICATE

    def _refuse(self, code: Reject, frame: bytes) -> None:
        self.rejects[code] += 1
        self.answered += code == Reject.SEQUENCE_DUPLICATE
        if code == Reject.SEQUENCE_GAP and self.last + 1 not in self.expected[-1:]:
            self.expected.append(self.last + 1)
        if code in CONSUMED:
            self._consume(frame)
            self.lasts.append(self.last)
            self.answered += 1
        if code == Reject.SEQUENCE_CONFLICT or (self.phase == PRODUCER and self.strict):
            self.ended = code

    def _consume(self, frame: bytes) -> None:
        sequence = sequence_of(frame)
        if self.known and sequence <= self.last:
            return
        self.known, self.last = True, sequence
        self.consumed.append(sequence)
        if self.strict:
            self.window[sequence % WINDOW] = frame

    @property
    def held_against(self) -> int:
        """Refusals that count against its producer, that of what lost its framing too."""
        lost = self.framing is not None and self.ended == self.framing
        return lost + sum(n for code, n in self.rejects.items() if code in HELD_AGAINST)
