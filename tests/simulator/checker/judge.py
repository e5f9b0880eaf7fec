"""The checker: told what passes between a relay and its peers, asked after every step.

Driven by `run` (which hands it the kernel's bytes) and by nobody else. What it holds: one order for
all; each consumer a contiguous run, or a Gap that names what is missing; conservation; what
identified producers sent accepted in order and once; Acks for nothing else; breakers along their
table. It raises Violation, with a sentence, for the first thing that does not hold.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from itertools import pairwise
from typing import Any

from protocol._core.journal import journal_words
from protocol._core.state import State
from protocol.reject import Reject
from relays.core.accounting import books
from tests.simulator.checker.breakers import Breakers
from tests.simulator.checker.facts import SYNCED, Facts, must, sequence_of
from tests.simulator.checker.lives import Lives, must_go_on
from tests.simulator.checker.order import Order
from tests.simulator.checker.reading import Reading, Where
from tests.simulator.checker.senders import Senders
from tests.simulator.checker.talk import SESSION, Talk
from tests.simulator.checker.times import Times
from tests.simulator.checker.views import View
from tests.simulator.checker.writing import Writing

Log = Mapping[str, int]


class Judge:
    """Everything that was said so far. `talks` are the connections of the present life by line."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.order = Order(0)
        self.senders = Senders()
        self.lives = Lives(facts)
        self.lineage: dict[int, tuple[int, int]] = {}  # logs of before: begin and end
        self.damaged: list[range] = []  # positions of the journal that nobody can read
        # Positions below: of the log's begin, and what Acks said to survive the machine's death
        # (`promised`) and that of a process whose memory is lost (`written`).
        self.begins = self.promised = self.written = 0
        self.failures = 0
        self.times = Times()
        self.talks: dict[int, Talk] = {}
        self.finished: list[Talk] = []
        self.witness = self.hellos = 0
        self.arrived: list[Talk] = []
        self.up = self.draining = False
        self.passed = 0  # domain frames that were sent to anybody
        self.exact = True  # no relay died inside a call: what the kernel took was counted

    # --- the relay's lives ---

    def booted(self, state: State) -> None:
        """A relay runs, on this state."""
        self.state, self.up, self.draining = state, True, False
        log = state.read_log()
        if state.log_id != self.order.log_id:
            self._another_log(state)
        must(log["end_position"] >= len(self.order), "positions that were sent are gone")
        self.kept_from = log["oldest_position"]
        self.times.grown(log["end_position"], None)
        self.breakers = Breakers(self.facts)
        self.numbers = max((row["id"] for row in state.read_connections()), default=0)
        self.arrived.clear()
        for talk in self.talks.values():
            talk.kept_from.append(self.kept_from)
            talk.acked_before = len(talk.reading.acks)

    def _another_log(self, state: State) -> None:
        """The memory is gone: what the journal has keeps its positions, others have another log."""
        begin = state.read_geometry()["begin_position"]
        must(begin >= self.promised, f"{self.promised} was acknowledged as synced, {begin} is left")
        must(begin >= self.written, f"{self.written} was acknowledged as written, {begin} is left")
        self.written, self.failures = begin, 0
        known = min(begin, len(self.order))
        self.times.cut(known)
        if self.order.log_id:
            self.lineage[self.order.log_id] = (self.begins, begin)
        self.order = self.order.cut(state.log_id, known)
        self.senders.cut(known, begin)
        self.finished.clear()
        self.talks.clear()  # nobody goes on with another log
        self.passed, self.exact, self.begins = 0, True, begin

    def lost_power(self) -> None:
        """The machine died: of what was written there is what was synced."""
        self.written = self.promised
        self.lives.forget()

    def died(self, inside: bool) -> None:
        """The relay's process is gone; `inside` a call, whose bytes it had no time to count."""
        self.up = False
        self._failed()
        for talk in self.arrived:
            talk.refused = talk.reading.may_have_control = True
        self.exact = self.exact and not inside

    def parts(self, handed: bool, inside: bool = False) -> None:
        """The relay that has all these ends: what it has `handed` over goes on, and else what was
        idle, where it did not die `inside` a call; what becomes of the others is left to it."""
        inside = inside or (not handed and len(self.order) < self.state.end_position)
        rows = {row["id"]: row for row in self.state.read_connections()}
        for talk in self.talks.values():
            talk.parted = not must_go_on(talk, rows.get(talk.number), handed, inside)

    def none_goes_on(self) -> None:
        """Relays died too soon after each other: the next one closes all."""
        for talk in self.talks.values():
            talk.parted = True

    def went_on(self, writable: Container[int]) -> None:
        """The next relay has gone on with what it goes on with; to the lines that are `writable` it
        has written what they are owed."""
        for number, talk in self.talks.items():
            talk.parted = False
            if number in writable and not self.facts.durability:
                self._acknowledged_again(talk)

    def _acknowledged_again(self, talk: Talk) -> None:
        if talk.acked_before and not (talk.pending or talk.shut or talk.fatal):
            again = len(talk.reading.acks) > talk.acked_before
            must(again, f"{talk.who} went on and its last Ack did not come again")

    # --- what passes ---

    def _where(self) -> Where:
        log, words = self.state.read_log(), journal_words(self.state)
        oldest = log["oldest_position"]
        journal = words["oldest_position"] if words["on"] else 0
        served = min(oldest, journal) if words["on"] else oldest
        return Where(self.state.shown_position, served, oldest, journal)

    def accepted(self, number: int, uid: int, pid: int) -> None:
        """The relay takes this connection: its feed would begin at the end."""
        who = f"connection {number} (uid {uid} pid {pid})"
        reading = Reading(self.facts, self.order, who, self.state.shown_position)
        reading.lineage, reading.damaged = self.lineage, self.damaged
        reading.times = self.times
        talk = Talk(who, uid, pid, reading, Writing(self.facts, who, uid))
        talk.kept_from.append(self.kept_from)
        self.talks[number] = talk
        self.arrived.append(talk)

    def wrote(self, number: int, data: bytes, now: int) -> None:
        """The peer wrote; what it wrote before it was accepted is told right after that."""
        talk = self.talks[number]
        for frame in talk.writing.feed(data, now):
            self.senders.sent(frame, talk.writing)
        talk.reading.may_have_control = talk.writing.said_control
        if talk.writing.hello is not None and talk.reading.hello is None:
            talk.reading.asked(talk.writing.hello, self._where())
            self._follows(talk)

    def was_read(self, number: int, size: int) -> None:
        """The relay read so many bytes: of two Hellos for one producer_id the later one counts."""
        talk = self.talks[number]
        talk.read += size
        writing = talk.writing
        if not writing.order and 0 < writing.hello_end <= talk.read:
            self.hellos += 1
            writing.order = self.hellos

    def _follows(self, talk: Talk) -> None:
        """The one whose producer_id it takes may be fenced from now on."""
        if not talk.writing.identified:
            return
        hello = talk.writing.hello
        assert hello is not None
        for other in self.talks.values():
            said = other.writing.hello
            same = said is not None and said.producer_id == hello.producer_id
            if other is not talk and same and other.uid == talk.uid:
                other.followed = talk.followed = True

    def said(self, number: int, data: bytes) -> None:
        """The relay wrote."""
        self.talks[number].pending += data
        if not self.facts.config.journal_before_delivery:  # there one sync shows many commits
            self._limits()

    def shut(self, number: int) -> None:
        """The peer writes no more."""
        if number in self.talks:
            self.talks[number].shut = True

    def left(self, number: int) -> None:
        """The peer closed it."""
        if number in self.talks:
            self.talks[number].left = self.talks[number].shut = True

    def closed(self, number: int) -> None:
        """The relay closed it."""
        talk = self.talks.get(number)
        if talk is None:
            return
        talk.closed, talk.draining = True, self.draining
        talk.oldest = self._where().oldest
        self.lost(number)

    def lost(self, number: int) -> None:
        """The relay died, or closed it."""
        if number not in self.talks:
            return
        talk = self.talks.pop(number)
        talk.writing.unanswered = False
        self.finished.append(talk)
        if number == self.witness:
            self._read(talk, self._where())

    # --- after every step ---

    def step(self, now: int) -> None:
        """The relay waits for its next event, at `now`: does everything hold?"""
        if not self.up:
            return
        log = self.state.read_log()
        rows = self.state.read_connections()
        self._conserved()
        self._assign(rows)
        where = self._where()
        witness = self.talks.get(self.witness)
        if witness is not None:
            self._read(witness, where)
        if len(self.order) < where.end:
            return  # it still catches up: the others wait
        talks = [*self.talks.values(), *self.finished]
        for talk in talks:
            self._read(talk, where)
        must(len(self.order) <= where.end, "frames were sent that the log does not have")
        for talk in talks:
            self._welcomed(talk)
        self.senders.follow(self.order)
        if self.facts.config.journal_before_delivery:
            self.written = max(self.written, where.end)
            if self.facts.durability == SYNCED:
                self.promised = max(self.promised, where.end)
        for talk in talks:
            self._acknowledged(talk, log["end_position"])
        self._failed()
        self._watch(rows, log, now)
        self._limits()
        if where.end == log["end_position"]:
            self._bury()

    def _failed(self) -> None:
        """After a file has failed what is not synced is written again, into another."""
        failures = journal_words(self.state)["failures"]
        if failures != self.failures:
            self.failures, self.written = failures, self.promised

    def _conserved(self) -> None:
        found = books(self.state)
        lost = (found.unaccounted_messages, found.unaccounted_bytes)
        must(lost == (0, 0), f"{lost[0]} messages and {lost[1]} bytes are unaccounted for")

    def _assign(self, rows: list[Any]) -> None:
        """Who has which record: those that are new belong to those accepted, in their order."""
        new = sorted(row["id"] for row in rows if row["id"] > self.numbers)
        waiting = [talk for talk in self.arrived if not talk.closed]
        for talk in [*waiting[len(new) :], *(talk for talk in self.arrived if talk.closed)]:
            talk.refused = talk.reading.may_have_control = True
        for number, talk in zip(new, waiting, strict=False):
            self.numbers, talk.number = number, number
        self.arrived.clear()
        by_number = {talk.number: talk for talk in self.talks.values() if talk.number}
        for row in rows:
            if row["role"] == SESSION:
                by_number[row["id"]].writing.unanswered = False

    def _limits(self) -> None:
        """Nobody whose breaker is armed lags more than max_queue_size: at no moment, so this is
        also looked at within a step."""
        end, most = self.state.shown_position, self.facts.config.max_queue_size
        for row in self.state.read_connections():
            lag = end - row["position"]
            if lag > most and row["consuming"] and row["breaker"] in (0, 2):
                talk = next((t for t in self.talks.values() if t.number == row["id"]), None)
                if talk is not None:
                    talk.writing.next()
                    text = f"{talk.who} lags {lag}, more than max_queue_size"
                    must(talk.may_lag(row["role"]), text)

    def _watch(self, rows: list[Any], log: Log, now: int) -> None:
        """Every consumer's breaker."""
        by_number = {talk.number: talk for talk in self.talks.values() if talk.number}
        for row in rows:
            talk = by_number[row["id"]]
            talk.trips = max(talk.trips, row["trips"])
            self.breakers.look(row, talk.who, log, now)

    def _read(self, talk: Talk, where: Where) -> None:
        if talk.pending:
            before = talk.reading.counted
            data = bytes(talk.pending)
            talk.pending.clear()
            talk.reading.feed(data, where)
            self.passed += talk.reading.counted - before

    def _welcomed(self, talk: Talk) -> None:
        welcome = talk.reading.welcome
        if welcome is not None and talk.writing.identified and not talk.writing.begun:
            talk.writing.unanswered = False
            self.senders.welcomed(talk.writing, welcome.last_sequence)
            must(welcome.durability == self.facts.durability, f"{talk.who} was sent {welcome}")
            if welcome.durability == SYNCED:
                self.senders.producer(talk.writing).promised(welcome.last_sequence)

    def _acknowledged(self, talk: Talk, end: int) -> None:
        for ack in talk.reading.acks[talk.acks_seen :]:
            text = f"{talk.who} was sent {ack}"
            must(talk.writing.begun, f"{text}, and is no identified producer")
            must(ack.position <= end, f"{text}, the log ends at {end}")
            must(ack.durability == self.facts.durability, text)
            if ack.durability == SYNCED:
                self.promised = max(self.promised, ack.position)
                self.senders.producer(talk.writing).promised(ack.sequence)
            if ack.durability:
                self.written = max(self.written, ack.position)
            if ack.position > len(self.order):
                return  # it is safe, and consumers are about to be shown it
            talk.acks_seen += 1
            must(ack.sequence >= talk.last_ack, f"{text} after {talk.last_ack}")
            must(talk.writing.refused_up_to(ack.sequence), f"{text}: not all of that was taken")
            talk.last_ack = ack.sequence

    # --- ends ---

    def _bury(self) -> None:
        for talk in self.finished:
            self._end(talk)
        for talk in self.finished:  # some for what others of them had done before
            self._audit(talk)
        self.finished.clear()

    def _end(self, talk: Talk) -> None:
        if talk.closed and not talk.reading.half():
            talk.reading.settle_beginning()
        if talk.writing.identified and not talk.writing.begun:
            producer = self.senders.producer(talk.writing)
            talk.writing.begin(producer.spent(), producer.window)
        talk.writing.next()
        talk.writing.over = True
        if talk.writing.held_against >= self.facts.config.producer_breaker:
            self.senders.cut_off(talk.uid, talk.pid)

    def _audit(self, talk: Talk) -> None:
        talk.cooled = self.senders.cooled(talk.uid, talk.pid)
        if talk.closed and talk.parted:
            pass
        elif talk.closed and not talk.left:
            talk.audit_end()
        elif talk.closed and not talk.draining:
            self._nothing_lost(talk)
        talk.audit_errors()

    def _nothing_lost(self, talk: Talk) -> None:
        """All it wrote was read: everything that could be accepted has a position."""
        lost = talk.writing.next()
        if lost is None or talk.was_cut:
            return
        must(False, f"{talk.who}: frame {sequence_of(lost)} was read and has no position")

    def settled(self, rows: list[Any]) -> None:
        """Everybody has read all there is and time has passed: nobody is left behind."""
        end = len(self.order)
        must(end == self.state.end_position, "the observer was not sent everything")
        records = {row["id"]: row for row in rows}
        for talk in self.talks.values():
            row = records.get(talk.number)
            if row is None:
                continue
            self._nothing_lost(talk)
            self._told(talk)
            reading = talk.reading
            must(row["breaker"] in (0, 3), f"{talk.who}: breaker {row['breaker']} for ever")
            if row["consuming"] and reading.position is not None:
                reached = reading.due(end)
                must(reached == end, f"{talk.who} stays at {reached}, the log ends at {end}")
                self._same_view(talk)
            talk.audit_errors()
        self._one_each()
        self._counters()

    def _told(self, talk: Talk) -> None:
        """It was told of what was accepted last, and where to go back to."""
        writing = talk.writing
        if talk.reading.welcome is None or talk.shut or talk.fatal is not None:
            return
        if writing.begun and writing.answered:
            text = f"{talk.who} was acknowledged {talk.last_ack} and had {writing.last} taken"
            must(talk.last_ack == writing.last, text)
            self._acknowledged_again(talk)
        told = [error for error in talk.reading.errors if error.code == Reject.SEQUENCE_GAP]
        if writing.expected:
            text = f"{talk.who} was never told to go back to {writing.expected[-1]}"
            must(bool(told) and told[-1].expected == writing.expected[-1], text)
        silent = {Reject.SEQUENCE_GAP, Reject.SEQUENCE_DUPLICATE}
        codes = {error.code for error in talk.reading.errors}
        for code in writing.rejects:
            text = f"{talk.who} was never told of {code.name}"
            must(code in codes or (code in silent and writing.begun), text)

    def _same_view(self, talk: Talk) -> None:
        """Who had a snapshot knows what somebody knows who had every frame since a relay began that
        it may be of."""
        view, frames, wanted = talk.reading.view, self.order.frames, talk.reading.wanted
        if view is None:
            return
        same = any(view.state == View.of(wanted, frames[n:]).state for n in talk.kept_from)
        must(same, f"{talk.who}: snapshot and feed are not the state of all frames")

    def _one_each(self) -> None:
        """A producer_id has one connection."""
        live = [
            (talk.uid, talk.writing.hello.producer_id)
            for talk in self.talks.values()
            if talk.writing.begun and talk.writing.hello is not None and talk.fatal is None
        ]
        for one, other in pairwise(sorted(live)):
            must(one != other, f"two connections are producer {one}")

    def _counters(self) -> None:
        if not self.exact:
            return
        counters = self.state.read_counters()
        accepted = sum(counters["by_type"])
        sent = len(self.order) - self.begins
        must(accepted == sent, f"{accepted} accepted, {sent} sent")
        delivered = books(self.state).delivered
        must(delivered == self.passed, f"{delivered} counted as delivered, {self.passed} sent")
