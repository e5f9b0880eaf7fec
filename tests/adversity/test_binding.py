"""One relay per socket, in a directory that can be trusted (relays.md 1)."""

from __future__ import annotations

import fcntl
import grp
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from relays.edge.listener import bind
from relays.edge.memory import open_state
from tests.adversity.conftest import Start
from tests.adversity.flow import Flow, positions, session
from tests.harness import PATIENCE, Client, RelayProcess, eventually, remove_memory

NOBODY = 65534
IN_USE, NO_PERMISSION = 69, 77


def command(folder: Path, *settings: str) -> list[str]:
    words = [f"--set={word}" for word in ("log_bytes=1048576", *settings)]
    run = [sys.executable, "-m", "relays.cli", "run", "market_data", "--metrics-port=off"]
    return [*run, f"--runtime-dir={folder}", *words]


def refused(folder: Path, *settings: str) -> tuple[int, str]:
    """Run a relay that is to exit by itself; its exit code and the one line it says."""
    ended = subprocess.run(
        command(folder, *settings), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Somebody else who listens where the relay would."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "market_data.sock"))
        listening.listen(1)
        yield listening


def test_a_second_daemon_on_the_same_socket_exits_69_naming_the_pid_and_harms_nothing(
    start: Start,
) -> None:
    relay = start()
    client, flow = session(relay, "first"), Flow(relay)
    flow.send(10)
    for _ in range(2):
        code, said = refused(relay.folder)
        assert code == IN_USE
        assert f"pid {relay.pid}" in said
    flow.send(10)
    assert positions(client.data(20)) == list(range(20))
    assert session(relay, "second").welcome == relay.client().hello(1)
    assert relay.status()["pid"] == relay.pid


@pytest.mark.parametrize("attempt", range(4))
def test_of_two_that_start_at_once_one_serves_and_the_other_exits_69(
    tmp_path: Path, attempt: int
) -> None:
    both = [subprocess.Popen(command(tmp_path), stderr=subprocess.PIPE) for _ in range(2)]
    try:
        eventually(lambda: any(one.poll() is not None for one in both), "one has ended")
        loser, winner = sorted(both, key=lambda one: one.poll() is None)
        _, said = loser.communicate(timeout=PATIENCE)
        assert loser.returncode == IN_USE
        assert f"pid {winner.pid}" in said.decode()
        eventually(lambda: _ready(tmp_path) == winner.pid, "the other serves")
        Client(str(tmp_path / "market_data.sock")).close()
        winner.terminate()
        winner.communicate(timeout=PATIENCE)
        assert winner.returncode == 0
    finally:
        for one in both:
            one.kill()
            one.communicate()
        remove_memory("market_data", tmp_path)


def test_a_holder_of_the_lock_that_has_not_written_its_pid_yet_is_waited_for(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "market_data.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4194305\n")  # of one that is long gone; no pid is that high
        held.flush()
        with subprocess.Popen(command(tmp_path), stderr=subprocess.PIPE) as second:
            eventually(lambda: _has_open(second.pid, lock), "it asks for the lock")
            held.seek(0)
            held.truncate()
            held.write(f"{os.getpid()}\n")
            held.flush()
            _, said = second.communicate(timeout=PATIENCE)
    assert second.returncode == IN_USE
    assert f"pid {os.getpid()}" in said.decode()


def _has_open(pid: int, path: Path) -> bool:
    fds = Path(f"/proc/{pid}/fd")
    return any(fd.exists() and fd.resolve() == path for fd in fds.iterdir())


def _ready(folder: Path) -> int:
    try:
        return open_state("market_data", str(folder)).read_status()["pid"]
    except Exception:
        return 0


def test_a_stale_socket_is_taken_over(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "market_data.sock"))
    relay = start()
    session(relay, "new")


def test_the_socket_of_a_relay_that_was_killed_is_taken_over(start: Start) -> None:
    relay = start()
    relay.kill()
    assert os.path.exists(relay.path)
    relay.start()
    session(relay, "new")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody; root may connect")
