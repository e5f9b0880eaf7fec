"""The protocol for other languages: alphapulse.h and alphapulse.rs from the message classes.

Called by `relays export` and by the test that fails while a committed file is stale. A new language
is a module here with `render()` and a line in LANGUAGES; facts about messages stay in their
classes. (SPEC.md, Message types)
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from protocol.errors import ProtocolError

LANGUAGES = {"c": "alphapulse.h", "rust": "alphapulse.rs"}


def render(language: str) -> str:
    """The whole file for a language: `c` or `rust`. ProtocolError for another.

    >>> "typedef struct ap_trade {" in render("c")
    True
    """
    if language not in LANGUAGES:
        raise ProtocolError("language", expected=" or ".join(LANGUAGES), got=language)
    written: str = import_module(f"protocol.export.{language}").render()
    return written


def committed(language: str) -> Path:
    """Where the file for a language is kept in this package.

    >>> committed("rust").name
    'alphapulse.rs'
    """
    return Path(__file__).with_name(LANGUAGES[language])
