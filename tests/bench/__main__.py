"""The command line of the bench: `python -m tests.bench SUITE`, called by scripts/bench.

Exit code 0 when every run counted, whether or not a bar was met; 1 when a run failed.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from . import (
    capacity,
    latency,
    machine,
    native,
    peers,
    peers_suite,
    peers_tables,
    snapshots,
    tables,
    throughput,
)
from .children import RunFailed
from .runs import Load, Pins

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ("relay", "copyloop")
# count, pairs: of a full and of a quick bench.
SIZES = {
    "relay": {False: (20_000_000, 20), True: (5_000_000, 3)},
    "latency": {False: (20_000, 20), True: (5_000, 3)},
    # Frames of a relay's run; a peer has as many as it can send in so many seconds.
    "peers": {False: (20_000_000, 20), True: (5_000_000, 3)},
    "capacity": {False: (20_000_000, 3), True: (1_000_000, 1)},
    "protocol": {False: (100_000, 20), True: (20_000, 5)},
    "client": {False: (1_000_000, 10), True: (200_000, 2)},
    # 4 GiB of 64-byte frames.
    "journal": {False: (1 << 26, 10), True: (4_000_000, 2)},
}
PEER_SECONDS = {False: 1.0, True: 0.4}
# A frame is timed so many times as seldom as one is sent.
FRAMES_TIMED = 1000
# A round trip is made so many times as seldom as a message is sent.
MESSAGES_A_TRIP = 200
# An Ack that waits for the disk is waited for so many times as seldom as a message is sent.
FRAMES_AN_ACK = 50_000
# A journal that is started on has so many times fewer frames than one that is written.
FRAMES_KEPT = 8
# Arrays have so many frames for each operation of a single message.
FRAMES_EACH = 2
EPILOG = "example: scripts/bench relay --quick --json result.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, epilog=EPILOG)
    parser.add_argument("suite", choices=SIZES)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    parser.add_argument(
        "--pairs", type=_positive, help="runs, or rounds, of each (10 or 20, quick 2 to 5)"
    )
    parser.add_argument("--count", type=_positive, help="frames a run, operations a sample")
    parser.add_argument("--report", type=Path, metavar="DIR", help="peers: a page with plots")
    parser.add_argument("--only", choices=SERVERS, help="measure one of the two")
    parser.add_argument(
        "--configuration",
        action="append",
        choices=[*throughput.CONFIGURATIONS, *(row.name for row in peers_suite.ROWS)],
        help="a row of the relay or the peers bench (may repeat; default all)",
    )
    parser.add_argument(
        "--snapshots",
        action="store_true",
        help="relay: measure snapshots on beside snapshots off, of Trades and of Quotes",
    )
    _add_load(parser)
    return parser.parse_args()


def _add_load(parser: argparse.ArgumentParser) -> None:
    default = Load(count=1)
    parser.add_argument("--window", type=_positive, default=default.window, help="frames")
    parser.add_argument("--block", type=_positive, default=default.block, help="bytes a send")
    parser.add_argument(
        "--producer-buffer",
        type=int,
        default=default.producer_buffer,
        help="SO_SNDBUF of the producer in bytes, 0 for the kernel's default",
    )
    for name in ("server", "producer", "consumers"):
        parser.add_argument(f"--pin-{name}", default="", metavar="CPUS", help="for taskset -c")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("expected a whole number above 0")
    return value


def _load(arguments: argparse.Namespace, count: int) -> Load:
    return Load(
        count=count,
        window=arguments.window,
        block=arguments.block,
        producer_buffer=arguments.producer_buffer,
        pins=Pins(arguments.pin_server, arguments.pin_producer, arguments.pin_consumers),
    )


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line on a terminal that says what is running; nothing where stderr is a file."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    # A spinner would wake up beside what is measured: the line is drawn once a run.
    yield lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _measure(arguments: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Runs the suite, prints its table, and returns what --json writes."""
    usual_count, usual_pairs = SIZES[arguments.suite][arguments.quick]
    pairs = arguments.pairs or usual_pairs
    if arguments.suite == "protocol":
        return _measure_protocol(arguments.count or usual_count, pairs, progress)
    native.build()
    load = _load(arguments, arguments.count or usual_count)
    if arguments.suite == "journal":
        return _measure_journal(load, pairs, progress)
    if arguments.suite == "peers":
        return _measure_peers(arguments, load, pairs, progress)
    if arguments.suite == "client":
        return _measure_client(load, pairs, progress)
    only = (arguments.only,) if arguments.only else SERVERS
    console = Console(width=None if sys.stdout.isatty() else 120)
    if arguments.suite == "latency":
        timed = latency.run(load, pairs, only, progress)
        console.print(tables.of_latency(timed))
        return {"latency": timed.as_json()}
    if arguments.suite == "capacity":
        needs = capacity.run(load, pairs, progress)
        console.print(tables.of_capacity(needs))
        return {"capacity": [capacity.as_json(row) for row in needs]}
    if arguments.snapshots:
        compared = [snapshots.run(name, load, pairs, progress) for name in snapshots.ROWS]
        console.print(tables.of_snapshots(compared))
        return {"snapshots": [each.as_json() for each in compared]}
    names = arguments.configuration or throughput.CONFIGURATIONS
    rows = [
        throughput.run(throughput.CONFIGURATIONS[name], load, pairs, only, progress)
        for name in names
    ]
    console.print(tables.of_throughput(rows))
    return {"relay": [row.as_json() for row in rows]}


