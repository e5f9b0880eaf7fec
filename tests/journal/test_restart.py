"""A relay with a journal dies, or its machine does, and comes back: each message once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from relays.core.journal.segment import Header, header_size
from relays.edge.memory import open_state
from tests.harness import RelayProcess, eventually, frame, remove_memory
from tests.journal.written import (
    EXECUTION,
    Sender,
    folder,
    frames_in,
    recovered,
    sequences,
    words,
)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    made = RelayProcess("execution", tmp_path, **EXECUTION)
    yield made
    made.clean()


class Load:
    """Producers that send as fast as they are acknowledged, until the relay is gone."""

    def __init__(self, relay: RelayProcess, count: int = 3) -> None:
        self.senders = [Sender(relay, 10 + n, payload=400) for n in range(count)]

    def run(self) -> list[threading.Thread]:
        """Connect each, and let it send."""
        for sender in self.senders:
            sender.connect()
        threads = [threading.Thread(target=self._send, args=(each,)) for each in self.senders]
        for thread in threads:
            thread.start()
        return threads

    def _send(self, sender: Sender) -> None:
        with suppress(OSError):
            while True:
                sender.send(20)
                sender.wait_for(sender.sent - 40)

    def settle(self) -> None:
        """Each connects again, and has all acknowledged that it sent by then."""
        for sender in self.senders:
            sender.connect()
            sender.send(5)
            sender.wait()

    def check(self, frames: list[bytes]) -> None:
        """Each message of each producer is there exactly once, in its order."""
        expected = sum(sender.sent for sender in self.senders)
        assert len(frames) == expected
        assert sorted(sequences(frames)) == sorted(
            n for sender in self.senders for n in range(1, sender.sent + 1)
        )


def killed_under(load: Load, relay: RelayProcess, commits: int) -> None:
    """Kill the relay when it has made so many more commits."""
    wanted = words(relay)["made"] + commits
    threads = load.run()
    eventually(lambda: words(relay)["made"] >= wanted, "it is under load")
    relay.kill()
    for thread in threads:
        thread.join()


def test_killed_five_times_under_load_it_goes_on_with_the_same_log(relay: RelayProcess) -> None:
    load, first = Load(relay), None
    for kill in range(5):
        relay.start()
        log_id = open_state("execution", str(relay.folder)).log_id
        first = first or log_id
        assert log_id == first
        killed_under(load, relay, 100 + 37 * kill)
    relay.start()
    load.settle()
    assert relay.stop() == 0
    load.check(frames_in(folder(relay)))


def lose_power(relay: RelayProcess, chance: random.Random) -> int:
    """What the death of the machine leaves: no memory files, and of the pages behind what the
    journal knew to be synced any, in no order. Gives the position that was synced."""
    synced = words(relay)["synced_position"]
    remove_memory("execution", relay.folder)
    for path in sorted(folder(relay).glob("0*.segment")):
        data = bytearray(path.read_bytes())
        header = Header.read(bytes(data[: header_size(bytes(data[:4096]))]))
        # Where the synced part ends: its frames and its records.
        count, place = 0, header.size
        while True:
            at = header.record_place(count)
            record = data[at : at + 80]
            position = int.from_bytes(record[0:8], "little")
            frames, size = (int.from_bytes(record[n : n + 4], "little") for n in (52, 56))
            if not any(record) or position + frames > synced:
                break
            count, place = count + 1, place + size
        last = header.record_place(count - 1) if count else header.file_size
        for page in range(place // 4096, -(-last // 4096)):
            begin, end = max(place, page * 4096), min(last, page * 4096 + 4096)
            if any(data[begin:end]) and chance.random() < 0.5:
                data[begin:end] = bytes(end - begin)
        path.write_bytes(data)
    return synced


def test_behind_a_message_that_was_refused_the_journal_is_whole_and_knows_its_sequence(
    relay: RelayProcess,
) -> None:
    sender = Sender(relay)
    relay.start()
    sender.connect()
    for _ in range(2):
        sent = sender.send(2)
        sender.wait()
        assert sender.client is not None
        sender.sent += 1
        sender.client.send(frame(sender.sent, 1))  # of another domain: refused, and consumed
        sender.wait()
    relay.kill()
    remove_memory("execution", relay.folder)
    relay.start()
    assert sender.connect() == sender.acknowledged == 6
    assert relay.stop() == 0
    assert frames_in(folder(relay))[-2:] == sent
    assert "journal cut" not in relay.log_path.read_text()


@pytest.mark.parametrize("place", ["frame", "record"])
def test_after_a_clean_stop_whatever_is_wrong_is_damage_and_no_torn_tail(
    relay: RelayProcess, place: str
) -> None:
    sender = Sender(relay)
    relay.start()
    sender.connect()
    sender.send(2)
    sender.wait()
    assert relay.stop() == 0
    (path,) = folder(relay).glob("0*.segment")
    assert recovered(folder(relay)).synced == 2
    whole = path.read_bytes()
    relay.start()
    assert relay.stop() == 0
    assert path.read_bytes() == whole  # nothing came: nothing more is said
    remove_memory("execution", relay.folder)
    data = bytearray(whole)
    header = Header.read(whole)
    data[header.size + 40 if place == "frame" else header.record_place(0) + 9] ^= 4
    path.write_bytes(data)
    found = recovered(folder(relay))
    assert [(fault.first, fault.end) for fault in found.damage] == [(0, 2)]
    assert found.torn is None
    with pytest.raises(AssertionError, match="relays run --accept-damage"):
        relay.start()


def test_commits_that_are_cut_are_a_warning_that_says_which(relay: RelayProcess) -> None:
    sender = Sender(relay)
    relay.start()
    sender.connect()
    sender.send(2)
    sender.wait()
    relay.kill()
    remove_memory("execution", relay.folder)
    (path,) = folder(relay).glob("0*.segment")
    data = bytearray(path.read_bytes())
    data[Header.read(bytes(data)).size + 40] ^= 4
    path.write_bytes(data)
    relay.start()
    (line,) = (line for line in relay.log_path.read_text().splitlines() if "journal lost" in line)
    assert "WARNING" in line.upper()
    assert "0 to 1" in line


@pytest.mark.parametrize("seed", range(3))
def test_after_the_machine_died_all_that_was_synced_is_there_and_each_message_once(
    seed: int, relay: RelayProcess
) -> None:
    print("seed", seed)
    chance, load = random.Random(seed), Load(relay)
    relay.start()
    before = open_state("execution", str(relay.folder)).log_id
    killed_under(load, relay, chance.randrange(50, 200))
    synced = lose_power(relay, chance)
    end = recovered(folder(relay)).position
    assert end >= synced
    relay.start()
    state = open_state("execution", str(relay.folder))
    assert state.log_id != before
    assert relay.end() == end, "positions go on where the journal was cut"
    load.settle()
    assert relay.stop() == 0
    load.check(frames_in(folder(relay)))


def test_a_journal_that_was_off_meanwhile_is_set_aside_and_that_is_said(
    relay: RelayProcess,
) -> None:
    sender = Sender(relay)
    for journal in ("on", "off", "on"):
        relay.settings["journal"] = journal
        relay.start()
        assert sender.connect() == sender.sent
        sender.send(10)
        sender.wait()
        assert relay.stop() == 0
    eventually(lambda: "journal of another time set aside" in relay.log(), "it is set aside")
    (aside,) = folder(relay).glob("aside-*")
    assert sequences(frames_in(aside)) == [*range(1, 11)]
    assert sequences(frames_in(folder(relay))) == [*range(21, 31)]
    assert words(relay)["oldest_position"] == 20


def test_one_that_was_off_and_missed_nothing_is_gone_on_with(relay: RelayProcess) -> None:
    sender = Sender(relay)
    for journal in ("on", "off", "on"):
        relay.settings["journal"] = journal
        relay.start()
        sender.connect()
        if journal == "on":
            sender.send(10)
            sender.wait()
        assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [*range(1, 21)]


def test_a_journal_whose_files_are_gone_begins_where_the_log_is_kept(relay: RelayProcess) -> None:
    relay.start()
    sender = Sender(relay)
    sender.connect()
    sender.send(10)
    sender.wait()
    assert relay.stop() == 0
    for path in folder(relay).iterdir():
        path.unlink()
    relay.start()
    sender.connect()
    sender.send(10)
    sender.wait()
    assert words(relay)["oldest_position"] == 10
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay))) == [*range(11, 21)]


def test_an_older_copy_of_a_journal_is_not_gone_on_with_where_the_log_lacks_what_is_between(
    relay: RelayProcess,
) -> None:
    relay.settings["log_bytes"] = 1 << 20
    relay.start()
    sender = Sender(relay, payload=60_000)
    sender.connect()
    sender.send(1)
    sender.wait()
    (path,) = folder(relay).glob("0*.segment")
    copy = path.read_bytes()
    for _ in range(30):
        sender.send(1)
        sender.wait()
    assert relay.stop() == 0
    path.write_bytes(copy)
    relay.start()
    eventually(lambda: "journal of another time set aside" in relay.log(), "it is set aside")
    sender.connect()
    sender.send(1)
    sender.wait()
    assert relay.stop() == 0
    assert sequences(frames_in(folder(relay)))[-1] == 32


def damaged(relay: RelayProcess) -> None:
    """A byte of a frame that is long synced is another."""
    relay.start()
    sender = Sender(relay, payload=60_000)
    sender.connect()
    for _ in range(10):
        sender.send(1)
        sender.wait()
    assert relay.stop() == 0
    (path,) = folder(relay).glob("0*.segment")
    with path.open("r+b") as file:
        at = Header.read(file.read(1 << 20)).size + 3 * 60_032 + 500
        file.seek(at)
        file.write(b"\xff")


def test_damage_is_refused_in_one_line_and_accepted_when_told(relay: RelayProcess) -> None:
    damaged(relay)
    command = [sys.executable, "-m", "relays.cli", "run", "execution"]
    options = [f"--runtime-dir={relay.folder}", "--metrics-port=off", "--set", "journal=on"]
    refused = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert refused.returncode == os.EX_DATAERR
    (line,) = [each for each in refused.stderr.splitlines() if "damaged" in each]
    assert "--accept-damage" in line
    assert "position 3" in line
    relay.prefix, relay.settings["metrics_port"] = ("env",), 0
    relay.options = ("--accept-damage",)
    relay.start()
    assert "journal damaged" in relay.log()
    sender = Sender(relay)
    assert sender.connect() == 10
    sender.send(1)
    sender.wait()
    assert relay.stop() == 0
    relay.options = ()
    relay.start()  # it was accepted, and is damage all the same
    assert "journal damaged" in relay.log()
    url = f"http://127.0.0.1:{relay.status()['metrics_port']}/healthz"
    with pytest.raises(urllib.error.HTTPError) as unwell:
        urllib.request.urlopen(url, timeout=20)
    assert unwell.value.code == 503
    assert b"journal" in unwell.value.read()
