"""Why a frame or a connection is refused: one enumeration for all (SPEC.md, Reject codes).

Called by the relays, the clients and the generator of SPEC.md; the compiled code has the same
numbers. Deciding which one applies is `protocol.scan`'s and the relays' affair.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Reject(IntEnum):
    """The codes of Error frames, logs and the metric label `reason`; ROWS says what each means.

    A peer may send codes that are not here: they are data, never an exception.
    """

    BAD_MAGIC = 1
    PAYLOAD_TOO_LARGE = 2
    WRONG_DOMAIN = 3
    BAD_SIZE = 4
    BAD_CHECKSUM = 5
    SEQUENCE_GAP = 6
    SEQUENCE_DUPLICATE = 7
    SOURCE_NOT_ALLOWED = 8
    TRUNCATED = 9
    NOT_A_PRODUCER = 10
    BAD_HELLO = 11
    ACCESS_DENIED = 12
    TOO_MANY_CONNECTIONS = 13
    COOLDOWN = 14
    SLOW_CONSUMER = 15
    DRAINING = 16
    NOT_ACCEPTING = 17
    FENCED = 18
    SEQUENCE_CONFLICT = 19


class Row(NamedTuple):
    """What a code says: the event, its sequence number's fate, the connection's fate."""

    what: str
    sequence: str
    connection: str


CLOSED, STAYS = "closed", "stays"
TAKEN, LEFT, NONE = "consumed", "not consumed", "-"

ROWS = {
    Reject.BAD_MAGIC: Row(
        "the bytes where a header should start are not one: framing is lost", NONE, CLOSED
    ),
    Reject.PAYLOAD_TOO_LARGE: Row(
        "payload_size above the domain's max_payload (compared unsigned, before anything is "
        "added to it)",
        NONE,
        CLOSED,
    ),
    Reject.WRONG_DOMAIN: Row("type outside the relay's range", TAKEN, STAYS),
    Reject.BAD_SIZE: Row(
        "payload_size is not that of a known type and version, or under the least of a variable "
        "one: decided from the header, nothing is waited for; the header is damaged or the "
        "producer speaks another schema",
        NONE,
        CLOSED,
    ),
    Reject.BAD_CHECKSUM: Row(
        "domain frames where the domain checks it; control frames always", LEFT, STAYS
    ),
    Reject.SEQUENCE_GAP: Row("not last + 1, where the domain requires order", LEFT, STAYS),
    Reject.SEQUENCE_DUPLICATE: Row("not above the last accepted", NONE, STAYS),
    Reject.SOURCE_NOT_ALLOWED: Row("this user may not speak as this source", TAKEN, STAYS),
    Reject.TRUNCATED: Row(
        "the connection ended inside a frame, or a frame stayed incomplete for frame_timeout",
        NONE,
        CLOSED,
    ),
    Reject.NOT_A_PRODUCER: Row("may not produce here, or a consume-only session did", NONE, CLOSED),
    Reject.BAD_HELLO: Row(
        "a Hello or other control frame that cannot be honoured; the Error says why", NONE, CLOSED
    ),
    Reject.ACCESS_DENIED: Row("the user is on no list", NONE, CLOSED),
    Reject.TOO_MANY_CONNECTIONS: Row("no place is left for this user or at all", NONE, CLOSED),
    Reject.COOLDOWN: Row("cut off as a producer a moment ago", NONE, CLOSED),
    Reject.SLOW_CONSUMER: Row("lagged past what its on_lag allows", NONE, CLOSED),
    Reject.DRAINING: Row("the relay is stopping", NONE, CLOSED),
    Reject.NOT_ACCEPTING: Row("the relay cannot keep more (journal)", LEFT, STAYS),
    Reject.FENCED: Row("a newer connection took this producer_id; do not reconnect", NONE, CLOSED),
    Reject.SEQUENCE_CONFLICT: Row("a sequence seen before with other bytes", NONE, CLOSED),
}

FATAL = frozenset(code for code, row in ROWS.items() if row.connection == CLOSED)
CONSUMED = frozenset(code for code, row in ROWS.items() if row.sequence == TAKEN)
_LABELS = {int(code): code.name.lower() for code in Reject}


def label(code: int) -> str:
    """A code in lower case, as metrics have it; never raises.

    >>> label(6), label(99)
    ('sequence_gap', 'reject_99')
    """
    return _LABELS.get(code) or f"reject_{int(code)}"
