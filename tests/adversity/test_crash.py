"""kill -9 and what is left behind: the successor adopts it, or sets it aside and says so.

relays.md 2. Whole relays under load; single transactions are cut short in
tests/daemon/test_core_recovery.py.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from protocol.catalogue import MessageType
from protocol.control import Error, Welcome
from protocol.header import Header
from protocol.message import decode
from protocol.reject import Reject
from relays.edge.memory import files
from tests.adversity.conftest import Start
from tests.adversity.flow import Flow, positions, session
from tests.harness import CONTROL, PATIENCE, Client, RelayProcess, eventually, frame, hello

KILLS = 20
SIZES = (0, 32, 200, 3000, 60_000)
AHEAD = 48  # frames the producer may be ahead of the consumer: half of what the log keeps
PRODUCER = 77


def content(sequence: int) -> bytes:
    """The frame of this sequence, whoever asks and however often."""
    size = SIZES[sequence % len(SIZES)]
    return frame(sequence, 50, sequence.to_bytes(8, "little") * (size // 8), timestamp=sequence)


class Peer(threading.Thread):
    """A raw peer that connects again whenever its connection ends, until told to stop."""

    def __init__(self, relay: RelayProcess) -> None:
        super().__init__()
        self.relay, self.over = relay, threading.Event()
        self.error: BaseException | None = None
        self.welcomes: list[Welcome] = []
        self.start()

    def run(self) -> None:
        while not self.over.is_set():
            try:
                with Client(self.relay.path) as client:
                    self.serve(client)
            except (ConnectionError, FileNotFoundError):
                time.sleep(0.005)
            except BaseException as error:
                self.error = error
                return

    def serve(self, client: Client) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        self.over.set()
        self.join()
        if self.error is not None:
            raise self.error


class Consumer(Peer):
    """Resumes at its position; every frame must be the next one."""

    position = 0
    log_id = 0

    def serve(self, client: Client) -> None:
        fields = {"start": 1, "start_position": self.position, "log_id": self.log_id}
        welcome = client.hello(1, **fields)
        assert welcome.position == self.position
        assert self.log_id in (0, welcome.log_id), "the log was replaced"
        self.log_id = welcome.log_id
        self.welcomes.append(welcome)
        while not self.over.is_set():
            got = client.frame()
            if got[4] in CONTROL:
                assert got[4] == MessageType.HEARTBEAT, decode(got)
                continue
            assert got == content(self.position + 1), f"position {self.position}"
            self.position += 1


class Producer(Peer):
    """Sends again what is after Welcome.last_sequence; never far ahead of the consumer."""

    acknowledged = 0

    def __init__(self, relay: RelayProcess, consumer: Consumer) -> None:
        self.consumer = consumer
        super().__init__(relay)

    def serve(self, client: Client) -> None:
        welcome = client.hello(2, producer_id=PRODUCER)
        assert welcome.last_sequence >= self.acknowledged, "what was acknowledged is lost"
        assert welcome.end_position == welcome.last_sequence
        self.welcomes.append(welcome)
        sequence = welcome.last_sequence
        client.sock.settimeout(0.002)
        while not self.over.is_set():
            self.listen(client)
            while sequence < self.consumer.position + AHEAD and not self.over.is_set():
                sequence += 1
                self.send(client, content(sequence))

    def send(self, client: Client, data: bytes) -> None:
        while data:
            try:
                data = data[client.sock.send(data) :]
            except TimeoutError:
                continue

    def listen(self, client: Client) -> None:
        try:
            got = client.frame()
        except TimeoutError:
            return
        said = decode(got)
        # A disk that hangs for a second is no fault of the relay's: it goes on by itself.
        assert not isinstance(said, Error) or said.code == Reject.NOT_ACCEPTING, said
        self.acknowledged = max(self.acknowledged, getattr(said, "sequence", 0))


def test_kill_9_under_load_twenty_times_loses_repeats_and_reorders_nothing(start: Start) -> None:
    seed = int(os.environ.get("RELAYS_SEED", time.time_ns() % 10**9))
    print(f"seed {seed}")
    chance = random.Random(seed)
    relay = start("execution", log_bytes=4 << 20)
    log_id = relay.client().hello(0).log_id
    consumer = Consumer(relay)
    producer = Producer(relay, consumer)

    def reaches(position: int) -> None:
        def there() -> bool:
            assert producer.error is None, producer.error
            assert consumer.error is None, consumer.error
            return consumer.position >= position

        eventually(there, f"the consumer is at {position}, it is at {consumer.position}")

    for _ in range(KILLS):
        reaches(consumer.position + chance.randrange(1, 400))
        relay.kill()
        relay.start()
    reaches(consumer.position + 100)
    producer.finish()
    consumer.finish()
    assert {welcome.log_id for welcome in consumer.welcomes + producer.welcomes} == {log_id}
    assert len({welcome.relay_pid for welcome in producer.welcomes}) == KILLS + 1
    assert relay.status()["adoptions"] == KILLS
    assert not list(files("execution", str(relay.folder)).log.parent.glob("*.bad"))


def test_a_relay_killed_with_a_metrics_process_is_succeeded_at_once(start: Start) -> None:
    relay = start(metrics_port=0)
    Flow(relay).send(10)
    relay.kill()
    relay.start()
    assert relay.end() == 10


def test_log_bytes_changed_is_said_and_the_log_adopted_with_its_old_size(start: Start) -> None:
    relay = start(log_bytes=2 << 20)
    Flow(relay).send(1000)
    relay.kill()
    relay.settings["log_bytes"] = 4 << 20
    relay.start()
    assert f"log_bytes stays {2 << 20}" in relay.log()
    late = session(relay, "late", start=2)
    assert positions(late.data(1000)) == list(range(1000))
    assert files(relay.domain, str(relay.folder)).log.stat().st_size == 2 << 20


def test_a_max_payload_that_the_adopted_log_cannot_hold_is_one_line_and_nothing_is_lost(
    start: Start,
) -> None:
    relay = start(log_bytes=1 << 20)
    flow = Flow(relay)
    before = session(relay, "before").welcome
    assert before is not None
    flow.send(100)
    assert relay.stop() == 0
    run = [sys.executable, "-m", "relays.cli", "run", "market_data", "--metrics-port=off"]
    words = ["--set=max_payload=1000000", "--set=log_bytes=8388608"]
    ended = subprocess.run(
        [*run, f"--runtime-dir={relay.folder}", *words],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ended.returncode == os.EX_CONFIG
    assert ended.stderr.count("\n") == 1
    assert "max_payload = 1000000" in ended.stderr
    assert "log_bytes" in ended.stderr
    assert str(1 << 20) in ended.stderr
    assert not os.path.exists(relay.path)
    relay.start()
    after = session(relay, "after", start=2)
    assert after.welcome is not None
    assert after.welcome.log_id == before.log_id
    assert positions(after.data(100)) == list(range(100))


def test_a_relay_that_was_stopped_is_adopted_too(start: Start) -> None:
    relay = start()
    Flow(relay).send(10)
    assert relay.stop() == 0
    relay.start()
    assert relay.end() == 10
    assert relay.status()["adoptions"] == 1


def damage_header(relay: RelayProcess) -> None:
    _overwrite(files(relay.domain, str(relay.folder)).state, 0, b"\xff" * 16)


def damage_log(relay: RelayProcess) -> None:
    _overwrite(files(relay.domain, str(relay.folder)).log, 64 * 7, b"\0\0\0\0")


def truncate(relay: RelayProcess) -> None:
    os.truncate(files(relay.domain, str(relay.folder)).state, 5000)


def put_another(relay: RelayProcess) -> None:
    files(relay.domain, str(relay.folder)).state.write_text("another program's file\n")


def lose_the_log(relay: RelayProcess) -> None:
    files(relay.domain, str(relay.folder)).log.unlink()


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize(
    "harm",
    [damage_header, damage_log, truncate, put_another, lose_the_log],
    ids=lambda f: f.__name__,
)
def test_damaged_or_foreign_state_files_are_set_aside_and_named_and_a_new_log_begins(
    start: Start, harm: object
) -> None:
    relay = start()
    Flow(relay).send(100)
    before = session(relay, "before").welcome
    assert before is not None
    relay.kill()
    assert callable(harm)
    harm(relay)
    relay.start()
    assert relay.status()["damaged"] == 1
    where = files(relay.domain, str(relay.folder))
    assert where.state.with_name("market_data.state.bad").exists()
    assert '"state set aside"' in relay.log()
    assert ".bad" in relay.log()
    after = session(relay, "after", start=1, start_position=50, log_id=before.log_id)
    assert after.welcome is not None
    assert after.welcome.log_id != before.log_id
    gap = after.control(107)
    assert (gap.reason, gap.count) == (3, 2**64 - 1)
    Flow(relay).send(10)
    assert positions(after.data(10)) == list(range(10))


def test_a_log_begun_after_damage_is_adopted_like_any_other(start: Start) -> None:
    relay = start()
    Flow(relay).send(1)
    relay.kill()
    put_another(relay)
    relay.start()
    Flow(relay).send(5)
    relay.kill()
    relay.start()
    assert relay.end() == 5
    assert relay.status()["damaged"] == 0


def test_a_consumer_that_resumes_with_the_log_id_of_an_adopted_log_gets_no_gap(
    start: Start,
) -> None:
    relay = start()
    Flow(relay).send(30)
    welcome = session(relay, "first").welcome
    relay.kill()
    relay.start()
    assert welcome is not None
    again = relay.client()
    again.send(hello(1, start=1, start_position=12, log_id=welcome.log_id))
    assert again.frame()[4] == 105
    assert [Header.unpack(again.frame()).sequence for _ in range(18)] == list(range(13, 31))
