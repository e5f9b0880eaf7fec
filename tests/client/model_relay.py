"""A relay as a model, and the wires between it and a producer's core: for tests without sockets.

Used by tests/client/test_producing.py. Bytes are cut where the test says; the model asserts what a
relay must never be sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.catalogue import SourceType
from protocol.control import Ack, Error, Hello, Welcome
from protocol.execution import OrderRequest
from protocol.header import Header
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import Side
from protocol.message import Message, decode
from protocol.orders import OrderType, TimeInForce
from protocol.reject import CONSUMED, Reject
from relays.client.dial import Backoff
from relays.client.producing import Phase, Producing
from tests.harness import split

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
PRODUCER = 42


@dataclass
class Model:
    """A relay: what it has read of a connection it scans as relays.md 4 says."""

    strict: bool
    source: SourceType = SourceType.EXECUTION_RELAY
    last: int = 0
    known: bool = False
    log: list[tuple[int, int]] = field(default_factory=list)  # sequence, what was sent
    refuse: set[int] = field(default_factory=set)  # these are refused, by `code`
    code: Reject = Reject.BAD_SIZE
    inbox: bytes = b""
    answers: bytes = b""
    greeted: bool = False
    closed: bool = False

    def connect(self) -> None:
        self.inbox = self.answers = b""
        self.greeted = self.closed = False

    def say(self, message: Message) -> None:
        self.answers += message.frame(source=self.source)

    def read(self, data: bytes) -> None:
        """Read, and acknowledge once, as a relay does for one read."""
        if self.closed:
            return
        self.inbox += data
        before = self.last
        for frame in list(split(self.inbox)):
            self.inbox = self.inbox[len(frame) :]
            self._frame(frame)
            if self.closed:
                return
        if self.last != before:
            self.say(Ack(self.last, len(self.log)))

    def _frame(self, frame: bytes) -> None:
        message, sequence = decode(frame), Header.unpack(frame).sequence
        if isinstance(message, Hello):
            assert message.producer_id == PRODUCER
            self.greeted = True
            welcome = Welcome(
                log_id=1, position=0, end_position=0, oldest_position=0, last_sequence=self.last,
                max_payload=65536,
            )  # fmt: skip
            self.say(welcome)
            return
        assert self.greeted, "a frame before Welcome"
        number = getattr(message, "price", 0)
        if self.known and sequence <= self.last:
            assert (sequence, number) in self.log, "a sequence again, with another message"
            return
        if self.known and sequence > self.last + 1 and self.strict:
            raise AssertionError(f"a gap: {sequence} after {self.last}")
        if number in self.refuse:
            self._refuse(sequence)
            return
        self.last, self.known = sequence, True
        self.log.append((sequence, number))

    def _refuse(self, sequence: int) -> None:
        fatal = self.code not in CONSUMED
        self.say(Error(self.code, fatal=fatal, sequence=sequence, expected=sequence, text="no"))
        if fatal:
            self.closed = True
        else:
            self.last, self.known = sequence, True


class Pair:
    """A core and its relay, and the wires between them."""

    def __init__(self, relay: Model, **options: object) -> None:
        self.relay, self.now, self.sent = relay, 0.0, 0
        values: dict[str, object] = {"producer_id": PRODUCER, "backoff": Backoff(0.01, 0.02)}
        self.core = Producing(**{**values, **options})  # type: ignore[arg-type]
        self.told: list[object] = []
        self.settle()

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            self.sent += 1
            message = OrderRequest(
                BTC, side=Side.BUY, order_type=OrderType.LIMIT, time_in_force=TimeInForce.DAY,
                owner_id=1, account_id=1, client_order_id=self.sent, price=self.sent, quantity=1,
            )  # fmt: skip
            self.core.put(message, self.now, timestamp=0, flags=0)

    def write(self, most: int = 1 << 30, *, arrives: bool = True) -> int:
        """So many bytes go out at most; they may be lost with the connection."""
        with self.core.due(self.now) as due:
            data = bytes(due[:most])
        if data:
            self.core.sent(len(data))
        if arrives:
            self.relay.read(data)
        return len(data)

    def answer(self, most: int = 1 << 30) -> int:
        data, self.relay.answers = self.relay.answers[:most], self.relay.answers[most:]
        self.core.received(data, self.now)
        return len(data)

    def cut(self) -> None:
        """The connection ends; what was on its way in either direction is gone."""
        self.core.lost(self.now, "cut")
        self.relay.connect()

    def lose(self, size: int) -> None:
        self.write(size, arrives=False)
        self.cut()

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.core.tick(self.now)

    def connect(self) -> None:
        if self.core.phase is Phase.OFFLINE:
            self.now = max(self.now, self.core.retry_at)
            self.relay.connect()
            self.core.connected(self.now)

    def settle(self) -> None:
        """Everything that can be said is said, over new connections if need be."""
        for _ in range(1000):
            self.connect()
            moved = self.write() + self.answer()
            if self.relay.closed and not self.relay.answers:
                self.cut()
            elif not moved and self.core.phase is not Phase.OFFLINE:
                return
        raise AssertionError("it never settles")

    def handed_back(self) -> list[int]:
        frames = b"".join(outcome.frames for outcome in self.core.outcomes)
        return [decode(frame).price for frame in split(frames)]  # type: ignore[union-attr]
