"""`bench scale`: the recorded Binance session, and what a filter on half of the consumers costs.

Called by scale_suite. Sizes and types are those of the recording, which is sent over and over with
sequences going on. Four sessions read, two of them with a filter or without one, in interleaved
runs; the two without have the rate that is compared. Who has a filter has exactly the frames that
match it: which these are is computed here, beforehand.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocol.catalogue import MessageType, type_name
from protocol.control import Hello, Role, hello_tlvs
from protocol.instruments import InstrumentId, VenueId

from .bars import Judged
from .runs import Load, workspace
from .scale_cpu import LIMITS, figures
from .scale_frames import recordings, session
from .scale_rows import Result
from .scale_runs import Flow, Group, Sample, measure
from .servers import Server, relay
from .statistic import ratio
from .throughput import in_turns

RATE_BAR = 0.5
CONSUMERS = 4
AT_TYPE, AT_INSTRUMENT = 4, slice(32, 44)
TRADE = MessageType.TRADE
PAIR = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
FILTERED, NOBODY, AGAIN = "filter on half", "no filter", "no filter again"
HEARTBEAT_MS = 60_000


@dataclass(frozen=True)
class Row:
    """A filter as it stands in a Hello, and as a look at the frame."""

    name: str
    title: str
    hello: Hello
    matches: Callable[[bytes], bool]


def _hello(**wanted: Any) -> Hello:
    return Hello(Role.CONSUME, heartbeat_ms=HEARTBEAT_MS, **wanted)


ROWS = (
    Row(
        "mixed-types",
        "Binance session, 2 of 4 consumers want Trades",
        _hello(type_filter=(1 << TRADE).to_bytes(32, "little")),
        lambda frame: frame[AT_TYPE] == TRADE,
    ),
    Row(
        "mixed-instruments",
        "Binance session, 2 of 4 consumers want spot BTCUSDT",
        _hello(tlvs=hello_tlvs(wanted=[PAIR])),
        lambda frame: frame[AT_INSTRUMENT] == PAIR.to_bytes(),
    ),
)


def run(rows: Sequence[Row], load: Load, rounds: int, progress: Callable[[str], None]
        ) -> list[Result]:  # fmt: skip
    """Measures the rows; `load.count` is deliveries a run in which nobody filters."""
    found = recordings()
    if not found:
        why = "no recordings (RELAYS_DATA, ../shared/data)"
        return [Result(row.name, row.title, left_out=why) for row in rows]
    with ExitStack() as stack:
        folder = stack.enter_context(workspace())
        progress("scale: converting the Binance session")
        frames = session(folder, found)
        runtime = stack.enter_context(workspace())
        server = stack.enter_context(relay(runtime, load.pins.server, LIMITS))
        return [measure_row(row, server, frames, folder, load, rounds, progress) for row in rows]


def measure_row(
    row: Row, server: Server, frames: Sequence[bytes], folder: Path, load: Load, rounds: int,
    progress: Callable[[str], None],
) -> Result:  # fmt: skip
    """One row with the `frames` of a session. They are sent up to the last one that matches, so
    that who has a filter knows when it has everything."""
    path = folder / row.name
    wanted = bytes(row.matches(frame) for frame in frames).rstrip(b"\0")
    path.write_bytes(b"".join(frames[: len(wanted)]))
    flows = {
        name: _flow(path, wanted, load, row.hello, name == FILTERED)
        for name in (FILTERED, NOBODY, AGAIN)
    }
    for name, flow in flows.items():
        progress(f"scale: {row.title}: {name}, warming")
        measure(server, flow)
    samples: dict[str, list[Sample]] = {name: [] for name in flows}
    for turn, name in in_turns(list(flows), rounds):
        progress(f"scale: {row.title}: round {turn + 1} of {rounds}, {name}")
        samples[name].append(measure(server, flows[name]))
    return _result(row, samples, frames[: len(wanted)], wanted)


def _flow(path: Path, wanted: bytes, load: Load, hello: Hello, filtered: bool) -> Flow:
    """Whole rounds of the session: the last frame of each is wanted by everybody."""
    everything, half = _hello().frame(), CONSUMERS // 2
    filtering = Group(half, greeting=hello.frame(), wanted=wanted)
    other = filtering if filtered else Group(half, greeting=everything)
    sessions = max(load.count // CONSUMERS // len(wanted), 1)
    return Flow(
        frames=path,
        count=sessions * len(wanted),
        groups=(Group(half, greeting=everything), other),
        warmup=len(wanted),
        window=load.window,
        block=load.block,
        producer_buffer=load.producer_buffer,
        pins=load.pins,
    )


def _rates(samples: Sequence[Sample]) -> list[float]:
    """Messages/s of the producer to those who have every frame."""
    return [
        sample.producers[0]["frames"]
        * 1e9
        / (sample.groups[0]["last_ns"] - sample.producers[0]["start_ns"])
        for sample in samples
    ]


def _result(
    row: Row, samples: dict[str, list[Sample]], frames: Sequence[bytes], wanted: bytes
) -> Result:
    rates = {name: _rates(taken) for name, taken in samples.items()}
    measured, control = ratio(rates[FILTERED], rates[NOBODY]), ratio(rates[AGAIN], rates[NOBODY])
    types = Counter(type_name(frame[AT_TYPE]) for frame in frames)
    said = {"frames": len(frames), "bytes": sum(map(len, frames)), "wanted": wanted.count(1)}
    return Result(
        row.name,
        row.title,
        (Judged(f"{row.title}: rate", NOBODY, measured, RATE_BAR, True, control),),
        figures={name: {**figures(taken), "rate": rates[name]} for name, taken in samples.items()},
        samples={
            "session": {**said, "types": dict(types)},
            **{name: [asdict(sample) for sample in taken] for name, taken in samples.items()},
        },
    )
