"""Where tables and coloured text go: rich's Console, as the commands want it.

Called by the commands that print through rich. What is printed is theirs.
"""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class Screen(Console):
    """The standard output for text that is meant as it stands: nothing in it is markup.

    A reader that has gone is BrokenPipeError, as it is for `print`: rich would exit with 1.
    `width` is in characters, None = that of the terminal.

    >>> Screen(width=20).width
    20
    """

    def __init__(self, width: int | None = None) -> None:
        super().__init__(markup=False, highlight=False, width=width)

    def on_broken_pipe(self) -> NoReturn:
        """Called by rich where the reader has gone."""
        raise BrokenPipeError
