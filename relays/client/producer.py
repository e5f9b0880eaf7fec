"""Producer, blocking: `send` writes from the caller's thread, one background thread does the rest.

Imported by users' programs. What is said on the connection and what is kept is decided by
`relays.client.producing`; here are the socket, the clock, the lock and the thread.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import threading
import warnings
from collections.abc import Callable, Iterable
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from protocol.message import Message, Unknown
from relays.client.context import traced
from relays.client.dial import connect
from relays.client.errors import ClientError
from relays.client.pieces import pieces
from relays.client.producer_base import HURRIED, ProducerBase, elapsed
from relays.client.producing import SOME_DAY, Phase

if TYPE_CHECKING:
    from protocol.dtypes import Rows
    from protocol.extensions import TraceContext
    from relays.client.delivery import Received

READ_BYTES = 65536
LAST_WORDS = 1.0
Result = TypeVar("Result")


class Producer(ProducerBase):
    """Sends messages to a relay, each exactly once and in order, also across its restarts.

    `target` is a domain ("market_data", "signals", "execution") or a socket's path. It connects at
    once and waits `connect_timeout` seconds for the relay: NotListening when nobody answers.

    * `linger_us` 0: a message is written at once, as long as the kernel takes it; else messages are
      collected for so many microseconds (a millisecond at least, once the caller pauses) or until
      there are `batch_bytes`.
    * What is not acknowledged is kept, `window_bytes` at most. Then `send` waits for
      `send_timeout` seconds (None = for ever) or, with `on_full="raise"`, not at all: WindowFull.
    * A lost connection is made again after `backoff` (least, most) seconds, and what the relay does
      not have is sent again. `producer_id` (None: a random one) lets a program that is started
      again go on with its sequence.
    * `max_age` seconds (None: 1.0 on execution, no limit elsewhere; inf: none): what is not
      acknowledged by then is not sent any more and comes back as UnknownOutcome, a twentieth of it
      early at most. Time in which the machine sleeps counts.
    * What comes back is raised by the next call, which does nothing else then; or `on_error`
      (RejectedError, and what ends the producer) and `on_unknown` are called with it, by the
      background thread: they may send, but must not wait. What they raise, the next call raises.

    Threads: a lock makes it safe to send from several; messages get their order from it. A signal's
    handler may call it too, but gets a ClientError where it came into the middle of another call.
    Not to be used after a fork. (relays.md 3, 4; SPEC.md, types 104-106)

    >>> with Producer("market_data", name="feed") as producer:  # doctest: +SKIP
    ...     producer.send(trade)
    """

    def _set_up(self) -> None:
        # For a signal's handler runs in a thread that may hold it already: `_alone`.
        self._lock = threading.RLock()
        self._inside = False  # whether somebody who holds it is in the middle of something
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._pid = os.getpid()
        self._stopping = False
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="relays-producer", daemon=True)
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        atexit.register(self._at_exit)

    def send(
        self,
        message: Message | Unknown,
        *,
        flags: int = 0,
        timestamp: int | None = None,
        trace: Received | TraceContext | None = None,
    ) -> int:
        """Send a message; gives its sequence.

        `timestamp` is ns since the epoch (None = now), `flags` the header's, `trace` what the
        message is based on, for a class with TLVs. Raises FieldError or SchemaError for a message
        that this relay does not take, WindowFull, and what comes back from before: this message
        was not taken then.
        """
        if trace is not None:
            message = traced(message, trace)
        core, window = self._core, self._core.window
        with self._lock:
            if self._inside:  # `_alone`, written out: a call costs as much as all of this
                raise self._interrupting()
            self._inside = True
            try:
                if self._trouble or len(window.frames) >= core.window_bytes:
                    self._clear_the_way()
                # What waits already is no older for this one: only max_age asks each one's time.
                now = elapsed() if core.max_age or not core.since else core.since
                stamp = time_ns() if timestamp is None else timestamp
                sequence = core.put(message, now, stamp, flags)
                # Most messages only linger: those need not pay for the call.
                if (
                    not core.linger
                    or len(window.frames) - window.cursor >= core.batch_bytes
                    or now + core.look_again < self._alarm
                ):
                    self._hand_over(now)
            finally:
                self._inside = False
        return sequence

    def send_many(
        self,
        many: Rows | Iterable[Message | Unknown] | bytes | bytearray | memoryview,
        *,
        cls: type[Message] | None = None,
        flags: int = 0,
        timestamp: int | None = None,
    ) -> tuple[int, int]:
        """Send many; gives the first and the last sequence (the last before it where there were
        none).

        `many` are messages; or the rows of an array of `batch.payload_dtype(cls)` or
        `batch.dtype(cls)` (whose headers keep source, flags and, without `timestamp`, time); or
        whole frames, back to back, that get this producer's sequences and else stay as they are.
        They are taken in pieces: at an error, what came before is sent. Raises as `send`.
        """
        core, first = self._core, None
        for put in pieces(core, many, cls, timestamp, flags):
            begun = self._alone(self._put_piece, put)
            first = begun if first is None else first
        return first or core.window.next, core.window.next - 1

    def flush(self, timeout: float | None = None) -> None:
        """Wait until every message is acknowledged or handed back, and callbacks have been called:
        FlushTimeout after `timeout` seconds (None = never). Raises what comes back."""
        self._alone(self._flush, timeout)

    def close(self, timeout: float | None = 5.0) -> None:
        """Flush for `timeout` seconds at most, and end. What is not acknowledged by then is raised
        as an UnknownOutcome, as everything that has not been told: SeveralErrors where there is
        more than one."""
        if self._closed:
            return
        self._alone(lambda: None)  # nothing is ended for who may not call this now
        try:
            self._alone(self._settled, timeout)
        finally:
            self._end()
        self._call_back()
        self._raise_last()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close; after an exception in a hurry, and what comes back is noted on it."""
        if error is None:
            self.close()
            return
        try:
            self.close(HURRIED)
        except ClientError as other:
            error.add_note(str(other))

    # --- waiting, under the lock ---

    def _clear_the_way(self) -> None:
        """Tell what is to be told, else wait for room."""
        if self._trouble:
            self._raise()
        if self._on_full == "raise" or not self._wait(self._send_timeout, lambda: self._core.full):
            raise self._window_full()
        if self._trouble:
            self._raise()

    def _settled(self, timeout: float | None) -> bool:
        return self._wait(timeout, self._unsettled)

    def _wait(self, timeout: float | None, busy: Callable[[], bool]) -> bool:
        """Write what is there and wait while it is `busy`, or until there is trouble. False when
        the time is up."""
        if threading.current_thread() is self._thread:
            raise ClientError(f"{self.path}: a callback cannot wait: nothing goes on until it ends")
        self._core.hurry = self._core.window.unsent > 0
        if self._write(elapsed()):
            self._wake()
        self._waiting += 1
        inside, self._inside = self._inside, False
        try:
            return self._changed.wait_for(lambda: self._trouble or not busy(), timeout)
        finally:
            self._inside = inside
            self._waiting -= 1

    def _alone(self, act: Callable[..., Result], *of: Any) -> Result:
        """Hold the lock meanwhile. ClientError for a signal's handler that came into the middle of
        a call of its own thread: it cannot wait for that to end.

        Nothing is called between taking the lock, the mark and `try`: an exception of a signal's
        handler (Ctrl-C) comes at calls, and would leave the mark where it is. For the same reason
        this is no context manager: its frame stays in the exception's traceback, unfinished.
        """
        with self._lock:
            if self._inside:
                raise self._interrupting()
            self._inside = True
            try:
                return act(*of)
            finally:
                self._inside = False

    def _put_piece(self, put: Callable[[float, int], object]) -> int:
        """One piece of `send_many`; the sequence it begins with."""
        core = self._core
        if self._blocked and self._ahead():
            self._wait(self._send_timeout, self._ahead)
        if self._trouble or core.full:
            self._clear_the_way()
        first, now = core.window.next, elapsed()
        try:
            put(now, time_ns())
        finally:  # of a piece with a message that is refused, what came before it
            self._hand_over(now)
        return first

    def _flush(self, timeout: float | None) -> None:
        if not self._settled(timeout):
            raise self._not_flushed(timeout)
        self._collect()
        if self._trouble:
            self._raise()

    def _interrupting(self) -> ClientError:
        text = "a signal came in the middle of another call; let its handler only note that it came"
        return ClientError(f"{self.path}: {text}")

    def _wake(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    # --- the background thread ---

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except BaseException as error:  # not expected: but nobody must wait for it for ever
            with self._lock:
                self._core.broken(f"its thread ended with {error!r}")
                self._collect()
                self._changed.notify_all()

    def _turn(self) -> None:
        """Do what is due, then wait until there is more to do."""
        core = self._core
        with self._lock:
            now = elapsed()
            core.tick(now)
            if core.phase in (Phase.OFFLINE, Phase.OVER):
                self._hang_up()
            self._write(now)
            dial = core.phase is Phase.OFFLINE and now >= core.retry_at
            self._set_alarm(now)
            self._tell()
        if self._calls:
            self._call_back()
            with self._lock:
                self._changed.notify_all()
        if dial:
            self._dial()
        else:
            self._sleep(self._alarm - now)

    def _tell(self) -> None:
        self._collect()
        if self._waiting:
            self._changed.notify_all()

    def _dial(self) -> None:
        try:
            sock = connect(self.path, self._connect_timeout)
        except ClientError as error:
            with self._lock:
                self._core.lost(elapsed(), str(error))
                self._collect()
            return
        with self._lock:
            if self._stopping:
                sock.close()
            else:
                self._connected(sock, elapsed())

    def _sleep(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._wake_fd, select.POLLIN)
        if self._sock is not None:
            poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._blocked else 0))
        ready = dict(poll.poll(None if seconds == SOME_DAY else seconds * 1000))
        if ready.pop(self._wake_fd, 0):
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake_fd)
        for events in ready.values():
            if events & ~select.POLLOUT:
                self._receive()
            if events & select.POLLOUT:
                self._blocked = False
        if self._broken:
            self._lost()

    def _receive(self) -> None:
        assert self._sock is not None
        with contextlib.suppress(BlockingIOError):
            while self._core.phase in (Phase.GREETING, Phase.OPEN):
                try:
                    data = self._sock.recv(READ_BYTES)
                except ConnectionError:
                    data = b""
                if not data:
                    self._lost()
                    return
                with self._lock:
                    self._core.received(data, elapsed())
                    self._collect()

    def _lost(self) -> None:
        with self._lock:
            self._lost_connection(elapsed())

    # --- beginning and end ---

    def _start(self) -> None:
        """The first connection; ClientError when it does not come to a Welcome."""
        self._connected(connect(self.path, self._connect_timeout), elapsed())
        core = self._core
        with self._lock:
            self._thread.start()
            open_ = self._wait(self._connect_timeout, lambda: core.phase is not Phase.OPEN)
            if not open_:
                raise self._no_welcome()
            if self._trouble:
                self._raise()

    def _end(self) -> None:
        with self._lock:
            self._core.give_up(f"the producer was closed{self._state()}")
            self._collect()
            self._closed = self._trouble = self._stopping = True
            self._changed.notify_all()
            self._wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(LAST_WORDS)
        self._hang_up()
        atexit.unregister(self._at_exit)
        if not self._thread.is_alive():
            os.close(self._wake_fd)

    def _at_exit(self) -> None:
        """A program ends that has not closed it."""
        if os.getpid() != self._pid:
            return  # a child that was forked: socket, thread and messages are its parent's
        try:
            self.close(HURRIED)
        except ClientError as error:
            warnings.warn(str(error), RuntimeWarning, stacklevel=1)
