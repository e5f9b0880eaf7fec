"""The booted machine, one for each process that runs tests, set back before each of them."""

import os
import shutil
from collections.abc import Iterator

import pytest

from relays.domains import DOMAINS
from tests.deploy.machine import DEPLOY, Machine, why_not

OVERRIDES = "/run/systemd/system"


def must_be_possible() -> None:
    """Skip a test where no machine can be made; in continuous integration that is a failure."""
    reason = why_not()
    if reason:
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with the units installed."""
    must_be_possible()
    folder = tmp_path_factory.mktemp("machine")
    found = Machine(folder)
    try:
        found.prepare()
        found.install()
        found.boot()
        found.run("systemd-sysusers")
        found.run("systemd-tmpfiles --create /usr/lib/tmpfiles.d/alphapulse-relays.conf")
        yield found
    finally:
        found.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def machine(booted: Machine) -> Machine:
    """The machine with its relays stopped, as after an installation."""
    units = " ".join(f"relay@{name}.socket relay@{name}.service" for name in DOMAINS)
    booted.run(f"systemctl stop relays.service {units}")
    booted.run("find /run/alphapulse /var/lib/alphapulse -type f -delete")
    booted.run(f"rm -rf {' '.join(f'{OVERRIDES}/relay@{name}.service.d' for name in DOMAINS)}")
    booted.write("/etc/alphapulse/relays.toml", (DEPLOY / "relays.toml").read_text())
    booted.run("systemctl daemon-reload")
    booted.run("systemctl reset-failed")
    return booted


def override(machine: Machine, domain: str, text: str) -> None:
    """Settings of one relay's service, for one test."""
    machine.write(f"{OVERRIDES}/relay@{domain}.service.d/test.conf", f"[Service]\n{text}\n")
    machine.run("systemctl daemon-reload")
