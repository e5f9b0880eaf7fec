"""Several frames on one connection, and what a relay makes of them: the rejects that take two.

Called by `tests.vectors.make`. What each relay demands is said with each stream, so that a stream
can be fed to any implementation of the rules. (SPEC.md, Reject codes)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from protocol.control import Heartbeat, Hello, OnLag, Role, Welcome
from protocol.framing import wrap
from protocol.header import HEADER_SIZE
from protocol.market_data import Quote, Side, Trade
from protocol.message import Message, Unknown
from protocol.reject import FATAL, Reject
from protocol.signals import ArbitrageOpportunity
from protocol.tlv import build
from tests.vectors import MAX_PAYLOAD
from tests.vectors.bad import resealed
from tests.vectors.values import BEGIN, IDS, cases

RULES: dict[str, Any] = {
    "first_type": 1,
    "last_type": 19,
    "checksums": True,
    "strict": False,
    "identified": False,
    "sources": None,
    "max_payload": MAX_PAYLOAD,
}
STRICT = {"strict": True, "identified": True}


class Stream(NamedTuple):
    """Frames, the rules they meet, how many are accepted, and the rejects in their order.

    `role` is that of the session that the Hello in the stream asks for; None where the connection
    has not said one, and produces."""

    name: str
    says: str
    data: bytes
    rules: dict[str, Any]
    accepted: int
    rejects: list[Reject]

    @property
    def closed(self) -> bool:
        return any(code in FATAL for code in self.rejects)


def streams() -> Iterator[Stream]:
    """Every stream."""
    yield from _sequences()
    yield from _policies()
    yield from _framing()
    yield from _sessions()


def _sequences() -> Iterator[Stream]:
    gap = [Reject.SEQUENCE_GAP]
    run = trades(1, 2, 4, 5, 3, 4, 5)
    yield _stream("gap_strict", "4 and 5 come before 3, then again", run, STRICT, 5, gap * 2)
    yield _stream("gap_counted", "3 is missing: counted, accepted", trades(1, 2, 4), {}, 3, [])
    twice = [Reject.SEQUENCE_DUPLICATE] * 2
    yield _stream("duplicate", "1 and 2 once more", trades(1, 2, 1, 2, 3), STRICT, 3, twice)
    again = {"identified": True}
    yield _stream(
        "duplicate_identified", "not strict, but known", trades(1, 2, 1, 2), again, 2, twice
    )
    run = trades(1, 2, 1)
    yield _stream("duplicate_anonymous", "who is not known may begin again", run, {}, 3, [])
    other = trade(2, price=1)
    conflict = [Reject.SEQUENCE_CONFLICT]
    yield _stream("conflict", "2 with other bytes", trades(1, 2) + other, STRICT, 2, conflict)
    hurt = trade(2)[:40] + b"\xff" + trade(2)[41:]
    run = trades(1) + hurt + trades(2, 3)
    yield _stream("damaged", "2 is damaged, then sent again", run, STRICT, 3, [Reject.BAD_CHECKSUM])
    both = [Reject.BAD_CHECKSUM, Reject.SEQUENCE_GAP]
    run = trades(1) + hurt + trades(3)
    yield _stream("damaged_and_on", "2 is damaged and 3 follows", run, STRICT, 1, both)
    off = {"checksums": False}
    yield _stream("unchecked", "a domain that checks no checksums", trades(1) + hurt, off, 2, [])


def _policies() -> Iterator[Stream]:
    signal = _typical(ArbitrageOpportunity, sequence=2)
    wrong = [Reject.WRONG_DOMAIN]
    run = trades(1) + signal + trades(3)
    yield _stream("wrong_domain", "a signal: its sequence is consumed", run, STRICT, 2, wrong)
    yield _stream("unknown_type", "type 19 is passed on", unknown(19, 1), {}, 1, [])
    yield _stream("custom_type", "type 200 has no relay yet", unknown(200, 1), {}, 0, wrong)
    rules = STRICT | {"sources": [1, 2]}
    refused = [Reject.SOURCE_NOT_ALLOWED]
    run = trades(1) + trade(2, source=3) + trade(3, source=2)
    yield _stream(
        "source_not_allowed", "source 3: its sequence is consumed", run, rules, 2, refused
    )
    beat = Heartbeat(position=7).frame(0, BEGIN, 1)
    yield _stream(
        "control_between",
        "a Heartbeat has no sequence",
        trades(1) + beat + trades(2),
        STRICT,
        2,
        [],
    )
    hurt = beat[:-1] + b"\x01"
    run, bad = trades(1) + hurt + trades(2), [Reject.BAD_CHECKSUM]
    off = STRICT | {"checksums": False}
    yield _stream("control_damaged", "control is always checked", run, off, 2, bad)


def _framing() -> Iterator[Stream]:
    run = trades(1) + b"junk" + trades(2)
    yield _stream(
        "bad_magic", "junk between frames: framing is lost", run, {}, 1, [Reject.BAD_MAGIC]
    )
    large = trade(2)[:8] + (MAX_PAYLOAD + 1).to_bytes(4, "little") + trade(2)[12:]
    run, code = trades(1) + large + trades(3), Reject.PAYLOAD_TOO_LARGE
    yield _stream("too_large", "a size above the most", run, {}, 1, [code])
    short = trade(2)[:8] + (31).to_bytes(4, "little") + trade(2)[12:]
    run = trades(1) + short + trades(3)
    yield _stream("bad_size", "a Trade of 31 bytes", run, {}, 1, [Reject.BAD_SIZE])
    run, cut = trades(1) + trade(2)[:-1], [Reject.TRUNCATED]
    yield _stream("truncated_payload", "the connection ends in a payload", run, {}, 1, cut)
    run = trades(1) + trade(2)[:20]
    yield _stream("truncated_header", "the connection ends in a header", run, {}, 1, cut)
    mixed = trades(1) + _typical(Quote, sequence=2) + unknown(1, 3, version=7) + trades(4)
    yield _stream("mixed", "several types, a version nobody knows", mixed, STRICT, 4, [])


def _sessions() -> Iterator[Stream]:
    who = {"session": True}
    consumes = hello(Role.CONSUME)
    refused, bad = [Reject.NOT_A_PRODUCER], [Reject.BAD_HELLO]
    run = consumes + trades(1)
    yield _stream(
        "not_a_producer", "a session that only consumes sends a Trade", run, who, 0, refused
    )
    yield _stream(
        "nothing", "control only, and a Trade", hello(Role(0)) + trades(1), who, 0, refused
    )
    run = hello(Role.CONSUME | Role.PRODUCE) + trades(1)
    yield _stream("produces", "a session that does both", run, who, 1, [])
    at_role = bytes([consumes[32] | 8])
    run = resealed(consumes, 32, at_role)
    yield _stream("hello_reserved_role", "role bit 3 is reserved", run, who, 0, bad)
    run = resealed(consumes, 33, b"\x04")
    yield _stream("hello_reserved_on_lag", "on_lag 4 is reserved", run, who, 0, bad)
    run = resealed(consumes, 5, b"\x02")
    yield _stream("hello_other_version", "a version of Hello nobody knows", run, who, 0, bad)
    run = hello(Role.PRODUCE | Role.SNAPSHOT)
    yield _stream("hello_snapshot_only", "a snapshot without consuming", run, who, 0, bad)
    payload = consumes[HEADER_SIZE:] + build([(1, b"two words")])
    run = wrap(Hello.TYPE, Hello.VERSION, payload, 0, BEGIN, 1, 0)
    yield _stream("hello_bad_name", "a client name with a space", run, who, 0, bad)
    run = Welcome(1, 0, 0, 0).frame(0, BEGIN, 1)
    yield _stream("welcome_from_client", "a frame that only relays send", run, who, 0, bad)


def hello(role: Role) -> bytes:
    """A Hello, anonymous and from now on."""
    return Hello(role, on_lag=OnLag.GAP).frame(0, BEGIN, 1)


def trade(sequence: int, price: int = 61_234_50000000, source: int = 1) -> bytes:
    """A Trade; another price makes another frame of the same sequence."""
    made = Trade(IDS[0], price, volume=25_000000, side=Side.BUY)
    return made.frame(sequence, BEGIN, source)


def trades(*sequences: int) -> bytes:
    """Trades back to back."""
    return b"".join(trade(sequence) for sequence in sequences)


def unknown(kind: int, sequence: int, version: int = 1) -> bytes:
    """A frame of a type or version without a class."""
    return Unknown(kind, version, b"anything").frame(sequence, BEGIN, 1)


def _typical(cls: type[Message], sequence: int) -> bytes:
    return next(cases(cls)).message.frame(sequence, BEGIN, 1)


def _stream(
    name: str, says: str, data: bytes, rules: dict[str, Any], accepted: int, rejects: list[Reject]
) -> Stream:
    return Stream(name, says, data, RULES | rules, accepted, rejects)
