"""Imports go one way, and each third-party package has one home: read from the sources with ast.

The arrows are those of the architecture; a new room or dependency is first added here.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SHARED = {"protocol", "relays.domains", "relays.config", "relays.errors"}
MAY_IMPORT = {
    "protocol": {"protocol"},
    "relays": set[str](),
    "relays.errors": set[str](),
    "relays.domains": {"protocol"},
    "relays.config": SHARED,
    "relays.core": SHARED | {"relays.core"},
    "relays.edge": SHARED | {"relays", "relays.core", "relays.edge"},
    "relays.client": SHARED | {"relays", "relays.client"},
    "relays.adapters": SHARED | {"relays.adapters"},
    "relays.cli": SHARED
    | {"relays", "relays.core", "relays.edge", "relays.client", "relays.adapters", "relays.cli"},
}
HOMES = {
    "click": {"relays.cli"},
    "rich": {"relays.cli"},
    "textual": {"relays.cli.looking.top_screen"},
    "uvloop": {"relays.edge"},
    "systemd": {"relays.edge"},
    "prometheus_client": {"relays.edge"},
    "msgspec": {"relays.config", "relays.edge", "relays.cli"},
    "crcmod": {"protocol.checksum"},
    "yaml": {"relays.client.settings"},
    "numpy": {"protocol.batch", "protocol.dtypes"},
}
WORLD = {"asyncio", "socket", "select", "selectors", "socketserver", "subprocess", "signal"}
CLOCK = {"time", "datetime"}
FORBIDDEN = {
    "protocol": WORLD | CLOCK | {"logging", "threading"},
    "relays.core": WORLD | CLOCK | {"threading"},
    "relays.config": WORLD | CLOCK,
    "relays.domains": WORLD | CLOCK,
    "relays.adapters": WORLD,
}
# Registries that several threads write to take a lock of the standard library.
LOCKED = {"protocol.objects", "protocol.schema"}


def room(module: str) -> str:
    """The room a module is in: `relays.core.log` is in `relays.core`, all of protocol in one."""
    parts = module.split(".")
    return "protocol" if parts[0] == "protocol" else ".".join(parts[:2])


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """Every module a source imports, absolute, also inside functions and type-checking blocks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = module.split(".") + ([""] if is_package else [])
                base = ".".join(up[: -node.level] + ([base] if base else []))
            yield from (_submodule(base, alias.name) for alias in node.names)


def _submodule(base: str, name: str) -> str:
    """`from relays import config` imports relays.config, `from relays import __version__` not."""
    path = ROOT.joinpath(*base.split("."), name)
    return f"{base}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else base


def complaints(module: str, source: str, is_package: bool = False) -> list[str]:
    """What is wrong with the imports of one module, a sentence each."""
    here = room(module)
    return [
        f"{module} imports {target}: {reason}"
        for target in imported(ast.parse(source), module, is_package)
        if (reason := _wrong(module, here, target))
    ]


def _wrong(module: str, here: str, target: str) -> str:
    top = target.split(".")[0]
    if top in ("protocol", "relays"):
        allowed = room(target) == here or room(target) in MAY_IMPORT[here]
        return "" if allowed else "imports go one way"
    if top in sys.stdlib_module_names:
        forbidden = FORBIDDEN.get(here, set()) - ({"threading"} if module in LOCKED else set())
        return "not in this room" if top in forbidden else ""
    return "" if {module, here} & HOMES.get(top, set()) else "it has another home"


def sources() -> list[Path]:
    return sorted(path for name in ("protocol", "relays") for path in (ROOT / name).rglob("*.py"))


def test_imports_go_one_way_and_third_parties_stay_at_home() -> None:
    wrong = [
        complaint
        for path in sources()
        for complaint in complaints(module_name(path), path.read_text(), path.name == "__init__.py")
    ]
    assert wrong == []


def test_every_module_is_in_a_known_room() -> None:
    unknown = {room(module_name(path)) for path in sources()} - set(MAY_IMPORT)
    assert unknown == set()


def test_no_command_imports_another_one() -> None:
    folder = ROOT / "relays" / "cli"
    commands = {module_name(path) for path in folder.glob("*.py")} - {"relays.cli"}
    found = [
        f"{module_name(path)} imports {target}"
        for path in folder.rglob("*.py")
        for target in imported(ast.parse(path.read_text()), module_name(path), is_package=False)
        if target in commands
    ]
    assert found == []


def test_only_the_command_line_reads_argv() -> None:
    readers = [
        module_name(path)
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv"
    ]
    assert {room(module) for module in readers} <= {"relays.cli"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("protocol.header", "import relays.domains"),
        ("protocol.scan", "import asyncio"),
        ("protocol.scan", "from threading import Lock"),
        ("protocol.objects", "import asyncio"),
        ("protocol.header", "import crcmod"),
        ("relays.config.keys", "from relays import core"),
        ("relays.config.keys", "from ..core import log"),
        ("relays.core.log", "def f():\n    from time import monotonic_ns"),
        ("relays.core.log", "import click"),
        ("relays.edge.relay", "from relays.cli.common.options import configured"),
        ("relays.client.producer", "from relays.edge.relay import Relay"),
        ("relays.edge.relay", "import requests"),
    ],
)
def test_a_wrong_arrow_is_found(module: str, source: str) -> None:
    assert complaints(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "relays.core.log",
            "from protocol._core import ring\nfrom relays.config import RelayConfig",
        ),
        ("relays.edge.relay", "import asyncio, uvloop\nfrom relays import __version__"),
        ("protocol.checksum", "import crcmod.predefined"),
        ("protocol.objects", "from threading import Lock"),
        ("relays.cli.status", "import rich.table\nfrom relays.client import Consumer"),
    ],
)
def test_a_right_arrow_is_not_complained_about(module: str, source: str) -> None:
    assert complaints(module, source) == []
