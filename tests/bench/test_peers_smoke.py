"""The peers' bench runs, and cannot be fooled: in every peer's protocol a lost, repeated or damaged
frame fails the run.

Counts are tiny: these are smoke tests of the measurements, never the measurements.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from . import native, peers, peers_suite
from .children import Child, RunFailed
from .runs import Load, measure, workspace
from .servers import Server
from .statistic import Interval, verdict
from .test_bench_smoke import PATIENCE, bench, damage, lose, repeat

FRAME = 64
COUNT = 1000
# What a server says to producer and consumer before the first frame, whatever they say, and what
# stands before and behind a frame.
ZMTP = b"\xff" + bytes(8) + b"\x7f\3\0NULL" + bytes(48) + b"\4\x1a\5READY\x0bSocket-Type\0\0\0\4"
NATS = b"INFO {}\r\nPONG\r\n"
FALSE = {
    "nats": (NATS, NATS, b"PUB t 64\r\n", b"MSG t 1 64\r\n", b"\r\n"),
    "resp": (
        b"+PONG\r\n",
        b"*3\r\n$9\r\nsubscribe\r\n$1\r\nt\r\n:1\r\n",
        b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nt\r\n$64\r\n",
        b"*3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$64\r\n",
        b"\r\n",
    ),
    "zmtp": (ZMTP + b"XSUB", ZMTP + b"XPUB", b"\0\x40", b"\0\x40", b""),
    "mqtt": (b"\x20\2\0\0", b"\x20\2\0\0\x90\3\0\1\0", b"\x30\x43\0\1t", b"\x30\x43\0\1t", b""),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    native.build()


def installed(name: str) -> None:
    reason = peers.missing(name)
    if reason and not os.environ.get("CI"):
        pytest.skip(reason)
    assert not reason


@pytest.mark.parametrize("name", peers.PEERS)
def test_four_consumers_of_a_peer_have_every_frame_as_it_was_sent(name: str) -> None:
    installed(name)
    peer = peers.PEERS[name]
    with workspace() as folder, peer.start(folder, "") as server:
        flat = Load(count=2_001, consumers=4, mode="verify", warmup=100, window=1000, block=64 * 64)
        for _ in range(2):
            sample = measure(server, flat)
            assert [each["count"] for each in sample.consumers] == [2_101] * 4
        timed = Load(count=100, consumers=2, mode="latency", warmup=10, interval=20_000, due=True)
        sample = measure(server, timed)
    assert all(each["latency_ns"]["p50"] > 0 for each in sample.consumers)
    assert peers.version(name)


def test_the_relay_is_measured_beside_every_peer_with_a_table_a_file_and_a_page(
    tmp_path: Path,
) -> None:
    written, page = tmp_path / "peers.json", tmp_path / "report"
    rows = ("--configuration", "1", "--configuration", "latency")
    size = ("--pairs", "1", "--count", "2000", "--quick")
    done = bench("peers", *rows, *size, "--json", str(written), "--report", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(written.read_text())["suites"]["peers"]
    there = [name for name in peers.PEERS if not peers.missing(name)]
    contenders = {peers_suite.RELAY, peers_suite.AGAIN, peers_suite.FLOOR, *there}
    assert [row["row"]["name"] for row in measured["rows"]] == ["1", "latency"]
    for row in measured["rows"]:
        assert set(row["samples"]) == contenders
        assert all(len(samples) == 1 for samples in row["samples"].values())
    assert {bar["met"] for bar in measured["bars"]} <= {"yes", "NO", "not measurable here"}
    assert all(name in done.stdout for name in contenders)
    html = (page / "index.html").read_text()
    assert html.count("<svg") == 3
    assert all(name in html for name in contenders)


def test_who_is_not_installed_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "found", lambda name: "")
    assert peers.missing("redis") == "redis-server is not installed (scripts/peers)"
    assert peers.missing("mosquitto") == "mosquitto is not installed (scripts/peers)"
    assert peers_suite.Result(peers_suite.ROWS[2], {}, {peers_suite.RELAY: []}).judged == []


def wrapped(frames: bytearray, before: bytes, behind: bytes) -> bytes:
    each = (frames[at : at + FRAME] for at in range(0, len(frames), FRAME))
    return b"".join(before + frame + behind for frame in each)


def unwrapped(messages: bytes, before: bytes, behind: bytes) -> bytearray:
    stride = len(before) + FRAME + len(behind)
    starts = range(len(before), len(messages), stride)
    return bytearray(b"".join(messages[at : at + FRAME] for at in starts))


@contextmanager
def false_peer(
    folder: Path, protocol: str, harm: Callable[[bytearray], None], last: bytes = b""
) -> Iterator[Server]:
    """Forwards one run from a producer to a consumer, all at once, after harming it."""
    listener = socket.create_server(str(folder / "false.sock"), family=socket.AF_UNIX)
    listener.settimeout(PATIENCE)
    worker = threading.Thread(target=forward, args=(listener, protocol, harm, last))
    child = Child("false", ["sleep", str(PATIENCE)], folder)
    worker.start()
    try:
        yield Server(child, folder / "false.sock", folder / "false.sock", protocol)
    finally:
        child.stop()
        worker.join()
        listener.close()


def forward(
    listener: socket.socket, protocol: str, harm: Callable[[bytearray], None], last: bytes
) -> None:
    to_producer, to_consumer, published, delivered, behind = FALSE[protocol]
    consumer = listener.accept()[0]
    with consumer:
        consumer.sendall(to_consumer)
        producer = listener.accept()[0]
        with producer:
            producer.sendall(to_producer)
            if protocol == "zmtp":
                producer.sendall(subscriptions(consumer))
            messages = received(producer, published, (len(published) + FRAME + len(behind)) * COUNT)
            frames = unwrapped(messages, published, behind)
            harm(frames)
            with suppress(BrokenPipeError):
                consumer.sendall(wrapped(frames, delivered, behind) + last)


def subscriptions(consumer: socket.socket) -> bytes:
    """What a ZeroMQ consumer has subscribed to, behind its greeting and command."""
    said = b""
    while b"/board 0" not in said:
        said += some(consumer)
    return said[64 + 27 :]


def received(producer: socket.socket, published: bytes, size: int) -> bytes:
    """So many bytes from the first message on: greetings stand before it."""
    data = b""
    while published not in data or len(data) - data.index(published) < size:
        data += some(producer)
    return data[data.index(published) :]


def some(end: socket.socket) -> bytes:
    end.settimeout(PATIENCE)
    data = end.recv(1 << 16)
    assert data, "a driver has hung up"
    return data


@pytest.mark.parametrize("protocol", FALSE)
@pytest.mark.parametrize(("mode", "harm"), [("count", lose), ("verify", damage)])
def test_in_every_protocol_a_lost_or_damaged_frame_fails_the_run(
    protocol: str, mode: str, harm: Callable[[bytearray], None]
) -> None:
    with (
        workspace() as folder,
        false_peer(folder, protocol, harm) as server,
        pytest.raises(RunFailed, match="consumer-0 ended with 1: consumer: frame"),
    ):
        measure(server, Load(count=COUNT, warmup=0, mode=mode))


@pytest.mark.parametrize("protocol", FALSE)
def test_an_honest_peer_of_the_same_kind_passes(protocol: str) -> None:
    with workspace() as folder, false_peer(folder, protocol, lambda data: None) as server:
        sample = measure(server, Load(count=COUNT, warmup=0, mode="verify"))
    assert sample.consumers[0]["count"] == COUNT


def test_a_repeated_frame_fails_the_run_also_behind_the_last_one() -> None:
    def more(data: bytearray) -> None:
        data += data[-FRAME:]

    for harm, said in ((repeat, "consumer: frame 101: sequence 101"), (more, "not one byte more")):
        with (
            workspace() as folder,
            false_peer(folder, "resp", harm) as server,
            pytest.raises(RunFailed, match=said),
        ):
            measure(server, Load(count=COUNT, warmup=0, mode="verify"))


def test_a_question_behind_the_last_frame_is_no_frame() -> None:
    with (
        workspace() as folder,
        false_peer(folder, "nats", lambda data: None, b"PING\r\n") as server,
    ):
        measure(server, Load(count=COUNT, warmup=0))


def test_a_bar_is_met_by_the_worse_end_and_not_measurable_inside_the_noise() -> None:
    quiet, loud = Interval(1, 0.95, 1.05), Interval(1, 0.6, 1.5)
    assert verdict(Interval(12, 10, 14), 10, True, quiet) == "yes"
    assert verdict(Interval(12, 9.9, 14), 10, True, quiet) == "NO"
    assert verdict(Interval(9, 8.9, 9.4), 10, True, quiet) == "NO"
    assert verdict(Interval(9, 8.9, 9.6), 10, True, quiet) == "NO"
    assert verdict(Interval(12, 10, 14), 10, True, loud) == "yes"
    assert verdict(Interval(0.8, 0.75, 0.9), 0.7, True, quiet) == "yes"
    assert verdict(Interval(0.8, 0.75, 0.9), 0.7, True, loud) == "not measurable here"
    assert verdict(Interval(1.1, 1, 1.25), 1.25, False, quiet) == "yes"
    assert verdict(Interval(1.1, 1, 1.26), 1.25, False, quiet) == "NO"
    assert verdict(Interval(1.4, 1.32, 1.5), 1.25, False, quiet) == "NO"
    assert verdict(Interval(0.8, 0.7, 0.9), 1, False, quiet) == "yes"
    assert verdict(Interval(0.9, 0.8, 0.97), 1, False, quiet) == "not measurable here"
    assert verdict(Interval(1.3, 1.2, 1.4), 1, False, quiet) == "NO"


def test_what_noise_leaves_open_it_leaves_open_for_every_bar() -> None:
    noise = Interval(0.77, 0.18, 1.37)
    assert verdict(Interval(0.6, 0.5, 0.65), 0.7, True, noise) == "not measurable here"
    assert verdict(Interval(4.6, 3.3, 5.89), 10, True, noise) == "not measurable here"
    assert verdict(Interval(0.02, 0.01, 0.03), 0.7, True, noise) == "NO"
    assert verdict(Interval(9, 8, 10), 0.7, True, noise) == "yes"
    assert verdict(Interval(20, 18, 25), 1.25, False, noise) == "NO"
