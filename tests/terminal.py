"""A real terminal for tests of what people see: tmux, driven by keys, read as a screen.

Used by tests of commands that draw or colour. Skips where tmux is not installed. Nothing waits by
sleeping: `until` reads the screen again until a deadline.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.harness import eventually


class Terminal:
    """A program in a terminal of its own, `columns` by `rows`; end it with `close`.

    The program's exit code is on the screen as `exit=N` once it has ended.
    """

    def __init__(
        self, folder: Path, command: Sequence[str], columns: int = 80, rows: int = 24
    ) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed")
        self._socket = str(folder / f"tmux-{id(self)}")
        words = " ".join(map(shlex.quote, command))
        script = f"{words}; echo exit=$?; exec sleep 1000"
        size = ("-x", str(columns), "-y", str(rows))
        environ = os.environ | {"TERM": "xterm-256color"}
        environ.pop("NO_COLOR", None)
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, script, environ=environ)

    def screen(self, *, escapes: bool = False) -> str:
        """What is on the screen, trailing blanks left out; with SGR codes if asked for."""
        lines = self._tmux("capture-pane", "-p", *(["-e"] if escapes else [])).splitlines()
        return "\n".join(line.rstrip() for line in lines).rstrip()

    def until(self, *seen: str | Callable[[str], bool]) -> str:
        """The screen once it shows all these texts, or is as wanted; AssertionError with the
        screen when it never is. What is looked for on one screen must be asked for together: a
        program may be in the middle of painting it."""

        def painted() -> str:
            text = self.screen()
            return text if all(_shows(text, one) for one in seen) else ""

        try:
            return eventually(painted, f"the screen shows {seen}")
        except AssertionError as error:
            raise AssertionError(f"{error}; on the screen:\n{self.screen()}") from None

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: `C-c`, `Down`, `q`."""
        self._tmux("send-keys", *keys)

    def close(self) -> None:
        """End the terminal and what runs in it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, timeout=20)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tmux(self, *words: str, environ: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words],
            env=environ,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return done.stdout


def _shows(text: str, wanted: str | Callable[[str], bool]) -> bool:
    return wanted in text if isinstance(wanted, str) else wanted(text)
