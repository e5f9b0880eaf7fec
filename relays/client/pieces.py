"""Many messages for a producer, however they come, in pieces of a few hundred KiB.

Called by `send_many` of both fronts of Producer. A piece is put into the core when its turn comes:
only then is it known which sequences it gets. Waiting for room is the front's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from protocol._core.stamp import renumber, survey
from protocol.errors import FieldError, SchemaError
from protocol.framing import unwrap
from protocol.header import Header
from protocol.message import Message, Unknown
from relays.client.producing import Producing

if TYPE_CHECKING:
    from protocol.dtypes import Rows

PIECE_BYTES = 256 << 10
MESSAGES = 512

Put = Callable[[float, int], None]
"""Puts one piece into the core, now: (seconds, monotonic; ns since the epoch)."""


def pieces(
    core: Producing, many: object, cls: type[Message] | None, timestamp: int | None, flags: int
) -> Iterator[Put]:
    """What puts each piece into `core`. Errors are raised before the piece they are in is put; for
    frames before anything is."""
    if isinstance(many, bytes | bytearray | memoryview):
        return _frames(core, memoryview(many).cast("B"), timestamp)
    if cls is not None:
        return _rows(core, cls, many, timestamp, flags)
    if hasattr(many, "dtype"):
        raise SchemaError("an array to send", expected="cls=, the class of its rows", got=None)
    if not isinstance(many, Iterable):
        expected = "messages, whole frames, or an array and cls="
        raise SchemaError("what to send", expected=expected, got=type(many).__name__)
    return _messages(core, iter(many), timestamp, flags)


def _messages(
    core: Producing, messages: Iterator[Message | Unknown], timestamp: int | None, flags: int
) -> Iterator[Put]:
    while chunk := list(islice(messages, MESSAGES)):

        def put(now: float, clock: int, chunk: list[Message | Unknown] = chunk) -> None:
            stamp = clock if timestamp is None else timestamp
            for message in chunk:
                core.put(message, now, stamp, flags)

        yield put


def _rows(
    core: Producing, cls: type[Message], rows: object, timestamp: int | None, flags: int
) -> Iterator[Put]:
    from protocol import batch

    whole = getattr(rows, "dtype", None) == batch.dtype(cls)
    core.check(cls.TYPE, cls.VERSION, flags, cls.PAYLOAD_SIZE)
    step = max(1, PIECE_BYTES // batch.dtype(cls).itemsize)
    array: Rows = rows  # type: ignore[assignment]  # batch.encode says what is wrong with it
    for at in range(0, len(array), step):

        def put(now: float, clock: int, at: int = at) -> None:
            part = array[at : at + step]
            stamp = timestamp if whole or timestamp is not None else clock
            given = {} if whole else {"source": core.source, "flags": flags}
            try:
                frames = batch.encode(
                    cls, part, sequence=core.window.next, timestamp=stamp, **given
                )
            except FieldError as error:
                error.add_note(f"rows are counted from {at}; those before {at} were taken")
                raise
            core.put_frames(frames, len(part), now)

        yield put


def _frames(core: Producing, data: memoryview, timestamp: int | None) -> Iterator[Put]:
    stop, cuts, kinds = survey(data, PIECE_BYTES)
    if stop < len(data):
        unwrap(data, stop, Header.unpack(data, stop), verify=False)  # says what is wrong there
    for kind, version, compressed, least, most in kinds:
        core.check(kind, version, compressed, least)
        core.check(kind, version, compressed, most)
    for begin, end in pairwise([0, *cuts]):

        def put(now: float, clock: int, begin: int = begin, end: int = end) -> None:
            frames = bytearray(data[begin:end])
            count = renumber(frames, core.window.next, timestamp)
            core.put_frames(frames, count, now)

        yield put
