"""`relays completion`: the scripts are those shells take, and what they ask for is answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relays.cli import COMMANDS, main
from relays.cli.completion import SHELLS
from tests.daemon.handmade import HandMade, traffic

DEADLINE = 60
RELAYS = [sys.executable, "-m", "relays.cli"]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path)
    yield state
    state.remove()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(["completion", *arguments])
    assert isinstance(caught.value.code, int)
    said = capsys.readouterr()
    return caught.value.code, said.out, said.err


def offered(*words: str) -> list[str]:
    """What a shell would be offered for the last of these words of a command line."""
    done = subprocess.run(
        RELAYS,
        env=os.environ
        | {
            "_RELAYS_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["relays", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stderr == ""
    return [line.split(",", 1)[1] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_relays_itself(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    code, out, error = printed(capsys, shell)
    assert (code, error) == (0, "")
    assert f"_RELAYS_COMPLETE={shell}_complete" in out
    assert "relays" in out


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_finds_no_fault_with_its_script(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, shell: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(printed(capsys, shell)[1])
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_bash_completes_a_command_and_a_domain(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    relays = tmp_path / "relays"
    relays.write_text(f'#!/bin/sh\nexec {sys.executable} -m relays.cli "$@"\n')
    relays.chmod(0o755)
    asked = """
COMP_WORDS=(relays status ex); COMP_CWORD=2; _relays_completion relays; echo "${COMPREPLY[@]}"
COMPREPLY=(); COMP_WORDS=(relays stat); COMP_CWORD=1
_relays_completion relays; echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "-c", printed(capsys, "bash")[1] + asked],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.stdout.split() == ["execution", "status"], done.stderr


def test_every_command_and_option_is_offered() -> None:
    assert offered("") == list(COMMANDS)
    assert offered("sh") == [name for name in COMMANDS if name.startswith("sh")]
    assert "--version" in offered("--v")
    assert "--json" in offered("why", "--j")
    assert offered("run", "") == ["market_data", "signals", "execution"]


def test_the_clients_in_the_state_are_offered_to_why(made: HandMade) -> None:
    traffic(made)
    assert offered("why", f"--runtime-dir={made.folder}", "str") == ["strategy"]
    assert offered("why", f"--runtime-dir={made.folder}", "nobody") == []


def test_without_a_name_it_is_the_shell_of_the_user(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "fish_complete" in printed(capsys)[1]
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    code, out, error = printed(capsys)
    assert (code, out) == (os.EX_USAGE, "")
    assert error == "relays: which shell? $SHELL is 'tcsh'; expected bash, zsh, fish\n"
