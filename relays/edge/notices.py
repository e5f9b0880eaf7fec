"""What the service manager is told while a relay runs: that its loop turns, and live figures.

Made by `relays.edge.service`, called by the relay's own timer each second: a loop that is stuck
feeds no watchdog. Only looks at the relay; what a manager is, is `relays.edge.manager`'s business.
"""

from __future__ import annotations

import time

from relays.config import RelayConfig
from relays.core import breaker
from relays.core.hub import Hub
from relays.edge.manager import READY_PATIENCE, Manager

# drain may wait twice for drain_timeout and a second for goodbyes; the journal's end is the rest.
STOP_MARGIN = 15.0


class Notices:
    """READY, RELOADING, STOPPING, and each second WATCHDOG and STATUS. relays.md 9."""

    def __init__(self, manager: Manager, hub: Hub) -> None:
        self.manager, self.hub = manager, hub
        self._doing = ""
        self._position, self._at = hub.state.end_position, time.monotonic()

    def ready(self) -> None:
        """The relay accepts connections, or goes on after a reload."""
        self.manager.tell(READY_PATIENCE, READY=1, STATUS=self.figures())

    def reloading(self) -> None:
        """`ready` or `turned` follows."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.manager.tell(READY_PATIENCE, RELOADING=1, MONOTONIC_USEC=now)

    def stopping(self, config: RelayConfig) -> None:
        """The manager's patience must be longer than the relay's own, whatever that is set to."""
        self._doing = "draining; "
        patience = round((2 * config.drain_timeout + STOP_MARGIN) * 1e6)
        self.manager.tell(
            READY_PATIENCE, STOPPING=1, EXTEND_TIMEOUT_USEC=patience, STATUS=self.figures()
        )

    def turned(self) -> None:
        """The loop turned: called each second."""
        self.manager.tell(WATCHDOG=1, STATUS=self.figures())

    def figures(self) -> str:
        """One line of what the relay does now, as `systemctl status` shows it."""
        position, now = self.hub.state.end_position, time.monotonic()
        rate = (position - self._position) / max(now - self._at, 1e-3)
        self._position, self._at = position, now
        peers = self.hub.peers.values()
        producers = sum(peer.may_produce for peer in peers)
        consumers = sum(peer.consuming for peer in peers)
        opened = sum(peer.breaker.state == breaker.OPEN for peer in peers)
        return (
            f"{self._doing}{rate:,.0f} messages/s, position {position:,}; "
            f"{_count(producers, 'producer')}, {_count(consumers, 'consumer')}{self._slowest()}"
            + (f", {_count(opened, 'breaker')} open" if opened else "")
        )

    def _slowest(self) -> str:
        slow = [*self.hub.feeds.behind, *self.hub.feeds.past]
        worst = max(slow, key=lambda peer: peer.record.lag, default=None)
        if worst is None or not worst.record.lag:
            return ""
        return f", largest lag {worst.record.lag:,} ({worst.name or f'#{worst.number}'})"


def _count(number: int, what: str) -> str:
    """
    >>> _count(1, "consumer"), _count(2_000, "consumer")
    ('1 consumer', '2,000 consumers')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
