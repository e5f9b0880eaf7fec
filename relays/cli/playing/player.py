"""Entries of files to a relay, in their time, and what became of them: publish and replay.

Called by both with files that are open and a sender that is connected. Owns the loop, the report
and the progress bar; how fast is `pacing`'s, what is in files `message_files`', who sends
`sending`'s.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import click
import msgspec

from relays.cli.common.interrupts import Interrupts
from relays.cli.common.naming import clean
from relays.cli.playing.ahead import Ahead
from relays.cli.playing.message_files import Entry, MessageFile
from relays.cli.playing.pacing import Pace, Speed, merged
from relays.cli.playing.sending import Origin, Refusal, Sender
from relays.client.errors import ClientError
from relays.client.outcomes import FlushTimeout
from relays.errors import RelayError

SECOND = 1_000_000_000
BLOCK = 4096
BLOCK_BYTES = 256 << 10
LISTED = 100
PATIENCE = 10.0
LAST_PATIENCE = 1.0
INTERRUPTED = 130
LOOK_EVERY = 0.1
HOLD = 0.001


class Piece(NamedTuple):
    """An entry of one of several files."""

    file: int
    entry: Entry

    @property
    def time(self) -> int:
        return self.entry.time


class Meter(Protocol):
    """Shows how far it is; `say` puts a line on stderr without disturbing that."""

    def tick(self, report: Report) -> None: ...
    def say(self, text: str) -> None: ...


@dataclass
class Report:
    """What became of everything: `sent` messages and bytes, what was refused and where it stood."""

    verb: str
    domain: str
    files: Sequence[MessageFile]
    sent: int = 0
    bytes: int = 0
    refused: int = 0
    listed: list[dict[str, object]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    interrupted: bool = False
    seconds: float = 0.0

    def refuse(self, refusal: Refusal, meter: Meter) -> None:
        """One message was not taken: the first of them are listed one by one."""
        origin, reason = refusal
        self.refused += 1
        self.reasons[reason.partition(":")[0]] += 1
        if len(self.listed) >= LISTED:
            return
        file = self.files[origin.file] if origin else None
        where = {"file": file.path, file.unit: origin.number} if file and origin else {}
        self.listed.append(where | {"reason": reason})
        at = f"{file.path}: {file.unit} {origin.number}: " if file and origin else ""
        meter.say(f"relays: refused: {at}{clean(reason)}")

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return INTERRUPTED
        return os.EX_DATAERR if self.refused else os.EX_OK

    def plain(self) -> dict[str, object]:
        """All of it for JSON; `listed` has the first refused, `reasons` counts all."""
        return {
            "domain": self.domain,
            "files": [file.path for file in self.files],
            "sent": self.sent,
            "bytes": self.bytes,
            "refused": self.refused,
            "reasons": dict(self.reasons.most_common()),
            "listed": self.listed,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
        }

    def line(self) -> str:
        """All of it in a line, for a pipe."""
        facts = f"messages={self.sent} bytes={self.bytes} refused={self.refused}"
        cut = " interrupted=yes" if self.interrupted else ""
        return f"{self.verb} {self.domain} {facts} seconds={self.seconds:.3f}{cut}"

    def sentence(self) -> str:
        """All of it for a person."""
        rate = self.sent / max(self.seconds, 1e-9)
        cut = ", interrupted" if self.interrupted else ""
        return (
            f"{self.verb} {self.sent:,} messages ({self.bytes:,} bytes) to {self.domain} in"
            f" {self.seconds:.1f} s, {rate:,.0f}/s; {self.refused:,} refused{cut}"
        )


class Player:
    """Sends the pieces, each when it is due; `recorded` leaves their header times as they are."""

    def __init__(
        self,
        sender: Sender,
        speed: Speed,
        report: Report,
        meter: Meter,
        *,
        recorded: bool,
        ahead: Ahead | None,
    ) -> None:
        self.sender, self.speed = sender, speed
        self.report, self.meter = report, meter
        self.recorded, self.ahead = recorded, ahead
        self._kept: list[bytes] = []
        self._from: list[tuple[Origin, int]] = []
        self._count = self._size = 0
        self._most = BLOCK if ahead is None else ahead.step
        self._begun = time.monotonic_ns()
        self._looked = 0.0
        self._away = ""

    def play(self, pieces: Iterator[Piece], interrupts: Interrupts) -> None:
        """All of them. At an interrupt nothing more is sent, and what was is waited for."""
        try:
            try:
                self._play(pieces, interrupts)
            finally:
                self._finish(interrupts)
        except KeyboardInterrupt:
            self.report.interrupted = True
            self._say_goodbye()
        finally:
            self.hear()
            self.report.seconds = (time.monotonic_ns() - self._begun) / SECOND

    def _finish(self, interrupts: Interrupts) -> None:
        """What was read is sent and answered for, also where a file cannot be read on; not where
        the relay has gone or somebody interrupts."""
        if not isinstance(sys.exc_info()[1], KeyboardInterrupt | ClientError):
            self._send(interrupts)
            with interrupts.waiting():
                self._settle()

    def _say_goodbye(self) -> None:
        """What was sent is acknowledged, unless the relay does not answer any more."""
        try:
            self.sender.flush(LAST_PATIENCE)
        except ClientError as error:
            self.meter.say(f"relays: {error}")

    def _play(self, pieces: Iterator[Piece], interrupts: Interrupts) -> None:
        pace: Pace | None = None
        while True:
            with interrupts.waiting():
                piece = next(pieces, None)
            if piece is None:
                break
            if pace is None:
                self._begun = time.monotonic_ns()
                pace = Pace(self.speed, self._begun)
            if piece.entry.wrong:
                self._wrong(piece, interrupts)
                continue
            self._check_time(piece)
            due = pace.due(piece.time, piece.entry.many)
            if pace.waits and due > time.monotonic_ns():
                self._send(interrupts)
                self._sleep(due, interrupts)
            self._take(piece, interrupts)

    def _wrong(self, piece: Piece, interrupts: Interrupts) -> None:
        """What precedes it goes out first, so that what is refused is told in order."""
        self._send(interrupts)
        origin = Origin(piece.file, piece.entry.number)
        self.report.refuse(Refusal(origin, piece.entry.wrong), self.meter)

    def _check_time(self, piece: Piece) -> None:
        if self.speed.factor is not None and not piece.entry.time:
            file = self.report.files[piece.file]
            text = f"{file.path}: {file.unit} {piece.entry.number} has no time to keep to"
            raise RelayError(f"{text}: --speed max, or a rate such as 1000/s", os.EX_USAGE)

    def _take(self, piece: Piece, interrupts: Interrupts) -> None:
        """Keep it for the next send."""
        entry = piece.entry
        self._kept.append(entry.frame)
        self._from.append((Origin(piece.file, entry.number), entry.many))
        self._count += entry.many
        self._size += len(entry.frame)
        if self._count >= self._most or self._size >= BLOCK_BYTES:
            self._send(interrupts)

    def _send(self, interrupts: Interrupts) -> None:
        """What is kept goes out; then what the relay has said is heard, and progress shown."""
        if not self._kept:
            return
        frames, origins = b"".join(self._kept), self._from
        self._kept, self._from, self._count, self._size = [], [], 0, 0
        self._hold(interrupts)
        with interrupts.waiting():
            self.sender.send(frames, origins, None if self.recorded else time.time_ns())
        self.hear()
        self._look()

    def _hold(self, interrupts: Interrupts) -> None:
        """Wait for the consumers, where that is asked for."""
        ahead, of = self.ahead, self.sender.producer
        while ahead and ahead.held(of.last_sequence, of.unacked, of.reconnects):
            with interrupts.waiting():
                time.sleep(HOLD)
            self._look()

    def hear(self) -> None:
        """Report what came back."""
        for refusal in self.sender.refusals():
            self.report.refuse(refusal, self.meter)
        self.sender.forget()
        self.report.sent, self.report.bytes = self.sender.sent, self.sender.bytes

    def _look(self) -> None:
        """Now and then: what came back, how far it is, whether the relay is there."""
        if (now := time.monotonic()) - self._looked < LOOK_EVERY:
            return
        self._looked = now
        self.hear()
        self.meter.tick(self.report)
        if (away := self.sender.waiting) != self._away:
            self._away = away
            self.meter.say(f"relays: {away or 'the relay is back'}")

    def _sleep(self, due: int, interrupts: Interrupts) -> None:
        """Until it is due."""
        while (left := (due - time.monotonic_ns()) / SECOND) > 0:
            with interrupts.waiting():
                time.sleep(min(left, LOOK_EVERY))
            self._look()

    def _settle(self) -> None:
        """Wait for the answers to everything."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.sender.flush(LOOK_EVERY)
            except FlushTimeout:
                if time.monotonic() > deadline:
                    raise
            self._look()


