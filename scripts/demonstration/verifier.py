"""A verifier: reads everything one relay delivers and believes nothing.

A process of the demonstration, one for each relay. Checked are every checksum, every source's
sequence (from 1, each one more), every position against what the relay says, and the count.
"""

from __future__ import annotations

from collections import Counter

from protocol.checksum import frame_checksum
from protocol.control import Gap, Heartbeat
from protocol.header import HEADER_SIZE, LAYOUT
from protocol.message import Message, Unknown
from relays.client import Batch, Link
from scripts.demonstration.station import Station, main

SHOWN = 5


class Verifier:
    """What was read, and what was wrong with it: `count`, `size` in bytes, `faults`, in words."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.count = self.size = self.fault_count = 0
        self.expected = 0
        self.sequences: Counter[int] = Counter()
        self.faults: list[str] = []

    def fault(self, text: str) -> None:
        self.fault_count += 1
        if len(self.faults) < SHOWN:
            self.faults.append(text)

    def on_control(self, message: Message | Unknown) -> None:
        """A Heartbeat says the position of the next frame: it must be ours."""
        match message:
            case Gap():
                self.fault(f"gap {message.first_position} to {message.last_position}")
            case Heartbeat() if self.link and message.position != self.link.position:
                self.fault(f"at {self.link.position}, the relay says {message.position}")

    def on_frames(self, batch: Batch) -> None:
        if batch.position != self.expected:
            self.fault(f"position {batch.position}, expected {self.expected}")
        self.expected = batch.position + len(batch.frames)
        for frame in batch.frames:
            self._frame(frame)

    def _frame(self, frame: memoryview) -> None:
        _, _, _, source, _, payload, sequence, _, checksum = LAYOUT.unpack_from(frame)
        self.count += 1
        self.size += HEADER_SIZE + payload
        self.sequences[source] += 1
        if sequence != self.sequences[source]:
            self.fault(f"source {source}: sequence {sequence}, not {self.sequences[source]}")
            self.sequences[source] = sequence
        if frame_checksum(frame) != checksum:
            self.fault(f"source {source}: checksum of sequence {sequence}")


def run(station: Station) -> None:
    verifier = Verifier()
    with station.link(station.settings["domain"], on_control=verifier.on_control) as link:
        verifier.link, verifier.expected = link, link.position
        begin = link.position
        station.serve(
            {link: verifier.on_frames},
            lambda: station.end is not None and link.position >= station.end,
        )
        if link.position - begin != verifier.count:
            verifier.fault(f"{verifier.count} frames, positions {begin} to {link.position}")
        station.rest(
            verified=verifier.count,
            bytes=verifier.size,
            fault_count=verifier.fault_count,
            faults=verifier.faults,
        )


if __name__ == "__main__":
    main(run)
