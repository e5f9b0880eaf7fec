"""What a program needs to talk to a relay: Producer, Consumer, and several relays as one.

Imported by users' programs and by `relays.cli`. These are blocking; `relays.client.aio` has classes
of the same names for asyncio. `Link` is a bare connection that keeps nothing and does not
reconnect. May import protocol, relays.domains and relays.config; never the daemon.
"""

from relays.client.consumer import Consumer
from relays.client.context import caused_by, context_of, origin_of
from relays.client.delivery import Received
from relays.client.errors import BadFrame, ClientError, GapError, LinkClosed, NotListening
from relays.client.link import Link
from relays.client.many import Down, Up
from relays.client.multi import MultiConsumer
from relays.client.outcomes import (
    Ended,
    FencedError,
    FlushTimeout,
    HandedBack,
    RejectedError,
    SeveralErrors,
    UnknownOutcome,
    WindowFull,
)
from relays.client.producer import Producer
from relays.client.stream import Batch

__all__ = [
    "BadFrame",
    "Batch",
    "ClientError",
    "Consumer",
    "Down",
    "Ended",
    "FencedError",
    "FlushTimeout",
    "GapError",
    "HandedBack",
    "Link",
    "LinkClosed",
    "MultiConsumer",
    "NotListening",
    "Producer",
    "Received",
    "RejectedError",
    "SeveralErrors",
    "UnknownOutcome",
    "Up",
    "WindowFull",
    "caused_by",
    "context_of",
    "origin_of",
]
