"""Deliberate faults in the core are found, each within a stated number of seeds (`mutations`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.journal_mutations import JOURNAL_MUTATIONS
from tests.simulator.manager_mutations import MANAGER_MUTATIONS
from tests.simulator.mutations import MUTATIONS, mutated
from tests.simulator.run import simulate
from tests.simulator.setups import journaled, managed

MANY = 300
WRONG = ("TypeError", "AttributeError", "NameError")


def every() -> Iterator[Any]:
    """All of them; those that few seeds find are for the long run."""
    for name, mutation in MUTATIONS.items():
        yield pytest.param(name, marks=[pytest.mark.full] if mutation.within > MANY else [])


@pytest.mark.parametrize("name", list(every()))
def test_a_deliberate_fault_is_found(name: str) -> None:
    mutation = MUTATIONS[name]
    # The others take their time, and have nothing of it.
    seeds = range(mutation.within)
    tried: Iterator[int] = iter(seeds)
    if name in JOURNAL_MUTATIONS:
        tried = filter(journaled, seeds)
    elif name in MANAGER_MUTATIONS:
        tried = filter(managed, seeds)
    with mutated(name):
        found = next((run for run in map(simulate, tried) if run.failure), None)
    assert found is not None, f"{mutation.what}: not found in {mutation.within} seeds"
    print(f"{mutation.what}: found by seed {found.seed}: {found.failure}")
    assert not found.failure.startswith(WRONG), f"the fault itself is wrong: {found.failure}"


def test_a_mutation_ends_with_its_run() -> None:
    before = simulate(0, 200)
    with mutated("forget the carry"):
        assert simulate(0, 200).failure
    assert simulate(0, 200) == before
