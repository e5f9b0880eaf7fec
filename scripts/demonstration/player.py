"""The player: parses a recording, and plays it into market_data.

A process of the demonstration. Each frame gets its sequence and the time it is sent when it is
sent. At a speed the gaps between receive times are kept, scaled; at `max` blocks go out as long as
the demonstration's own consumers are at most a window behind, by the positions they confirmed.
"""

from __future__ import annotations

import struct
import time
from bisect import bisect_right
from collections.abc import Sequence

from protocol._core.crc import seal_all
from protocol.catalogue import SourceType
from protocol.control import Role
from relays.adapters.adapter import Record
from relays.client import Link
from relays.core.accounting import reported_lag
from relays.domains import DOMAINS
from relays.edge.memory import open_state
from scripts.demonstration.recording import load
from scripts.demonstration.station import Station, main, producer_id

SECOND = 1_000_000_000
BLOCK = 2_048
SAY_EVERY = 0.1
PATIENCE = 30.0
LONGEST_SLEEP = 0.05
# Messages that the slowest consumer may be behind: far below the breakers (800,000 and 80,000).
WINDOWS = {"market_data": 32_768, "signals": 4_096, "execution": 4_096}
STAMP_AT = 12
STAMP = struct.Struct("<QQ")


class Tape:
    """Every frame of a recording, back to back in `frames`; frame n begins at `offsets[n]` and is
    due at `times[n]` ns after the first."""

    def __init__(self, records: Sequence[Record]) -> None:
        source = SourceType.BINANCE_COLLECTOR
        parts = [record.message.frame(source=source) for record in records]
        self.frames = memoryview(bytearray(b"".join(parts)))
        self.times = [record.received - records[0].received for record in records]
        self.offsets = [0]
        for part in parts:
            self.offsets.append(self.offsets[-1] + len(part))
        # A recording that begins again does so as long after its end as frames are apart.
        self.duration = self.times[-1] + self.times[-1] // len(records) + 1

    def __len__(self) -> int:
        return len(self.times)

    def block(self, first: int, last: int, sequence: int) -> memoryview:
        """Frames first..last-1 with sequences from `sequence` and the time now, sealed."""
        now = time.time_ns()
        for n in range(first, last):
            STAMP.pack_into(self.frames, self.offsets[n] + STAMP_AT, sequence + n - first, now)
        view = self.frames[self.offsets[first] : self.offsets[last]]
        seal_all(view)
        return view


class Pace:
    """Whether the demonstration's own consumers have confirmed enough to go on."""

    def __init__(self, runtime_dir: str, names: Sequence[str]) -> None:
        self.names = frozenset(names)
        self.states = {domain: open_state(domain, runtime_dir) for domain in DOMAINS}

    def held(self) -> bool:
        """Whether one of them is a window or more behind, on any relay."""
        return any(self.lag(domain) >= window for domain, window in WINDOWS.items())

    def lag(self, domain: str) -> int:
        """Messages that the slowest of them is behind."""
        state = self.states[domain]
        end = state.end_position
        rows = (row for row in state.read_connections() if row["name"] in self.names)
        return max((reported_lag(row, end) for row in rows), default=0)


class Player:
    """Plays a tape, again and again if it is shorter than `seconds` (0 = once)."""

    def __init__(self, station: Station, link: Link, tape: Tape) -> None:
        self.station, self.link, self.tape = station, link, tape
        self.seconds: float = station.settings["seconds"]
        self.sent = 0
        self._begun = time.monotonic()
        self._said = 0.0

    def send(self, until: int) -> None:
        """Send up to frame `until` of this round, a block at most."""
        first = self.sent % len(self.tape)
        last = min(until, first + BLOCK)
        self.link.send(self.tape.block(first, last, self.sent + 1))
        self.sent += last - first

    def over(self) -> bool:
        """Whether it is time to stop; meanwhile, progress is said and orders are taken."""
        elapsed = time.monotonic() - self._begun
        if elapsed - self._said >= SAY_EVERY:
            self._said = elapsed
            self.station.obey()
            self.link.read(0)
            self.station.say("playing", sent=self.sent, elapsed=elapsed, part=self._part(elapsed))
        if not self.seconds:
            return self.sent >= len(self.tape)
        return elapsed >= self.seconds

    def _part(self, elapsed: float) -> float:
        done = elapsed / self.seconds if self.seconds else self.sent / len(self.tape)
        return min(1.0, done)

    def play_at(self, speed: float) -> None:
        """In the recording's own rhythm, `speed` times as fast."""
        while not self.over():
            now = round((time.monotonic() - self._begun) * SECOND * speed)
            rounds, at = divmod(now, self.tape.duration)
            played, first = divmod(self.sent, len(self.tape))
            due = len(self.tape) if rounds > played else bisect_right(self.tape.times, at)
            if due > first:
                self.send(due)
                continue
            next_due = played * self.tape.duration + self.tape.times[first]
            time.sleep(min(LONGEST_SLEEP, max(0.0, (next_due - now) / speed / SECOND)))

    def play_paced(self, pace: Pace) -> None:
        """As fast as the demonstration's own consumers confirm."""
        while not self.over():
            if pace.held():
                self.link.read(0.001)
            else:
                self.send(len(self.tape))

    def settle(self) -> None:
        """Wait until the relay has answered for everything."""
        deadline = time.monotonic() + PATIENCE
        while self.link.acked < self.sent and time.monotonic() < deadline:
            self.link.read(0.1)


def run(station: Station) -> None:
    settings = station.settings
    records, skipped = load(settings["paths"])
    tape = Tape(records)
    station.say("ready", messages=len(tape), seconds=tape.duration / SECOND, skipped=skipped)
    while not station.going:
        station.obey(1000)
    identity = producer_id()
    with station.link("market_data", producer_id=identity, role=Role.PRODUCE) as link:
        player = Player(station, link, tape)
        if settings["speed"]:
            player.play_at(settings["speed"])
        else:
            player.play_paced(Pace(settings["runtime_dir"], settings["consumers"]))
        elapsed = time.monotonic() - player._begun
        player.settle()
        refused = [f"{error.code}: {error.text}" for error in link.errors]
        station.rest(sent=player.sent, acked=link.acked, elapsed=elapsed, refused=refused)


if __name__ == "__main__":
    main(run)
