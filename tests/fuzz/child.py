"""One target under libFuzzer: `python -m tests.fuzz.child TARGET [libFuzzer's options]`.

Started by `tests.fuzz` in a fuzzing build. The Python of the product is instrumented as it is
imported; its compiled part was when it was built.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import atheris

INSTRUMENTED = ["protocol", "relays", "tomllib"]


def main(name: str, options: list[str]) -> None:
    """See the module's docstring."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = import_module(f"tests.fuzz.targets.{name}").TARGET
    scan = Path(sys.modules["protocol"].__path__[0], "_core")
    built = next(scan.glob("scan*.so")).read_bytes()
    assert b"__asan_report_load" in built, f"{scan} was not built for fuzzing"
    # A merge runs this again, through a shell.
    again = f"{sys.executable} -m tests.fuzz.child {name}"
    atheris.Setup([again, *options], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
