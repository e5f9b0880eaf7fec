"""What is in a journal, put into words: for people, for a pipe, and as data for programs.

Called by `relays journal ls`, `verify` and `who`. Nothing is read here but what a catalogue and its
recovery say.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from protocol.catalogue import source_name, type_name
from protocol.header import HEADER_SIZE, Header
from relays.cli.common.screen import Screen
from relays.cli.looking.words import words
from relays.cli.tapping.show_message import iso
from relays.core.journal.catalogue import Catalogue, Unreadable
from relays.core.journal.reading import Fault
from relays.core.journal.records import ENDLESS, Segment
from relays.core.journal.recovery import Recovered

Data = dict[str, Any]


# --- a journal ---


def described(name: str, folder: Path, catalogue: Catalogue, found: Recovered) -> Data:
    """Everything about a journal. Positions are numbers, times ns, sizes bytes."""
    faults = [*found.damage, *([found.torn] if found.torn else [])]
    wrong = {fault.file for fault in faults}
    return {
        "domain": name,
        "folder": str(folder),
        "oldest": found.oldest,
        "end": found.position,
        "synced": found.synced,
        "chain": f"{found.chain:08x}",
        "producers": len(found.producers),
        "bytes": sum(file.size for file in catalogue.files),
        "logs": [
            {"log_id": f"{log.log_id:016x}", "begin": log.begin} for log in catalogue.lineage()
        ],
        "segments": [_row(file, found, file.name in wrong) for file in catalogue.files],
        "damage": [_fault(each) for each in found.damage],
        "torn": _fault(found.torn) if found.torn else None,
    }


def _row(file: Segment | Unreadable, found: Recovered, wrong: bool) -> Data:
    if isinstance(file, Unreadable):
        end = None if file.until == ENDLESS else file.until
        return {"file": file.name, "first": file.first, "end": end, "state": "unreadable"}
    state = "cut" if file.first > found.position else "damaged" if wrong else "good"
    if found.torn and found.torn.file == file.name and state == "damaged":
        state = "torn"
    end = max(min(file.until, found.position), file.first)
    return {
        "file": file.name,
        "first": file.first,
        "end": end,
        "state": state,
        "log_id": f"{file.header.log_id:016x}",
        "received_from_ns": _received(file, file.first),
        "received_to_ns": _received(file, end - 1),
        "frames_bytes": file.end().place - file.header.size,
        "bytes": file.size,
    }


def _received(segment: Segment, position: int) -> int:
    """When a message was received, ns; 0 where its record is not to be had."""
    with suppress(LookupError):
        return segment.find(position)[1].receive_ns
    return 0


def _fault(fault: Fault) -> Data:
    return {
        "file": fault.file,
        "place": fault.offset,
        "first": fault.first,
        "end": fault.end,
        "reason": fault.reason,
    }


def lines(data: Mapping[str, Any]) -> Iterator[str]:
    """A journal for a pipe: a line each for it, its logs, its files and what is wrong."""
    name = data["domain"] or "journal"
    listed = ("logs", "segments", "damage", "torn", "domain")
    yield f"{name} journal {words({k: v for k, v in data.items() if k not in listed})}"
    for log in data["logs"]:
        yield f"{name} log {words(log)}"
    for row in data["segments"]:
        yield f"{name} segment {words(_spelt(row))}"
    for fault in data["damage"]:
        yield f"{name} damage {words(_spelt(fault))}"
    if data["torn"]:
        yield f"{name} torn {words(_spelt(data['torn']))}"


def _spelt(row: Mapping[str, Any]) -> Data:
    """Times as text, and what nobody knows by that word."""
    return {
        key.removesuffix("_ns"): (iso(value) if value else "-")
        if key.endswith("_ns")
        else "unknown"
        if value is None
        else value
        for key, value in row.items()
    }


def show(data: Mapping[str, Any]) -> None:
    """A journal for people: a table of its files, and what is wrong."""
    console, end = Screen(), data["end"]
    title = f"{data['domain'] or 'journal'} in {data['folder']}"
    logs = len(data["logs"])
    facts = (
        f"{end - data['oldest']:,} messages, positions {data['oldest']} to {max(end - 1, 0)};"
        f" synced up to {data['synced']}; {logs} log{'s' if logs != 1 else ''};"
        f" {data['producers']:,} producers; {data['bytes']:,} bytes"
    )
    console.print(Text(title, "bold"))
    console.print(facts if data["segments"] else "no segments")
    if data["segments"]:
        console.print(_table(data["segments"]))
    for fault in data["damage"]:
        console.print(Text(f"damage: {sentence(fault)}", "bold red"))
    if data["torn"]:
        text = f"torn tail: {sentence(data['torn'])}; cut when a relay starts"
        console.print(Text(text, "yellow"))


def _table(rows: list[Data]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("first", "messages", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("received (UTC)")
    for row in rows:
        style = None if row["state"] == "good" else "red"
        table.add_row(str(row["first"]), *_cells(row), style=style)
    return table


def _cells(row: Data) -> tuple[str, str, str, str]:
    state, end = str(row["state"]), row["end"]
    many = "?" if end is None else f"{end - row['first']:,}"
    if state == "unreadable":
        return many, "?", state, "?"
    begun, ended = (
        iso(row[name])[:19].replace("T", " ") if row[name] else "-"
        for name in ("received_from_ns", "received_to_ns")
    )
    # The day is not said twice.
    shown = ended[11:] if begun[:10] == ended[:10] else ended
    return many, f"{row['frames_bytes']:,}", state, f"{begun} to {shown}"


def sentence(fault: Mapping[str, Any]) -> str:
    """What is wrong, where, and which positions that costs."""
    first, end = fault["first"], fault["end"]
    what = f"positions {first} to {'?' if end is None else end - 1} are lost"
    if end == first:
        what = f"before position {first}, which is there"
    return f"{fault['file']}, byte {fault['place']}: {fault['reason']}: {what}"


# --- who ---


def author(name: str, segment: Segment, position: int) -> Data:
    """Who wrote a message, and when. LookupError when there is no good record of it."""
    _, commit = segment.find(position)
    made: Data = {
        "domain": name,
        "position": position,
        "received_ns": commit.receive_ns,
        "uid": commit.uid,
        "user": _user(commit.uid),
        "pid": commit.pid,
        "connection": commit.connection,
        "producer_id": commit.producer_id,
        "log_id": f"{segment.header.log_id:016x}",
        "commit_first": commit.first_position,
        "commit_last": commit.end - 1,
        "commit_last_sequence": commit.last_sequence,
        "file": segment.name,
    }
    place = segment.header.file_place(segment.locate(position))
    header = Header.unpack(segment.source.read(place, HEADER_SIZE))
    return made | {
        "place": place,
        "type": type_name(header.message_type),
        "source": source_name(header.source),
        "sequence": header.sequence,
        "timestamp_ns": header.timestamp,
    }


def _user(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def author_line(data: Mapping[str, Any]) -> str:
    """Who, for a pipe."""
    return words(_spelt(data))


def author_text(data: Mapping[str, Any]) -> str:
    """Who, for a person."""
    user = f"{data['user']}, " if data["user"] else ""
    producer = f"producer {data['producer_id']}" if data["producer_id"] else "no producer_id"
    first, last = data["commit_first"], data["commit_last"]
    return "\n".join(
        (
            f"position {data['position']}: {data['type']} from {data['source']},"
            f" sequence {data['sequence']}, stamped {iso(data['timestamp_ns'])}",
            f"sent by     {user}uid {data['uid']}, pid {data['pid']},"
            f" connection {data['connection']}, {producer}",
            f"received    {iso(data['received_ns'])}, with positions {first} to {last}",
            f"written in  {data['file']}, byte {data['place']}, log {data['log_id']}",
        )
    )
