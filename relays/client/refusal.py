"""Which of a producer's frames an Error is about, for it names only the first and the last.

Called by `relays.client.producing`. A relay merges Errors of one code (relays.md 3); how many
frames they were about is in the text. What a refusal means for the connection is the core's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from protocol.control import Error
from protocol.header import HEADER_SIZE, Header
from protocol.reject import Reject
from relays.domains import Domain

COUNT = re.compile(r"\((\d+) frames\)$")


def refused(frames: bytes, error: Error, domain: Domain | None) -> tuple[bytes, bytes]:
    """(those that are refused, those that may be) of the frames between the two that an Error
    names. Both codes that are consumed are about a byte of the header: who has the byte of one
    that is named is refused too; of the others the count may say it.

    >>> from protocol.control import Heartbeat
    >>> sent = [Heartbeat().frame(sequence=n, source=n - 4) for n in (5, 6, 7)]
    >>> error = Error(code=Reject.SOURCE_NOT_ALLOWED, sequence=5, expected=7, text="(2 frames)")
    >>> refused(b"".join(sent), error, None) == (sent[0] + sent[2], b"")
    True
    """
    wrong = error.code == Reject.WRONG_DOMAIN
    asked = list(_headed(frames))
    if domain is not None:  # which is looked at before the source is
        asked = [one for one in asked if (one[0].message_type not in domain.types) == wrong]
    kinds = [one.message_type if wrong else one.source for one, _ in asked]
    ends = (error.sequence, error.expected)
    bad = {kind for kind, (one, _) in zip(kinds, asked, strict=True) if one.sequence in ends}
    sure = [kind in bad for kind in kinds]
    count = _count(error)
    if count == len(asked) or (wrong and domain is not None):
        sure = [True] * len(asked)
    chosen = b"".join(frame for (_, frame), yes in zip(asked, sure, strict=True) if yes)
    rest = b"".join(frame for (_, frame), yes in zip(asked, sure, strict=True) if not yes)
    return chosen, b"" if count == sum(sure) else rest


def sequences(frames: bytes) -> list[int]:
    """The sequences of whole frames, in their order."""
    return [header.sequence for header, _ in _headed(frames)]


def _headed(frames: bytes) -> Iterator[tuple[Header, bytes]]:
    at = 0
    while at < len(frames):
        header = Header.unpack(frames, at)
        stop = at + HEADER_SIZE + header.payload_size
        yield header, frames[at:stop]
        at = stop


def _count(error: Error) -> int:
    """How many frames an Error is about; 0 where it does not say."""
    found = COUNT.search(error.text)
    if found:
        return int(found[1])
    return int(error.sequence == error.expected)
