"""What the blocking and the asyncio Consumer have in common: everything but waiting.

Called by `relays.client.consumer` and `relays.client.aio.consumer`, which derive from it. No
sockets and no clock: connecting, reading and time are theirs. (relays.md 3)
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from protocol.catalogue import SourceType
from protocol.control import Gap, Welcome
from protocol.instruments import InstrumentId
from relays.client.consuming import Consuming
from relays.client.delivery import Delivery
from relays.client.dial import locate
from relays.client.errors import ClientError
from relays.client.subscription import Lag, OnBad, OnGap, Replayed, StartAt, Type, subscription
from relays.domains import DOMAINS

EXECUTION = "execution"


class Subscriber:
    """A consumer's arguments, and what can be asked of it at any time.

    * `target`: a domain ("market_data": its socket in the runtime directory) or a socket's path.
    * `types`, `instruments`: those wanted, none = all. Types are classes, numbers or names.
    * `start`: "live", "oldest", a position (of the log `log_id`; 0 = whichever it is), -N for the
      last N, or a datetime: what the relay received then or later, if it has a journal. Later
      connections go on where the one before ended.
    * `on_lag`: what the relay does when this consumer lags too far: "gap", "disconnect",
      "catch_up", None = the domain's default.
    * `on_gap`: a Gap is raised as GapError, is an item of the stream ("item"), or is given to a
      function. `on_bad`: the same for frames that cannot be read (BadFrame).
    * `replayed`: on execution, who would get history says what of it: "deliver" or "skip". Skipped
      is what was in the log before the first connection, nothing else: what came while this
      consumer was not connected is delivered. All that was in the log before the connection it
      comes on is marked: the property `replayed` says so of what was last given, `messages()` and
      `read()` of each message.
    * `snapshot`: the state of instruments first, and after each Gap, between two Snapshots.
    * `heartbeat_ms`: how often the relay says something, and this consumer how far it is where
      that has changed; after `dead_after` seconds without a byte
      (None = 3 heartbeats) the relay counts as dead and is connected anew, unless `reconnect` is
      off; `backoff` = first and longest wait between tries, seconds.
    * `verify`: whether checksums are looked at.
    * `connect_timeout`: seconds for the first Welcome.
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        name: str | None = None,
        types: Iterable[Type] | Type = (),
        instruments: Iterable[InstrumentId] | InstrumentId = (),
        start: StartAt = "live",
        log_id: int = 0,
        on_lag: Lag = None,
        on_gap: OnGap = "raise",
        on_bad: OnBad = "raise",
        replayed: Replayed = None,
        snapshot: bool = False,
        heartbeat_ms: int = 1000,
        dead_after: float | None = None,
        reconnect: bool = True,
        backoff: tuple[float, float] = (0.05, 2.0),
        verify: bool = True,
        connect_timeout: float = 5.0,
    ) -> None:
        self.path = locate(target)
        self.verify, self.connect_timeout = verify, connect_timeout
        self._must_choose = start != "live" and replayed is None
        if self._must_choose and Path(self.path).stem == EXECUTION:
            raise self._no_choice()
        for value, allowed in ((on_gap, ("raise", "item")), (on_bad, ("raise", "item"))):
            if not callable(value) and value not in allowed:
                raise ClientError(f'"raise", "item" or a function, got {value!r}')
        if replayed not in (None, "deliver", "skip"):
            raise ClientError(f'replayed is "deliver", "skip" or None, got {replayed!r}')
        wanted = subscription(
            types=types,
            instruments=instruments,
            start="live" if replayed == "skip" else start,
            log_id=log_id,
            on_lag=on_lag,
            snapshot=snapshot,
            heartbeat_ms=heartbeat_ms,
            name=name,
        )
        self._core = Consuming(wanted, dead_after=dead_after, reconnect=reconnect, backoff=backoff)
        self._delivery = Delivery(on_gap, on_bad)
        self._retry_at = 0.0
        self._closed = False
        self._start()

    def _start(self) -> None:
        """What a front does when it is made."""

    @property
    def domain(self) -> str:
        """The relay's domain; empty before it has answered."""
        return next((one.name for one in DOMAINS.values() if one.source == self._core.relay), "")

    @property
    def position(self) -> int:
        """Of the next frame this program gets, in messages since the log began: what is before it
        has been handed over. With a filter the last position told, from which some may have been
        had already. Together with `log_id` it is where another consumer can start."""
        core = self._core
        known = None if core.wanted.filtered else self._delivery.position
        return (core.coming or 0) if known is None else known

    @property
    def replayed(self) -> bool:
        """Whether what this program was last given, in whatever form, is replayed: it was in the
        log before the connection it came on (with a filter: before a position that is told every
        `heartbeat_ms`, so that the mark may last so long)."""
        return self._delivery.replayed

    @property
    def log_id(self) -> int:
        """Names the log that positions are of; 0 before the relay has answered."""
        return self._core.log_id

    @property
    def welcome(self) -> Welcome | None:
        """What the relay said on the newest connection: log, limits, its pid."""
        return self._core.welcome

    @property
    def lag(self) -> int:
        """How far `position` was behind the log's end when the relay last told it, in messages."""
        return max(0, self._core.end - self.position)

    @property
    def gaps(self) -> deque[Gap]:
        """The last 1,024 Gaps."""
        return self._core.gaps

    @property
    def compared(self) -> int:
        """How often the relay, if it has a journal, has said the checksum of all frames so far, and
        it was that of the frames that came here; a difference ends the consumer with ClientError.
        None is said with a filter."""
        return self._core.compared

    @property
    def reconnects(self) -> int:
        """How many connections followed the first."""
        return max(0, self._core.welcomes - 1)

    @property
    def reason(self) -> str:
        """Why the last connection ended; empty when none has."""
        return self._core.reason

    def _welcomed(self) -> None:
        """The relay has answered for the first time."""
        if self._must_choose and self._core.relay == SourceType.EXECUTION_RELAY:
            raise self._no_choice()

    def _no_choice(self) -> ClientError:
        text = 'choose replayed="deliver" (history comes, marked) or replayed="skip" (it does not)'
        return ClientError(
            f"{self.path}: a start in the past of execution gives old orders: {text}"
        )

    def _no_welcome(self) -> ClientError:
        why = f" ({self.reason})" if self.reason else ""
        return ClientError(f"{self.path}: no Welcome within {self.connect_timeout:g} s{why}")

    def _silent(self) -> str:
        return f"no byte for {self._core.dead_after:g} s"
