"""Files of messages, speeds and merging, CSV: without a relay."""

from __future__ import annotations

import gzip
import io
import json
import random
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.as_json import dump
from protocol.catalogue import SourceType
from protocol.control import Ack
from protocol.errors import ProtocolError
from protocol.header import Header
from protocol.instruments import InstrumentId, VenueId
from protocol.market_data import BookKind, OrderBook, Side, Trade
from protocol.message import Message, Unknown, decode
from protocol.tails import Level
from relays.cli.playing.csv_messages import csv_frames
from relays.cli.playing.message_files import CHUNK, Entry, MessageFile, frames, json_lines
from relays.cli.playing.pacing import Pace, Speed, merged
from relays.cli.playing.sending import Origin, Sources
from relays.errors import RelayError
from tests.wire.strategies import ANY_MESSAGE

BTC = InstrumentId.spot(VenueId.BINANCE, "BTCUSDT")
NOON = 1_700_000_000_000_000_000


def trades(count: int) -> list[bytes]:
    return [
        Trade(BTC, price=n, volume=1).frame(sequence=n, timestamp=NOON + n, source=2)
        for n in range(1, count + 1)
    ]


class Slow(io.BytesIO):
    """Gives as few bytes at a time as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self.step = step

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(min(self.step, size or CHUNK))


# --- frames ---


@pytest.mark.parametrize("step", [1, 31, 33, 1000, 1 << 20])
@pytest.mark.parametrize("most", [1, 3, 1000])
def test_frames_are_the_same_however_the_bytes_come(step: int, most: int) -> None:
    made = trades(20)
    found = list(frames(Slow(b"".join(made), step), most))
    assert b"".join(entry.frame for entry in found) == b"".join(made)
    assert sum(entry.many for entry in found) == 20
    first = 1
    for entry in found:
        assert (entry.number, entry.time) == (first, NOON + first)
        first += entry.many


@pytest.mark.parametrize("most", [1, 1000])
def test_a_damaged_frame_is_said_with_its_number_and_the_rest_goes_on(most: int) -> None:
    made = trades(5)
    bad = bytearray(made[2])
    bad[50] ^= 1
    found = list(frames(io.BytesIO(b"".join([*made[:2], bytes(bad), *made[3:]])), most))
    assert [(entry.number, bool(entry.wrong)) for entry in found] == [
        (1, False), (2, False), (3, True), (4, False), (5, False)
    ]  # fmt: skip
    assert "checksum" in found[2].wrong


def test_what_is_no_frame_ends_the_file_with_its_place() -> None:
    made = trades(2)
    *_, last = frames(io.BytesIO(b"".join(made) + bytes(64) + made[0]))
    assert last.number == 3
    assert "byte 128" in last.wrong
    *_, last = frames(io.BytesIO(b"".join(made)[:-1]))
    assert last == Entry(2, b"", 0, "cut short after 63 bytes, at byte 64")


def test_a_control_frame_in_a_file_does_not_end_it() -> None:
    made = trades(2)
    data = made[0] + Ack(1, 1).frame() + Ack(2, 2).frame() + made[1]
    assert [entry.number for entry in frames(io.BytesIO(data), 10)] == [1, 2, 3, 4]


def test_the_kind_of_a_file_is_told_by_its_name_or_its_beginning(tmp_path: Path) -> None:
    made = trades(3)
    line = dump(Trade(BTC, price=1, volume=1)) + "\n"
    written = {
        "a.frames": b"".join(made), "a": b"".join(made), "a.jsonl": line.encode(),
        "b": b"\n" + line.encode(), "c": b"type,price\n",
    }  # fmt: skip
    for name, data in written.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    counts = {name: len(entries(tmp_path / name)) for name in written}
    assert counts == {"a.frames": 3, "a": 3, "a.jsonl": 1, "b": 1, "c": 0}
    assert all(len(entries(tmp_path / f"{n}.gz")) == count for n, count in counts.items())


def entries(path: Path, kind: str | None = None) -> list[Entry]:
    file = MessageFile(str(path), kind=kind)
    try:
        return list(file.entries())
    finally:
        file.close()


def test_a_file_that_cannot_be_read_has_an_exit_code(tmp_path: Path) -> None:
    with pytest.raises(RelayError) as caught:
        MessageFile(str(tmp_path / "none"))
    assert caught.value.exit_code == 66
    (tmp_path / "cut.frames.gz").write_bytes(gzip.compress(b"".join(trades(9)))[:-9])
    (tmp_path / "bare.csv").write_text("price\n5\n")
    for name in ("cut.frames.gz", "bare.csv"):
        with pytest.raises(RelayError) as caught:
            entries(tmp_path / name)
        assert caught.value.exit_code == 65


# --- JSON ---


@given(message=ANY_MESSAGE)
def test_every_message_comes_back_from_a_line_of_json(message: Message) -> None:
    (entry,) = json_lines(io.BytesIO(dump(message).encode()))
    assert entry.wrong == ""
    assert decode(entry.frame) == message


def test_what_tap_writes_around_a_message_is_understood() -> None:
    header = {"source": 2, "flags": 32, "timestamp": str(NOON), "sequence": "5"}
    around = {"position": 7, "replayed": True, "header": header, "instruments": {}, "frame": "0x"}
    made = around | json.loads(dump(Trade(BTC, price=1, volume=1)))
    unknown = {"type": 19, "version": 4, "payload": "0x0102", "header": header}
    lines = "\n".join(map(json.dumps, (made, unknown)))
    first, second = json_lines(io.BytesIO(lines.encode()))
    assert Header.unpack(first.frame)[2:5] == (1, 2, 32)
    assert (first.time, second.time) == (NOON, NOON)
    assert decode(second.frame) == Unknown(19, 4, b"\x01\x02")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "JSON"),
        ("[]", "object"),
        ("{}", "type"),
        ('{"type": 1, "version": 1, "fields": {}}', "instrument_id"),
        ('{"gap": {"count": "5"}}', "gap"),
        ('{"type": 1, "version": 1, "payload": "zz"}', "payload"),
        ('{"type": 500, "version": 1, "payload": "0x"}', "header"),
        ('{"type": 1, "version": 1, "payload": "0x", "header": {"source": "x"}}', "header"),
        ('{"type": 1, "version": 1, "payload": "0x", "header": 5}', "header"),
        ("\x00\xff", "JSON"),
    ],
)
def test_a_line_that_is_no_message_says_why_and_its_number(line: str, said: str) -> None:
    entry = next(json_lines(io.BytesIO(f"\n\n{line}\n".encode("latin-1"))))
    assert (entry.number, entry.frame) == (3, b"")
    assert said in entry.wrong


# --- CSV ---


def rows(text: str, type_name: str = "", *, decimal: bool = False) -> list[tuple[int, object]]:
    """Line and message, or line and what is wrong."""
    found = csv_frames(io.BytesIO(text.encode()), type_name, decimal)
    return [(line, wrong or decode(frame)) for line, frame, _, wrong in found]


def test_a_csv_of_one_type() -> None:
    text = "instrument_id,price,volume,side\nbinance:spot:BTC-USDT,100,5,BUY\n\n"
    text += f"{BTC.to_bytes().hex()},-7,5,2\n"
    assert rows(text, "trade") == [
        (2, Trade(BTC, price=100, volume=5, side=Side.BUY)),
        (4, Trade(BTC, price=-7, volume=5, side=Side.SELL)),
    ]


def test_a_csv_of_several_types_and_what_goes_into_the_header() -> None:
    text = (
        "type,timestamp,source,priority,instrument_id,price,volume,kind,book_sequence,bids,asks\n"
        f"Trade,{NOON},kraken_collector,3,binance:spot:BTCUSDT,1,2,,,,\n"
        'order_book,,,,binance:spot:BTCUSDT,,,DELTA,9,"[[""5"",""1""]]",[]\n'
    )
    found = list(csv_frames(io.BytesIO(text.encode())))
    header = Header.unpack(found[0][1])
    assert (header.timestamp, header.source, header.priority) == (NOON, 2, 3)
    assert Header.unpack(found[1][1]).source == SourceType.EXTERNAL
    book = OrderBook(BTC, BookKind.DELTA, 9, bids=(Level(5, 1),), asks=())
    assert [decode(frame) for _, frame, _, _ in found] == [Trade(BTC, price=1, volume=2), book]


def test_a_column_that_is_no_field_is_refused_with_the_name_that_may_be_meant() -> None:
    with pytest.raises(ProtocolError, match=r"'instrument'.*did you mean instrument_id\?"):
        list(csv_frames(io.BytesIO(b"instrument,price\n1,2\n"), "trade"))


def test_decimal_cells_are_exact_or_refused() -> None:
    text = "instrument_id,price,volume\nbinance:spot:BTCUSDT,{},1\n"
    (line, found) = rows(text.format("61234.50000001"), "1", decimal=True)[0]
    assert (line, found) == (2, Trade(BTC, price=6_123_450_000_001, volume=100_000_000))
    for cell in ("0.000000001", "x", "NaN", "1e99999999"):
        assert "trade.price" in str(rows(text.format(cell), "1", decimal=True)[0][1])
    assert "--decimal" in str(rows(text.format("1.5"), "1")[0][1])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("binance:spot:BTCUSDT,1", "cells"),
        ("mars:spot:BTCUSDT,1,1,BUY", "mars"),
        ("binance:spot:BTCUSDT,1,-1,BUY", "trade.volume"),
        ("binance:spot:BTCUSDT,,1,BUY", "trade.price"),
        ("binance:spot:BTCUSDT,1,1,UP", "trade.side"),
        ('binance:spot:BTCUSDT,1,1,"B"UY', "CSV"),
    ],
)
def test_a_row_that_is_no_message_says_why_and_its_line(row: str, said: str) -> None:
    text = f"instrument_id,price,volume,side\n{row}\nbinance:spot:BTCUSDT,1,1,BUY\n"
    (line, wrong), good = rows(text, "trade")
    assert line == 2
    assert said in str(wrong)
    assert good == (3, Trade(BTC, price=1, volume=1, side=Side.BUY))


# --- time ---


@pytest.mark.parametrize(
    "text", ["0", "-1", "x", "", "1/h", "0/s", "inf", "1e3", "1k", "/s", "max/s"]
)
def test_a_speed_that_is_none_is_refused_with_the_ways_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="1000/s"):
        Speed.parse(text)


def test_recorded_timing_is_scaled_and_never_goes_back() -> None:
    times = [NOON, NOON + 1000, NOON + 500, NOON + 4000]
    for text, expected in (("1", [0, 1000, 1000, 4000]), ("4", [0, 250, 250, 1000])):
        pace = Pace(Speed.parse(text), now=70)
        assert [pace.due(time) - 70 for time in times] == expected


def test_a_rate_spreads_messages_evenly_whatever_their_times() -> None:
    pace = Pace(Speed.parse("1000/s"), now=5)
    assert [pace.due(0) for _ in range(3)] == [5, 1_000_005, 2_000_005]
    assert pace.due(0, many=10) == 3_000_005
    assert pace.due(0) == 13_000_005


class At(NamedTuple):
    file: int
    time: int


@given(st.lists(st.lists(st.integers(0, 20), max_size=8), max_size=4))
def test_merging_keeps_each_file_in_order_and_all_by_time(files: list[list[int]]) -> None:
    named = [[At(number, time) for time in times] for number, times in enumerate(files)]
    found = list(merged(named))
    for number, items in enumerate(named):
        assert [one for one in found if one.file == number] == items
    if all(times == sorted(times) for times in files):
        assert [one.time for one in found] == sorted(one.time for one in found)


def test_where_a_message_came_from_is_known_until_it_is_answered_for() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    known, expected, sequence = Sources(), dict[int, Origin](), 100
    for _ in range(200):
        origin, many = Origin(source.randrange(2), source.randrange(50)), source.randint(1, 5)
        known.add(sequence, origin, many)
        for n in range(many):
            expected[sequence + n] = Origin(origin.file, origin.number + n)
        sequence += many
    assert all(known.of(one) == origin for one, origin in expected.items())
    known.answered(300)
    assert all(known.of(one) == origin for one, origin in expected.items() if one > 300)
    known.answered(sequence)
    assert known.of(sequence - 1) is None
