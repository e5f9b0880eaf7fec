"""What goes wrong between a program and a relay: the one tree that ClientError begins.

Raised by everything in `relays.client`, caught by users' programs. What a relay refuses or could
not keep is data first (Error, Gap): here are only the exceptions that carry it.
"""

from __future__ import annotations

import os

from protocol.control import UNKNOWN_COUNT, Gap
from protocol.errors import ProtocolError
from relays.errors import RelayError


class ClientError(RelayError):
    """A program's connection to a relay: cannot be made, or is over."""

    exit_code = os.EX_UNAVAILABLE


class NotListening(ClientError):
    """Nobody answers at this path; says which command starts the relay."""


class LinkClosed(ClientError):
    """The relay ended the connection; says why, where it said so."""


class GapError(ClientError):
    """Positions are missing from a consumer's feed; `gap` says which and why (SPEC.md, Gap).

    The consumer is as good as before: whoever goes on with it gets what follows the gap.

    >>> from protocol.control import GapReason
    >>> print(GapError(Gap(3, 5, count=3, reason=GapReason.TOO_SLOW)))
    3 messages are missing, positions 3 to 5: too slow
    """

    def __init__(self, gap: Gap) -> None:
        self.gap = gap
        count = "an unknown number of" if gap.count == UNKNOWN_COUNT else gap.count
        where = f"positions {gap.first_position} to {gap.last_position}"
        reason = gap.reason.name.replace("_", " ").lower()
        super().__init__(f"{count} messages are missing, {where}: {reason}")


class BadFrame(ClientError):
    """A frame of the feed cannot be read; `error` says why, `frame` has its bytes, `position` is
    None where frames have none. The consumer goes on behind it."""

    exit_code = os.EX_DATAERR

    def __init__(self, position: int | None, frame: bytes, error: ProtocolError) -> None:
        self.position, self.frame, self.error = position, frame, error
        where = "" if position is None else f"position {position}: "
        super().__init__(f"{where}{error}")
