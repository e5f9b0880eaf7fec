"""The suites of the bench, each described in one place: an entry of SUITES.

Called by __main__. How something is measured is in the suite's own module, and what its tables look
like in its table module; what needs numpy is imported when it is measured.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from . import (
    capacity,
    instructions,
    isolation,
    latency,
    native,
    peers,
    peers_suite,
    peers_tables,
    plots,
    scale_rows,
    sizes,
    snapshots,
    tables,
    throughput,
)
from .bars import Judged
from .children import RunFailed
from .suite import LOAD, ONCE, ROOT, Asked, Size, Suite

PEER_SECONDS = {False: 1.0, True: 0.4}
# A frame is timed so many times as seldom as one is sent.
FRAMES_TIMED = 1000
# The same where a frame goes to 1,000.
FRAMES_WATCHED = 20_000
# A round trip is made so many times as seldom as a message is sent.
MESSAGES_A_TRIP = 200
# An Ack that waits for the disk is waited for so many times as seldom as a message is sent.
FRAMES_AN_ACK = 50_000
# A journal that is started on has so many times fewer frames than one that is written.
FRAMES_KEPT = 8
# Arrays have so many frames for each operation of a single message.
FRAMES_EACH = 2


# The row of `relay` that is a table of its own.
SIZES = "sizes"


def _only(asked: Asked) -> tuple[str, ...]:
    """Whom to measure: `--only copyloop` says the copy loop in one word."""
    only = asked.options.only
    if not only:
        return throughput.CONTENDERS
    return (throughput.FLOOR if only == "copyloop" else only,)


class _Judged(Protocol):
    """A result that says of each of its bars what was measured."""

    @property
    def judged(self) -> Sequence[Judged]: ...


def _bars(*results: _Judged) -> list[dict[str, Any]]:
    return [each.as_json() for result in results for each in result.judged]


def _relay(asked: Asked) -> dict[str, Any]:
    native.build()
    configurations = [name for name in asked.rows if name != SIZES]
    rows = [
        throughput.run(
            throughput.CONFIGURATIONS[name], asked.load, asked.rounds, _only(asked), asked.progress
        )
        for name in configurations
    ]
    bars = [judged for row in rows for judged in row.judged]
    if rows:
        asked.show(tables.of_throughput(rows))
    if bars:
        asked.show(tables.of_bars(bars))
    by_size = []
    if SIZES in asked.rows:
        by_size = sizes.run(asked.load, asked.rounds, asked.progress, contenders=_only(asked))
        asked.show(tables.of_sizes(by_size))
    return {
        "rows": [row.as_json() for row in rows],
        "sizes": [each.as_json() for each in by_size],
        "bars": _bars(*rows),
    }


def _snapshots(asked: Asked) -> dict[str, Any]:
    native.build()
    rows = [snapshots.run(name, asked.load, asked.rounds, asked.progress) for name in asked.rows]
    asked.show(tables.of_snapshots(rows))
    return {"rows": [row.as_json() for row in rows], "bars": _bars(*rows)}


def _latency(asked: Asked) -> dict[str, Any]:
    native.build()
    rows = [
        latency.run(latency.ROWS[name], asked.load, asked.rounds, asked.progress)
        for name in asked.rows
    ]
    for row in rows:
        asked.show(tables.of_latency(row))
    bars = [judged for row in rows for judged in row.judged]
    asked.show(tables.of_bars(bars))
    return {"rows": [row.as_json() for row in rows], "bars": [each.as_json() for each in bars]}


def _isolation(asked: Asked) -> dict[str, Any]:
    native.build()
    plan = isolation.Plan(
        frames=asked.count,
        paced=max(asked.count // FRAMES_TIMED, isolation.LEAST_TIMED),
        watched=max(asked.count // FRAMES_WATCHED, isolation.LEAST_TIMED),
        rounds=asked.rounds,
        load=asked.load,
    )
    rows, failed = [], []
    for name in asked.rows:  # some minutes each: what fails in one does not cost the others
        try:
            rows += isolation.run(plan, [isolation.ROWS[name]], asked.progress)
        except RunFailed as failure:
            failed.append(f"{name}: {failure}")
    if not rows:
        raise RunFailed("; ".join(failed))
    bars = [row.judged for row in rows]
    asked.show(tables.of_isolation(rows))
    asked.show(tables.of_bars(bars))
    made = {"rows": [row.as_json() for row in rows], "bars": [each.as_json() for each in bars]}
    return made | ({"failed": "; ".join(failed)} if failed else {})


def _peers(asked: Asked) -> dict[str, Any]:
    native.build()
    reasons = {name: peers.missing(name) for name in peers.PEERS}
    names = [name for name, reason in reasons.items() if not reason]
    plan = peers_suite.Plan(
        frames=asked.count,
        seconds=PEER_SECONDS[asked.quick],
        timed=asked.count // FRAMES_TIMED,
        rounds=asked.rounds,
        names=names,
        rows=[row for row in peers_suite.ROWS if row.name in asked.rows],
        load=asked.load,
    )
    results = peers_suite.run(plan, asked.progress)
    left_out = [reason for reason in reasons.values() if reason]
    for table in peers_tables.of_peers(results, left_out):
        asked.show(table)
    versions = {name: peers.version(name) for name in names}
    return {
        "rows": [result.as_json() for result in results],
        "bars": _bars(*results),
        "versions": versions,
        "left_out": left_out,
        "settings": {
            "relay": "\n".join(("market_data, defaults and", *throughput.STRICT)),
            **{name: f"{versions[name]}\n{peers.PEERS[name].settings}" for name in names},
        },
    }


def _capacity(asked: Asked) -> dict[str, Any]:
    native.build()
    needs = capacity.run(asked.load, asked.rounds, asked.progress)
    asked.show(tables.of_capacity(needs))
    return {"rows": [capacity.as_json(row) for row in needs]}


def _protocol(asked: Asked) -> dict[str, Any]:
    with _extra():
        from . import protocol_many, protocol_suite, protocol_tables
    single = protocol_suite.run(asked.count, asked.rounds, asked.progress)
    asked.show(protocol_tables.of_single(single))
    many = protocol_many.run(asked.count * FRAMES_EACH, asked.rounds, asked.progress)
    asked.show(protocol_tables.of_many(many))
    imports = protocol_many.imports(asked.rounds, asked.progress)
    asked.show(protocol_tables.of_imports(imports))
    return {
        "single": [each.as_json() for each in single],
        "many": [each.as_json() for each in many],
        "imports": [each.as_json() for each in imports],
        "bars": _bars(*single, *many, *imports),
    }


def _client(asked: Asked) -> dict[str, Any]:
    with _extra():
        from . import client_suite, client_tables, client_trips
    native.build()
    rows = client_suite.run(asked.load, asked.rounds, asked.progress)
    asked.show(client_tables.of_client(rows))
    count = max(asked.count // MESSAGES_A_TRIP, 1)
    trips = client_trips.run(count, asked.rounds, asked.load.pins, asked.progress)
    asked.show(client_tables.of_trips(trips))
    return {
        "rows": [row.as_json() for row in rows],
        "trips": trips.as_json(),
        "bars": _bars(*rows),
    }


def _scale(asked: Asked) -> dict[str, Any]:
    from . import scale_suite, scale_tables

    results = []
    for result in scale_suite.run(asked):
        asked.show(scale_tables.of_figures([result]))
        results.append(result)
    bars = [bar for result in results for bar in result.bars]
    if bars:
        asked.show(tables.of_bars(bars))
    return {
        "rows": [result.as_json() for result in results],
        "bars": [bar.as_json() for bar in bars],
    }


def _growth(asked: Asked) -> dict[str, Any]:
    with _extra():
        from . import growth, growth_model, growth_tables
    native.build()
    results = growth.run(asked.load, asked.rounds, asked.quick, asked.progress)
    model = growth_model.fit(results)
    asked.show(growth_tables.of_points(results, model))
    asked.show(growth_tables.of_model(model))
    return {
        "rows": [result.as_json() for result in results],
        "model": model.as_json(),
        "bars": [model.judged.as_json()],
    }


@contextmanager
def _extra() -> Iterator[None]:
    """Around imports of what only the extra `bench` installs."""
    try:
        yield
    except ImportError as error:
        raise RunFailed(f"{error}: pip install -e '.[bench]'") from None


def _journal(asked: Asked) -> dict[str, Any]:
    from . import (
        journal_acks,
        journal_rates,
        journal_read,
        journal_restart,
        journal_tables,
        journal_write,
    )

    native.build()
    rounds, progress = asked.rounds, asked.progress
    acked = max(asked.count // FRAMES_AN_ACK, 100)
    with _on_disk() as disk:
        written = journal_write.run(disk, asked.load, rounds, progress)
        asked.show(journal_tables.of_writing(written))
        acks = journal_acks.run(disk, acked, rounds, progress)
        asked.show(journal_tables.of_acks(acks))
        rates = journal_rates.run(disk, acked, rounds, progress)
        asked.show(journal_tables.of_rates(rates))
        starts = journal_restart.run(disk, asked.count // FRAMES_KEPT, rounds, progress)
        asked.show(journal_tables.of_restart(starts))
    read = []
    for name in journal_read.ROWS:
        with _on_disk() as disk:
            size = asked.count * journal_write.FRAME
            read.append(journal_read.run(name, disk, size, rounds, progress))
    asked.show(journal_tables.of_reading(read))
    return {
        "writing": written.as_json(),
        "acks": acks.as_json(),
        "rates": rates.as_json(),
        "restart": starts.as_json(),
        "reading": [each.as_json() for each in read],
        "bars": _bars(written, acks, *read),
    }


@contextmanager
def _on_disk() -> Iterator[Path]:
    """A folder that is not in memory, where a sync costs nothing."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".tools") as folder:
        yield Path(folder)


