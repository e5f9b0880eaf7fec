"""Whose frame is it: every frame of the order is the next of one connection that wrote it.

Used by `judge`. An identified producer may write a frame on several connections; which of them the
relay took it from follows from the last sequence that each Welcome named.
"""

from __future__ import annotations

from tests.simulator.checker.facts import must, sequence_of
from tests.simulator.checker.order import Order
from tests.simulator.checker.writing import Writing

Key = tuple[int, int]
UNSEEN = 1000  # sequences at most, of what was journaled and nobody was sent


class Identified:
    """One (uid, producer_id): its connections in the order they were welcomed. `unseen`: frames of
    it may have been journaled before that nobody was sent."""

    def __init__(self, key: Key, unseen: bool) -> None:
        self.key = key
        self.welcomed: list[tuple[int, Writing]] = []
        self.last = self.told = self.said = 0
        self.spent_before: set[int] = set(range(UNSEEN if unseen else 1))
        self.accepted: list[tuple[int, int]] = []
        self.window: dict[int, bytes] = {}

    def begin(self, last: int, writing: Writing) -> None:
        """This connection goes on behind `last`. A Welcome may be late: of those that begin at the
        same place the one that said Hello later is the later."""
        writing.begin(last, self.window)
        writing.order = writing.order or 1 + max([one.order for _, one in self.welcomed], default=0)
        self.welcomed.append((last, writing))
        self.welcomed.sort(key=lambda one: (one[0], one[1].order))

    def spent(self, below: int = 2**64) -> int:
        """The last sequence, below this one, that is spent: accepted, or refused for good."""
        known = {self.last} | self.spent_before
        for _, writing in self.welcomed:
            known.update(writing.lasts)
        return max(last for last in known | {0} if last < below)

    def of(self, sequence: int) -> Writing | None:
        """The connection whose turn it was when this sequence was due."""
        for last, writing in reversed(self.welcomed):
            if last < sequence:
                return writing
        return None

    def promised(self, sequence: int) -> None:
        """The relay has said of this sequence that it survives the machine's death."""
        self.said = max(self.said, sequence)

    def cut(self, count: int, unknown: bool) -> None:
        """What had position `count` and later is gone, and every connection."""
        self.told = self.said
        for _, writing in self.welcomed:
            writing.next()
            self.spent_before.update(writing.lasts, writing.consumed)
        self.accepted = [one for one in self.accepted if one[0] < count]
        self.last = self.accepted[-1][1] if self.accepted else 0
        self.welcomed, self.window = [], {}
        if unknown:  # frames were journaled that nobody had been sent
            self.spent_before.update(range(self.last, self.last + UNSEEN))

    def check_begin(self, writing: Writing) -> None:
        """What its Welcome named is the last sequence that was spent on earlier connections."""
        number = next(n for n, (_, one) in enumerate(self.welcomed) if one is writing)
        last = self.welcomed[number][0]
        spent = {self.last} | self.spent_before
        for _, earlier in self.welcomed[:number]:
            earlier.refused_up_to(last)
            spent.update(earlier.lasts)
        must(last in spent, f"{writing.who} was welcomed with {last}, not one of {sorted(spent)}")


class Senders:
    """Who wrote which frame, in one log."""

    def __init__(self) -> None:
        self._by_frame: dict[bytes, list[Writing]] = {}
        self._identified: dict[Key, Identified] = {}
        self._cut_off: set[Key] = set()
        self.followed = 0
        self._unseen = False

    def cut(self, known: int, begin: int) -> None:
        """The machine died: positions from `begin` on are gone, up to `known` all were seen."""
        unseen = begin > self.followed
        self._unseen = self._unseen or unseen
        for producer in self._identified.values():
            producer.cut(known, unseen)
        self._by_frame.clear()
        self.followed = begin

    def sent(self, frame: bytes, writing: Writing) -> None:
        """This connection wrote this frame."""
        who = self._by_frame.setdefault(frame, [])
        if writing not in who:
            who.append(writing)

    def producer(self, writing: Writing) -> Identified:
        assert writing.hello is not None
        key = (writing.uid, writing.hello.producer_id)
        return self._identified.setdefault(key, Identified(key, self._unseen))

    def welcomed(self, writing: Writing, last: int) -> None:
        """The relay answered its Hello: it knows the producer's sequences up to `last`."""
        producer = self.producer(writing)
        producer.begin(last, writing)
        late = any(one.order > writing.order for _, one in producer.welcomed)
        text = f"{writing.who} was welcomed with {last}, and {producer.last} was accepted"
        must(late or last >= producer.last, text)
        must(last >= producer.told, f"{text}, and {producer.told} was said to be synced")

    def follow(self, order: Order) -> None:
        """Find who wrote each frame that is new in the order."""
        while self.followed < len(order):
            self._accept(order.frames[self.followed], self.followed)
            self.followed += 1

    def _accept(self, frame: bytes, position: int) -> None:
        writers = self._by_frame.get(frame, [])
        must(bool(writers), f"nobody wrote what position {position} has")
        writing = writers[-1]
        if not writing.identified:
            writing.accept(frame, position)
            return
        producer, sequence = self.producer(writing), sequence_of(frame)
        text = f"producer {producer.key}: {sequence} has position {position} after {producer.last}"
        must(sequence > producer.last, text)
        found = producer.of(sequence)
        if found is None or found.over or found not in writers or found.next() != frame:
            found = self._not_welcomed(producer, writers, sequence) or found
        must(found is not None, f"{text}, and no connection of it could be the one")
        assert found is not None
        if not found.accepted:
            producer.check_begin(found)
        found.accept(frame, position)
        producer.last = sequence
        producer.accepted.append((position, sequence))

    def _not_welcomed(
        self, producer: Identified, writers: list[Writing], sequence: int
    ) -> Writing | None:
        """A relay that died between a commit and a Welcome: what it knew is what fits."""
        for writing in reversed(writers):
            if not (writing.begun or writing.unanswered):
                producer.begin(producer.spent(sequence), writing)
                writing.guessed = True
                return writing
        return None

    def cut_off(self, uid: int, pid: int) -> None:
        """This process was cut off as a producer."""
        self._cut_off.add((uid, pid))

    def cooled(self, uid: int, pid: int) -> bool:
        return (uid, pid) in self._cut_off
