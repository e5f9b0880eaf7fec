"""The booted machine, one for each process that runs tests, set back before each of them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relays.domains import DOMAINS
from tests.deploy.machine import DEPLOY, Machine, why_not
from tests.harness import eventually

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
    booted.run(f"rm -f {GATE}")
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


def configure(machine: Machine, domain: str, text: str) -> None:
    """The configuration as it is installed, and these lines for one relay."""
    own = (DEPLOY / "relays.toml").read_text()
    machine.write("/etc/alphapulse/relays.toml", f"{own}\n[{domain}]\n{text}\n")


def pid(machine: Machine, domain: str) -> int:
    """The relay's process, as the machine numbers it; 0 where none runs."""
    return int(machine.show(f"relay@{domain}.service", "MainPID"))


def served_by_another(machine: Machine, domain: str, old: int) -> None:
    """Wait until a process that is not the old one accepts."""
    unit = f"relay@{domain}.service"
    eventually(lambda: pid(machine, domain) not in (0, old), f"{unit} has another process")
    machine.becomes(unit, "ActiveState", "active")


def said(machine: Machine, domain: str) -> str:
    """What has been logged of the relay's present run."""
    run = machine.show(f"relay@{domain}.service", "InvocationID")
    return machine.log(f"_SYSTEMD_INVOCATION_ID={run} -o cat")


def stored(machine: Machine, domain: str, count: int) -> None:
    """Wait until the machine's systemd holds this many connections of a relay."""
    machine.becomes(f"relay@{domain}.service", "NFileDescriptorStore", str(count))


GATE = "/run/gate"
WAIT_AT_GATE = f"ExecStartPre=+sh -c 'while test -e {GATE}; do sleep 0.01; done'"
WAYS = {
    "restart": "systemctl restart --no-block relay@{}",
    "crash": "systemctl kill --kill-whom=main -s KILL relay@{}",
}


@contextmanager
def nobody_serves(machine: Machine, domain: str, way: str) -> Iterator[None]:
    """Between a relay and its successor; `override` with WAIT_AT_GATE comes before its start."""
    old = pid(machine, domain)
    machine.write(GATE, "")
    machine.run(WAYS[way].format(domain))
    eventually(lambda: not Path(machine.path(f"/proc/{old}")).exists(), "it is gone")
    yield
    machine.run(f"rm {GATE}")
    served_by_another(machine, domain, old)
