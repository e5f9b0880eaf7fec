"""A producer that numbers its frames, and what the state says of a consumer, by name.

Used by tests/adversity. Where a Flow is the only producer, the frame at position p has sequence
p + 1, so what a consumer got tells which positions it got.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from protocol.control import hello_tlvs
from protocol.header import Header
from protocol.message import decode
from relays.core.breaker import NAMES
from tests.harness import CONTROL, Client, RelayProcess, eventually, frame


class Flow:
    """The only producer of a relay. Frames are Trades unless `payload` or `kind` says otherwise."""

    def __init__(self, relay: RelayProcess, kind: int = 1, payload: bytes = bytes(32)) -> None:
        self.relay, self.kind, self.payload = relay, kind, payload
        self.client = relay.client()
        self.sent = relay.end()

    def send(self, count: int) -> None:
        """Send `count` frames more, and return when all are in the log."""
        self.push(count)
        eventually(lambda: self.relay.end() >= self.sent, f"{self.sent} frames are in the log")

    def push(self, count: int) -> None:
        """Send `count` frames more, as fast as they are read."""
        numbers = range(self.sent + 1, self.sent + 1 + count)
        self.sent += count
        self.client.send(
            *(frame(n, self.kind, self.payload, timestamp=n) for n in numbers),
        )


def session(relay: RelayProcess, name: str, role: int = 1, **fields: Any) -> Client:
    """A session with a name."""
    client = relay.client()
    client.hello(role, tlvs=hello_tlvs(name), **fields)
    return client


def row(relay: RelayProcess, name: str = "") -> dict[str, Any]:
    """What the state says of the consumer of this name; {} when it is not there."""
    found = [row for row in relay.consumers() if row["name"] == name and row["consuming"]]
    return found[0] if found else {}


def breaker(relay: RelayProcess, name: str = "") -> str:
    """The state of its breaker in words; "gone" when it is not there."""
    found = row(relay, name)
    return NAMES[found["breaker"]] if found else "gone"


def becomes(relay: RelayProcess, state: str, name: str = "") -> dict[str, Any]:
    """Wait until its breaker is in this state; gives its row."""
    eventually(lambda: breaker(relay, name) == state, f"{name or 'the consumer'} is {state}")
    return row(relay, name)


def positions(frames: Iterable[bytes]) -> list[int]:
    """The positions of these frames of a Flow."""
    return [Header.unpack(one).sequence - 1 for one in frames]


def until_gap(client: Client) -> tuple[list[bytes], Any]:
    """The domain frames up to the next Gap, and that Gap."""
    found: list[bytes] = []
    while True:
        got = client.frame()
        if got[4] == 107:
            return found, decode(got)
        if got[4] not in CONTROL:
            found.append(got)
