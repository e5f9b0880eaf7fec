"""Times as people write them, read in one way by every command.

Called by `relays tap` and `relays journal`. No option or argument of a command is here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

TIME_OF_DAY = re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?")


def moment(text: str, now: datetime | None = None) -> datetime:
    """The time that is written so: UTC where it does not say, today where it has no date.
    ValueError for what is no time.

    >>> moment("2026-01-31T09:00").isoformat(), moment("2026-01-31T09:00+01:00").isoformat()
    ('2026-01-31T09:00:00+00:00', '2026-01-31T09:00:00+01:00')
    """
    if TIME_OF_DAY.fullmatch(text):
        text = f"{now or datetime.now(UTC):%Y-%m-%d}T{text}"
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
