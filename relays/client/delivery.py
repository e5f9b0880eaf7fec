"""A consumer's runs as what its program iterates: messages, views, frames or arrays.

Called by the blocking and the asyncio Consumer, which ask `pour` until it gives None and then `put`
the next item of the core. Keeps what a program has not taken yet, whichever way it goes on. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from operator import length_hint
from typing import Any, NamedTuple

from protocol._core import runs
from protocol.control import Gap, GapReason
from protocol.errors import ProtocolError
from protocol.extensions import TraceContext
from protocol.header import LAYOUT, Header
from protocol.message import REGISTRY, Message, Unknown, decode
from relays.client.consuming import Item, Run
from relays.client.errors import BadFrame, GapError
from relays.client.subscription import OnBad, OnGap


class Received(NamedTuple):
    """A message and how it came.

    `position` is in messages since the log `log_id` began, None where it is not known: with a
    filter, in a snapshot. `replayed`: it was in the log before this connection. `snapshot`: it is
    the state of an instrument, no part of the feed. `message` is a Gap or Snapshot where one is
    due, a BadFrame where these are wanted as items.
    """

    position: int | None
    replayed: bool
    snapshot: bool
    header: Header
    message: Message | Unknown | BadFrame
    log_id: int

    @property
    def context(self) -> TraceContext:
        """What a message that is based on this one carries (`relays.client.context`). ClientError
        where neither a trace nor a position is known."""
        from relays.client.context import caused_by

        return caused_by(self)


class Portion(NamedTuple):
    """What was made of a run from an offset on: `each` item is so many frames; it goes up to byte
    `stop`, at which `error` is (None at the end of the run)."""

    items: list[Any]
    each: int
    stop: int
    error: ProtocolError | None


Form = Callable[[Run, int, int, bool], Portion]
"""What makes a portion of a run from byte `at`, with `before` of its frames before it."""


def messages(run: Run, at: int, before: int, verify: bool) -> Portion:
    """Decoded messages, in bytes of their own."""
    made, stop, error = runs.decode(run.data, at, REGISTRY, decode, verify, False)
    return Portion(made, 1, stop, error)


def views(run: Run, at: int, before: int, verify: bool) -> Portion:
    """Views: messages whose fields are read from the run when they are asked for."""
    made, stop, error = runs.decode(run.data, at, REGISTRY, decode, verify, True)
    return Portion(made, 1, stop, error)


def frames(run: Run, at: int, before: int, verify: bool) -> Portion:
    """The bytes of each frame, as memoryviews of the run."""
    bad = runs.damaged(run.data, at) if verify else -1
    if bad < 0:
        return Portion(runs.frames(run.data, at), 1, len(run.data), None)
    return Portion(runs.frames(run.data[:bad], at), 1, bad, _refusal(run.data, bad))


def received(run: Run, at: int, before: int, verify: bool) -> Portion:
    """Messages with position, header and how they came."""
    made, stop, error = runs.decode(run.data, at, REGISTRY, decode, verify, False)
    _, _, _, replayed, snapshot, log_id = run
    heads = LAYOUT.iter_unpack(runs.headers(run.data[at:stop]))
    first = None if run.position is None else run.position + before
    places = repeat(None) if first is None else range(first, first + len(made))
    new = tuple.__new__  # what a NamedTuple's own constructor comes to, in half the time
    items = [
        new(Received, (place, replayed, snapshot, new(Header, head), message, log_id))
        for place, head, message in zip(places, heads, made, strict=False)
    ]
    return Portion(items, 1, stop, error)


def batches(run: Run, at: int, before: int, verify: bool) -> Portion:
    """One protocol.batch.Batch."""
    from protocol import batch  # numpy is an extra

    data = run.data[at:] if at else run.data
    try:
        return Portion(
            [batch.decode(data, verify=verify)], run.frames - before, len(run.data), None
        )
    except ProtocolError:
        made, stop, error = runs.decode(run.data, at, REGISTRY, decode, verify, False)
    if not made and error is not None:
        return Portion([], 1, at, error)
    whole = batch.decode(run.data[at:stop], verify=False, check=False)
    return Portion([whole], len(made), stop, error)


def _refusal(data: bytes, at: int) -> ProtocolError:
    try:
        decode(data, at)
    except ProtocolError as error:
        return error
    raise AssertionError(f"the frame at {at} was refused, and is not")


class Delivery:
    """What is between the core and the program: at most one run, of which `pour` gives the rest.

    `position` is that of the next frame the program gets; None before the first, and where frames
    have none. `replayed`: what was last given is.
    """

    def __init__(self, on_gap: OnGap = "raise", on_bad: OnBad = "raise") -> None:
        self.on_gap, self.on_bad = on_gap, on_bad
        self._item: Item | None = None
        # `_ready` was made of the run's bytes from `_begin`, with `_first` frames before it, to
        # `_at`, with `_before` frames before it; each of its items is `_each` frames.
        self._begin = self._first = self._at = self._before = 0
        self._ready: Iterator[Any] = iter(())
        self._each = 1
        self._held: Any = None  # what is no frame of the feed, until it was taken
        self.replayed = False
        self._position: int | None = None

    @property
    def position(self) -> int | None:
        """Of the next frame the program gets."""
        if not isinstance(self._item, Run) or self._item.position is None:
            return self._position
        return self._item.position + self._before - length_hint(self._ready) * self._each

    def put(self, item: Item) -> None:
        """The next item, when `pour` gave None."""
        self._item = item
        self._begin = self._first = self._at = self._before = 0
        self._ready = iter(())

    def pour(self, form: Form, verify: bool) -> Iterator[Any] | None:
        """An iterator over what there is, in this form; None when the core must give more.

        What is left in it stays here: so it may be left at any place. GapError and BadFrame as
        `on_gap` and `on_bad` say.
        """
        item = self._item
        if self._held is not None and length_hint(self._ready):
            return self._single(self._held, form)
        self._held = None
        if isinstance(item, Run):
            return self._pour_run(item, form, verify)
        if item is None:
            return None
        self._item = None
        if isinstance(item, Gap):
            replaced = item.reason == GapReason.LOG_REPLACED
            self._position = None if replaced else item.last_position + 1
            if self.on_gap == "raise":
                raise GapError(item)
            if callable(self.on_gap):
                self.on_gap(item)
                return None
        return self._single(item, form)

    def _single(self, message: Any, form: Form) -> Iterator[Any]:
        """One item that is no frame of the feed, in its turn."""
        self._held, self.replayed = message, False
        if form is received:
            raw = message.frame if isinstance(message, BadFrame) else message.frame()
            message = Received(None, False, False, Header.unpack(raw), message, 0)
        self._ready, self._each = iter([message]), 0
        return self._ready

    def _pour_run(self, run: Run, form: Form, verify: bool) -> Iterator[Any] | None:
        self._take_back(run)
        if self._at == len(run.data):
            if run.position is not None:
                self._position = run.position + run.frames
            self._item = None
            return None
        portion = form(run, self._at, self._before, verify)
        if portion.items:
            self._begin, self._first = self._at, self._before
            self._at, self._each = portion.stop, portion.each
            self._before += len(portion.items) * portion.each
            self._ready, self.replayed = iter(portion.items), run.replayed
            return self._ready
        assert portion.error is not None
        return self._bad(run, portion.error, form)

    def _take_back(self, run: Run) -> None:
        """What the program has not taken of the last portion is to be given again."""
        left = length_hint(self._ready) * self._each
        if left:
            self._before -= left
            self._at = runs.skip(run.data, self._begin, self._before - self._first)
        self._ready = iter(())

    def _bad(self, run: Run, error: ProtocolError, form: Form) -> Iterator[Any] | None:
        at, stop = self._at, runs.skip(run.data, self._at, 1)
        position = None if run.position is None else run.position + self._before
        self._at, self._before = stop, self._before + 1
        bad = BadFrame(position, run.data[at:stop], error)
        if self.on_bad == "raise":
            raise bad
        if callable(self.on_bad):
            self.on_bad(error)
            return iter(())
        return self._single(bad, form)
