"""What a journal has, read as a consumer of it would; and a producer that keeps to its Acks.

Used by the tests of the writing side: tests/journal/test_writing*.py and test_restart.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protocol._core.journal import journal_words
from protocol.control import Ack
from protocol.message import decode
from relays.core.journal.reading import Reading, Stretch
from relays.core.journal.recovery import Recovered, recover
from relays.edge.journal.opened import opened
from relays.edge.memory import open_state
from tests.harness import Client, RelayProcess, frame, split

MIB = 1 << 20
KIND = 55
EXECUTION: dict[str, Any] = {"journal": "on", "journal_segment": 8 * MIB}


def folder(relay: RelayProcess) -> Path:
    """Where its segments are."""
    return relay.folder / "journal" / relay.domain


def words(relay: RelayProcess) -> dict[str, int]:
    """The journal's words in its state."""
    return journal_words(open_state(relay.domain, str(relay.folder)))


def frames_in(place: Path) -> list[bytes]:
    """Every frame that the journal in a directory has, in order; nothing in it may be wrong."""
    stream = bytearray()
    with opened(place) as catalogue:
        for segment in catalogue.segments:
            for part in Reading(segment, checksums=True):
                assert isinstance(part, Stretch), part
                stream += part.frames
    return list(split(bytes(stream)))


def recovered(place: Path) -> Recovered:
    """What a relay would start from."""
    with opened(place) as catalogue:
        return recover(catalogue)


def sequences(frames: list[bytes]) -> list[int]:
    """The sequence of each frame."""
    return [int.from_bytes(each[12:20], "little") for each in frames]


class Sender:
    """An identified producer of execution frames: it goes on behind what Welcome says it has."""

    def __init__(self, relay: RelayProcess, producer_id: int = 7, payload: int = 96) -> None:
        self.relay, self.producer_id, self.payload = relay, producer_id, bytes(payload)
        self.acknowledged = self.sent = 0
        self.acks: list[Ack] = []
        self.client: Client | None = None

    def connect(self) -> int:
        """Say Hello; gives the last sequence that the relay has of it."""
        self.client = self.relay.client()
        welcome = self.client.hello(role=2, producer_id=self.producer_id)
        assert welcome.last_sequence >= self.acknowledged, "an acknowledged message is missing"
        self.sent = welcome.last_sequence
        return self.sent

    def frames(self, count: int) -> list[bytes]:
        """The next `count` frames."""
        begin = self.sent + 1
        return [frame(begin + n, KIND, self.payload, source=30) for n in range(count)]

    def send(self, count: int) -> list[bytes]:
        """Send the next `count` frames, and give them."""
        assert self.client is not None
        frames = self.frames(count)
        self.client.send(*frames)
        self.sent += count
        return frames

    def wait(self) -> Ack:
        """Until what was sent is acknowledged; gives the last Ack."""
        self.wait_for(self.sent)
        return self.acks[-1]

    def wait_for(self, sequence: int) -> None:
        """Until `sequence` is acknowledged."""
        assert self.client is not None
        while self.acknowledged < sequence:
            got = decode(self.client.frame())
            if isinstance(got, Ack):
                assert got.sequence >= self.acknowledged, "an Ack went back"
                self.acknowledged = got.sequence
                self.acks.append(got)
