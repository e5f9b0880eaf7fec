"""Several relays as one stream: what the blocking and the asyncio MultiConsumer have in common.

Called by `relays.client.multi` and `relays.client.aio.multi`, which wait; nothing here does. Each
relay has its consumer; the death of one is an item, and no matter to the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from protocol.errors import ProtocolError
from relays.client.attached import Attached
from relays.client.consuming import Item
from relays.client.delivery import Form
from relays.client.errors import BadFrame, ClientError, GapError
from relays.client.settings import read_settings


class Up(NamedTuple):
    """A relay has answered: its pid, and whether it did so before."""

    path: str
    pid: int
    again: bool


class Down(NamedTuple):
    """A relay is not there; `reason` says why. `final`: it is not tried again."""

    path: str
    reason: str
    final: bool


OnChange = Literal["item"] | Callable[[str, Up | Down], object]


class Member(Attached):
    """The consumer of one relay of several; `changes` waits to be told."""

    def _start(self) -> None:
        self.changes: list[Up | Down] = []
        self._up: bool | None = None

    def step(self, form: Form, now: float) -> Iterator[Any] | None:
        """What there is at once; None when there is nothing, or this relay is out."""
        if self._closed:
            return None
        try:
            ready = self._at_once(form, now)
            self._notice()
        except (GapError, BadFrame):
            raise
        except (ClientError, ProtocolError) as error:
            self.close()
            self.changes.append(Down(self.path, str(error), True))
            return None
        return ready

    def _next_at_once(self, now: float) -> Item | None:
        item = super()._next_at_once(now)
        # What was said by whom is in the order of what happened: first that it is there.
        self._notice()
        return item

    def _notice(self) -> None:
        core, up = self._core, self._core.ready
        if up and not self._up:
            self._welcomed()
            assert core.welcome is not None
            self.changes.append(Up(self.path, core.welcome.relay_pid, core.welcomes > 1))
        elif not up and self._up is not False and self._sock is None and core.reason:
            self.changes.append(Down(self.path, core.reason, False))
        else:
            return
        self._up = up

    def close(self) -> None:
        self._closed = True
        self._hang_up()


class Several:
    """The consumers of several relays by name.

    `relays` are domains, or names with the options of a Consumer (`target` = its path or domain,
    the name itself when there is none); `options` are for all. `on_change`: an Up or Down is an
    item of the stream, or given to a function with the name. Gaps are items too (`on_gap`).

    >>> several = Several({"market_data": {"types": ["Trade"]}, "signals": {}}, name="desk")
    >>> sorted(several.members)
    ['market_data', 'signals']
    """

    def __init__(
        self,
        relays: Mapping[str, Mapping[str, Any]] | Iterable[str],
        *,
        on_change: OnChange = "item",
        **options: Any,
    ) -> None:
        given = relays if isinstance(relays, Mapping) else {name: {} for name in relays}
        if not given:
            raise ClientError("a MultiConsumer has at least one relay")
        if on_change != "item" and not callable(on_change):
            raise ClientError(f'on_change is "item" or a function, got {on_change!r}')
        self.on_change = on_change
        shared: dict[str, Any] = {"on_gap": "item"} | options
        self.members: dict[str, Member] = {}
        for name, own in given.items():
            wanted: dict[str, Any] = {"target": name} | shared | dict(own)
            self.members[name] = Member(**wanted)
        self._changes: deque[tuple[str, Up | Down]] = deque()
        self._turn = 0
        self._last: Member | None = None
        self._closed = False
        self._set_up()

    @classmethod
    def from_config(cls, path: str | Path, **options: Any) -> Self:
        """As a YAML or TOML file says (`relays.client.settings`); `options` are for all relays.

        ConfigError names file, key and what was expected.
        """
        return cls(read_settings(path), **options)

    def _set_up(self) -> None:
        """What a front does when it is made."""

    @property
    def up(self) -> dict[str, bool]:
        """Which relays are there now."""
        return {name: member._core.ready for name, member in self.members.items()}

    @property
    def replayed(self) -> bool:
        """Whether the message that was last given is replayed (as a Consumer's)."""
        return self._last is not None and self._last.replayed

    def _step(self, form: Form, now: float) -> tuple[str, Iterator[Any]] | None:
        """What is there, of the next that has something; None when none has. What changed is in
        `_changes` then, and comes before it."""
        names = list(self.members)
        for n in range(len(names)):
            name = names[(self._turn + n) % len(names)]
            member = self.members[name]
            ready = member.step(form, now)
            changes, member.changes = member.changes, []
            self._tell(name, changes)
            if changes or ready is not None:
                self._last = member
                self._turn = (self._turn + n + 1) % len(names)
                return name, iter(()) if ready is None else ready
        return None

    def _tell(self, name: str, changes: list[Up | Down]) -> None:
        for change in changes:
            if callable(self.on_change):
                self.on_change(name, change)
            else:
                self._changes.append((name, change))

    @property
    def _until(self) -> float | None:
        """When something is to be done though nothing came; None when all are out."""
        times = [one._until for one in self.members.values() if not one._closed]
        return min(times, default=None)

    def _close(self) -> None:
        self._closed = True
        for member in self.members.values():
            member.close()
