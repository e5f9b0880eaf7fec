"""The units under a real systemd: start, stop, restart, status, crashes, and what they refuse.

relays.md 1 and 9. All of it on one booted machine; its sockets are reached from outside.
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

from relays.domains import DOMAINS
from tests.deploy.conftest import override, pid
from tests.deploy.machine import Machine
from tests.harness import eventually, frame

# A type nobody has declared: its payload can be anything.
FREE_TYPE = {name: domain.types[-1] for name, domain in DOMAINS.items()}

IN_GROUP = "setpriv --reuid nobody --regid alphapulse-clients --clear-groups"


def socket_file(machine: Machine, domain: str) -> Path:
    return Path(machine.path(f"/run/alphapulse/{domain}.sock"))


def inode(machine: Machine, domain: str) -> int:
    return socket_file(machine, domain).stat().st_ino


def has_changed(machine: Machine, domain: str, old: int) -> bool:
    """Whether another process serves it by now; connecting never fails meanwhile."""
    with machine.client(domain):
        return pid(machine, domain) not in (0, old)


def pass_one(machine: Machine, domain: str, sequence: int = 1) -> None:
    """A frame from a producer to a session that was there before."""
    with machine.client(domain) as consumer, machine.client(domain) as producer:
        consumer.hello()
        sent = frame(sequence, FREE_TYPE[domain])
        producer.send(sent)
        assert consumer.data(1) == [sent]


def test_start_stop_and_status_of_relays_act_on_all_three(machine: Machine) -> None:
    machine.run("systemctl start relays")
    for domain in DOMAINS:
        assert machine.show(f"relay@{domain}.service", "ActiveState") == "active"
        pass_one(machine, domain)
    assert "active (exited)" in machine.run("systemctl status relays")
    shown = machine.run("systemctl status 'relay@*.service'")
    assert shown.count("messages/s, position") == 3
    machine.run("systemctl stop relays")
    for domain in DOMAINS:
        assert machine.show(f"relay@{domain}.service", "Result") == "success"
        assert machine.show(f"relay@{domain}.socket", "ActiveState") == "inactive"
        assert not socket_file(machine, domain).exists()


def test_relays_start_at_boot_once_enabled(machine: Machine) -> None:
    machine.run("systemctl enable relays")
    assert machine.run("systemctl is-enabled relays") == "enabled"
    machine.run("systemctl disable relays")


def test_a_restart_keeps_the_sockets_and_nobody_who_connects_meanwhile_is_refused(
    machine: Machine,
) -> None:
    machine.run("systemctl start relays")
    for domain in DOMAINS:
        pass_one(machine, domain)
    before = {name: (pid(machine, name), inode(machine, name)) for name in DOMAINS}
    machine.run("systemctl restart --no-block relays")
    for domain, (old, socket_was) in before.items():
        eventually(partial(has_changed, machine, domain, old), f"{domain} was restarted")
        assert inode(machine, domain) == socket_was
        with machine.client(domain) as consumer:
            assert consumer.hello().position == 1
    machine.becomes("relays.service", "ActiveState", "active")


def test_the_first_connection_starts_a_relay(machine: Machine) -> None:
    machine.run("systemctl start relay@signals.socket")
    assert pid(machine, "signals") == 0
    with machine.client("signals") as client:
        assert client.hello().position == 0
    assert machine.show("relay@signals.service", "ActiveState") == "active"


def test_a_relay_that_is_killed_is_back_with_its_log(machine: Machine) -> None:
    machine.run("systemctl start relay@execution")
    pass_one(machine, "execution")
    with machine.client("execution") as client:
        log_id = client.hello().log_id
    machine.run("systemctl kill --kill-whom=main -s KILL relay@execution")
    with machine.client("execution") as client:  # waits in the socket's queue
        welcome = client.hello()
    assert (welcome.log_id, welcome.position) == (log_id, 1)
    assert machine.show("relay@execution.service", "NRestarts") == "1"


def test_a_loop_that_is_stuck_is_ended_by_the_watchdog_and_started_again(
    machine: Machine,
) -> None:
    override(machine, "signals", "WatchdogSec=2s")
    machine.run("systemctl start relay@signals")
    machine.run("systemctl kill --kill-whom=main -s STOP relay@signals")
    machine.becomes("relay@signals.service", "NRestarts", "1")
    machine.becomes("relay@signals.service", "ActiveState", "active")
    pass_one(machine, "signals")
    said = machine.log("-u relay@signals")
    assert "Watchdog timeout" in said
    assert "Fatal Python error: Aborted" in said


def test_a_wrong_configuration_is_tried_once_even_while_clients_wait(machine: Machine) -> None:
    machine.write("/etc/alphapulse/relays.toml", "[signals]\ncircuit_breaker = 0\n")
    machine.run("systemctl start relay@signals.socket")
    with machine.client("signals") as waiting:
        assert waiting.rest() == b""
    machine.becomes("relay@signals.socket", "ActiveState", "inactive")
    assert machine.show("relay@signals.service", "ExecMainStatus") == str(os.EX_CONFIG)
    assert machine.show("relay@signals.service", "NRestarts") == "0"
    machine.write("/etc/alphapulse/relays.toml", "")
    machine.run("systemctl start relay@signals")
    pass_one(machine, "signals")


def test_a_wrong_configuration_is_refused_at_reload_and_the_relay_goes_on(
    machine: Machine,
) -> None:
    machine.run("systemctl start relay@signals")
    machine.write("/etc/alphapulse/relays.toml", "[signals]\ncircuit_breaker = 0\n")
    machine.run("systemctl reload relay@signals")
    eventually(lambda: "reload refused" in machine.log("-u relay@signals"), "it says so")
    machine.write("/etc/alphapulse/relays.toml", "[signals]\ncircuit_breaker = 100\n")
    machine.run("systemctl reload relay@signals")
    eventually(lambda: "applied=circuit_breaker" in machine.log("-u relay@signals"), "it says so")
    assert machine.show("relay@signals.service", "ActiveState") == "active"
    pass_one(machine, "signals")


def test_what_a_relay_logs_has_fields(machine: Machine) -> None:
    machine.run("systemctl start relay@execution")
    with machine.client("execution") as client:
        client.hello(role=2)
        client.send(frame(1, 1))  # a Trade does not belong here
    lines = eventually(
        lambda: machine.log("-o json DOMAIN=execution REASON=WRONG_DOMAIN").splitlines(),
        "the reject is found by its fields",
    )
    found = json.loads(lines[0])
    assert found["SYSLOG_IDENTIFIER"] == "relays"
    assert found["_SYSTEMD_UNIT"] == "relay@execution.service"
    assert found["CONSUMER"].startswith("#")


def test_a_client_outside_the_group_is_refused_and_one_inside_is_not(machine: Machine) -> None:
    machine.run("systemctl start relay@signals.socket")
    code = (
        "import socket; s = socket.socket(socket.AF_UNIX); "
        "s.connect('/run/alphapulse/signals.sock')"
    )
    program = f'/opt/alphapulse-relays/bin/python3 -c "{code}"'
    assert "PermissionError" in machine.fails(program, user="nobody")
    machine.run(f"{IN_GROUP} {program}")


def test_behind_its_locks_a_relay_serves_metrics_keeps_a_journal_and_shows_its_status(
    machine: Machine,
) -> None:
    text = Path(machine.path("/etc/alphapulse/relays.toml")).read_text()
    machine.write("/etc/alphapulse/relays.toml", f'{text}\n[execution]\njournal = "on"\n')
    machine.run("systemctl start relay@execution")
    with machine.client("execution") as client:
        client.hello(role=2, producer_id=7)
        client.send(frame(1, FREE_TYPE["execution"]))
        assert client.control(106).sequence == 1
    found = eventually(
        lambda: machine._run("curl -sf http://127.0.0.1:9463/metrics").stdout, "it has metrics"
    )
    assert 'relay_log_position{domain="execution"} 1.0' in found
    assert machine.run("curl -s http://127.0.0.1:9463/healthz") == "ok"
    assert list(Path(machine.path("/var/lib/alphapulse/journal/execution")).iterdir())
    shown = json.loads(machine.run(f"{IN_GROUP} relays status --json execution"))
    assert json.dumps(shown).count('"end_position": 1') == 1


def test_a_journal_that_was_backed_up_is_restored(machine: Machine) -> None:
    text = Path(machine.path("/etc/alphapulse/relays.toml")).read_text()
    machine.write("/etc/alphapulse/relays.toml", f'{text}\n[execution]\njournal = "on"\n')
    machine.run("systemctl start relay@execution")
    with machine.client("execution") as client:
        client.hello(role=2, producer_id=7)
        sent = [frame(n, FREE_TYPE["execution"]) for n in range(1, 4)]
        client.send(*sent)
        eventually(lambda: client.control(106).sequence == 3, "all are acknowledged")
    machine.run("systemctl stop relay@execution.socket")
    machine.run("cp -a /var/lib/alphapulse/journal /var/lib/backup")
    machine.run("rm -r /var/lib/alphapulse/journal")
    machine.run("sh -c 'rm /run/alphapulse/execution.*'")  # as after the loss of the machine
    machine.run("cp -a /var/lib/backup /var/lib/alphapulse/journal")
    machine.run("systemctl start relay@execution")
    with machine.client("execution") as client:
        assert client.hello(start=2).position == 0
        assert client.data(3) == sent


def test_execution_is_favoured_when_there_is_too_little_of_everything(machine: Machine) -> None:
    machine.run("systemctl start relays")
    names = ("CPUWeight", "IOWeight", "OOMScoreAdjust", "MemoryMin")
    first = {name: int(machine.show("relay@execution", name)) for name in names}
    other = {name: int(machine.show("relay@market_data", name)) for name in names}
    assert first["CPUWeight"] > other["CPUWeight"]
    assert first["IOWeight"] > other["IOWeight"]
    assert first["OOMScoreAdjust"] < other["OOMScoreAdjust"]
    assert first["MemoryMin"] > other["MemoryMin"]
    main = Path(machine.path(f"/proc/{pid(machine, 'execution')}"))
    assert int((main / "stat").read_text().rpartition(")")[2].split()[16]) == -10  # nice


def test_the_units_are_correct_and_closed(machine: Machine) -> None:
    units = " ".join(f"relay@{name}.service relay@{name}.socket" for name in DOMAINS)
    assert machine.run(f"systemd-analyze verify relays.service {units}") == ""
    shown = machine.run("systemd-analyze security --no-pager --threshold=15 relay@execution")
    print(shown.splitlines()[-1])
