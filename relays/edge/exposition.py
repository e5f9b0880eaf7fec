"""The records of a relay's state as Prometheus metrics: the table of relays.md 7.

Registered by `relays.edge.metrics` in the child process; the daemon never imports it. What a
number means is decided by `relays.core.accounting` and `relays.edge.status`, not here.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from protocol._core.keep import DROPS
from protocol._core.state import BUCKET_BOUNDS_NS, State
from protocol.catalogue import source_name, type_name
from relays import __version__
from relays.core import accounting
from relays.core.peer import ROLES
from relays.edge.status import (
    PEER_CLOSED,
    SECOND,
    Look,
    consumer_name,
    lag_bytes,
    lag_seconds,
    look,
    reason_counts,
    role_name,
)

MOST_CONSUMERS = 1_000
OTHER = ("other", "", "", "")
WHO = ("consumer", "uid", "pid", "id")
PER_SOURCE = ("by_source", "gaps_by_source", "duplicates_by_source")

Row = Mapping[str, Any]
PER_CONSUMER: tuple[tuple[str, str, Callable[[Row, Look], float]], ...] = (
    (
        "relay_consumer_lag_messages",
        "Messages a consumer is owed; from what it confirmed, where it does.",
        lambda row, seen: accounting.reported_lag(row, seen.end),
    ),
    (
        "relay_consumer_lag_bytes",
        "Bytes of the log a consumer is owed.",
        lambda row, seen: lag_bytes(row, seen.log),
    ),
    (
        "relay_consumer_lag_seconds",
        "How long the next frame owed to a consumer has waited.",
        lag_seconds,
    ),
    (
        "relay_consumer_unread_bytes",
        "Bytes in the kernel that a consumer has not read.",
        lambda row, seen: int(row["unread_bytes"]),
    ),
    (
        "relay_breaker_state",
        "Circuit breaker of a consumer: 0 closed, 1 open, 2 half open, 3 replaying.",
        lambda row, seen: int(row["breaker"]),
    ),
)

JOURNAL_GAUGES = (
    ("relay_journal_position", "The position up to which the log is written.", "written_position"),
    (
        "relay_journal_synced_position",
        "The position up to which all is on the disk.",
        "synced_position",
    ),
    ("relay_journal_oldest_position", "The oldest position of the journal.", "oldest_position"),
    ("relay_journal_bytes", "Space that its files take.", "disk_bytes"),
    ("relay_journal_segments", "Segments that it has.", "segments"),
)


class RelayCollector(Collector):
    """Every metric of one relay, read from its state at each scrape.

    In OpenMetrics the family of `relay_connections_total` has the name of the gauge
    `relay_connections`, which is forbidden: with `openmetrics` the counter is of unknown type. Its
    samples are the same.

    >>> registry.register(RelayCollector("signals", state))  # doctest: +SKIP
    """

    def __init__(self, domain: str, state: State, openmetrics: bool = False) -> None:
        self.domain, self.state = domain, state
        self._total = UnknownMetricFamily if openmetrics else CounterMetricFamily

    def collect(self) -> Iterator[Metric]:
        """One look at the state, as metric families. RelayError as `relays.edge.status.look`."""
        seen = look(self.state)
        yield from self.of_all(seen)
        yield from self._consumers(seen)

    def of_all(self, seen: Look) -> Iterator[Metric]:
        """The families that are not of each consumer: they have the same few samples always."""
        yield from self._received(seen)
        yield from self._delivered(seen)
        yield from self._connections(seen)
        yield from self._gauges(seen)
        yield from self._latency(seen)

    # --- families by kind ---

    def _counter(self, name: str, text: str, value: int) -> Metric:
        family = CounterMetricFamily(name, text, labels=("domain",))
        family.add_metric((self.domain,), value)
        return family

    def _counters(self, name: str, text: str, by: str, values: Mapping[str, int]) -> Metric:
        family = CounterMetricFamily(name, text, labels=("domain", by))
        for which, value in values.items():
            family.add_metric((self.domain, which), value)
        return family

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, text, labels=("domain",))
        family.add_metric((self.domain,), value)
        return family

    def _gauges_by(
        self, name: str, text: str, by: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
    ) -> Metric:
        family = GaugeMetricFamily(name, text, labels=("domain", *by))
        for which, value in values:
            family.add_metric((self.domain, *which), value)
        return family

    def _histogram(self, name: str, text: str, record: Row) -> Metric:
        family = HistogramMetricFamily(name, text, labels=("domain",))
        buckets = cumulative(record["bucket"])
        family.add_metric((self.domain,), buckets, sum_value=record["sum_ns"] / SECOND)
        return family

    # --- the table ---

    def _received(self, seen: Look) -> Iterator[Metric]:
        counters = seen.counters
        sources = [n for n in range(256) if any(counters[kind][n] for kind in PER_SOURCE)]

        def per_source(kind: str) -> dict[str, int]:
            return {source_name(n): counters[kind][n] for n in sources}

        yield self._counters(
            "relay_messages_received_total", "Domain frames that were read, by source.",
            "source", per_source("by_source"),
        )  # fmt: skip
        yield self._counter(
            "relay_bytes_received_total", "Bytes read from producers and sessions.",
            seen.books.read_bytes,
        )  # fmt: skip
        yield self._counters(
            "relay_messages_accepted_total", "Frames that became part of the log, by type.",
            "type", {type_name(n): count for n, count in enumerate(counters["by_type"]) if count},
        )  # fmt: skip
        yield self._counters(
            "relay_messages_rejected_total", "Frames and requests that were refused, by reason.",
            "reason", reason_counts(counters["by_reason"]),
        )  # fmt: skip
        yield self._counters(
            "relay_sequence_gaps_total", "Episodes of missing sequences, by source.",
            "source", per_source("gaps_by_source"),
        )  # fmt: skip
        yield self._counters(
            "relay_sequence_duplicates_total", "Sequences that had been accepted before.",
            "source", per_source("duplicates_by_source"),
        )  # fmt: skip

    def _delivered(self, seen: Look) -> Iterator[Metric]:
        books = seen.books
        yield self._counter(
            "relay_messages_delivered_total", "Frames handed to the kernel, over all consumers.",
            books.delivered,
        )  # fmt: skip
        yield self._counter(
            "relay_bytes_delivered_total", "Bytes of frames handed to the kernel.",
            books.delivered_bytes,
        )  # fmt: skip
        yield self._counters(
            "relay_messages_dropped_total", "Frames a consumer was owed and did not get.",
            "reason", books.dropped,
        )  # fmt: skip
        yield self._counter(
            "relay_messages_filtered_total", "Frames a consumer's filter did not want.",
            books.filtered,
        )  # fmt: skip
        yield self._counter(
            "relay_breaker_trips_total", "Times a circuit breaker opened.", seen.counters["trips"]
        )

    def _connections(self, seen: Look) -> Iterator[Metric]:
        arrivals = seen.counters["arrivals"]
        came = self._total(
            "relay_connections_total",
            "Connections that came to be in a role.",
            labels=("domain", "role"),
        )
        for number, role in enumerate(ROLES):
            came.add_metric((self.domain, role), arrivals[number])
        yield came
        yield self._counters(
            "relay_disconnects_total", "Connections that ended, by reason.", "reason",
            reason_counts(seen.counters["disconnects"], PEER_CLOSED),
        )  # fmt: skip
        yield self._counter(
            "relay_clock_skew_total",
            "Reads whose header timestamp was in the future or over 60 s old.",
            seen.counters["skew"],
        )
        now = Counter(role_name(row["role"]) for row in seen.rows)
        yield self._gauges_by(
            "relay_connections", "Connections there are, by role.", ("role",),
            (((role,), now[role]) for role in ROLES),
        )  # fmt: skip

    def _gauges(self, seen: Look) -> Iterator[Metric]:
        yield self._gauge(
            "relay_log_position", "The position the next accepted frame gets.", seen.end
        )
        yield self._gauge(
            "relay_log_oldest_position", "The oldest position that is kept.",
            seen.log["oldest_position"],
        )  # fmt: skip
        yield self._gauge(
            "relay_unaccounted_messages", "Messages no count is made of: 0, always.",
            seen.books.unaccounted_messages,
        )  # fmt: skip
        yield self._gauge(
            "relay_unaccounted_bytes", "Bytes read of which no count is made: 0, always.",
            seen.books.unaccounted_bytes,
        )  # fmt: skip
        yield self._gauge(
            "relay_damaged", "1 while a damaged state, log or journal is not dealt with.",
            bool(seen.status["damaged"]),
        )  # fmt: skip
        yield from self._snapshots(seen)
        if seen.journal["on"]:
            yield from self._journal(seen.journal)
        yield self._gauges_by(
            "relay_build_info", "What is running; the value is 1.", ("version", "python"),
            [((__version__, platform.python_version()), 1)],
        )  # fmt: skip

    def _snapshots(self, seen: Look) -> Iterator[Metric]:
        words = seen.status
        yield self._gauge(
            "relay_snapshot_instruments", "Instruments whose state is kept for snapshots.",
            words["snapshot_instruments"],
        )  # fmt: skip
        yield self._gauge(
            "relay_snapshot_bytes", "Memory that the state of instruments takes.",
            words["snapshot_bytes"],
        )  # fmt: skip
        yield self._counters(
            "relay_snapshot_dropped_total", "What was not kept for snapshots, by reason.",
            "reason", dict(zip(DROPS, words["snapshot_dropped"], strict=True)),
        )  # fmt: skip
        yield self._counter(
            "relay_snapshots_total", "Snapshots that were begun.", words["snapshots"]
        )
        yield self._counter(
            "relay_snapshot_messages_total", "Frames written in snapshots; they are not delivered.",
            words["snapshot_messages"],
        )  # fmt: skip
        yield self._counter(
            "relay_snapshot_message_bytes_total", "Bytes of the frames written in snapshots.",
            words["snapshot_message_bytes"],
        )  # fmt: skip

    def _journal(self, words: Row) -> Iterator[Metric]:
        for name, text, word in JOURNAL_GAUGES:
            yield self._gauge(name, text, words[word])
        failing = "1 while the disk keeps the journal from going on."
        yield self._gauge("relay_journal_failing", failing, bool(words["failing"]))
        yield self._counter(
            "relay_journal_syncs_total", "Times that the disk was asked and had it.", words["syncs"]
        )
        family = CounterMetricFamily(
            "relay_journal_sync_seconds_total", "Time that these took.", labels=("domain",)
        )
        family.add_metric((self.domain,), words["sync_ns"] / SECOND)
        yield family
        yield self._counter(
            "relay_journal_failures_total", "Times that the disk failed the journal.",
            words["failures"],
        )  # fmt: skip

    def _consumers(self, seen: Look) -> Iterator[Metric]:
        labels, rows = per_consumer(seen)
        for name, text, values in rows:
            yield self._gauges_by(name, text, WHO, zip(labels, values, strict=True))

    def consumers_text(self, seen: Look) -> str:
        """The families of each consumer as text, the same in both formats.

        prometheus_client makes and checks every label of every line: for 1,000 consumers that takes
        tens of milliseconds of a processor which the relay may want.
        """
        labels, rows = per_consumer(seen)
        domain = escaped(self.domain)
        who = [
            f'{{consumer="{escaped(name)}",domain="{domain}",id="{id}",pid="{pid}",uid="{uid}"}}'
            for name, uid, pid, id in labels
        ]
        parts = []
        for name, text, values in rows:
            parts.append(f"# HELP {name} {text}\n# TYPE {name} gauge\n")
            lines = zip(who, values, strict=True)
            parts += [f"{name}{one} {float(value)!r}\n" for one, value in lines]
        return "".join(parts)

    def _latency(self, seen: Look) -> Iterator[Metric]:
        yield self._histogram(
            "relay_ingress_latency_seconds",
            "From a frame's header timestamp to its read; one observation per read.",
            seen.counters["ingress"],
        )
        yield self._histogram(
            "relay_forward_latency_seconds",
            "From the read to the last byte handed to the kernel; one observation per send.",
            seen.counters["forward"],
        )


def per_consumer(
    seen: Look,
) -> tuple[list[tuple[str, str, str, str]], Iterator[tuple[str, str, list[float]]]]:
    """Labels (WHO) of the consumers that have series, and name, help and values of each family."""
    named, rest = seen.consumers[:MOST_CONSUMERS], seen.consumers[MOST_CONSUMERS:]
    labels = [consumer_labels(row) for row in named] + [OTHER] * bool(rest)

    def values(measure: Callable[[Row, Look], float]) -> list[float]:
        summed = [sum(measure(row, seen) for row in rest)] if rest else []
        return [measure(row, seen) for row in named] + summed

    return labels, ((name, text, values(measure)) for name, text, measure in PER_CONSUMER)


def escaped(value: str) -> str:
    """A label's value as both formats write it: `escaped('a"b')` is `a\\"b`."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def consumer_labels(row: Row) -> tuple[str, str, str, str]:
    """The values of consumer, uid, pid and id of a connection's record."""
    return consumer_name(row), str(row["uid"]), str(row["pid"]), str(row["id"])


def cumulative(counts: Sequence[int]) -> list[tuple[str, float]]:
    """A state's histogram as Prometheus wants it: each bucket with all below it.

    >>> cumulative([1, 2] + [0] * 22)[:3]
    [('1e-06', 1.0), ('2e-06', 3.0), ('5e-06', 3.0)]
    """
    bounds = [str(bound / SECOND) for bound in BUCKET_BOUNDS_NS] + ["+Inf"]
    total, buckets = 0, []
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
