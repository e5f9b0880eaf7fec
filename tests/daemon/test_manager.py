"""A relay under a service manager: the socket it is handed, and what it tells (relays.md 1, 9).

The manager is played here: a datagram socket and a listening one. tests/deploy has the real one.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from relays.edge.manager import Manager
from relays.errors import ConfigError
from tests.harness import PATIENCE, RelayProcess, eventually, frame


class Played:
    """A relay whose manager is the test; `told` has each datagram as fields, in order."""

    def __init__(self, folder: Path) -> None:
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(str(folder / "signals.sock"))
        self.listening.listen(64)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "notify"))
        self.notified.settimeout(PATIENCE)
        fd = self.listening.fileno()
        script = (
            f"export NOTIFY_SOCKET={folder}/notify WATCHDOG_USEC=9000000 WATCHDOG_PID=$$ "
            f'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=listen; exec "$@" 3<&{fd}'
        )
        self.relay = RelayProcess(
            "signals", folder, prefix=("bash", "-c", script, "bash"), drain_timeout=40
        )
        self.relay.passed = (fd,)

    def told(self, field: str) -> dict[str, str]:
        """The next notification that has this field; those before it are passed over."""
        while True:
            lines = self.notified.recv(4096).decode().splitlines()
            found = dict(line.split("=", 1) for line in lines)
            if field in found:
                return found

    def clean(self) -> None:
        self.relay.clean()
        self.listening.close()
        self.notified.close()


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    found = Played(tmp_path)
    yield found
    found.clean()


def test_ready_is_told_when_a_client_that_waited_in_the_socket_is_served(played: Played) -> None:
    waiting = played.relay.client()  # before the relay is there
    played.relay.start()
    assert "position 0" in played.told("READY")["STATUS"]
    assert waiting.hello().position == 0


def test_each_second_the_loop_feeds_the_watchdog_and_tells_live_figures(played: Played) -> None:
    played.relay.start()
    consumer = played.relay.client()
    consumer.hello()
    played.relay.client().send(frame(1, 39))
    consumer.data(1)

    def shown() -> bool:
        found = played.told("WATCHDOG")
        return "position 1; 1 producer, 1 consumer" in found["STATUS"]

    eventually(shown, "a status has the figures of now")


def test_a_stuck_loop_feeds_no_watchdog(played: Played) -> None:
    played.relay.start()
    played.told("WATCHDOG")
    played.relay.signal(signal.SIGSTOP)
    eventually(lambda: _state(played.relay.pid) == "T", "it is stopped")
    while select.select([played.notified], [], [], 0)[0]:
        played.notified.recv(4096)
    assert not select.select([played.notified], [], [], 1.5)[0]
    played.relay.signal(signal.SIGCONT)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_reload_is_told_and_then_ready(played: Played) -> None:
    played.relay.start()
    played.told("READY")
    played.relay.signal(signal.SIGHUP)
    assert int(played.told("RELOADING")["MONOTONIC_USEC"]) > 0
    played.told("READY")


def test_stopping_asks_for_as_long_as_the_drain_may_take(played: Played) -> None:
    played.relay.start()
    assert played.relay.stop() == 0
    assert int(played.told("STOPPING")["EXTEND_TIMEOUT_USEC"]) > 2 * 40 * 1_000_000


def test_a_socket_that_was_handed_over_stays_and_serves_the_next_relay(played: Played) -> None:
    for _ in range(2):
        played.relay.start()
        played.relay.client().hello()
        assert played.relay.stop() == 0
        assert Path(played.relay.path).is_socket()
    waiting = played.relay.client()
    played.relay.start()
    waiting.hello()


def test_a_socket_that_listens_elsewhere_is_a_configuration_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "other.sock"))
        listening.listen(1)
        manager = Manager({})
        fd = os.dup(listening.fileno())
        manager.handed["listen"] = [fd]
        with pytest.raises(ConfigError, match=r"other\.sock"):
            manager.listening(str(tmp_path / "signals.sock"))


def test_variables_meant_for_another_process_are_not_taken(tmp_path: Path) -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "3", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}
    manager = Manager(environ)
    assert manager.handed == {}
    assert not manager.watched
    assert environ == {}, "nor does a child of this process see them"


def test_a_manager_that_has_gone_stops_nobody(tmp_path: Path) -> None:
    manager = Manager({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert not manager.tell(READY=1)
    assert manager._socket is not None
    manager._socket.close()