def _measure_peers(
    arguments: argparse.Namespace, load: Load, rounds: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    reasons = {name: peers.missing(name) for name in peers.PEERS}
    names = [name for name, reason in reasons.items() if not reason]
    wanted = arguments.configuration or [row.name for row in peers_suite.ROWS]
    plan = peers_suite.Plan(
        frames=load.count,
        seconds=PEER_SECONDS[arguments.quick],
        timed=load.count // FRAMES_TIMED,
        rounds=rounds,
        names=names,
        rows=[row for row in peers_suite.ROWS if row.name in wanted],
        load=load,
    )
    results = peers_suite.run(plan, progress)
    console = Console(width=None if sys.stdout.isatty() else 150)
    left_out = [reason for reason in reasons.values() if reason]
    for table in peers_tables.of_peers(results, left_out):
        console.print(table)
    versions = {name: peers.version(name) for name in names}
    if arguments.report:
        # Here, because nothing else needs matplotlib.
        from . import peers_report

        made_at = peers_report.write(
            arguments.report, results, machine.describe(), versions, left_out
        )
        print(made_at)
    made = [result.as_json() for result in results]
    return {"peers": made, "versions": versions, "left_out": left_out}


def _measure_protocol(count: int, rounds: int, progress: Callable[[str], None]) -> dict[str, Any]:
    # Here, because it needs what the other suites do not: numpy and protobuf.
    try:
        from . import protocol_many, protocol_suite, protocol_tables
    except ImportError as error:
        raise RunFailed(f"{error}: pip install -e '.[bench]'") from None
    console = Console(width=None if sys.stdout.isatty() else 120)
    single = protocol_suite.run(count, rounds, progress)
    console.print(protocol_tables.of_single(single))
    many = protocol_many.run(count * FRAMES_EACH, rounds, progress)
    console.print(protocol_tables.of_many(many))
    imports = protocol_many.imports(rounds, progress)
    console.print(protocol_tables.of_imports(imports))
    return {
        "single": [each.as_json() for each in single],
        "many": [each.as_json() for each in many],
        "imports": [each.as_json() for each in imports],
    }


def _measure_client(load: Load, rounds: int, progress: Callable[[str], None]) -> dict[str, Any]:
    # Here, because it needs numpy; without pyzmq or NATS these are left out.
    try:
        from . import client_suite, client_tables, client_trips
    except ImportError as error:
        raise RunFailed(f"{error}: pip install -e '.[bench]'") from None
    console = Console(width=None if sys.stdout.isatty() else 120)
    rows = client_suite.run(load, rounds, progress)
    console.print(client_tables.of_client(rows))
    count = max(load.count // MESSAGES_A_TRIP, 1)
    trips = client_trips.run(count, rounds, load.pins, progress)
    console.print(client_tables.of_trips(trips))
    return {"client": [row.as_json() for row in rows], "trips": trips.as_json()}


def _measure_journal(load: Load, rounds: int, progress: Callable[[str], None]) -> dict[str, Any]:
    from . import (
        journal_acks,
        journal_rates,
        journal_read,
        journal_restart,
        journal_tables,
        journal_write,
    )

    console = Console(width=None if sys.stdout.isatty() else 120)
    # On a disk: in memory a sync costs nothing.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".tools") as folder:
        disk = Path(folder)
        written = journal_write.run(disk, load, rounds, progress)
        console.print(journal_tables.of_writing(written))
        acks = journal_acks.run(disk, max(load.count // FRAMES_AN_ACK, 100), rounds, progress)
        console.print(journal_tables.of_acks(acks))
        rates = journal_rates.run(disk, max(load.count // FRAMES_AN_ACK, 100), rounds, progress)
        console.print(journal_tables.of_rates(rates))
        starts = journal_restart.run(disk, load.count // FRAMES_KEPT, rounds, progress)
        console.print(journal_tables.of_restart(starts))
    read = []
    for name in journal_read.ROWS:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".tools") as folder:
            size = load.count * journal_write.FRAME
            read.append(journal_read.run(name, Path(folder), size, rounds, progress))
    console.print(journal_tables.of_reading(read))
    return {
        "writing": written.as_json(),
        "acks": acks.as_json(),
        "rates": rates.as_json(),
        "restart": starts.as_json(),
        "reading": [each.as_json() for each in read],
    }


def main() -> int:
    """Runs the bench that the command line asks for and returns its exit code."""
    arguments = _arguments()
    # So that the servers are stopped and their memory is given back then too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    described = machine.describe()
    print(machine.one_line(described), flush=True)
    try:
        with _progress() as progress:
            measured = _measure(arguments, progress)
    except (RunFailed, native.BuildFailed) as error:
        Console(stderr=True).print(f"bench failed: {escape(str(error))}", soft_wrap=True)
        return 1
    if arguments.json:
        options = {name: str(value) for name, value in vars(arguments).items()}
        written = {"machine": described, "arguments": options, **measured}
        arguments.json.write_text(json.dumps(written, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
