"""`relays journal` run in this process, for the tests that ask it something."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from relays.cli import main
from relays.cli.journaling.telling import show


class Ran:
    """What a command said and how it ended."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.out = self.err = ""

    def __call__(self, *words: object, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["journal", *map(str, words)])
        self.out, self.err = self._capfd.readouterr()
        assert ended.value.code == code, self.err
        assert "Traceback" not in self.err
        return self.out

    def shown(self, data: Any) -> str:
        """What a terminal would be given."""
        show(data)
        return self._capfd.readouterr().out

    def json(self, *words: object, code: int = 0) -> Any:
        return msgspec.json.decode(self(*words, "--json", code=code))
