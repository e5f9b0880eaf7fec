"""What a relay might say to a producer: the core sends whole frames with sequences one by one, and
no message comes back twice, whatever was acknowledged, refused, cut off or late.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

from protocol.control import Ack, Error, Heartbeat, Welcome
from protocol.errors import FieldError, SchemaError
from protocol.header import HEADER_SIZE, Header
from protocol.market_data import Trade
from protocol.reject import Reject
from relays.client.dial import Backoff
from relays.client.producing import Phase, Producing
from tests.client.wire import PAIRS
from tests.fuzz.target import Target, golden, packed, unpacked, whole

OPTIONS = 1
SECOND = 0.3
MARKET_DATA = 20


class Program:
    """A producer's core, what was put into it and what it wants to send."""

    def __init__(self, how: int) -> None:
        age = 1.0 if how & 1 else None
        backoff = Backoff(0.1, 0.2, random.Random(1))
        self.core = Producing(producer_id=7, max_age=age, backoff=backoff, reconnect=not how & 2)
        self.each, self.most = how >> 2 & 3, 100 if how & 16 else 1 << 20
        self.put = 0
        self.now = 1.0
        self.out = bytearray()
        self.connect()

    @property
    def over(self) -> bool:
        return self.core.phase is Phase.OVER

    def connect(self) -> None:
        self.core.connected(self.now)
        self.check_sent()

    def step(self, piece: bytes) -> None:
        """Some messages are put, some bytes come, time passes, and what is due is written."""
        for _ in range(self.each if self.core.phase is Phase.OPEN else 0):
            message = Trade(PAIRS[0], price=self.put + 1, volume=1)
            with suppress(FieldError, SchemaError):  # which the relay said it does not take
                self.core.put(message, self.now, 5, 0)
                self.put += 1
        self.write()
        self.core.received(piece, self.now)
        self.now += SECOND
        self.core.tick(self.now)
        self.core.deadline()
        if self.core.phase is Phase.OFFLINE:
            self.connect()
        self.write()

    def write(self) -> None:
        due = self.core.due(self.now)
        size = min(len(due), self.most)
        self.out += due[:size]
        due.release()
        self.core.sent(size)

    def check_sent(self) -> None:
        """What was sent on one connection: Hello, then sequences one by one."""
        frames = list(whole(bytes(self.out)))
        self.out.clear()
        assert not frames or frames[0][4] == 104
        numbers = [Header.unpack(one).sequence for one in frames[1:]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True

    def check_fates(self) -> None:
        """No message comes back twice."""
        assert 0 <= self.core.unacked <= self.put
        self.core.give_up("it is over")
        self.check_sent()
        outcomes = [*self.core.outcomes, *([self.core.over] if self.core.over else [])]
        messages: list[Any] = [message for one in outcomes for message in one.messages]
        prices = [message.price for message in messages]
        assert len(prices) == len(set(prices)), sorted(prices)
        assert all(1 <= price <= self.put for price in prices)


def run(data: bytes) -> None:
    if len(data) < OPTIONS:
        return
    program = Program(data[0])
    said = unpacked(data[OPTIONS:])
    pieces = list(whole(said))
    pieces.append(said[sum(map(len, pieces)) :])
    for piece in pieces:
        for part in (piece[: HEADER_SIZE + 3], piece[HEADER_SIZE + 3 :]):
            if not program.over:
                program.step(part)
    program.check_fates()


def seeds() -> list[bytes]:
    def welcome(last: int) -> bytes:
        made = Welcome(9, 0, 0, 0, last_sequence=last, heartbeat_ms=1000)
        return made.frame(source=MARKET_DATA)

    def ack(sequence: int) -> bytes:
        return Ack(sequence, position=sequence).frame(source=MARKET_DATA)

    def error(code: Reject, sequence: int, expected: int = 0, fatal: bool = False) -> bytes:
        made = Error(code, 1, fatal, sequence, expected, text="no")
        return made.frame(source=MARKET_DATA)

    beat = Heartbeat().frame(source=MARKET_DATA)
    said = [
        welcome(0) + ack(1) + ack(3), welcome(5) + beat + beat + beat + beat + ack(9),
        welcome(0) + error(Reject.WRONG_DOMAIN, 2, 3) + ack(4),
        welcome(0) + error(Reject.BAD_CHECKSUM, 2) + ack(4) + error(Reject.BAD_CHECKSUM, 2),
        welcome(0) + error(Reject.SEQUENCE_GAP, 4, 2) + beat + ack(3),
        welcome(0) + ack(2) + error(Reject.DRAINING, 0, fatal=True) + welcome(1) + ack(3),
        welcome(0) + error(Reject.FENCED, 0, fatal=True), welcome(3) + welcome(0) + ack(2**63),
        welcome(0) + error(Reject.BAD_SIZE, 1, fatal=True) + welcome(0) + beat + ack(2),
    ]  # fmt: skip
    said += [welcome(0) + beat + one for one in list(golden("valid", "invalid"))[::40]]
    return [bytes([number * 29 & 255 | 8]) + packed(one) for number, one in enumerate(said)]


TARGET = Target(run, seeds)