ALL = (
    Suite(
        "relay",
        "how close does a relay come to a program that only copies?",
        takes=("1 min", "10 min"),
        full=Size(20_000_000, 20),
        quick=Size(5_000_000, 3),
        measure=_relay,
        options=("--only", *LOAD),
        rows=(*throughput.CONFIGURATIONS, SIZES),
        plots=plots.of_relay,
    ),
    Suite(
        "snapshots",
        "what does it cost a relay to keep the state of instruments?",
        takes=("10 s", "2 min"),
        full=Size(20_000_000, 20),
        quick=Size(5_000_000, 3),
        measure=_snapshots,
        options=LOAD,
        rows=tuple(snapshots.ROWS),
    ),
    Suite(
        "instructions",
        "did the hot path become dearer, in instructions, which repeat exactly?",
        takes=("", "10 s"),
        full=ONCE,
        quick=ONCE,
        measure=instructions.measure,
        fetch=("scripts/packages", "install", "valgrind"),
        fetched="valgrind",
        options=("--write",),
    ),
    Suite(
        "latency",
        "how long is one frame each 100 us on its way, also with busy_poll?",
        takes=("15 s", "6 min"),
        full=Size(20_000, 20),
        quick=Size(5_000, 3),
        measure=_latency,
        options=LOAD,
        rows=tuple(latency.ROWS),
        plots=plots.of_latency,
    ),
    Suite(
        "isolation",
        "what do stopped consumers, a scraper and relays top do to the others?",
        takes=("2 min", "20 min"),
        full=Size(20_000_000, 20),
        quick=Size(5_000_000, 3),
        measure=_isolation,
        options=LOAD,
        rows=tuple(isolation.ROWS),
        plots=plots.of_isolation,
    ),
    Suite(
        "peers",
        "how does a relay do beside nats-server, Redis, ZeroMQ and Mosquitto?",
        takes=("1 min", "17 min"),
        # Frames of a relay's run; a peer has as many as it can send in so many seconds.
        full=Size(20_000_000, 20),
        quick=Size(5_000_000, 3),
        measure=_peers,
        fetch=("scripts/peers",),
        options=LOAD,
        rows=tuple(row.name for row in peers_suite.ROWS),
        plots=plots.of_peers,
    ),
    Suite(
        "capacity",
        "what processor and memory does a relay need, by rate and consumers?",
        takes=("1 min", "3 min"),
        full=Size(20_000_000, 3),
        quick=Size(1_000_000, 1),
        measure=_capacity,
        options=LOAD,
        plots=plots.of_capacity,
    ),
    Suite(
        "scale",
        "what of many producers, consumers, types, idle sessions, and of the start?",
        takes=("2 min", "25 min"),
        # Deliveries a run.
        full=Size(20_000_000, 20),
        quick=Size(4_000_000, 3),
        measure=_scale,
        options=LOAD,
        rows=scale_rows.ROWS,
        plots=plots.of_scale,
    ),
    Suite(
        "growth",
        "what does a message cost as consumers, size, producers or lag grow?",
        takes=("30 s", "13 min"),
        # Deliveries of 64-byte frames a run.
        full=Size(20_000_000, 10),
        quick=Size(2_000_000, 1),
        measure=_growth,
        options=LOAD,
        plots=plots.of_growth,
    ),
    Suite(
        "protocol",
        "how quick are messages beside struct, ctypes, msgspec and protobuf?",
        takes=("10 s", "3 min"),
        full=Size(100_000, 20),
        quick=Size(20_000, 5),
        measure=_protocol,
        plots=plots.of_protocol,
    ),
    Suite(
        "client",
        "how quick is a Python program, sending, reading, beside pyzmq and nats-py?",
        takes=("20 s", "3 min"),
        full=Size(1_000_000, 10),
        quick=Size(200_000, 2),
        measure=_client,
        options=LOAD,
    ),
    Suite(
        "journal",
        "what does a journal cost, beside JetStream, and how quick is recovery?",
        takes=("30 s", "30 min"),
        # 4 GiB of 64-byte frames.
        full=Size(1 << 26, 10),
        quick=Size(4_000_000, 2),
        measure=_journal,
        options=LOAD,
    ),
)
SUITES = {suite.name: suite for suite in ALL}
