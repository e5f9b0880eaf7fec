"""/healthz and /readyz: what counts as a relay's own fault, and what does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import pytest

from relays.core.breaker import OPEN
from relays.edge import health, metrics
from tests.daemon.handmade import SECOND, HandMade, traffic


@pytest.fixture
def made(tmp_path: Path) -> Iterator[HandMade]:
    state = HandMade(tmp_path)
    yield state
    state.remove()


def test_a_relay_that_is_well_says_so(made: HandMade) -> None:
    assert metrics.healthz(made.state) == ("200 OK", ["ok"])
    assert metrics.readyz(made.state) == ("200 OK", ["ready"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"accepting": 0}, "it does not accept connections"),
        ({"damaged": 1}, "a damaged state, log or journal was found"),
        ({"tick_ns": 1}, "its loop has not turned for"),
    ],
)
def test_each_fault_of_the_relay_is_503_with_its_reason(
    made: HandMade, monkeypatch: pytest.MonkeyPatch, words: dict[str, int], reason: str
) -> None:
    monkeypatch.setattr(health, "LOOK_AGAIN", 0.001)
    made.say(**words)
    for page in (metrics.healthz, metrics.readyz):
        status, lines = page(made.state)
        assert status.startswith("503")
        assert reason in lines[0]


def test_unaccounted_messages_are_a_fault(made: HandMade) -> None:
    consumer = traffic(made)
    made.state.skip_count = 2
    made.deliver(consumer)
    status, lines = metrics.healthz(made.state)
    assert status.startswith("503")
    assert lines == ["1 messages and 0 bytes are unaccounted for"]


def test_a_clock_that_was_set_is_not_a_stalled_loop(
    made: HandMade, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.say(tick_ns=time.time_ns() - 3600 * SECOND)
    monkeypatch.setattr("relays.edge.health.time.sleep", lambda _: made.say())
    assert metrics.healthz(made.state) == ("200 OK", ["ok"])


def test_a_draining_relay_is_well_but_not_ready(made: HandMade) -> None:
    made.say(draining=1, accepting=0)
    assert metrics.healthz(made.state) == ("200 OK", ["ok"])
    assert metrics.readyz(made.state) == ("503 Service Unavailable", ["it is draining"])
    made.say(draining=0, accepting=1, ready=0)
    assert metrics.readyz(made.state)[1] == ["it is not ready yet"]


def test_readyz_lists_consumers_in_trouble_which_are_no_fault(made: HandMade) -> None:
    traffic(made).set_breaker(OPEN)
    made.consumer(2, "new\nline").set_breaker(OPEN)
    status, lines = metrics.readyz(made.state)
    assert status == "200 OK"
    assert lines == [
        "ready",
        "consumer strategy uid=1000 pid=1 id=2 breaker=open lag=0 being_dropped=10",
        "consumer 'new\\nline' uid=1000 pid=1 id=3 breaker=open lag=0 being_dropped=0",
    ]
    assert metrics.healthz(made.state) == ("200 OK", ["ok"])


def test_any_other_path_is_404_with_one_line(made: HandMade) -> None:
    answered: list[str] = []

    def respond(status: str, *_: object) -> Callable[[bytes], object]:
        answered.append(status)
        return lambda _: None

    environ: dict[str, object] = {"PATH_INFO": "/"}
    setup_testing_defaults(environ)
    serve = metrics.application(made.domain, made.state)
    body = b"".join(serve(environ, respond))
    assert answered == ["404 Not Found"]
    assert body.count(b"\n") == 1
