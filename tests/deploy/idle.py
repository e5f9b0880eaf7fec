"""Raw connections of every kind that only wait, and what they hear when one of them speaks.

Used by the tests of restarts and crashes. They connect once: whoever hears something at all has
lived through what the test did.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

from protocol.control import hello_tlvs, type_filter
from relays.domains import DOMAINS
from tests.deploy.machine import Machine
from tests.harness import Client, eventually, frame

CATCH_UP = 3
PASSED_OVER = {100, 106}  # Heartbeat and Ack


class Idle:
    """Consumers: two sessions, one of them with a filter, one that is caught up, one plain.
    Producers: an anonymous one and a session. And one that is neither."""

    def __init__(self, machine: Machine, domain: str) -> None:
        self.machine, self.domain = machine, domain
        self.kind = DOMAINS[domain].types[-1]
        self.spoken = 0
        only = type_filter([self.kind])
        fields: list[dict[str, Any]] = [
            {},
            {"tlvs": hello_tlvs("only"), "type_filter": only},
            {"on_lag": CATCH_UP},
        ]
        self.plain = machine.client(domain)
        self.sessions = [machine.client(domain) for _ in fields]
        self.welcomes = [
            one.hello(1, **each) for one, each in zip(self.sessions, fields, strict=True)
        ]
        self.anonymous, self.identified, self.control = (machine.client(domain) for _ in range(3))
        self.identified.hello(2, producer_id=secrets.randbits(63) | 1)
        self.control.hello(0)
        self.everyone = [self.plain, *self.sessions, self.anonymous, self.identified, self.control]
        self.log_id = self.welcomes[0].log_id

    def hear(self, count: int) -> list[bytes]:
        """The next frames that every consumer gets, the same for all."""
        heard = [[next_frame(one) for _ in range(count)] for one in self.sessions]
        heard.append([self.plain.frame() for _ in range(count)])
        assert all(one == heard[0] for one in heard), heard
        return heard[0]

    def all_hear(self) -> None:
        """What the producers send reaches every consumer, as it was sent, and nothing else does."""
        self.spoken += 1
        for source, producer in enumerate((self.anonymous, self.identified), 1):
            sent = frame(self.spoken, self.kind, source=source)
            producer.send(sent)
            assert self.hear(1) == [sent]
        acknowledged = self.identified.control
        eventually(lambda: acknowledged(106).sequence == self.spoken, "it is acknowledged")

    def all_end(self) -> None:
        """Every one of them is closed."""
        for one in self.everyone:
            one.rest()

    def close(self) -> None:
        for one in self.everyone:
            one.close()


def next_frame(client: Client) -> bytes:
    """The next frame that is not a Heartbeat or an Ack: a Gap would be one."""
    return client._first(lambda got: got[4] not in PASSED_OVER)


@contextlib.contextmanager
def idle(machine: Machine, domain: str) -> Iterator[Idle]:
    """They have heard each other once."""
    found = Idle(machine, domain)
    try:
        found.all_hear()
        yield found
    finally:
        found.close()
