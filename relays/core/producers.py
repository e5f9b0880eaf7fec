"""Producers that name themselves: the last sequence of each (uid, producer_id) (relays.md 4).

Called by `relays.core.hub` when a Hello names a producer_id. The records are in the state, so they
outlive connections and the process; here is only the way to find them. Longest idle goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol._core.connection import producer_read, producer_write
from protocol._core.state import State

if TYPE_CHECKING:
    from relays.core.peer import Peer

Key = tuple[int, int]


class Producers:
    """(uid, producer_id) -> place in the state's table, at most `capacity` of them."""

    def __init__(
        self, state: State, capacity: int, window: Callable[[int], memoryview | None]
    ) -> None:
        self._state, self._window = state, window
        self._capacity = min(capacity, state.read_geometry()["producers"])
        self._places: OrderedDict[Key, int] = OrderedDict()
        self.connected: dict[Key, Peer] = {}
        found = []
        free = []
        for place in range(self._capacity):
            row = producer_read(state, place)
            if row is None:
                free.append(place)
            else:
                found.append((row[3], (row[0], row[1]), place))
        for _, key, place in sorted(found):
            self._places[key] = place
        self._free = free[::-1]

    def __len__(self) -> int:
        return len(self._places)

    def last_sequence(self, place: int) -> int:
        row = producer_read(self._state, place)
        assert row is not None, place
        return row[2]

    def place(self, key: Key) -> int:
        """The place of a producer the relay remembers."""
        return self._places[key]

    def take(self, key: Key, now: int) -> bool:
        """See that a producer has a place; the longest idle one gives way. False when all that
        are remembered are connected, OSError when there is no memory for one more."""
        if key in self._places:
            return True
        if not self._free and not self._forget_one():
            return False
        window = self._window(self._free[-1])
        place = self._free.pop()
        if window is not None:  # what it says of another producer's sequences condemns nobody
            window[:] = bytes(len(window))
        producer_write(self._state, place, key[0], key[1], 0, now)
        self._places[key] = place
        return True

    def left(self, key: Key) -> None:
        """A producer's connection ended: it is idle from now on."""
        del self.connected[key]
        self._places.move_to_end(key)

    def _forget_one(self) -> bool:
        for key, place in self._places.items():
            if key not in self.connected:
                producer_write(self._state, place, 0, 0, 0, 0)
                del self._places[key]
                self._free.append(place)
                return True
        return False
