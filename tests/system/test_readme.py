"""The README's programs run as they stand, against a relay as it says to start one."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from protocol._core.places import layout
from protocol._core.state import VERSION
from relays.cli import group
from tests.harness import RelayProcess, eventually
from tests.wire.recordings import recording

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    running = RelayProcess("market_data", tmp_path)
    yield running.start()
    running.clean()


def program(code: str, folder: Path) -> list[str]:
    return [
        sys.executable,
        "-u",
        "-c",
        code.replace('"market_data"', f'"{folder}/market_data.sock"'),
    ]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(code, folder), capture_output=True, text=True, timeout=30, cwd=ROOT
    )


def test_the_producer_and_the_consumer_of_the_readme_are_short_and_run(
    relay: RelayProcess, tmp_path: Path
) -> None:
    producer, consumer, _ = BLOCKS
    for block in BLOCKS:
        lines = [line for line in block.splitlines() if line.strip()]
        assert len([line for line in lines if not line.startswith(("from", "import"))]) <= 10
    for first in (1, 3):
        sent = run(producer, tmp_path)
        assert sent.returncode == 0, sent.stderr
        assert sent.stdout == f"sent as number {first}\nsent as number {first + 1}\n"
    reading = subprocess.Popen(
        program(consumer, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    eventually(lambda: relay.books().delivered == 4, "all trades went to the consumer")
    relay.kill()
    relay.start()
    again = run(producer, tmp_path)
    assert again.returncode == 0, again.stderr
    eventually(lambda: relay.books().delivered == 6, "the consumer came back for the rest")
    assert reading.stdout is not None
    shown = [reading.stdout.readline() for _ in range(6)]
    reading.send_signal(signal.SIGINT)
    out, err = reading.communicate(timeout=30)
    out = b"".join(shown) + out
    assert out.count(b"Trade(") == 6, err
    assert out.count(b"BTCUSDT") == 6
    assert b"Gap" not in out
    assert (reading.returncode, err) == (0, b"")


def test_without_a_relay_they_say_which_command_starts_one(tmp_path: Path) -> None:
    got = run(BLOCKS[1], tmp_path)
    assert got.returncode != 0
    assert "relays run market_data" in got.stderr.splitlines()[-1]


def test_the_recording_of_the_readme_becomes_frames_and_arrays(tmp_path: Path) -> None:
    source = recording("binance/usdm_btcusdt_20240808.gz")
    relays = Path(sys.executable).with_name("relays")
    frames = tmp_path / "btc.frames"
    made = subprocess.run(
        [relays, "convert", "binance-futures", source, "-o", frames],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    ended = subprocess.run(
        [sys.executable, "-c", BLOCKS[2]], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert re.fullmatch(r"\d+ trades at a mean of 6\d{4}\.\d+ USDT\n", ended.stdout)


def test_the_examples_of_the_protocol_hold() -> None:
    text = (ROOT / "protocol" / "README.md").read_text()
    first, _, views, calls = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    ended = run(first + views + calls, ROOT)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_every_test_that_a_document_names_exists() -> None:
    named = {
        name: path.relative_to(ROOT)
        for path in ROOT.glob("[a-z]*/**/README.md")
        for name in re.findall(r"`(?:\w+/)*(test_\w+)(?:\.py)?`", path.read_text())
    }
    code = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    there = {name for text in code for name in re.findall(r"def (test_\w+)", text)}
    there |= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) > 50
    assert {name: str(path) for name, path in named.items() if name not in there} == {}


def parsed(line: str) -> None:
    """Read a command line as `relays` does, and run nothing."""
    words = shlex.split(re.split(r" [|;>]| && |   ", f"{line} ")[0], comments=True)[1:]
    command: click.Command = group
    context = None
    while True:
        context = command.make_context("relays", list(words), parent=context)
        if not isinstance(command, click.Group):
            return
        words = [*context._protected_args, *context.args]
        if not words:
            return
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found


def helps(command: click.Command, name: str) -> str:
    """The help of a command and of all that are in it."""
    context = click.Context(command, info_name=name)
    inside = command.list_commands(context) if isinstance(command, click.Group) else []
    several = [command.get_command(context, one) for one in inside]  # type: ignore[attr-defined]
    return "\n".join([command.get_help(context), *(helps(one, "x") for one in several)])


def test_every_command_line_of_a_document_or_a_help_is_one() -> None:
    places = ("README.md", "relays/cli/README.md", "deploy/README.md", "relays/adapters/README.md")
    text = "\n".join((ROOT / name).read_text() for name in places)
    lines = re.findall(r"^(?:\$ |\.venv/bin/)(relays .*)$", text, re.MULTILINE)
    lines += re.findall(r"^ +(relays [a-z-]+ .*)$", helps(group, "relays"), re.MULTILINE)
    assert len(lines) > 80
    wrong = []
    for line in lines:
        try:
            if "<Tab>" not in line:
                parsed(line)
        except click.ClickException as error:
            wrong.append(f"{line}: {error.format_message()}")
    assert wrong == []


def test_the_regions_of_a_state_and_their_number_are_those_of_the_document() -> None:
    text = (ROOT / "relays" / "README.md").read_text()
    block = text[text.index("market_data.state ") :].split("```")[0]
    named = re.findall(r"^(?:market_data\.state +| {20})([a-z]+) ", block, re.MULTILINE)
    places = list(layout(1 << 20, 16, 16, True))
    assert sorted(named) == sorted(places[:-1])
    assert f"The layout has a number, {VERSION}." in text
