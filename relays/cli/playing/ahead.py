"""How far a player may be ahead of the consumers it plays to: `--ahead`.

Called by `player` before each send. Looks at the relay's state file, which disturbs nobody; a relay
itself holds no producer back for a consumer. (relays.md 2)
"""

from __future__ import annotations

from protocol._core.state import State
from relays.core.accounting import lag
from relays.edge.memory import open_state


class Ahead:
    """Waits while the slowest consumer of a relay is `most` messages or more behind its log's end.

    Looked at after each quarter of that; so nobody falls behind by more than that much more, and
    what one send brings. RelayError (69, 77) when there is no state, or it may not be read.
    """

    def __init__(self, domain: str, runtime_dir: str, most: int) -> None:
        self.domain, self.runtime_dir, self.most = domain, runtime_dir, most
        self.step = max(1, most // 4)
        self._state: State | None = None
        self._connection = self._looked = 0
        self._behind(0)

    def held(self, sent: int, unacked: int, connection: int) -> bool:
        """Whether to wait, after so many messages, of which so many are unacknowledged, on the
        producer's so-manieth connection.

        Messages that lie in a consumer's socket count as taken; one whose breaker is open is not
        waited for.
        """
        if sent - self._looked < self.step:
            return False
        held = unacked >= self.most or self._behind(connection, unacked)
        self._looked = self._looked if held else sent
        return held

    def _behind(self, connection: int, unacked: int = 0) -> bool:
        if self._state is None or connection != self._connection:
            # A relay that was started anew may have another state.
            self._state, self._connection = open_state(self.domain, self.runtime_dir), connection
        end, rows = self._state.end_position, self._state.read_connections()
        # What is on its way to the relay will be what a consumer is behind.
        return any(lag(row, end) + unacked >= self.most for row in rows if row["consuming"])
