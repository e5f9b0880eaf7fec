"""A relay's journal at start: found, held against the log in memory, gone on with.

Called by `relays.edge.service`. First `find`, before there is a log: what the journal has decides
where a new log begins. Then `attach`, when there is one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from protocol._core.connection import producer_read
from protocol._core.journal import Writer, journal_from, journal_set, journal_words
from protocol._core.state import State
from relays.config import RelayConfig
from relays.core.journal.accepted import covers, listed
from relays.core.journal.catalogue import Lineage
from relays.core.journal.reading import Fault
from relays.core.journal.recovery import Recovered, recover
from relays.edge.journal.files import Folder
from relays.edge.journal.opened import opened
from relays.edge.journal.writer import JournalThread
from relays.errors import RelayError


@dataclass(frozen=True, slots=True)
class Found:
    """A journal's directory, which is ours now, and what is in it."""

    folder: Folder
    journal: Recovered
    lineage: tuple[Lineage, ...] = ()

    def goes_on(self, state: State) -> bool:
        """Whether an adopted log is the one this journal has, or the one that came after it."""
        journal, geometry = self.journal, state.read_geometry()
        begin = geometry["begin_position"], geometry["begin_offset"]
        return journal.log_id == state.log_id or begin == (journal.position, journal.offset)

    def is_ahead_of(self, state: State) -> bool:
        """Whether it has more of this very log, which therefore is not what it says it is."""
        journal = self.journal
        return journal.log_id == state.log_id and journal.position > state.end_position


def find(domain: str, config: RelayConfig, accept_damage: bool) -> Found | None:
    """The journal of a relay; None where it has none.

    Raises RelayError: in use (69), damaged and not accepted (65), not to be made (77).
    """
    if config.journal == "off":
        return None
    folder = Folder(domain, config)
    try:
        with opened(folder.path) as catalogue:
            journal, lineage = recover(catalogue), catalogue.lineage()
        _accept(folder, journal.damage, accept_damage)
    except BaseException:
        folder.release()
        raise
    return Found(folder, journal, _closed(lineage, journal))


def _accept(folder: Folder, damage: Sequence[Fault], told: bool) -> None:
    """Start on this damage only where all of it was accepted, now or before."""
    before = folder.accepted()
    new = [fault for fault in damage if not covers(before, fault)]
    if new and not told:
        places = "1 place" if len(new) == 1 else f"{len(new)} places"
        raise RelayError(
            f"the journal in {folder.path} is damaged ({places}): {new[0]}; the rest can be read: "
            "relays journal verify; to start without it: relays run --accept-damage",
            os.EX_DATAERR,
        )
    if listed(damage) != before:
        folder.accept(listed(damage))


def _closed(lineage: list[Lineage], journal: Recovered) -> tuple[Lineage, ...]:
    """The logs of before; of the last one all is known up to where it is gone on with."""
    if not lineage:
        return ()
    *before, last = lineage
    return (*before, Lineage(last.log_id, last.begin, journal.position))


def attach(
    found: Found, state: State, config: RelayConfig, events: tuple[int, int],
    report: Callable[..., None],
) -> JournalThread:  # fmt: skip
    """The thread that goes on with the journal, not started yet. `events` are the eventfds by which
    the loop and it wake each other. RelayError (74) when the disk does not let it."""
    folder = found.folder
    thread = JournalThread(folder, Writer(state, *events), config, report)
    try:
        # The memory of who died knows whether a sync had failed; without it, it may have.
        again = found.journal.log_id != state.log_id or bool(journal_words(state)["failing"])
        folder.make_sure(found.journal.unsynced, again)
        journal, aside = _joined(found, state, report)
        _know(thread.writer, journal, state)
        with opened(folder.path) as catalogue:
            thread.kept = [each for each in catalogue.kept if each.name not in aside]
        if journal.last is not None and journal.mark is not None and journal.log_id == state.log_id:
            last, number = journal.last, journal.mark.number
            thread.go_on(last.name, last.header, number, journal.chain, journal.synced)
        else:
            thread.begin(journal.chain)
        # Only now, for without a segment that begins there those before it would count for more.
        folder.set_aside([name for name in aside if name != thread.kept[-1].name])
    except OSError as error:
        if journal_words(state)["on"]:  # of a sync that failed who starts next must know
            journal_set(state, failing=error.errno or 1)
        text = f"cannot write a journal in {folder.path}: {error.strerror}"
        raise RelayError(text, os.EX_IOERR) from None
    oldest = journal.oldest if journal.log_id is not None else thread.kept[0].first
    journal_set(state, on=1, failing=0, oldest_position=oldest)
    if not config.journal_before_delivery:
        journal_set(state, shown=0)  # consumers are given all there is
    return thread


def _joined(found: Found, state: State, report: Callable[..., None]) -> tuple[Recovered, list[str]]:
    """What of the journal goes on with this log, and the writer set to its end: all that is whole,
    or nothing, where it is of another log or commits are missing in between. And the files that
    are to be set aside when a segment has been begun."""
    journal, aside = found.journal, list(found.journal.aside)
    fits = journal.log_id is not None and found.goes_on(state)
    begin = (journal.position, journal.offset) if fits else _unjournaled(state)
    position = journal_from(state, *begin)
    if journal.log_id is not None and not (fits and position == journal.position):
        with opened(found.folder.path) as catalogue:
            aside = [each.name for each in catalogue.files]
        journal = Recovered()
        report("journal of another time set aside", log_goes_on_at=position)
    if aside:
        place = found.folder.keep_aside(aside)
        report("journal: segments set aside", files=len(aside), kept_in=str(place))
    if journal.log_id is None:  # beside them a segment of this log would be taken for theirs
        found.folder.set_aside(aside)
        aside = []
    return journal, aside


def _unjournaled(state: State) -> tuple[int, int]:
    """Where a journal begins that has nothing yet: what an earlier one had not made safe comes
    too, else the log's end."""
    words = journal_words(state)
    if words["on"]:
        return words["safe_position"], words["safe_offset"]
    return state.end_position, state.end_offset


def _know(writer: Writer, journal: Recovered, state: State) -> None:
    """The producers as of the journal's end: of it, or, where it begins, of the log."""
    for place in range(state.read_geometry()["producers"]):
        row = producer_read(state, place)
        if row is None:
            continue
        uid, producer_id, last, seen = row
        if journal.log_id is not None:
            last, seen = journal.producers.get((uid, producer_id), (0, 0))
        if seen:
            writer.know(place, uid, producer_id, last, seen)