def test_a_socket_that_nobody_may_connect_to_is_taken_over_by_its_owner() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "market_data.sock"
        with socket.socket(socket.AF_UNIX) as stale:  # its relay was killed before it opened it
            stale.bind(str(path))
        path.chmod(0)
        os.chown(path, NOBODY, NOBODY)
        os.chown(folder, NOBODY, NOBODY)
        # Forked, because the interpreter of a checkout in /root is not nobody's to start.
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                bind(str(path), 0o660, None)
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert os.stat(path).st_uid == NOBODY
        assert os.stat(path).st_mode & 0o777 == 0o660


def test_somebody_else_who_listens_there_is_named_and_not_harmed(
    listener: socket.socket, tmp_path: Path
) -> None:
    code, said = refused(tmp_path)
    assert (code, f"pid {os.getpid()}" in said) == (IN_USE, True)
    listener.accept()[0].close()  # the question
    with Client(str(tmp_path / "market_data.sock")) as client:
        accepted, _ = listener.accept()
        with accepted:
            client.send(b"x")
            assert accepted.recv(1) == b"x"


def test_a_full_backlog_is_an_answer(listener: socket.socket, tmp_path: Path) -> None:
    waiting: list[socket.socket] = []
    try:
        while True:
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            waiting[-1].connect(listener.getsockname())
    except BlockingIOError:
        code, said = refused(tmp_path)
    finally:
        for one in waiting:
            one.close()
    assert code == IN_USE
    assert "backlog is full" in said
    assert os.path.exists(listener.getsockname())


def test_a_socket_of_another_kind_that_is_in_use_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "market_data.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        code, said = refused(tmp_path)
    assert (code, str(path) in said) == (IN_USE, True)
    assert path.exists()


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "market_data.sock"
    path.write_text("mine")
    code, said = refused(tmp_path)
    assert (code, str(path) in said) == (IN_USE, True)
    assert path.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_owned_by_someone_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(0o750)
    os.chown(folder, NOBODY, -1)
    code, said = refused(folder)
    assert (code, f"uid {NOBODY}" in said) == (NO_PERMISSION, True)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("mode", [0o752, 0o757, 0o1777])
def test_a_directory_writable_by_others_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    code, said = refused(folder)
    assert (code, "writable by others" in said) == (NO_PERMISSION, True)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_place_of_the_directory_is_not_followed(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "real"
    if there:
        folder.mkdir(0o750)
    link = tmp_path / "link"
    link.symlink_to(folder)
    code, said = refused(link)
    assert (code, "links are not followed" in said) == (NO_PERMISSION, True)
    assert not folder.exists() or not list(folder.iterdir())


def test_a_file_where_a_directory_should_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    assert refused(path)[0] == NO_PERMISSION
    assert refused(path / "below")[0] == NO_PERMISSION
    assert path.read_text() == "mine"


def test_a_directory_that_is_missing_is_made_for_owner_and_group_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    relay = RelayProcess("market_data", folder)
    relay.log_path = tmp_path / "log.txt"
    before = os.umask(0)
    try:
        relay.start()
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o750
    assert relay.stop() == 0
    relay.clean()


@pytest.mark.parametrize("mode", ["0600", "0660", "0666"])
def test_the_socket_gets_socket_mode_whatever_the_umask_is(start: Start, mode: str) -> None:
    before = os.umask(0o077 if mode == "0666" else 0)
    try:
        relay = start(socket_mode=f'"{mode}"')
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(relay.path).st_mode) == int(mode, 8)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to any group")
def test_the_socket_gets_socket_group(start: Start) -> None:
    relay = start(socket_group='"nogroup"')
    assert os.stat(relay.path).st_gid == grp.getgrnam("nogroup").gr_gid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_exit_removes_the_socket(start: Start, number: int) -> None:
    relay = start()
    relay.signal(number)
    assert relay.wait() == 0
    assert not os.path.exists(relay.path)


def test_a_socket_removed_by_somebody_else_does_not_spoil_a_clean_exit(start: Start) -> None:
    relay = start()
    os.unlink(relay.path)
    assert relay.stop() == 0
    assert "Traceback" not in relay.log()
