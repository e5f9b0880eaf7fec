"""The house's sizes and names: short functions, short files, no module that shadows another.

Sizes are of the code: a function's docstring does not count as its lines.
"""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_FUNCTION = 70
MEDIAN_FUNCTION = 10
LONGEST_FILE = 500
LONGEST_LINE = 100
# Inside relays these would shadow the standard library or a dependency for scripts run there.
BAD_NAMES = {"signal.py", "types.py", "struct.py", "systemd.py", "select.py"}
ROOMS = ("protocol", "relays", "tests", "scripts")
CODE = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h", ""}
# Written by programs, and as long as what they are written from.
GENERATED = {"alphapulse.h", "alphapulse.rs"}
CYTHON_FUNCTION = re.compile(r"( *)(?:cpdef|cdef|def)\b[^=]*\(")


def files(*rooms: str, suffixes: set[str] = CODE) -> list[Path]:
    """The project's own files: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *rooms],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    paths = (ROOT / name for name in listed)
    return sorted(path for path in paths if path.suffix in suffixes and path.is_file())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of each function of a Python file, its docstring left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node) is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - docstring
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", lines


def cython_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of each function of a Cython file, by indentation."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if match := CYTHON_FUNCTION.match(line):
            size = _block(lines[number + 1 :], len(match[1]))
            yield f"{path.relative_to(ROOT)}:{number + 1} {line.strip()}", size


def _block(lines: list[str], indent: int) -> int:
    """How many lines belong to a block: up to the next that is not further in, blanks aside."""
    size = last = 0
    for size, line in enumerate(lines, 1):
        text = line.strip()
        if text and len(line) - len(line.lstrip()) <= indent and text[0] not in ")#":
            break
        if text:
            last = size
    return last + 1


def too_long(measured: Iterator[tuple[str, int]], limit: int) -> list[str]:
    return [f"{name}: {size} lines" for name, size in measured if size > limit]


def report(offenders: list[str]) -> None:
    """Fail with every offender: pytest would cut a long list short."""
    assert not offenders, "\n" + "\n".join(offenders)


def test_no_function_is_over_seventy_lines() -> None:
    python = [
        too_long(functions(path), LONGEST_FUNCTION) for path in files(*ROOMS, suffixes={".py"})
    ]
    cython = [
        too_long(cython_functions(path), LONGEST_FUNCTION)
        for path in files("protocol", suffixes={".pyx"})
    ]
    report([name for names in python + cython for name in names])


@pytest.mark.parametrize("room", ["protocol", "relays"])
def test_the_median_function_is_at_most_ten_lines(room: str) -> None:
    paths = files(room, suffixes={".py"})
    sizes = [size for path in paths for _, size in functions(path)]
    assert statistics.median(sizes or [0]) <= MEDIAN_FUNCTION


def test_no_file_is_over_five_hundred_lines() -> None:
    written = [path for path in files(*ROOMS) if path.name not in GENERATED]
    sizes = ((str(path), len(path.read_text().splitlines())) for path in written)
    report(too_long(sizes, LONGEST_FILE))


def test_no_line_is_over_a_hundred_characters() -> None:
    wide = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files(*ROOMS, "setup.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LONGEST_LINE
    ]
    report(wide)


def test_every_module_begins_with_what_it_is_for() -> None:
    python = files(*ROOMS, "setup.py", suffixes={".py"})
    silent = [path for path in python if not ast.get_docstring(ast.parse(path.read_text()))]
    silent += [
        path
        for path in files("protocol", suffixes={".pyx"})
        if not re.match(r'(#.*\n|\s*\n)*"""', path.read_text())
    ]
    report([str(path.relative_to(ROOT)) for path in silent])


def test_no_name_shadows_the_standard_library_or_a_dependency() -> None:
    bad = [path for path in files("relays") if path.name in BAD_NAMES]
    assert bad == []
    assert not (ROOT / "tests" / "protocol").exists()
