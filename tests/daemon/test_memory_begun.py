"""A relay that is interrupted while it makes its memory files has lost nothing, and says nothing of
damage when it starts again (relays.md 2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relays.config import RelayConfig, load
from relays.edge import memory
from relays.edge.memory import files, open_memory
from tests.harness import remove_memory

CALLS = ("open", "fchmod", "ftruncate", "posix_fallocate", "close", "replace")


@pytest.fixture
def config(tmp_path: Path) -> Iterator[RelayConfig]:
    tmp_path.chmod(0o700)
    flags = {"runtime_dir": str(tmp_path), "log_bytes": 1 << 20}
    yield load("signals", flags=flags, environ={}).config
    remove_memory("signals", tmp_path)


class Interrupted:
    """`os`, until Ctrl-C comes before one of the calls that make files, or right behind it."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __getattr__(self, name: str) -> Any:
        call = getattr(os, name)
        if name not in CALLS:
            return call

        def counted(*arguments: Any) -> Any:
            self.left -= 1
            if self.left == -1:
                raise KeyboardInterrupt
            return call(*arguments)

        return counted


@pytest.mark.parametrize("killed", [False, True])
def test_memory_half_made_is_no_damage_and_no_log(
    config: RelayConfig, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    where = files("signals", config.runtime_dir)
    done = False
    for calls in range(30):
        print(f"interrupted in call {calls}")
        with monkeypatch.context() as dying:
            dying.setattr(memory, "os", Interrupted(calls))
            if killed:  # nobody tidies up
                dying.setattr(memory, "_forget_half_made", lambda where: None)
            try:
                open_memory("signals", config, 1)
                done = True
            except KeyboardInterrupt:
                assert not where.state.exists()
        if not killed and not done:
            assert [*where.log.parent.glob("signals.*")] == []
        found = open_memory("signals", config, 2)
        assert (found.adopted, found.damage) == (done, "")
        assert sorted(where.log.parent.glob("signals.*")) == [where.log, where.state]
        remove_memory("signals", Path(config.runtime_dir))
        if done:
            break
    assert done
    assert calls > 8
