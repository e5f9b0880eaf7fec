"""Raw connections of every kind, made once, with load on them: none may end, no byte may be wrong.

Used by the tests of restarts. None of them ever connects again. One thread serves all, while the
test does with their relay what it does; in the end what each consumer got is compared with what was
sent.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable
from typing import Any

from protocol.control import Ack, Heartbeat, hello_tlvs, type_filter
from protocol.instruments import InstrumentId, VenueId
from protocol.message import decode
from relays.domains import DOMAINS
from tests.adversity.test_clients_and_crashes import FEEDS, message
from tests.harness import CONTROL, Client, eventually, frame, hello, split

# Between two turns of the thread; with `burst`, the load: some thousand frames a second.
PACE = 0.001
LARGE = (5_000, 20_000)
ALL = 1 << 20
CAUGHT_UP = 60.0
CATCH_UP, OLDEST, SNAPSHOTS = 3, 2, 4
Make = Callable[[int], bytes]
Wants = Callable[[bytes], bool]


def everything(_: bytes) -> bool:
    return True


class Steady:
    """One connection, which began with `first`, a Hello or nothing.

    A producer has `make`, which gives the frame of a sequence; `sent` are those so far. A consumer
    has `wants`, which tells the frames it should get; `data` are the bytes it got of frames, and
    `controls` the control frames, each with the number of frames before it. A turn reads at most
    `sip` bytes and writes at most one piece of at most `most` bytes.
    """

    def __init__(
        self, path: str, name: str, first: bytes = b"", *, make: Make | None = None,
        wants: Wants | None = None, sip: int = ALL, most: int = ALL,
    ) -> None:  # fmt: skip
        self.name, self.session, self.make, self.wants = name, bool(first), make, wants
        self.sip, self.most, self.ended = sip, most, ""
        self.out, self.sent = bytearray(first), list[bytes]()
        self.data, self.count, self.kept = bytearray(), 0, b""
        self.controls: list[tuple[int, Any]] = []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.setblocking(False)

    def produce(self, count: int) -> None:
        """Frames that the next turns send."""
        for _ in range(count if self.make else 0):
            self.sent.append(self.make(len(self.sent) + 1))  # type: ignore[misc]
            self.out += self.sent[-1]

    def turn(self, chance: random.Random) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                got = self.sock.recv(self.sip)
                self.ended = self.ended or ("" if got else "closed")
                self._take(got)
            with contextlib.suppress(BlockingIOError):
                if self.out:
                    size = self.most if self.most == ALL else chance.randint(1, self.most)
                    del self.out[: self.sock.send(self.out[:size])]
        except OSError as error:
            self.ended = self.ended or str(error)

    def _take(self, got: bytes) -> None:
        if not self.session:
            self.data += got
            return
        stream, at = self.kept + got, 0
        for one in split(stream):
            at += len(one)
            if one[4] in CONTROL:
                self.controls.append((self.count, decode(one)))
            else:
                self.data += one
                self.count += 1
        self.kept = stream[at:]

    def has_read_all(self) -> bool:
        """Whether it has what was in the log when it was welcomed."""
        return bool(self.controls) and self.count >= self.controls[0][1].end_position

    def wanted(self, frames: list[bytes]) -> list[bytes]:
        return [one for one in frames if self.wants and self.wants(one)]

    def acks(self) -> list[int]:
        return [one.sequence for _, one in self.controls if isinstance(one, Ack)]

    def acknowledged(self) -> bool:
        """Whether a session has its last Ack; others get none."""
        return not (self.session and self.sent) or self.acks()[-1:] == [len(self.sent)]

    def check(self, frames: list[bytes]) -> None:
        """What it sent is in this log, what it wants of it it got, each once and in order: up to
        where it ended, where it did. It was told nothing that is not so."""
        mine = set(self.sent)
        taken = [got for got in frames if got in mine]
        assert taken == self.sent[: len(taken) if self.ended else None], self.name
        wanted = b"".join(self.wanted(frames))
        until = len(self.data) if self.ended else None
        assert differs(self.data, wanted[:until]) is None, (self.name, len(self.data), len(wanted))
        self._check_controls()

    def _check_controls(self) -> None:
        kinds = [type(one).__name__ for _, one in self.controls]
        assert set(kinds) <= {"Welcome", "Heartbeat", "Ack", "Snapshot"}, (self.name, set(kinds))
        assert kinds.count("Welcome") == int(self.session), self.name
        assert self.acks() == sorted(self.acks()), self.name
        told = [(n, one.position) for n, one in self.controls if isinstance(one, Heartbeat)]
        assert [at for _, at in told] == sorted(at for _, at in told), self.name
        if self.wants is everything:
            assert all(n == at for n, at in told), (self.name, told)


def differs(one: bytes | bytearray, other: bytes | bytearray) -> int | None:
    """Where two streams first differ; None where they do not."""
    if one == other:
        return None
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


class Crowd(threading.Thread):
    """Everybody who is connected to one relay, which has an empty log. Served from `with` on; in a
    turn of the thread a producer makes at most `burst` frames."""

    def __init__(self, path: str, domain: str, chance: random.Random, burst: int = 3) -> None:
        super().__init__(name="crowd")
        self.burst = burst
        self.path, self.domain, self.chance = path, domain, chance
        self.error: BaseException | None = None
        self.finishing, self.finished, self.over = (threading.Event() for _ in range(3))
        self.consumers = self._consumers()
        with Client(path) as last:
            last.hello()  # who has connected before it has been accepted
        self.producers = self._producers()
        self.everyone = [*self.consumers, *self.producers]
        self.everyone.append(Steady(path, "control", hello(0, heartbeat_ms=100)))

    def _consumers(self) -> list[Steady]:
        kind = type(message(0, 0, self.domain)).TYPE
        others = [message(n, 0, self.domain).frame()[32:44] for n in (0, 2)]
        many = [InstrumentId.spot(VenueId.BINANCE, f"MANY{n}") for n in range(200)]
        one_of_many = hello_tlvs("many", [*many, FEEDS[1]])

        def consumer(name: str, first: bytes = b"", **options: Any) -> Steady:
            return Steady(self.path, name, first, **{"wants": everything, **options})

        half = consumer("plain, its input closed")
        half.sock.shutdown(socket.SHUT_WR)
        found = [
            half,
            consumer("plain"),
            consumer("slow plain", sip=200),
            consumer("session", hello(start=OLDEST, heartbeat_ms=100)),
            consumer("of one type", hello(start=OLDEST, type_filter=type_filter([kind])),
                     wants=lambda got: got[4] == kind),
            consumer("of one instrument", hello(start=OLDEST, tlvs=hello_tlvs("one", FEEDS[1:2])),
                     wants=lambda got: got[32:44] not in others),
            consumer(
                "of many instruments",
                hello(start=OLDEST, tlvs=one_of_many),
                wants=lambda got: got[32:44] not in others,
            ),
            consumer("catch_up", hello(start=OLDEST, on_lag=CATCH_UP)),
            consumer("slow catch_up", hello(start=OLDEST, on_lag=CATCH_UP), sip=200),
        ]  # fmt: skip
        if self.domain == "market_data":
            found.append(consumer("snapshots", hello(1 | SNAPSHOTS, start=OLDEST)))
        return found

    def _producers(self) -> list[Steady]:
        path, large = self.path, DOMAINS[self.domain].types[-1]

        def of(feed: int, source: int) -> Make:
            return lambda n: message(feed, n, self.domain).frame(n, 1, source)

        def much(n: int) -> bytes:
            payload = self.chance.randbytes(self.chance.randint(*LARGE))
            return frame(n, large, payload, source=5, timestamp=1)

        both = Steady(
            path, "both", hello(3, start=OLDEST, producer_id=8), make=of(0, 4), wants=everything
        )
        self.consumers.append(both)
        return [
            Steady(path, "producer", make=of(0, 1)),
            Steady(path, "identified producer", hello(2, producer_id=7), make=of(1, 2)),
            Steady(path, "producer of pieces", make=of(2, 3), most=50),
            Steady(path, "producer of large frames in pieces", make=much, most=800),
        ]

    # --- the thread ---

    def __enter__(self) -> Crowd:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()
        for one in self.everyone:
            one.sock.close()

    def run(self) -> None:
        try:
            while not self.over.wait(PACE):
                for one in self.everyone:
                    if one.ended:
                        continue
                    if not one.out and not self.finishing.is_set():
                        one.produce(self.chance.randint(0, self.burst))
                    one.turn(self.chance)
                if self.finishing.is_set() and not self.finished.is_set():
                    self._finish()
        except BaseException as error:
            self.error = error
            raise

    def _finish(self) -> None:
        for one in self.everyone:
            one.produce(1)
            one.sip = ALL
        self.finished.set()

    # --- the test ---

    def finish(self) -> dict[str, str]:
        """Wait until all who are still connected have been sent everything, and look at it; gives
        those who are not, and why."""
        self.finishing.set()
        assert self.finished.wait(CAUGHT_UP), self.error
        late = Steady(self.path, "late", hello(start=OLDEST), wants=everything)
        self.everyone.append(late)
        last = [one.sent[-1] for one in self.everyone if one.sent and not one.ended]
        self._until(
            lambda: late.has_read_all() and all(one in late.data for one in last),
            "what was sent is in the log",
        )
        frames = list(split(bytes(late.data)))
        print(f"{len(frames)} frames of {len(late.data)} bytes")
        sizes = {one: sum(map(len, one.wanted(frames))) for one in self.everyone}
        self._until(
            lambda: all(
                one.ended or (len(one.data) >= size and one.acknowledged())
                for one, size in sizes.items()
            ),
            "all have all of it",
        )
        for one in self.everyone:
            one.check(frames)
        return {one.name: one.ended for one in self.everyone if one.ended}

    def _until(self, what: Callable[[], bool], why: str) -> None:
        eventually(lambda: what() or self.error, why, CAUGHT_UP)
        assert self.error is None, self.error
