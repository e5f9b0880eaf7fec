"""The relay processes of tests/daemon, for adversity too."""

from tests.daemon.conftest import Start, start

__all__ = ["Start", "start"]
