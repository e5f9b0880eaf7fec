"""`relays up`: all three relays as children, for a workstation (relays.md 8).

Called by the group in `relays.cli`. Under systemd the units do this; nothing here is needed there.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import FrameType

import click

from relays.cli.common.options import Given, accept_damage_option, configured
from relays.domains import DOMAINS

EXAMPLES = """\b
Examples:
  relays up
  relays up --runtime-dir /tmp/alphapulse --log-level debug

Ctrl-C drains and stops all three. One that dies is started again, after a longer and longer wait,
except when its configuration is wrong, its journal damaged, or another one ran there already.
"""
FIRST_WAIT, LONGEST_WAIT, LOOK_EVERY = 0.2, 10.0, 0.05
STEADY = 30.0
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One relay process, and when it may be started again."""

    domain: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = FIRST_WAIT
    again_at: float = 0.0
    given_up: bool = False
    starts: int = 0

    def start(self) -> None:
        """In a process group of its own, so that Ctrl-C reaches it once, from here."""
        command = [sys.executable, "-m", "relays.cli", "run", self.domain, *self.arguments]
        self.process = subprocess.Popen(command, process_group=0, preexec_fn=_end_with_parent)
        self.started = time.monotonic()
        self.starts += 1

    def look(self) -> int | None:
        """Its exit code when it has just ended; None while it runs or waits."""
        if self.process is None:
            if not self.given_up and time.monotonic() >= self.again_at:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        if time.monotonic() - self.started > STEADY:
            self.wait = FIRST_WAIT
        self.process = None
        # Later, what still serves there may be what is left of the one before.
        served = code == os.EX_UNAVAILABLE and self.starts == 1
        self.given_up = served or code in (os.EX_CONFIG, os.EX_DATAERR)
        self.again_at = time.monotonic() + self.wait
        self.wait = min(self.wait * 2, LONGEST_WAIT)
        return code


@click.command(epilog=EXAMPLES)
@configured
@accept_damage_option
def command(given: Given, accept_damage: bool) -> int:
    """Run all three relays as children of this process, and start again those that die."""
    given.load_all()
    stopping: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopping.append(number)
        if len(stopping) > 1:  # the first is passed on below, when nothing is half started
            _pass_on(children, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    arguments = [*_arguments(given), *["--accept-damage"] * accept_damage]
    children = [Child(domain, arguments) for domain in DOMAINS]
    code = None
    while not stopping and code is None:
        code = _look(children)
        time.sleep(LOOK_EVERY)
    _pass_on(children, signal.SIGTERM)
    ended = _wait(children)
    return ended if code is None else code


def _end_with_parent() -> None:
    """In the child: SIGTERM when this process dies, however it dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _arguments(given: Given) -> list[str]:
    """The options of this command line, for each child to read again."""
    config = ["--config", given.path] if given.path else []
    pairs = [("--set", f"{key}={json.dumps(value)}") for key, value in given.flags.items()]
    return config + [word for pair in pairs for word in pair]


def _look(children: list[Child]) -> int | None:
    """Start what is due; the exit code of a child that must not be started again."""
    for child in children:
        code = child.look()
        if code is None:
            continue
        if child.given_up:
            click.echo(f"relays: {child.domain} {_how(code)}: stopping the others", err=True)
            return code
        again = child.again_at - time.monotonic()
        click.echo(f"relays: {child.domain} {_how(code)}: again in {again:.1f} s", err=True)
    return None


def _how(code: int) -> str:
    return f"ended with {code}" if code >= 0 else f"was killed ({signal.Signals(-code).name})"


def _pass_on(children: list[Child], number: signal.Signals) -> None:
    for child in children:
        if child.process is not None and child.process.poll() is None:
            child.process.send_signal(number)


def _wait(children: list[Child]) -> int:
    """Until all have ended; the first exit code that is not 0."""
    codes = [child.process.wait() for child in children if child.process is not None]
    return next((code for code in codes if code), os.EX_OK)
