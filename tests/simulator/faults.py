"""What a deliberate fault is: something of the relay that is replaced for the time of a run.

Used by `mutations` and `journal_mutations`; the product has no hook for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Instead = Callable[..., Any]


@dataclass(frozen=True)
class Mutation:
    """`name` of `owner` becomes what `make` gives for the original; `what` is wrong then. `within`
    is in how many seeds, from 0 on, it must be found (about four times what it takes)."""

    what: str
    owner: Any
    name: str
    make: Callable[[Any], Any]
    within: int


def nothing(_: Instead) -> Instead:
    """Instead of something: nothing is done."""
    return lambda *arguments: None


def always(value: object) -> Callable[[Instead], Instead]:
    """Instead of a question: always this answer."""
    return lambda _: lambda *arguments: value
