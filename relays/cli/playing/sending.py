"""What publish and replay send through: frames in, and where each that was refused came from.

The seam between them and `relays.client`. Pacing, files and what is shown are not for here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from protocol._core import runs
from protocol.errors import ProtocolError
from protocol.header import LAYOUT, Header
from protocol.reject import label
from relays.client import ClientError
from relays.client.outcomes import Ended, HandedBack, RejectedError
from relays.client.producer import Producer

# How long a relay that is away may keep us waiting when no more can be kept for it.
PATIENCE = 30.0
UNKNOWN = "not acknowledged: the relay may have it or not"


class Origin(NamedTuple):
    """Where a message came from: which file, and its line or frame there."""

    file: int
    number: int


Origins = Sequence[tuple[Origin, int]]


@dataclass
class _Run:
    sequence: int
    file: int
    number: int
    count: int


class Sources:
    """Where the message of each sequence came from, kept in runs until they are answered for.

    >>> known = Sources()
    >>> known.add(5, Origin(0, 1), 2)
    >>> known.add(7, Origin(0, 9))
    >>> known.of(6), known.of(7), known.of(4)
    (Origin(file=0, number=2), Origin(file=0, number=9), None)
    >>> known.answered(6)
    >>> known.of(6)
    """

    def __init__(self) -> None:
        self._runs: deque[_Run] = deque()

    def add(self, sequence: int, origin: Origin, count: int = 1) -> None:
        """The next `count` sequences are of the messages from there on."""
        last = self._runs[-1] if self._runs else None
        if last is not None and last.file == origin.file:
            follows = last.number + last.count == origin.number
            if follows and last.sequence + last.count == sequence:
                last.count += count
                return
        self._runs.append(_Run(sequence, *origin, count))

    def of(self, sequence: int) -> Origin | None:
        """Where it came from, None where that is not known any more."""
        for run in reversed(self._runs):
            if 0 <= (at := sequence - run.sequence) < run.count:
                return Origin(run.file, run.number + at)
        return None

    def answered(self, sequence: int) -> None:
        """Nobody will ask about what is up to this sequence."""
        while self._runs and self._runs[0].sequence + self._runs[0].count <= sequence + 1:
            self._runs.popleft()


class Refusal(NamedTuple):
    """A message that did not get into the log, and why; `origin` None where it is not known."""

    origin: Origin | None
    reason: str


class Sender:
    """One producer on one relay. NotListening when there is no relay.

    What the relay does not take, and what cannot be sent at all, comes back from `refusals`, in
    any order; `sent` counts what went out and did not come back, `bytes` what that had.
    """

    def __init__(self, path: str, name: str) -> None:
        self._back: deque[HandedBack] = deque()
        self._refused: deque[Refusal] = deque()
        self._known = Sources()
        self.producer = Producer(
            path,
            name=name,
            send_timeout=PATIENCE,
            on_error=self._back.append,
            on_unknown=self._back.append,
        )
        self._taken = self._returned = self.bytes = 0

    @property
    def sent(self) -> int:
        """Messages that were sent and not handed back."""
        return self._taken - self._returned

    @property
    def waiting(self) -> str:
        """Why nothing is taken at the moment, empty when the relay is there."""
        return "" if self.producer.connected else "the relay has gone: waiting for it"

    def send(self, frames: bytes, origins: Origins, now: int | None) -> None:
        """Send whole frames, which came from there, each so many; those of no class or size that
        the relay takes are refused one by one. `now` is the time for their headers in ns, None
        leaves them. ClientError when the relay is gone for too long, or for good.
        """
        try:
            self._send(frames, origins, now)
        except ProtocolError:
            for origin, frame in zip(_each(origins), runs.frames(frames, 0), strict=True):
                try:
                    self._send(frame, [(origin, 1)], now)
                except ProtocolError as error:
                    self._refused.append(Refusal(origin, str(error)))

    def _send(self, frames: bytes | memoryview, origins: Origins, now: int | None) -> None:
        # Noted first: what is refused comes from another thread, perhaps before this one goes on.
        last = self.producer.last_sequence
        sequence = last + 1
        for origin, count in origins:
            self._known.add(sequence, origin, count)
            sequence += count
        try:
            self.producer.send_many(frames, timestamp=now)
        finally:
            # An interrupt can come when some of them are taken.
            taken = self.producer.last_sequence - last
            self._taken += taken
            if last + taken + 1 == sequence:
                self.bytes += len(frames)
            elif taken:
                self.bytes += _size(bytes(frames), taken)

    def refusals(self) -> Iterator[Refusal]:
        """What was refused since this was last asked."""
        while self._refused:
            yield self._refused.popleft()
        while self._back:
            back = self._back.popleft()
            reason = self._reason(back)
            # What the end of the producer leaves open comes as an UnknownOutcome too.
            frames = b"" if isinstance(back, Ended) else back.frames
            self.bytes -= len(frames)
            for header in _headers(frames):
                self._returned += 1
                yield Refusal(self._known.of(header.sequence), reason)

    def forget(self) -> None:
        """Refusals have been asked for: what is acknowledged will not come back."""
        if not self._back:
            self._known.answered(self.producer.acked)

    def flush(self, timeout: float) -> None:
        """Wait until everything is answered for; ClientError after `timeout` seconds."""
        self.producer.flush(timeout)

    def close(self) -> None:
        """End the connection; what is unanswered counts as refused."""
        with suppress(ClientError):
            self.producer.close(0)

    def _reason(self, back: HandedBack) -> str:
        return f"{label(back.reason)}: {back.text}" if isinstance(back, RejectedError) else UNKNOWN


def _headers(frames: bytes) -> Iterator[Header]:
    return map(Header._make, LAYOUT.iter_unpack(runs.headers(frames)))


def _size(frames: bytes, count: int) -> int:
    """The bytes of the first so many frames."""
    return sum(map(len, islice(runs.frames(frames, 0), count)))


def _each(origins: Origins) -> Iterator[Origin]:
    """The origin of every single message."""
    for (file, first), count in origins:
        yield from (Origin(file, number) for number in range(first, first + count))
