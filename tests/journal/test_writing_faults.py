"""The disk fails under the journal, once or for ever: nothing acknowledged is lost, no crash."""

from __future__ import annotations

import errno
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.control import Error
from protocol.message import decode
from protocol.reject import Reject
from tests.harness import Client, RelayProcess, eventually
from tests.journal.faulty import EVER, FaultyDisk
from tests.journal.written import EXECUTION, Sender, folder, frames_in, sequences, words


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    made = FaultyDisk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def relay(tmp_path: Path, disk: FaultyDisk) -> Iterator[RelayProcess]:
    made = RelayProcess("execution", tmp_path, prefix=disk.prefix, **EXECUTION)
    made.settings |= {"metrics_port": 0, "drain_timeout": 0.3}
    made.start()
    yield made
    disk.set(held=0)
    made.clean()


def healthz(relay: RelayProcess) -> tuple[int, str]:
    """What /healthz answers."""
    url = f"http://127.0.0.1:{relay.status()['metrics_port']}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def told(client: Client, code: Reject) -> Error:
    """The next Error; it has this code."""
    found = decode(client._first(lambda got: got[4] == 102))
    assert isinstance(found, Error)
    assert found.code == code
    return found


@pytest.mark.parametrize("what", ["sync_errors", "write_errors"])
def test_a_file_that_failed_once_is_not_tried_again_and_the_rest_goes_into_another(
    what: str, relay: RelayProcess, disk: FaultyDisk
) -> None:
    sender = Sender(relay)
    sender.connect()
    sender.send(3)
    sender.wait()
    disk.set(**{what: 1})
    sender.send(2)
    assert sender.wait().sequence == 5
    sender.send(1)
    sender.wait()
    assert words(relay)["failures"] == 1
    eventually(lambda: words(relay)["failing"] == 0, "it goes on")
    names = sorted(path.name for path in folder(relay).glob("0*"))
    assert [int(name[:20]) for name in names] == [0, 3], "from what was safe on"
    assert relay.stop() == 0
    assert relay.log().count("journal cannot go on") == 1
    assert relay.log().count("journal goes on") == 1
    assert sequences(frames_in(folder(relay))) == [*range(1, 7)]


def test_nothing_safe_in_a_file_that_failed_it_is_replaced(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    sender = Sender(relay)
    sender.connect()
    disk.set(sync_errors=1)
    sender.send(2)
    sender.wait()
    assert [path.name[:20] for path in folder(relay).glob("0*")] == [f"{0:020d}"]
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [1, 2]


@pytest.mark.parametrize("what", ["sync_errors", "write_errors"])
def test_a_disk_that_fails_for_ever_stops_the_producers_until_it_works_again(
    what: str, relay: RelayProcess, disk: FaultyDisk
) -> None:
    sender = Sender(relay)
    sender.connect()
    sender.send(3)
    sender.wait()
    assert healthz(relay) == (200, "ok\n")
    disk.set(**{what: EVER})
    sender.send(2)
    assert sender.client is not None
    eventually(lambda: words(relay)["failures"] > 2, "it is tried again")
    assert words(relay)["failing"] == errno.EIO
    before = words(relay)["failures"]
    assert before < 100, "not without pause"
    status, why = healthz(relay)
    assert status == 503
    assert os.strerror(errno.EIO) in why
    consumer = relay.client()
    consumer.hello()
    assert len(list(folder(relay).glob("0*"))) <= 2, "what failed again is replaced"
    disk.set(**{what: 0})
    assert sender.wait().sequence == 5
    eventually(lambda: healthz(relay)[0] == 200, "it is well again")
    sender.send(1)
    sender.wait()
    assert len(consumer.data(1)) == 1
    assert relay.stop() == 0
    assert relay.log().count("journal cannot go on") == 1
    assert relay.log().count("journal goes on") == 1
    assert sequences(frames_in(folder(relay))) == [*range(1, 7)]


def test_a_disk_that_hangs_stops_producers_at_half_the_log_and_tells_them(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    consumer = relay.client()
    consumer.hello(on_lag=3)
    sender = Sender(relay, payload=60_000)
    sender.connect()
    disk.set(held=1)
    assert sender.client is not None
    sent = sender.frames(60)
    sender.client.sock.setblocking(False)
    stream, gone = b"".join(sent), 0

    def refused() -> bool:
        nonlocal gone
        try:
            gone += sender.client.sock.send(stream[gone:])  # type: ignore[union-attr]
        except BlockingIOError:
            return not relay.status()["accepting"]
        return False

    eventually(refused, "producers are not read any more")
    sender.client.sock.setblocking(True)
    told(sender.client, Reject.NOT_ACCEPTING)
    assert relay.end() * 60_032 <= 2 << 20, "at most half of the log is not safe"
    assert consumer.data(relay.end()) == sent[: relay.end()]
    status, why = healthz(relay)
    assert (status, "journal does not keep up" in why) == (503, True)
    late = relay.client()
    late.hello()
    eventually(lambda: relay.log().count("not accepting") == 1, "one line says so")
    disk.set(held=0)
    sender.client.send(stream[gone:])
    sender.sent = 60
    sender.wait()
    eventually(lambda: healthz(relay)[0] == 200, "it is well again")
    assert relay.stop() == 0
    assert frames_in(folder(relay)) == sent


def test_a_second_signal_ends_a_relay_whose_disk_hangs(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    sender = Sender(relay)
    sender.connect()
    disk.set(held=1)
    sender.send(2)
    eventually(lambda: relay.end() == 2, "it is accepted")
    relay.signal(15)
    eventually(lambda: relay.status()["draining"], "it stops")
    relay.signal(15)
    assert relay.wait() == 0
    assert "complete=False" in relay.log()
    disk.set(held=0)
    relay.start()
    assert sender.connect() == 2
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [1, 2]


def test_a_relay_whose_disk_fails_for_ever_stops_and_says_what_is_not_written(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    sender = Sender(relay)
    sender.connect()
    disk.set(sync_errors=EVER)
    sender.send(2)
    eventually(lambda: words(relay)["failures"] > 1, "it is tried")
    relay.signal(15)
    relay.signal(15)
    assert relay.wait() == 0
    assert "complete=False" in relay.log()
    disk.set(sync_errors=0)
    relay.start()
    assert sender.connect() == 2
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [1, 2]


def test_after_a_start_whose_sync_failed_the_next_one_writes_it_all_again(
    relay: RelayProcess, disk: FaultyDisk
) -> None:
    sender = Sender(relay)
    sender.connect()
    disk.set(held=1)
    sender.send(2)
    eventually(lambda: disk.get("syncs") and words(relay)["written"], "it is written")
    relay.kill()
    disk.set(held=0, sync_errors=1)
    with pytest.raises(AssertionError):
        relay.start()
    assert "Input/output error" in relay.log()
    # The kernel calls the pages clean now: a second sync that succeeds proves nothing.
    before = disk.get("writes")
    relay.start()
    assert disk.get("writes") >= before + 7, "the segment but for its first MiB"
    assert sender.connect() == 2
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [1, 2]
