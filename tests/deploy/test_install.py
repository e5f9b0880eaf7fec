"""The installer on a machine of its own: installs, comes again, upgrades, and leaves nothing."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relays.domains import DOMAINS
from tests.deploy.conftest import must_be_possible
from tests.deploy.machine import CHECKOUT, DEPLOY, ROOT, Machine
from tests.harness import Client, frame

WHEELS = "/opt/wheels"
PLACES = (
    "/usr/local /opt /etc/alphapulse /var/lib/alphapulse /etc/systemd/system /usr/bin "
    "/usr/lib/systemd /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/lib/sysctl.d /usr/share/zsh "
    "/usr/share/fish /usr/share/bash-completion"
)
INSTALL = f"{CHECKOUT}/deploy/install --wheels {WHEELS}"


def test_a_dry_run_needs_nobody_and_changes_nothing() -> None:
    done = subprocess.run(
        [str(DEPLOY / "install"), "--dry-run", "--prefix", "/opt/elsewhere"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "+ make_environment /opt/elsewhere/releases/" in done.stdout
    assert "/usr/local/lib/systemd/system/relay@.service" in done.stdout
    assert not Path("/opt/elsewhere").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--prefix", "somewhere"], "must begin with /"),
        (["--prefix", "/home/me/relays"], "services do not see"),
        (["--purge"], "goes with --uninstall"),
        (["--frobnicate"], "is not known"),
    ],
)
def test_wrong_usage_is_one_line(options: list[str], said: str) -> None:
    done = subprocess.run(
        [str(DEPLOY / "install"), "--dry-run", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine without relays, and wheels of them and all they need."""
    must_be_possible()
    folder, wheels = tmp_path_factory.mktemp("bare"), tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check"]
    command += ["--no-build-isolation", "-w", str(wheels), f"{ROOT}[systemd,top]"]
    with (ROOT / ".tools" / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the checkout has one place to build in
        subprocess.run(command, check=True)
    found = Machine(folder, {wheels: WHEELS})
    try:
        found.prepare()
        found.boot()
        yield found
    finally:
        found.end()
        shutil.rmtree(folder, ignore_errors=True)


def listed(machine: Machine) -> set[str]:
    """Every file and directory where an installation may leave something."""
    found = machine._run(f"find {PLACES} -not -path '{CHECKOUT}/*' -not -path '{WHEELS}/*'").stdout
    users = machine.run("getent passwd") + machine.run("getent group")
    return set(found.splitlines()) | set(users.splitlines())


def is_kept(machine: Machine, domain: str) -> None:
    """Wait until systemd has a copy of both connections."""
    machine.becomes(f"relay@{domain}", "NFileDescriptorStore", "2")


def passes(domain: str, producer: Client, consumer: Client) -> None:
    """A frame from one connection to the other, as if nothing had happened."""
    sent = frame(1, DOMAINS[domain].types[-1])
    producer.send(sent)
    assert consumer.data(1) == [sent]


@pytest.mark.full
def test_it_installs_comes_again_keeps_an_edited_configuration_and_leaves_nothing(
    bare: Machine,
) -> None:
    before = listed(bare)
    bare.run(INSTALL)
    bare.run("systemctl enable --now relays")
    for domain in DOMAINS:
        with bare.client(domain) as client:
            assert client.hello().position == 0
    assert "relays" in bare.run("relays --version")
    pids = [bare.show(f"relay@{domain}", "MainPID") for domain in DOMAINS]

    assert "there already" in bare.run(INSTALL), "nothing is built again"
    assert [bare.show(f"relay@{domain}", "MainPID") for domain in DOMAINS] == pids

    bare.run("sh -c 'echo \"# mine\" >> /etc/alphapulse/relays.toml'")
    bare.run(f"sh -c 'echo \"# of before\" > {'/opt/alphapulse-relays/share/relays.toml'}'")
    assert "was edited and stays" in bare.run(INSTALL)
    assert "# mine" in bare.run("cat /etc/alphapulse/relays.toml")
    with bare.client("signals") as consumer, bare.client("signals") as producer:
        consumer.hello()
        is_kept(bare, "signals")
        bare.run("systemctl restart relays")
        passes("signals", producer, consumer)

    bare.run(f"{INSTALL} --uninstall")
    assert "# mine" in bare.run("cat /etc/alphapulse/relays.toml")
    bare.run(f"{INSTALL} --uninstall --purge")
    assert listed(bare) == before
    assert bare.fails("systemctl list-unit-files 'relay@*' relays.service") == ""
    assert bare.run("systemctl list-units --no-legend 'relay@*' relays.service") == ""


@pytest.mark.full
def test_the_package_installs_upgrades_what_runs_and_purges_to_nothing(bare: Machine) -> None:
    wheels = next(here for here, there in bare.seen.items() if there == WHEELS)
    made = [str(ROOT / "scripts/build-deb"), "--wheels", str(wheels), "--out", str(wheels)]
    package = subprocess.run(made, capture_output=True, text=True, check=True).stdout.split()[-1]
    there = f"{WHEELS}/{Path(package).name}"
    before = listed(bare)
    bare.run(f"dpkg -i {there}")
    bare.run("systemctl enable --now relays")
    consumer, producer = bare.client("execution"), bare.client("execution")
    log_id = consumer.hello().log_id
    is_kept(bare, "execution")
    old = bare.show("relay@execution", "MainPID")
    bare.run("sh -c 'echo \"# mine\" >> /etc/alphapulse/relays.toml'")

    bare.run(f"dpkg -i {there}")
    assert bare.show("relay@execution", "MainPID") != old
    assert "# mine" in bare.run("cat /etc/alphapulse/relays.toml")
    passes("execution", producer, consumer)
    producer.close()
    consumer.close()
    with bare.client("execution") as client:
        assert client.hello().log_id == log_id

    bare.run("dpkg -r alphapulse-relays")
    assert "# mine" in bare.run("cat /etc/alphapulse/relays.toml")
    bare.run("dpkg -P alphapulse-relays")
    assert listed(bare) == before