def pieces(files: Sequence[MessageFile], speed: Speed, ahead: Ahead | None) -> Iterator[Piece]:
    """The entries of all files: of one as they stand there, of several by their times."""
    most = speed.together if len(files) == 1 else 1
    most = most if ahead is None else min(most, ahead.step)
    streams = [_pieces(number, file, most) for number, file in enumerate(files)]
    return streams[0] if len(streams) == 1 else merged(streams)


def _pieces(number: int, file: MessageFile, most: int) -> Iterator[Piece]:
    return (Piece(number, entry) for entry in file.entries(most))


def show(report: Report, as_json: bool) -> None:
    """The report on stdout: a sentence on a terminal, a line in a pipe, or JSON."""
    if report.refused > len(report.listed):
        more = report.refused - len(report.listed)
        reasons = ", ".join(f"{text} {count:,}" for text, count in report.reasons.most_common(5))
        click.echo(f"relays: refused: and {more:,} more (in all: {clean(reasons)})", err=True)
    if as_json:
        click.echo(msgspec.json.encode(report.plain()).decode())
    elif sys.stdout.isatty():
        from relays.cli.common.screen import Screen

        Screen().print(report.sentence())
    else:
        click.echo(report.line())


# --- progress ---


class Silent:
    """No progress: errors only."""

    def tick(self, report: Report) -> None:
        pass

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)


class Bar(Silent):
    """A bar on a terminal, by the bytes of the files that have been read."""

    def __init__(self, progress: Any, files: Sequence[MessageFile]) -> None:
        self._progress, self._files = progress, files
        total = sum(file.size for file in files)
        self._task = progress.add_task("", total=total or None, sent=0, rate=0.0)
        self._begun = time.monotonic()

    def tick(self, report: Report) -> None:
        done = sum(file.read_bytes for file in self._files)
        rate = report.sent / max(1e-9, time.monotonic() - self._begun)
        self._progress.update(self._task, completed=done, sent=report.sent, rate=rate)

    def say(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True)


@contextmanager
def meter(files: Sequence[MessageFile]) -> Iterator[Meter]:
    """A bar where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(None),
        TextColumn("{task.fields[sent]:,} messages"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, markup=False, highlight=False)
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, files)
