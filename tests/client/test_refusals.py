"""What a relay refuses of many messages at once: each comes back, once, refused or unknown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.catalogue import SourceType
from protocol.control import Error, Welcome
from protocol.header import Header
from protocol.message import Message, Unknown
from protocol.reject import Reject
from relays.client.outcomes import HandedBack, RejectedError, UnknownOutcome
from relays.client.producer import Producer
from relays.client.producing import Producing
from relays.client.refusal import refused
from relays.domains import DOMAINS
from tests.harness import RelayProcess, eventually, frame, split

PATIENCE = 20.0


def sequences(frames: bytes) -> list[int]:
    return [Header.unpack(one).sequence for one in split(frames)]


def core(*sources: int, kinds: tuple[int, ...] = ()) -> Producing:
    """A connected producer that has put in a frame from each of these sources."""
    made = Producing(producer_id=1)
    made.connected(now=0.0)
    made.received(Welcome(1, 0, 0, 0).frame(source=SourceType.MARKET_DATA_RELAY), now=0.0)
    for n, source in enumerate(sources, 1):
        made.put_frames(frame(n, (kinds or (1,) * len(sources))[n - 1], source=source), 1, now=0.0)
    return made


def back(made: Producing) -> tuple[list[int], list[int]]:
    """Sequences that came back as refused and as unknown."""
    found: dict[type[HandedBack], list[int]] = {RejectedError: [], UnknownOutcome: []}
    for outcome in made.outcomes:
        found[type(outcome)] += sequences(outcome.frames)
    return found[RejectedError], found[UnknownOutcome]


def say(made: Producing, first: int, last: int, text: str, code: Reject) -> None:
    error: Message | Unknown = Error(code=code, sequence=first, expected=last, text=text)
    made.received(error.frame(source=SourceType.MARKET_DATA_RELAY), now=0.0)


@pytest.mark.parametrize(
    ("count", "rejected", "unknown"),
    [
        (6, [1, 3, 5, 7], [2, 4, 6]),  # two of these three: which ones is not said
        (4, [1, 3, 5, 7], []),
        (7, [1, 2, 3, 4, 5, 6, 7], []),
        (0, [1, 3, 5, 7], [2, 4, 6]),  # no count: it may be any
    ],
)
def test_of_a_merged_error_no_frame_vanishes(
    count: int, rejected: list[int], unknown: list[int]
) -> None:
    made = core(1, 2, 3, 100, 1, 2, 3)
    text = f"may not ({count} frames)" if count else "may not"
    say(made, 1, 7, text, Reject.SOURCE_NOT_ALLOWED)
    assert back(made) == (rejected, unknown)


def test_frames_of_another_domain_are_known_whatever_the_error_names() -> None:
    made = core(*[1] * 6, kinds=(20, 1, 30, 1, 40, 1))
    say(made, 1, 5, "not mine (3 frames)", Reject.WRONG_DOMAIN)
    assert back(made) == ([1, 3, 5], [])


def test_a_frame_of_another_domain_is_not_also_one_of_another_source() -> None:
    made = core(1, 2, 2, 1, kinds=(1, 20, 1, 1))
    say(made, 1, 4, "may not (2 frames)", Reject.SOURCE_NOT_ALLOWED)
    say(made, 2, 2, "not mine", Reject.WRONG_DOMAIN)
    assert back(made) == ([1, 4, 2], [])


def test_without_a_domain_the_types_that_are_named_are_refused() -> None:
    sent = [frame(n, kind) for n, kind in enumerate([20, 1, 30, 40], 1)]
    error = Error(code=Reject.WRONG_DOMAIN, sequence=1, expected=4, text="no (3 frames)")
    sure, perhaps = refused(b"".join(sent), error, None)
    assert (sequences(sure), sequences(perhaps)) == ([1, 4], [2, 3])
    sure, perhaps = refused(b"".join(sent), error, DOMAINS["market_data"])
    assert (sequences(sure), sequences(perhaps)) == ([1, 3, 4], [])


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    allowed = f'{{"uid:{os.getuid()}" = [100]}}'
    process = RelayProcess("market_data", tmp_path, sources=allowed)
    yield process.start()
    process.clean()


def test_every_frame_of_several_sources_is_in_the_log_or_comes_back(relay: RelayProcess) -> None:
    told: list[HandedBack] = []
    sources = [1, 2, 3, 100, 1, 2, 3]
    with Producer(relay.path, on_error=told.append, on_unknown=told.append) as producer:
        producer.send_many(b"".join(frame(1, source=source) for source in sources))
        producer.flush(PATIENCE)
        eventually(lambda: len(told) > 0, "what was refused came back")
    came = sorted(n for outcome in told for n in sequences(outcome.frames))
    refused_ones = [n for n, source in enumerate(sources, 1) if source != 100]
    assert relay.end() == 1
    assert [n for n in came if n != 4] == refused_ones
