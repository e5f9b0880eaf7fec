"""The metrics of a relay: what its state comes to, what is served, and by what process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from protocol._core.connection import Record
from protocol._core.places import layout
from protocol._core.state import State
from protocol.reject import Reject
from relays import __version__
from relays.core.accounting import DROPS
from relays.core.breaker import CLOSED, OPEN, REPLAYING
from relays.core.peer import ROLES, Phase
from relays.edge import status as edge_status
from relays.edge.exposition import MOST_CONSUMERS, RelayCollector, cumulative
from relays.edge.memory import open_state
from relays.edge.metrics import page
from tests.daemon.handmade import SECOND, HandMade, traffic
from tests.daemon.scrape import promtool

ODD_NAMES = ('quo"te', "back\\slash", "new\nline", "{x=1}", " ", "a,b", "#", "other", "\t\r\x7f")
# relays.md 7, word for word: name, type, labels beside `domain`.
TABLE = {
    "relay_messages_received_total": ("counter", {"source"}),
    "relay_bytes_received_total": ("counter", set[str]()),
    "relay_messages_accepted_total": ("counter", {"type"}),
    "relay_messages_rejected_total": ("counter", {"reason"}),
    "relay_messages_delivered_total": ("counter", set[str]()),
    "relay_bytes_delivered_total": ("counter", set[str]()),
    "relay_messages_dropped_total": ("counter", {"reason"}),
    "relay_messages_filtered_total": ("counter", set[str]()),
    "relay_sequence_gaps_total": ("counter", {"source"}),
    "relay_sequence_duplicates_total": ("counter", {"source"}),
    "relay_breaker_trips_total": ("counter", set[str]()),
    "relay_connections_total": ("counter", {"role"}),
    "relay_disconnects_total": ("counter", {"reason"}),
    "relay_clock_skew_total": ("counter", set[str]()),
    "relay_connections": ("gauge", {"role"}),
    "relay_consumer_lag_messages": ("gauge", {"consumer", "uid", "pid", "id"}),
    "relay_consumer_lag_bytes": ("gauge", {"consumer", "uid", "pid", "id"}),
    "relay_consumer_lag_seconds": ("gauge", {"consumer", "uid", "pid", "id"}),
    "relay_consumer_unread_bytes": ("gauge", {"consumer", "uid", "pid", "id"}),
    "relay_breaker_state": ("gauge", {"consumer", "uid", "pid", "id"}),
    "relay_log_position": ("gauge", set[str]()),
    "relay_log_oldest_position": ("gauge", set[str]()),
    "relay_unaccounted_messages": ("gauge", set[str]()),
    "relay_unaccounted_bytes": ("gauge", set[str]()),
    "relay_damaged": ("gauge", set[str]()),
    "relay_snapshot_instruments": ("gauge", set[str]()),
    "relay_snapshot_bytes": ("gauge", set[str]()),
    "relay_snapshot_dropped_total": ("counter", {"reason"}),
    "relay_snapshots_total": ("counter", set[str]()),
    "relay_snapshot_messages_total": ("counter", set[str]()),
    "relay_snapshot_message_bytes_total": ("counter", set[str]()),
    "relay_build_info": ("gauge", {"version", "python"}),
    "relay_ingress_latency_seconds": ("histogram", set[str]()),
    "relay_forward_latency_seconds": ("histogram", set[str]()),
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path, max_connections=1_200)
    yield state
    state.remove()


def registry(made: HandMade, openmetrics: bool = False) -> CollectorRegistry:
    """What the metrics process registers: a collector over the state read from outside."""
    found = CollectorRegistry()
    state = open_state(made.domain, str(made.folder))
    found.register(RelayCollector(made.domain, state, openmetrics))
    return found


def text(made: HandMade) -> str:
    return generate_latest(registry(made)).decode()


def openmetrics(made: HandMade) -> list[Metric]:
    found = registry(made, openmetrics=True)
    exposed = generate_openmetrics(found)  # type: ignore[no-untyped-call]
    return list(read_openmetrics(exposed.decode()))  # type: ignore[no-untyped-call]


def value(made: HandMade, name: str, **labels: str) -> float | None:
    return registry(made).get_sample_value(name, {"domain": made.domain, **labels})


def of_consumer(made: HandMade, name: str, record: Record, consumer: str) -> float | None:
    who = {"consumer": consumer, "uid": "1000", "pid": "1", "id": str(record.number)}
    return value(made, name, **who)


# --- what is exposed ---


def test_the_metrics_are_those_of_the_table(made: HandMade) -> None:
    traffic(made)
    found = {}
    for family in text_string_to_metric_families(text(made)):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {key for sample in family.samples for key in sample.labels}
        found[name] = (family.type, labels - {"domain", "le"})
        assert all(sample.labels["domain"] == "market_data" for sample in family.samples), name
        assert family.documentation
    del found["relay_sequence_duplicates_total"], found["relay_sequence_gaps_total"]
    assert found == {name: row for name, row in TABLE.items() if name in found}
    assert set(TABLE) - set(found) == {
        "relay_sequence_duplicates_total",
        "relay_sequence_gaps_total",
    }


def test_the_numbers_are_those_of_the_state(made: HandMade) -> None:
    consumer = traffic(made)
    consumer.set_unread(77)
    made.state.count("disconnects", 0, 3)
    made.state.count("disconnects", Reject.FENCED)
    made.state.count("rejected", Reject.BAD_CHECKSUM, 2)
    made.state.count("arrivals", Phase.PLAIN, 4)
    made.state.count("trips", 0)
    expected = {
        ("relay_messages_received_total", ("source", "binance_collector")): 30,
        ("relay_bytes_received_total", None): 30 * 64,
        ("relay_messages_accepted_total", ("type", "trade")): 30,
        ("relay_messages_rejected_total", ("reason", "bad_checksum")): 2,
        ("relay_messages_delivered_total", None): 20,
        ("relay_bytes_delivered_total", None): 20 * 64,
        ("relay_sequence_gaps_total", ("source", "binance_collector")): 1,
        ("relay_sequence_duplicates_total", ("source", "binance_collector")): 0,
        ("relay_breaker_trips_total", None): 1,
        ("relay_connections_total", ("role", "plain")): 4,
        ("relay_disconnects_total", ("reason", "peer_closed")): 3,
        ("relay_disconnects_total", ("reason", "fenced")): 1,
        ("relay_clock_skew_total", None): 0,
        ("relay_connections", ("role", "producer")): 1,
        ("relay_connections", ("role", "session")): 1,
        ("relay_connections", ("role", "plain")): 0,
        ("relay_log_position", None): 30,
        ("relay_log_oldest_position", None): 0,
        ("relay_unaccounted_messages", None): 0,
        ("relay_unaccounted_bytes", None): 0,
    }
    found = {
        (name, by): value(made, name, **({by[0]: by[1]} if by else {})) for name, by in expected
    }
    assert found == expected
    assert of_consumer(made, "relay_consumer_lag_messages", consumer, "strategy") == 10
    assert of_consumer(made, "relay_consumer_lag_bytes", consumer, "strategy") == 640
    assert of_consumer(made, "relay_consumer_unread_bytes", consumer, "strategy") == 77


def test_known_reasons_are_there_before_they_happen(made: HandMade) -> None:
    for reject in Reject:
        reason = reject.name.lower()
        assert value(made, "relay_messages_rejected_total", reason=reason) == 0
        assert value(made, "relay_disconnects_total", reason=reason) == 0
    assert value(made, "relay_disconnects_total", reason="peer_closed") == 0
    assert [value(made, "relay_messages_dropped_total", reason=why) for why in DROPS] == [0.0] * 4
    assert [value(made, "relay_connections_total", role=role) for role in ROLES] == [0.0] * 4


def test_both_formats_have_the_same_series(made: HandMade) -> None:
    traffic(made)

    def series(families: Iterable[Metric]) -> set[tuple[str, ...]]:
        samples = (sample for family in families for sample in family.samples)
        return {(sample.name, *sorted(sample.labels.values())) for sample in samples}

    assert series(openmetrics(made)) == series(text_string_to_metric_families(text(made)))


def test_types_and_sources_are_there_once_seen_also_those_without_a_name(made: HandMade) -> None:
    made.connect(0, role=Phase.PRODUCER)
    exposed = text(made)
    assert "type=" not in exposed
    assert "source=" not in exposed
    made.publish(0, 2, kind=18, source=99)
    assert value(made, "relay_messages_accepted_total", type="type_18") == 2
    assert value(made, "relay_messages_received_total", source="source_99") == 2


def test_the_version_is_told(made: HandMade) -> None:
    python = sys.version.split()[0].rstrip("+")
    assert value(made, "relay_build_info", version=__version__, python=python) == 1


def test_histograms_are_cumulative_and_in_seconds(made: HandMade) -> None:
    traffic(made)
    assert cumulative([1, 2] + [0] * 22)[:3] == [("1e-06", 1.0), ("2e-06", 3.0), ("5e-06", 3.0)]
    assert cumulative([0] * 23 + [7])[-2:] == [("60.0", 0.0), ("+Inf", 7.0)]
    count = value(made, "relay_ingress_latency_seconds_count")
    assert count == value(made, "relay_ingress_latency_seconds_bucket", le="60.0") == 2
    taken = value(made, "relay_ingress_latency_seconds_sum")
    assert taken is not None
    assert 0 < taken < 60
    assert value(made, "relay_forward_latency_seconds_count") == 1


def test_lag_in_seconds_is_since_the_oldest_message_owed(made: HandMade) -> None:
    consumer = traffic(made)
    seen = edge_status.look(made.state)
    (row,) = seen.consumers
    since = seen.now_ns - row["waiting_since_ns"]
    assert row["waiting_since_ns"] == made.state.time_at(20)
    assert edge_status.lag_seconds(row, seen) == since / SECOND > 0
    made.deliver(consumer)
    assert of_consumer(made, "relay_consumer_lag_seconds", consumer, "strategy") == 0
    assert of_consumer(made, "relay_consumer_lag_messages", consumer, "strategy") == 0


def test_an_open_breaker_is_owed_nothing_and_what_it_misses_is_dropped(made: HandMade) -> None:
    consumer = traffic(made)
    assert of_consumer(made, "relay_breaker_state", consumer, "strategy") == CLOSED
    consumer.set_breaker(OPEN)
    for measure in ("lag_messages", "lag_bytes", "lag_seconds"):
        assert of_consumer(made, f"relay_consumer_{measure}", consumer, "strategy") == 0
    assert of_consumer(made, "relay_breaker_state", consumer, "strategy") == OPEN
    assert value(made, "relay_messages_dropped_total", reason="too_slow") == 10
    consumer.set_breaker(REPLAYING)
    assert of_consumer(made, "relay_breaker_state", consumer, "strategy") == REPLAYING


def test_lag_is_measured_from_what_a_session_confirmed(made: HandMade) -> None:
    consumer = traffic(made)
    consumer.set_confirmed(12)
    assert of_consumer(made, "relay_consumer_lag_messages", consumer, "strategy") == 18


def test_a_consumer_without_a_name_is_called_what_it_is(made: HandMade) -> None:
    plain, session = made.consumer(0, role=Phase.PLAIN), made.consumer(1)
    assert of_consumer(made, "relay_breaker_state", plain, "plain") == 0
    assert of_consumer(made, "relay_breaker_state", session, "session") == 0


def test_the_series_of_the_departed_are_removed_and_their_counts_kept(made: HandMade) -> None:
    consumer = traffic(made)
    consumer.leave()
    assert "strategy" not in text(made)
    assert value(made, "relay_messages_delivered_total") == 20
    assert value(made, "relay_messages_dropped_total", reason="left") == 10
    assert value(made, "relay_unaccounted_messages") == 0


def test_a_count_that_is_skipped_on_purpose_is_unaccounted(made: HandMade) -> None:
    consumer = traffic(made)
    made.state.skip_count = 1
    made.deliver(consumer)
    assert value(made, "relay_unaccounted_messages") == 1
    assert value(made, "relay_unaccounted_bytes") == 0
    consumer.leave()
    assert value(made, "relay_unaccounted_messages") == 1


# --- many consumers, odd names ---


def crowd(made: HandMade, count: int) -> list[Record]:
    """Consumers of odd names, number n with a lag of n messages."""
    made.connect(0, role=Phase.PRODUCER)
    records = []
    for n in range(count, 0, -1):
        name = f"{ODD_NAMES[n % len(ODD_NAMES)]}{n if n % 2 else ''}"
        records.append(made.consumer(n, name))
        made.publish(0)
    return records[::-1]


def test_promtool_accepts_the_output_with_1000_consumers_of_odd_names(made: HandMade) -> None:
    records = crowd(made, 1_000)
    exposed = text(made)
    promtool(exposed)
    series = [line for line in exposed.split("\n") if line.startswith("relay_breaker_state{")]
    assert len(series) == len(set(series)) == len(records)
    assert 'consumer="other",' not in "".join(line for line in series if 'id=""' in line)


def test_promtool_accepts_the_output_of_an_empty_relay(made: HandMade) -> None:
    promtool(text(made))


def test_odd_names_come_back_as_they_were(made: HandMade) -> None:
    for slot, name in enumerate(ODD_NAMES):
        made.consumer(slot, name)
    assert text(made).isprintable() is False  # some names have characters a terminal would obey
    for families in (text_string_to_metric_families(text(made)), openmetrics(made)):
        names = {
            sample.labels["consumer"]
            for family in families
            for sample in family.samples
            if sample.name == "relay_breaker_state"
        }
        assert names == set(ODD_NAMES)


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
@pytest.mark.parametrize("count", [0, 3, len(ODD_NAMES), MOST_CONSUMERS + 10])
def test_the_page_has_the_lines_that_prometheus_client_would_write(
    made: HandMade, monkeypatch: pytest.MonkeyPatch, accept: str, count: int
) -> None:
    # How long something has waited must be the same in both looks.
    monkeypatch.setattr(time, "time_ns", lambda: 100 * SECOND)
    crowd(made, count)
    collector = RelayCollector(made.domain, open_state(made.domain, str(made.folder)), bool(accept))
    encode, kind = choose_encoder(accept)
    theirs = encode(registry(made, openmetrics=bool(accept))).decode()
    assert page(collector, accept)[0] == kind
    ours = page(collector, accept)[1].decode()
    assert sorted(ours.split("\n")) == sorted(theirs.split("\n"))
    assert ours.endswith("# EOF\n") == bool(accept)
    read = read_openmetrics if accept else text_string_to_metric_families
    assert len(list(read(ours))) == len(list(read(theirs)))


def test_beyond_1000_consumers_the_rest_is_summed_as_other(made: HandMade) -> None:
    records = crowd(made, MOST_CONSUMERS + 10)
    seen = edge_status.look(made.state)
    assert [row["id"] for row in seen.consumers[:3]] == [r.number for r in records[:-4:-1]]
    other = {"consumer": "other", "uid": "", "pid": "", "id": ""}
    assert value(made, "relay_consumer_lag_messages", **other) == sum(range(1, 11))
    assert value(made, "relay_consumer_lag_bytes", **other) == 64 * sum(range(1, 11))
    promtool(text(made))


# --- looks that race with the relay ---


class Racing(State):
    """A State whose reads are overtaken: `between` runs after its connections were read."""

    def __init__(self, made: HandMade, between: Callable[[], None]) -> None:
        super().__init__(made.state.memory, None)
        self.between = between

    def read_connections(self) -> list[dict[str, Any]]:
        rows = super().read_connections()
        self.between()
        return rows


def test_a_consumer_that_leaves_during_a_look_is_counted_once(made: HandMade) -> None:
    consumer = traffic(made)
    racing = Racing(made, consumer.leave)
    seen = edge_status.look(racing)
    assert seen.books.delivered == 20
    assert seen.books.dropped["left"] == 10
    assert seen.rows
    assert seen.consumers == []


def test_what_an_open_breaker_costs_is_never_overstated(made: HandMade) -> None:
    traffic(made).set_breaker(OPEN)
    seen = edge_status.look(Racing(made, lambda: made.publish(0, 5)))
    assert seen.books.dropped["too_slow"] == 10
    assert edge_status.look(made.state).books.dropped["too_slow"] == 15


def test_what_does_not_add_up_is_believed_when_it_stays_so(made: HandMade) -> None:
    consumer = traffic(made)
    looks = []

    def torn() -> None:
        looks.append(1)

    class Torn(Racing):
        def read_connections(self) -> list[dict[str, Any]]:
            rows = super().read_connections()
            if len(looks) == 1:
                rows = [row | {"start": 5} for row in rows]
            return rows

    seen = edge_status.look(Torn(made, torn))
    assert (seen.books.unaccounted_messages, len(looks)) == (0, 2)
    made.state.skip_count = 1
    made.deliver(consumer)
    looks.clear()
    assert edge_status.look(Racing(made, torn)).books.unaccounted_messages == 1
    assert len(looks) == 2


def odd_sequence(made: HandMade) -> None:
    """Leave the log's record as a process killed in a commit leaves it: odd."""
    geometry = made.state.read_geometry()
    places = layout(geometry["log_bytes"], geometry["connections"], geometry["producers"], False)
    place = memoryview(made.state.memory).cast("B")
    place[places["log"]] |= 1


def test_a_state_whose_writer_died_in_a_commit_is_read_as_its_successor_would(
    made: HandMade,
) -> None:
    traffic(made)
    odd_sequence(made)
    with pytest.raises(BlockingIOError):
        made.state.read_log()
    assert value(made, "relay_log_position") == 30
    assert value(made, "relay_unaccounted_messages") == 0
