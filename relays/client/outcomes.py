"""What a producer is told of messages that did not, or may not have, become part of the log.

Raised or handed to callbacks by both fronts of Producer. The messages come back with them, as the
frames that were sent; deciding which of these happened is `relays.client.producing`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from protocol.header import HEADER_SIZE, Header
from protocol.message import Message, Unknown, decode
from protocol.reject import Reject
from relays.client.errors import ClientError


def counted(messages: int) -> str:
    """
    >>> counted(1), counted(2)
    ('1 message', '2 messages')
    """
    return f"{messages} message{'' if messages == 1 else 's'}"


class HandedBack(ClientError):
    """Messages come back to the caller: `frames` as they were sent, `messages` decoded."""

    def __init__(self, text: str, frames: bytes = b"") -> None:
        super().__init__(text)
        self.frames = frames

    @property
    def messages(self) -> list[Message | Unknown]:
        """The messages that come back, in their order."""
        found, at = [], 0
        while at < len(self.frames):
            found.append(decode(self.frames, at))
            at += HEADER_SIZE + Header.unpack(self.frames, at).payload_size
        return found


class RejectedError(HandedBack):
    """The relay refused messages for good: they are in no log, and what followed them went on.

    `sequence` is the first one's, `reason` a Reject (or a number this release does not know),
    `text` what the relay said.
    """

    def __init__(self, sequence: int, reason: int, text: str, frames: bytes = b"") -> None:
        self.sequence, self.text = sequence, text
        self.reason = Reject(reason) if reason in Reject.__members__.values() else reason
        name = self.reason.name if isinstance(self.reason, Reject) else f"reject {reason}"
        super().__init__(f"message {sequence} was refused: {name}: {text}", frames)

    @property
    def message(self) -> Message | Unknown | None:
        """The first message that was refused; None where it is not known."""
        return decode(self.frames) if self.frames else None


class UnknownOutcome(HandedBack):
    """Messages that were not acknowledged in time: the relay may have them or not. They will not be
    sent again."""


class Ended(HandedBack):
    """The producer is over and does not reconnect; `messages` were not acknowledged by then."""


class FencedError(Ended):
    """Another connection took this producer_id; `pid` is its process, where that is known."""

    def __init__(self, text: str, frames: bytes = b"", pid: int | None = None) -> None:
        super().__init__(text, frames)
        self.pid = pid


class SeveralErrors(HandedBack, ExceptionGroup[Exception]):
    """More than one thing that `close` has to tell: each is in `exceptions` (and `except*` finds
    it), the messages of all are in `frames` and `messages`.

    >>> both = SeveralErrors("two", [UnknownOutcome("late", b"a"), Ended("over", b"b")])
    >>> both.frames, len(both.exceptions)
    (b'ab', 2)
    """

    def __new__(cls, text: str, errors: Sequence[Exception]) -> Self:
        """The group and its parts."""
        return super().__new__(cls, text, errors)

    def __init__(self, text: str, errors: Sequence[Exception]) -> None:
        frames = [one.frames for one in errors if isinstance(one, HandedBack)]
        super().__init__(text, b"".join(frames))


class WindowFull(ClientError):
    """`window_bytes` are unacknowledged; the message of this call was not taken."""


class FlushTimeout(ClientError):
    """Some messages are still neither acknowledged nor handed back; they go on being sent."""
