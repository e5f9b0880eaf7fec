"""Every `>>>` example in a docstring of the two packages does what it says."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def modules() -> list[str]:
    """Modules that have examples; the others need not be importable here (systemd is an extra)."""
    paths = [path for room in ("protocol", "relays") for path in (ROOT / room).rglob("*.py")]
    named = [path for path in paths if ">>>" in path.read_text()]
    return sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in named
    )


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_a_module_are_true(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
