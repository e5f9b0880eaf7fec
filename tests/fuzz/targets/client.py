"""What a relay might say to a consumer: the core gives runs of whole frames whose positions follow
each other except where a Gap is, or says what is wrong; every form of delivery agrees.
"""

from __future__ import annotations

from protocol._core import runs
from protocol.control import Gap
from protocol.errors import ProtocolError
from protocol.header import HEADER_SIZE
from protocol.message import REGISTRY, decode
from relays.client import delivery, stream
from relays.client.consuming import Consuming, Item, Run
from relays.client.errors import BadFrame, ClientError, GapError
from relays.client.subscription import subscription
from tests.client.wire import lost, mixed, snapshot_edges, welcome
from tests.fuzz.target import Target, exact, golden, packed, unpacked, whole

WANTED = [
    subscription(),
    subscription(start=5, log_id=9),
    subscription(types=["Trade"], start="oldest"),
    subscription(snapshot=True),
    subscription(types=[1, 2], start=3, log_id=9, snapshot=True),
]
FORMS = (delivery.messages, delivery.views, delivery.frames, delivery.received, delivery.batches)
OPTIONS = 2
JUMPS = {101, 105}  # a relay that lies may go anywhere with a second Welcome, or a Snapshot
BUFFER, ROOM = 1 << 18, 1 << 17


def run(data: bytes) -> None:
    if len(data) < OPTIONS:
        return
    stream.BUFFER_BYTES = BUFFER  # the large one costs more than all that is done here
    how, cut = data[:OPTIONS]
    said = unpacked(data[OPTIONS:])
    core = Consuming(WANTED[how % len(WANTED)])
    core.begin(0.0)
    items: list[Item] = []
    middle = len(said) * cut // 256
    try:
        for piece in (said[:middle], said[middle:]):
            _take(core, piece, items)
        core.ended(1.0)
        core.begin(2.0)
        core.beat(9.0)
    except (ClientError, ProtocolError):
        pass
    if not JUMPS & {one[4] for one in list(whole(said))[1:]}:
        _positions(items)
    for item in items:
        if isinstance(item, Run):
            _apart(item, how)
    _deliver(items, FORMS[how // len(WANTED) % len(FORMS)])


def _take(core: Consuming, piece: bytes, items: list[Item]) -> None:
    for at in range(0, len(piece), ROOM):
        part = piece[at : at + ROOM]
        core.room()[: len(part)] = part
        core.received(len(part), 1.0)
        while (item := core.next()) is not None:
            items.append(item)


def _positions(items: list[Item]) -> None:
    """One more each frame, and after a Gap what it says."""
    expected: int | None = None
    for item in items:
        if isinstance(item, Gap):
            expected = None
        elif isinstance(item, Run) and item.position is not None:
            assert expected in (None, item.position)
            expected = item.position + item.frames


def _apart(run: Run, how: int) -> None:
    """Each function of `runs` finds the frames that reading header by header finds."""
    each = list(whole(run.data))
    assert len(each) == run.frames
    assert b"".join(each) == run.data
    assert [bytes(one) for one in runs.frames(run.data, 0)] == each
    assert runs.headers(run.data) == b"".join(one[:HEADER_SIZE] for one in each)
    middle = runs.skip(run.data, 0, run.frames // 2)
    assert middle == sum(map(len, each[: run.frames // 2]))
    stop, count, _ = runs.span(exact(run.data), 0, len(run.data), 1 << 20)
    assert (stop, count) == (len(run.data), run.frames)
    made, stop, error = runs.decode(run.data, 0, REGISTRY, decode, True, bool(how & 128))
    assert (stop == len(run.data)) == (error is None)
    assert len(made) == len(list(whole(run.data[:stop])))
    bad = runs.damaged(run.data, 0)
    assert error is not None or bad < 0
    assert bad < 0 or stop <= bad


def _deliver(items: list[Item], form: delivery.Form) -> None:
    """A program takes every second item of a portion at a time, and leaves none out."""
    kept = delivery.Delivery(on_gap="item", on_bad="item")
    for item in items:
        kept.put(item)
        taken = 0
        while True:
            try:
                some = kept.pour(form, True)
            except (GapError, BadFrame, ProtocolError):
                continue
            if some is None:
                break
            for one in some:
                taken += len(one) if form is delivery.batches and hasattr(one, "offsets") else 1
                if taken % 2:
                    break
        if isinstance(item, Run):
            assert taken == item.frames, f"{taken} of {item.frames}"


def seeds() -> list[bytes]:
    trades = b"".join(mixed(1, [0, 0, 1, 2, 3]))
    begin, end = (edge.frame() for edge in snapshot_edges(7))
    plain = welcome(5).frame() + trades
    said = [
        plain, plain + lost(10, 19).frame() + trades, welcome(9, 12).frame() + trades,
        welcome(5).frame() + begin + trades + end + trades, plain[:-9],
        *(welcome(5).frame() + one for one in golden("streams")),
        *(plain + one for one in list(golden("valid", "invalid"))[::9]),
    ]  # fmt: skip
    return [bytes([number, number * 53 & 255]) + packed(one) for number, one in enumerate(said)]


TARGET = Target(run, seeds)
