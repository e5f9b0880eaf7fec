"""Deliberate faults of the journal: what is acknowledged too early, forgotten, or read wrongly.

Used by `mutations`. They are found where a relay has a journal, most of them only where the machine
has died: so they take more seeds than others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol._core.journal import INTERVAL
from relays.core import handshake
from relays.core.feeds import Feeds
from relays.core.handshake import Handshake
from relays.core.hub import Hub
from relays.core.journal import history
from relays.core.journal.catalogue import Catalogue
from relays.core.journal.durability import Journaling
from relays.core.journal.records import Segment
from relays.edge import memory
from relays.edge.journal import start
from relays.edge.journal.writer import JournalThread
from tests.simulator.faults import Instead, Mutation, always, nothing
from tests.simulator.journaling import Folder, PlayedWriter


def _at_once(_: Instead) -> Instead:
    return lambda journaling, then: then()


def _when_written(init: Instead) -> Instead:
    def mutant(journaling: Any, *arguments: Any, **named: Any) -> None:
        init(journaling, *arguments, **named)
        journaling.mode = INTERVAL

    return mutant


def _known_at_once(hello: Instead) -> Instead:
    def mutant(shake: Any, peer: Any, waiting: Any, now: int) -> bool:
        waiting.safe = 2**64
        return bool(hello(shake, peer, waiting, now))

    return mutant


def _goes_on(_: Instead) -> Instead:
    return lambda thread, why: True


def _but_the_newest(recover: Instead) -> Instead:
    def mutant(found: Catalogue) -> Any:
        kept = [each for each in found.segments if each is not found.files[-1]]
        return recover(Catalogue({each.name: each.source for each in kept}))

    return mutant


def _one_too_few(recover: Instead) -> Instead:
    def mutant(catalogue: Catalogue) -> Any:
        found = recover(catalogue)
        return replace(found, position=max(0, found.position - 1))

    return mutant


def _recovered(**what: Any) -> Any:
    def make(recover: Instead) -> Instead:
        return lambda catalogue: replace(recover(catalogue), **what)

    return make


def _same_log(begin: Instead) -> Instead:
    def mutant(memory: Any, ring: Any, config: Any, journal: Any, log_id: int, now: int) -> Any:
        same = journal.journal.log_id if journal is not None else None
        return begin(memory, ring, config, journal, same or log_id, now)

    return mutant


def _one_later(between: Instead) -> Instead:
    def mutant(stretch: Any, first: int, end: int) -> Any:
        return between(stretch, first + (end == stretch.end), end)

    return mutant


def _the_next(locate: Instead) -> Instead:
    def mutant(segment: Any, position: int) -> Any:
        try:
            return locate(segment, position + 1)
        except LookupError:
            return locate(segment, position)

    return mutant


def _not_withheld(init: Instead) -> Instead:
    def mutant(journaling: Any, *arguments: Any, **named: Any) -> None:
        init(journaling, *arguments, **named)
        journaling.withholds = False

    return mutant


def _one_more(since: Instead) -> Instead:
    return lambda catalogue, time: since(catalogue, time) + 1


def _as_in_the_file(_: Instead) -> Instead:
    return lambda state, position, time: position


JOURNAL_MUTATIONS = {
    "ack before sync": Mutation(
        "an Ack does not wait for the disk", Journaling, "when_safe", _at_once, 40
    ),
    "ack after write": Mutation(
        "what was written is acknowledged as synced", Journaling, "__init__", _when_written, 120
    ),
    "welcome before sync": Mutation(
        "a Welcome names a sequence that is not synced yet",
        Handshake, "_hello", _known_at_once, 800,
    ),
    "failed sync forgotten": Mutation(
        "a file is gone on with whose sync has failed", JournalThread, "_anew", _goes_on, 160
    ),
    "not written again": Mutation(
        "after a failure the next file begins behind what was not safe",
        PlayedWriter, "rewind", nothing, 300,
    ),
    "not made sure": Mutation(
        "what a dead process had not synced is taken for synced",
        Folder, "make_sure", nothing, 160,
    ),
    "forget the newest segment": Mutation(
        "recovery looks at all files but the newest", start, "recover", _but_the_newest, 40
    ),
    "recovery one too few": Mutation(
        "recovery ends one position too early", start, "recover", _one_too_few, 40
    ),
    "forget the producers": Mutation(
        "recovery knows no producer", start, "recover", _recovered(producers={}), 40
    ),
    "forget the chain": Mutation(
        "the chain begins anew with each process", start, "recover", _recovered(chain=0), 40
    ),
    "empty table": Mutation(
        "a segment begins with no producers", PlayedWriter, "producers", always([]), 40
    ),
    "same log": Mutation(
        "positions were lost and the log keeps its name", memory, "begin", _same_log, 40
    ),
    "journal read late": Mutation(
        "what is read of the journal lacks its first frame", history, "between", _one_later, 40
    ),
    "journal located late": Mutation(
        "who begins in the journal begins one frame late", Segment, "locate", _the_next, 40
    ),
    "journal not asked": Mutation(
        "whom the log overtakes gets a Gap although the journal has it",
        Feeds, "_has_a_past", always(False), 80,
    ),
    "everybody continues": Mutation(
        "who has positions that were lost is not told", Journaling, "continues", always(True), 200
    ),
    "nobody continues": Mutation(
        "who has lost nothing is told that its log is gone",
        Journaling, "continues", always(False), 40,
    ),
    "delivered before it is safe": Mutation(
        "consumers do not wait for the journal where they should",
        Journaling, "__init__", _not_withheld, 160,
    ),
    "nobody needs it": Mutation(
        "retention takes what a consumer still needs", Hub, "needed", always(2**63), 160
    ),
    "begin too late by time": Mutation(
        "who begins by time does not get the first message of then",
        Catalogue, "since", _one_more, 160,
    ),
    "begin too early by time": Mutation(
        "who begins by time gets what is not in the file yet, however old",
        handshake, "noted_since", _as_in_the_file, 160,
    ),
    "room not asked for": Mutation(
        "more is read than the journal can take", PlayedWriter, "may_read", always(True), 80
    ),
}  # fmt: skip
