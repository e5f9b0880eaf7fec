"""What an operator reads: one line per episode, never one per message (relays.md 9).

Called by `relays.edge.relay` with what the core reports. key=value to a terminal or a pipe, fields
under systemd. A kind of event is written at most once a second; what came meanwhile is counted and
said when it is over.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass

SECOND = 1_000_000_000
LEVELS = {
    "session opened": logging.DEBUG,
    "connection opened": logging.DEBUG,
    "connection ended": logging.DEBUG,
    "lagged": logging.DEBUG,
    "caught up": logging.DEBUG,
    "breaker closed": logging.INFO,
    "breaker opened": logging.WARNING,
    "gap": logging.WARNING,
    "journal damaged": logging.WARNING,
    "journal lost": logging.WARNING,
    "rejected": logging.WARNING,
    "connection closed": logging.WARNING,
    "undelivered": logging.WARNING,
}
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


@dataclass(slots=True)
class Episode:
    """Events of one kind that were not written: how many, and what they add up to."""

    last: int
    events: int = 0
    count: int = 0


class Log:
    """The log lines of one relay.

    >>> Log("signals", logging.getLogger("doc")).line("ready", pid=1)
    """

    def __init__(self, domain: str, logger: logging.Logger) -> None:
        self.domain, self.logger = domain, logger
        self._episodes: dict[str, Episode] = {}

    def line(self, event: str, /, **fields: object) -> None:
        """One line, at once."""
        level = LEVELS.get(event, logging.INFO)
        if self.logger.isEnabledFor(level):
            self.logger.log(level, event, extra={"fields": {"domain": self.domain, **fields}})

    def episode(self, event: str, now: int, /, count: int = 1, **fields: object) -> None:
        """One line at the start; what follows within the second is counted for `settle`."""
        seen = self._episodes.get(event)
        if seen is None:
            self._episodes[event] = Episode(now)
            self.line(event, count=count, **fields)
        else:
            seen.events += 1
            seen.count += count

    def settle(self, now: int) -> None:
        """Called each second: say what was counted since the last line of its kind."""
        for event, seen in list(self._episodes.items()):
            if 0 <= now - seen.last < SECOND:  # below 0: the clock was set back
                continue
            if seen.events:
                self.line(event, more=seen.events, count=seen.count)
                self._episodes[event] = Episode(now)
            else:
                del self._episodes[event]


class KeyValue(logging.Formatter):
    """`time level event key=value ...`, values quoted where they have spaces."""

    def format(self, record: logging.LogRecord) -> str:
        when = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        return f"{when} {record.levelname.lower()} {_said(record)}"


def _said(record: logging.LogRecord) -> str:
    """The event and its fields."""
    fields = getattr(record, "fields", {})
    words = [f"{key}={_word(str(value))}" for key, value in fields.items()]
    return " ".join([_word(record.getMessage()), *words])


def _word(text: str) -> str:
    if text and not any(character in ' "=\n' for character in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def open_log(domain: str, level: str) -> Log:
    """The log of this process: journald fields under systemd, stderr otherwise."""
    logger = logging.getLogger(f"relays.{domain}")
    logger.setLevel(level.upper())
    logger.propagate = False
    handler = _journal_handler()
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(KeyValue())
    logger.handlers = [handler]
    return Log(domain, logger)


def _journal_handler() -> logging.Handler | None:
    """None where stderr is not journald's, or systemd-python is not installed."""
    if not is_journal(sys.stderr.fileno()):
        return None
    try:
        from systemd import journal
    except ImportError:
        return None

    class Fields(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            journal.sendv(*journal_fields(record))

    return Fields()


def is_journal(fd: int) -> bool:
    """Whether what is written to `fd` goes to journald: a terminal opened in a session that does
    inherits the variable, but not the stream."""
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def journal_fields(record: logging.LogRecord) -> list[str]:
    """A log line as journald takes it: the text, and each of its fields by name.

    CONSUMER is the name alone, so that `journalctl CONSUMER=risk` finds it; PEER_UID and PEER_PID
    are beside it.

    >>> record = logging.makeLogRecord({"msg": "gap", "levelno": logging.WARNING})
    >>> record.fields = {"domain": "signals", "consumer": "risk uid=7 pid=9", "reason": "too_slow"}
    >>> journal_fields(record)[1:]  # doctest: +NORMALIZE_WHITESPACE
    ['PRIORITY=4', 'SYSLOG_IDENTIFIER=relays', 'DOMAIN=signals', 'CONSUMER=risk', 'PEER_UID=7',
     'PEER_PID=9', 'REASON=too_slow']
    """
    lines = [f"MESSAGE={_said(record)}", f"PRIORITY={PRIORITIES.get(record.levelno, 6)}"]
    lines.append("SYSLOG_IDENTIFIER=relays")
    for key, value in getattr(record, "fields", {}).items():
        words = str(value).rsplit(" ", 2) if key == "consumer" else [str(value)]
        lines.append(f"{key.upper()}={words[0]}")
        lines += [f"PEER_{word.upper()}" for word in words[1:]]
    return lines
