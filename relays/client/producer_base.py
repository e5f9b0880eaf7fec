"""What the two fronts of Producer share: options, writing, and what comes back to the program.

Called by `relays.client.producer` and `relays.client.aio.producer`. Waiting is not for here, nor
clocks: these are what the fronts differ in.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from time import CLOCK_BOOTTIME, clock_gettime
from typing import Literal

from protocol.catalogue import SourceType
from protocol.errors import FieldError
from relays.client.dial import Backoff, locate
from relays.client.errors import ClientError
from relays.client.outcomes import (
    FlushTimeout,
    HandedBack,
    SeveralErrors,
    UnknownOutcome,
    WindowFull,
    counted,
)
from relays.client.producing import SEQUENCES, SOME_DAY, Phase, Producing

OnError = Callable[[HandedBack], object]
OnUnknown = Callable[[UnknownOutcome], object]
# Seconds of a clock that does not stand still while the machine sleeps: an order gets older then.
elapsed = partial(clock_gettime, CLOCK_BOOTTIME)
AHEAD = 256 << 10
HURRIED = 0.5


class ProducerBase:
    """Options, counts and outcomes of a Producer; see the two classes of that name."""

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        name: str | None = None,
        producer_id: int | None = None,
        source: int = SourceType.EXTERNAL,
        linger_us: int = 0,
        batch_bytes: int = 65536,
        window_bytes: int = 16 << 20,
        on_full: Literal["block", "raise"] = "block",
        send_timeout: float | None = 5.0,
        max_age: float | None = None,
        on_error: OnError | None = None,
        on_unknown: OnUnknown | None = None,
        reconnect: bool = True,
        backoff: tuple[float, float] = (0.05, 2.0),
        connect_timeout: float = 5.0,
    ) -> None:
        _whole("producer_id", producer_id, 1, SEQUENCES - 1)
        _whole("source", source, 0, 255)
        _whole("linger_us", linger_us, 0, 60_000_000)
        _whole("batch_bytes", batch_bytes, 1, 1 << 30)
        _whole("window_bytes", window_bytes, 1, 1 << 40)
        _seconds("max_age", max_age)
        if on_full not in ("block", "raise"):
            raise FieldError("producer.on_full", expected='"block" or "raise"', got=on_full)
        self.path = locate(target)
        self._core = Producing(
            name=name, producer_id=producer_id, source=source, linger=linger_us / 1e6,
            batch_bytes=batch_bytes, window_bytes=window_bytes, max_age=max_age,
            reconnect=reconnect, backoff=Backoff(*backoff), patience=connect_timeout,
        )  # fmt: skip
        self._on_full, self._send_timeout = on_full, send_timeout
        self._on_error, self._on_unknown = on_error, on_unknown
        self._connect_timeout = connect_timeout
        # What the program is told at its next call, and what callbacks are called with.
        self._pending: deque[Exception] = deque()
        self._calls: deque[tuple[Callable[..., object], HandedBack]] = deque()
        self._trouble = self._closed = self._told = self._over_told = self._calling = False
        self._sock: socket.socket | None = None
        self._blocked = self._broken = False
        self._alarm = SOME_DAY  # when `_wake` happens by itself, at the latest
        self._set_up()

    def _set_up(self) -> None:
        """What the front needs besides, once the options are known."""

    def _wake(self) -> None:
        """Have the core and the connection looked after, soon."""
        raise NotImplementedError

    @property
    def producer_id(self) -> int:
        """This producer's identity: with it and its user, the relay knows its last sequence."""
        return self._core.producer_id

    @property
    def last_sequence(self) -> int:
        """Of the newest message; messages that are handed back give their sequences to those
        behind them."""
        return self._core.window.next - 1

    @property
    def acked(self) -> int:
        """The last sequence the relay has answered for."""
        return self._core.acked

    @property
    def unacked(self) -> int:
        """Messages that are neither acknowledged nor handed back."""
        return self._core.unacked

    @property
    def connected(self) -> bool:
        """Whether the relay has said Welcome on the connection there is now."""
        return self._core.phase is Phase.OPEN

    @property
    def reconnects(self) -> int:
        """How often a lost connection was made again."""
        return max(0, self._core.connections - 1)

    # --- the connection ---

    def _connected(self, sock: socket.socket, now: float) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._core.connected(now)

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._blocked = self._broken = False

    def _hand_over(self, now: float) -> None:
        """A message was put in: write, or see that it is written in time."""
        core = self._core
        ripe = not core.linger or core.window.unsent >= core.batch_bytes
        if ripe and self._write(now):
            self._wake()
        if core.look_again < self._alarm - now:
            self._alarm = now + core.look_again
            self._wake()

    def _write(self, now: float) -> bool:
        """Write what is due. True when the rest must be seen to."""
        if self._sock is None or self._blocked:
            return False
        try:
            while True:
                with self._core.due(now) as data:
                    if not data:
                        return False
                    size = self._sock.send(data, socket.MSG_NOSIGNAL)
                self._core.sent(size)
        except BlockingIOError:
            self._blocked = True
        except OSError:
            # What the relay said last is read before the connection ends.
            self._blocked = self._broken = True
        except BaseException:
            # Ctrl-C: how much was written is not known, but the next Welcome will say it.
            self._core.lost(now, "interrupted", wait=False)
            self._collect()
            self._wake()
            raise
        return True

    def _ahead(self) -> bool:
        """Whether more waits for the socket than it takes at once. To put more there only fills the
        window, and a large one costs: its bytes are moved as it grows, in no cache."""
        return self._blocked and self._core.window.unsent >= AHEAD and self._on_full == "block"

    def _set_alarm(self, now: float) -> None:
        """One that is set is kept where nothing is due: then the next message need not wake us."""
        deadline = self._core.deadline(blocked=self._blocked)
        if deadline is not None:
            self._alarm = max(deadline, now)
        elif self._alarm <= now:
            self._alarm = SOME_DAY

    def _lost_connection(self, now: float) -> None:
        if self._core.phase in (Phase.GREETING, Phase.OPEN):
            self._core.lost(now, "the relay closed the connection")
            self._collect()

    def _no_welcome(self) -> ClientError:
        waited = f"no Welcome within {self._connect_timeout:g} s"
        why = waited if self._core.phase is Phase.GREETING else self._core.why
        return ClientError(f"{self.path}: {why}")

    def _not_flushed(self, timeout: float | None) -> FlushTimeout:
        text = f"{counted(self._core.unacked)} unacknowledged after {timeout:g} s"
        return FlushTimeout(f"{self.path}: {text}{self._state()}")

    # --- what comes back ---

    def _collect(self) -> None:
        """Sort what the core has to tell: for callbacks, or for the next call.

        Whatever may end the core is followed by this before anybody can send: a message that is put
        into a core that is over would be lost without a word.
        """
        core = self._core
        while core.outcomes:
            outcome = core.outcomes.popleft()
            unknown = isinstance(outcome, UnknownOutcome)
            self._file(self._on_unknown if unknown else self._on_error, outcome)
        if core.over is not None and not self._over_told:
            self._over_told = True
            if self._on_error is not None:
                self._calls.append((self._on_error, core.over))
            if self._on_unknown is not None and core.over.frames:
                lost = UnknownOutcome(f"not acknowledged: {core.over}", core.over.frames)
                self._calls.append((self._on_unknown, lost))
        self._trouble = bool(self._pending) or core.over is not None or self._closed

    def _file(self, callback: Callable[..., object] | None, outcome: HandedBack) -> None:
        if callback is None:
            self._pending.append(outcome)
        else:
            self._calls.append((callback, outcome))

    def _call_back(self) -> None:
        """Call what is to be called; what a callback raises, the program's next call does."""
        self._calling = True
        try:
            while self._calls:
                callback, outcome = self._calls.popleft()
                try:
                    callback(outcome)
                except Exception as error:
                    self._pending.append(error)
                    self._trouble = True
        finally:
            self._calling = False

    def _unsettled(self) -> bool:
        """Whether the relay or a callback still has to hear of a message."""
        return self._core.unacked > 0 or self._calling or bool(self._calls)

    def _raise(self) -> None:
        """Tell the program what is pending: one thing a call, and the end at each call."""
        if self._pending:
            error = self._pending.popleft()
            self._trouble = bool(self._pending) or self._core.over is not None or self._closed
            raise error
        if self._core.over is not None:
            self._told = True
            raise self._core.over.with_traceback(None)
        if self._closed:
            raise ClientError(f"{self.path}: this producer is closed")

    def _raise_last(self) -> None:
        """At the end: everything that has not been told, in a group where it is several."""
        errors: list[Exception] = list(self._pending)
        self._pending.clear()
        if self._core.over is not None and not self._told:
            errors.append(self._core.over.with_traceback(None))
            self._told = True
        if len(errors) > 1:
            raise SeveralErrors("; ".join(str(one) for one in errors), errors)
        if errors:
            raise errors[0]

    def _window_full(self) -> WindowFull:
        kept = f"{counted(self._core.unacked)} unacknowledged ({self._core.window_bytes} bytes)"
        waited = f" for {self._send_timeout:g} s" if self._on_full == "block" else ""
        return WindowFull(f"{self.path}: {kept}{waited}{self._state()}")

    def _state(self) -> str:
        return "" if self.connected else f"; {self._core.why}"


def _whole(name: str, value: int | None, least: int, most: int) -> None:
    number = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (number and least <= value <= most):
        raise FieldError(f"producer.{name}", expected=f"{least} to {most}", got=value)


def _seconds(name: str, value: float | None) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and value > 0):
        expected = "seconds above 0 (inf: no limit), or None"
        raise FieldError(f"producer.{name}", expected=expected, got=value)
