"""Chain logs as text: JSON of `eth_getLogs` and the CSV files of demeter-fetch, to one Log.

Called by `uniswap` with lines. What an event means belongs in `uniswap_v2` and `uniswap_v3`; here
are blocks, topics and the words of the data, each checked before anybody counts with it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from protocol.instruments import ADDRESS
from relays.adapters.adapter import Skipped
from relays.adapters.pools import number, row
from relays.adapters.text import MOST_UNSIGNED, events

WORD_DIGITS = 64
TOPIC = re.compile(rf"0x[0-9a-fA-F]{{{WORD_DIGITS}}}")
TOPICS = re.compile(rf"\[\s*(?:(['\"]){TOPIC.pattern}\1\s*(?:,\s*(?=['\"])|(?=\])))*\]")
DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,16}")
BAD_ABI = "bad_abi"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NS_PER_US, NS_PER_S = 1_000, 1_000_000_000
# The two layouts of demeter-fetch: as of one pool's logs, and beside those of the proxy contract.
LAYOUTS = (("log_index", "topics", "data"), ("pool_log_index", "pool_topics", "pool_data"))
BOTH_LAYOUTS = ("block_number", "block_timestamp")


class Log(NamedTuple):
    """One log: `received` is its block's time (ns since the epoch, 0 unknown), `address` and
    `topics` are lower case, `data` is `0x` and the hex digits of whole bytes."""

    received: int
    block: int
    log_index: int
    address: str
    topics: tuple[str, ...]
    data: str
    removed: bool = False


class JsonLogs:
    """Lines that are one log object of `eth_getLogs` each; numbers as int or 0x text.

    The time is that of `blockTimestamp`, which newer nodes give, else 0: nothing else in a log
    says it.
    """

    # Chosen blocks or a whole chain: nothing in such a file says whether logs between are missing.
    WITHOUT_HOLES = False

    def log(self, line: str) -> Log:
        """The log of a line. Raises Skipped: `blank`, `not_json`, `bad_log`, `bad_time`, `pending`
        (a log of no block yet)."""
        if not line.strip():
            raise Skipped("blank")
        entry = events(line)
        try:
            return _log(entry)
        except (KeyError, TypeError, ValueError):
            raise Skipped("bad_log") from None


class CsvLogs:
    """Lines of a file of demeter-fetch: a header, then a log of one pool each.

    The pool is not in the lines but in the file's name: `address`.
    """

    # A file has every log of the pool of a day.
    WITHOUT_HOLES = True

    def __init__(self, address: str) -> None:
        self._address = address.lower()
        self._places: list[int] = []
        self._width = 0

    def log(self, line: str) -> Log:
        """The log of a line. Raises Skipped: `blank`, `header`, `unknown_header`, `no_header`,
        `bad_row`, `bad_log`, `bad_time`."""
        cells = row(line)
        if not self._places:
            self._read_header(cells)
        if len(cells) != self._width:
            raise Skipped("bad_row")
        block, time, index, topics, data = (cells[place] for place in self._places)
        position = number(block), number(index)
        if min(position) < 0 or not TOPICS.fullmatch(topics) or not DATA.fullmatch(data):
            raise Skipped("bad_log")
        return Log(block_time(time), *position, self._address, _found(topics), data)

    def _read_header(self, cells: list[str]) -> None:
        if "block_number" not in cells:
            raise Skipped("no_header")
        for layout in LAYOUTS:
            columns = (*BOTH_LAYOUTS, *layout)
            if set(columns) <= set(cells):
                self._places = [cells.index(column) for column in columns]
                self._width = len(cells)
                raise Skipped("header")
        raise Skipped("unknown_header")


def block_time(text: str) -> int:
    """A block's time as text, UTC unless it says otherwise, in ns. Raises Skipped `bad_time`.

    >>> block_time("2022-01-05 00:00:02+00:00")
    1641340802000000000
    """
    try:
        time = datetime.fromisoformat(text)
        since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH
    except (ValueError, OverflowError):
        raise Skipped("bad_time") from None
    if since < timedelta(0):
        raise Skipped("bad_time")
    return _fits(since // MICROSECOND * NS_PER_US)


def words(log: Log, topics: int, data: int) -> tuple[list[int], list[int]]:
    """The topics after the first and the words of the data, as unsigned integers of 256 bits.

    Raises Skipped `bad_abi` unless there are so many of each.
    """
    if len(log.topics) != topics or len(log.data) != 2 + data * WORD_DIGITS:
        raise Skipped(BAD_ABI)
    starts = range(2, len(log.data), WORD_DIGITS)
    return (
        [int(topic, 16) for topic in log.topics[1:]],
        [int(log.data[start : start + WORD_DIGITS], 16) for start in starts],
    )


def unsigned(word: int, bits: int) -> int:
    """A word that must be a uint of so many bits. Raises Skipped `bad_abi`."""
    if word >> bits:
        raise Skipped(BAD_ABI)
    return word


def signed(word: int, bits: int) -> int:
    """A word that must be an int of so many bits, sign-extended. Raises Skipped `bad_abi`.

    >>> signed(2**256 - 5, 24)
    -5
    """
    value = word - (word >> 255 << 256)
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise Skipped(BAD_ABI)
    return value


def _log(entry: Any) -> Log:
    address, data, topics = entry["address"], entry["data"], entry["topics"]
    removed = entry.get("removed", False)
    if not ADDRESS.fullmatch(address) or not DATA.fullmatch(data) or type(removed) is not bool:
        raise ValueError(entry)
    if not isinstance(topics, list) or not all(map(TOPIC.fullmatch, topics)):
        raise ValueError(topics)
    if entry["blockNumber"] is None:
        raise Skipped("pending")
    time = entry.get("blockTimestamp")
    return Log(
        0 if time is None else _fits(_quantity(time) * NS_PER_S),
        _quantity(entry["blockNumber"]),
        _quantity(entry["logIndex"]),
        address.lower(),
        tuple(map(str.lower, topics)),
        data,
        removed,
    )


def _quantity(value: object) -> int:
    if isinstance(value, str) and QUANTITY.fullmatch(value):
        return int(value, 16)
    if type(value) is not int or not 0 <= value <= MOST_UNSIGNED:
        raise ValueError(value)
    return value


def _found(topics: str) -> tuple[str, ...]:
    return tuple(topic.lower() for topic in TOPIC.findall(topics))


def _fits(time: int) -> int:
    if time > MOST_UNSIGNED:
        raise Skipped("bad_time")
    return time
