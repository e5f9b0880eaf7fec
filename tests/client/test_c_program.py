"""The protocol can be spoken from its description alone: by a C program with its own CRC."""

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("c_peer.c")
COUNT = 20_000
PRODUCER_ID = 77
PATIENCE = 60


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "c_peer"
    flags = ["-std=c11", "-D_DEFAULT_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *flags, "-o", str(made), str(SOURCE)], check=True, timeout=PATIENCE)
    return made


@pytest.fixture
def folder() -> Iterator[Path]:
    """On tmpfs, where the relay keeps its log in it: elsewhere 128 MiB would stay behind."""
    with tempfile.TemporaryDirectory(prefix="relays-test-", dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def relay(folder: Path) -> Iterator[Path]:
    """The socket of a running market_data relay with default settings."""
    command = [sys.executable, "-m", "relays.cli", "run", "market_data"]
    options = ["--runtime-dir", str(folder), "--metrics-port", "off"]
    process = subprocess.Popen([*command, *options])
    try:
        wait_until_accepting(process, folder / "market_data.sock")
        yield folder / "market_data.sock"
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def wait_until_accepting(process: "subprocess.Popen[bytes]", path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        assert process.poll() is None, "the relay ended before it listened"
        assert time.monotonic() < deadline, "the relay does not listen"
        time.sleep(0.02)


def figures(line: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


def produce(program: Path, relay: Path, count: int) -> dict[str, int]:
    command = [str(program), "produce", str(relay), str(count), str(PRODUCER_ID)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return figures(done.stdout)


def test_a_c_program_that_knows_only_the_protocol_produces_and_consumes(
    program: Path, relay: Path
) -> None:
    command = [str(program), "consume", str(relay), str(2 * COUNT)]
    pipe = subprocess.PIPE
    consumer = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    try:
        assert consumer.stdout is not None
        assert consumer.stdout.readline() == "ready\n"
        first = produce(program, relay, COUNT)
        # The same producer again: it goes on after Welcome.last_sequence.
        second = produce(program, relay, COUNT)
        out, err = consumer.communicate(timeout=PATIENCE)
    finally:
        consumer.kill()
        consumer.wait()
    assert consumer.returncode == 0, err
    got = figures(out)
    assert (first["first"], first["last"]) == (1, COUNT)
    assert (second["first"], second["last"]) == (COUNT + 1, 2 * COUNT)
    assert got["producer"] == PRODUCER_ID
    assert got["trades"] == got["position"] == 2 * COUNT
