"""The command `relays`: exit codes, one-line errors, help, check-config and show-config."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import relays.cli
from protocol.errors import ProtocolError
from relays import __version__
from relays.cli import COMMANDS, explain, main
from relays.config import KEYS
from relays.errors import RelayError
from tests.daemon.test_config import BAD_FILES, BAD_VALUES, CONTRADICTIONS
from tests.harness import RelayProcess, eventually, frame

RELAYS = Path(sys.executable).with_name("relays")
DEADLINE = 60


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The real command as a process; DEADLINE only bounds a hang."""
    return subprocess.run(
        [RELAYS, *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def ended(*arguments: str) -> int:
    """The exit code of the command, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def one_line(text: str) -> str:
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return text.rstrip("\n")


def bad_files() -> list[str]:
    values = [f"[execution]\n{line}\n" for line, _ in BAD_VALUES]
    together = [f"[{domain}]\n{lines}\n" for domain, lines, _ in CONTRADICTIONS]
    return values + together + [text for text, _ in BAD_FILES]


@pytest.mark.parametrize("text", bad_files())
def test_every_bad_configuration_gets_one_line_and_exit_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "relays.toml"
    path.write_text(text)
    assert ended("check-config", "--config", str(path)) == os.EX_CONFIG
    said = capsys.readouterr()
    assert str(path) in one_line(said.err)
    assert said.out == ""


@pytest.mark.parametrize(
    "setting", ["journal_segment=1", "max_payload=1", "wat=1", "circuit_breaker=99999"]
)
def test_a_relay_with_a_bad_configuration_touches_nothing(tmp_path: Path, setting: str) -> None:
    pytest.importorskip("relays.cli.run")
    folder = tmp_path / "runtime"
    done = run("run", "execution", "--runtime-dir", str(folder), "--set", setting)
    assert done.returncode == os.EX_CONFIG
    assert setting.split("=")[0] in one_line(done.stderr)
    assert not folder.exists()


def test_check_config_says_that_a_good_file_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "relays.toml"
    path.write_text("[relay]\nlog_level = 'debug'\n[execution.sources]\n'uid:0' = [60]\n")
    assert ended("check-config", "--config", str(path)) == 0
    said = one_line(capsys.readouterr().out)
    assert said == f"{path}: good for market_data, signals, execution"


def test_show_config_shows_each_value_and_where_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "relays.toml"
    path.write_text("[signals]\nmax_payload = 1000\nproducers = ['user:root']\n")
    done = run(
        "show-config", "signals", "--config", str(path), "--json", RELAYS_SIGNALS_LOG_LEVEL="error"
    )
    shown = json.loads(done.stdout)["signals"]
    assert list(shown) == list(KEYS)
    assert shown["max_payload"] == {"value": 1000, "origin": f"{path}: [signals]"}
    assert shown["producers"]["value"] == ["user:root"]
    assert shown["log_level"]["origin"] == "environment RELAYS_SIGNALS_LOG_LEVEL"
    table = run("show-config", "signals", "--config", str(path)).stdout
    rows = [line.split() for line in table.splitlines()]
    assert ["max_payload", "1000", f"{path}:", "[signals]"] in rows
    assert all([key] in [row[:1] for row in rows] for key in KEYS)


def test_show_config_without_a_domain_shows_all_three() -> None:
    shown = json.loads(run("show-config", "--json").stdout)
    assert list(shown) == ["market_data", "signals", "execution"]


def test_flags_are_the_last_word(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--set", "log_level=debug", "--set", "on_lag=disconnect", "--log-level", "error"]
    flags += ["--metrics-port", "off", "--runtime-dir", "/run/relays"]
    assert ended("show-config", "signals", "--json", *flags) == 0
    shown = json.loads(capsys.readouterr().out)["signals"]
    expected = {
        "log_level": "error",
        "on_lag": "disconnect",
        "metrics_port": "off",
        "runtime_dir": "/run/relays",
    }
    for key, value in expected.items():
        assert shown[key] == {"value": value, "origin": "command line"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["--fly"],
        ["show-config", "trades"],
        ["show-config", "--set", "max_payload"],
        ["show-config", "signals", "execution"],
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_64(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == os.EX_USAGE
    assert one_line(done.stderr).startswith("relays: ")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (RelayError("served by pid 7", exit_code=os.EX_UNAVAILABLE), 69, "served by pid 7"),
        (RelayError("cannot", exit_code=os.EX_NOPERM), 77, "cannot"),
        (PermissionError(13, "Permission denied", "/x"), 77, "Permission denied"),
        (ProtocolError("the checksums differ"), 70, "the checksums differ"),
        (ZeroDivisionError("two\nlines"), 70, "internal error: ZeroDivisionError: two lines"),
        (click.BadParameter("odd"), 64, "odd"),
    ],
)
def test_an_error_is_one_line_and_never_a_traceback(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    text: str,
) -> None:
    def failing(**_: object) -> None:
        raise error

    monkeypatch.setattr(relays.cli.group, "main", failing)
    assert explain(error)[0] == code
    assert ended() == code
    assert text in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("where", ["import", "parsing", "running"])
def test_an_interrupt_anywhere_in_a_command_prints_nothing_and_is_exit_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    target, name = {
        "import": (importlib, "import_module"),
        "parsing": (click.Command, "make_parser"),
        "running": (click.Context, "invoke"),
    }[where]
    monkeypatch.setattr(target, name, interrupted)
    assert ended("show-config", "signals") == 130
    assert capsys.readouterr() == ("", "")


def test_a_command_that_is_misspelt_is_told_which_one_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended("statsu") == os.EX_USAGE
    assert "Did you mean status?" in one_line(capsys.readouterr().err)


def test_help_and_version_need_no_subcommand() -> None:
    assert run("--version").stdout == f"relays {__version__}\n"
    for arguments in ((), ("--help",), ("-h",)):
        done = run(*arguments)
        assert done.returncode == 0
        assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", ["check-config", "show-config"])
def test_the_help_of_a_command_has_an_example(name: str) -> None:
    assert f"relays {name}" in run(name, "--help").stdout.split("Example")[1]


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"journal"}))
def test_the_help_of_a_command_fits_80_columns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(name, "--help") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


HELP = """
import sys
from relays.cli import main
try:
    main(["--help"])
finally:
    print([name for name in ("rich", "uvloop", "relays.edge") if name in sys.modules])
"""


def test_a_relay_starts_without_what_only_others_need() -> None:
    needless = ("difflib", "hashlib", "numpy", "prometheus_client", "random", "rich", "secrets",
                "relays.core.journal.durability", "relays.edge.journal.writer")  # fmt: skip
    code = "import sys, relays.cli.run, relays.edge.service; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert not set(needless) & set(done.stdout.split())


def test_help_imports_no_subcommand() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


# Runs each of the commands in a process whose stdout nobody reads: its exit code, and what it said.
UNREAD = """
import json, os, sys
from relays.cli import COMMANDS, group, main
for name in COMMANDS:
    group.get_command(None, name)
running = []
for words in json.loads(sys.argv[1]):
    reading, writing = os.pipe()
    os.close(reading)
    said = os.memfd_create("said")
    process = os.fork()
    if not process:
        os.dup2(writing, 1)
        os.dup2(said, 2)
        main(words)
    os.close(writing)
    running.append((words, process, said))
for words, process, said in running:
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(json.dumps([words, code, os.pread(said, 10_000, 0).decode()]))
"""


def test_no_command_minds_a_reader_that_has_gone(
    start: Callable[..., RelayProcess], tmp_path: Path
) -> None:
    relay = start()
    with relay.client() as consumer, relay.client() as producer:
        consumer.hello(1)
        producer.send(frame(1))
        eventually(lambda: relay.end() == 1, "the relay has it")
        path = tmp_path / "a.frames"
        path.write_bytes(frame(2))
        me = f"pid={os.getpid()}"
        commands = [
            ["--version"], ["--help"], ["tap", "--help"], ["show-config"],
            ["show-config", "--json"], ["check-config"], ["export", "c"],
            ["completion", "bash"], ["status"], ["status", "--json"], ["why", me],
            ["why", me, "--json"], ["tap", "market_data", "--from=0"],
            ["tap", "market_data", "--from=0", "--count=1", "--stats"],
            ["tap", "market_data", "--from=0", "--json"],
            ["tap", "market_data", "--from=0", "--count=1", "-w", "-"],
            ["publish", "market_data", str(path)],
            ["replay", str(path), "--to=market_data", "--json"],
        ]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", UNREAD, json.dumps(commands)],
            env=os.environ | {"RELAYS_RUNTIME_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    quiet = [
        (words, code, [line for line in said.splitlines() if not line.startswith("relays: -: ")])
        for words, code, said in ended
    ]
    assert quiet == [(words, 0, []) for words in commands]
