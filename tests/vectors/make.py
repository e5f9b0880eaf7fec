"""Writes the golden vectors: `python -m tests.vectors.make`, with `--check` only looks.

Run by hand after a declaration was added; a test runs it to see that nothing else changes. The
values are in `values`, `bad` and `streams`; here they only get into files. (README.md)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from protocol.as_json import dump
from protocol.header import Header
from protocol.message import CATALOGUE, Message, Unknown, catalogue
from tests.vectors import FOLDER, INDEX
from tests.vectors.bad import all_bad
from tests.vectors.streams import Stream, streams
from tests.vectors.values import BEGIN, Case, cases

GIVEN = {".bin", ".json"}


def files() -> dict[str, bytes]:
    """Every generated file by its path in the folder."""
    made: dict[str, bytes] = {}
    entries: dict[str, list[dict[str, Any]]] = {
        "valid": list(_valid(made)),
        "opaque": list(_opaque(made)),
        "invalid": list(_invalid(made)),
        "streams": [_stream(made, stream) for stream in streams()],
    }
    made[INDEX.name] = _lines(entries).encode()
    return made


def classes() -> list[type[Message]]:
    """The classes of the catalogue, without those that programs have added."""
    ours = {f"protocol.{name}" for name in CATALOGUE}
    return [cls for cls in catalogue().values() if cls.__module__ in ours]


def differences() -> list[str]:
    """The files that are not on disk as they would be written, and those that should not be."""
    made = files()
    there = {str(path.relative_to(FOLDER)): path for path in _there()}
    stale = [name for name, data in made.items() if name not in there]
    stale += [name for name in there if name not in made]
    return stale + [n for n in there if n in made and there[n].read_bytes() != made[n]]


def write() -> int:
    """Write what differs, remove what is left over; gives how many files that were."""
    made, changed = files(), differences()
    for name in changed:
        path = FOLDER / name
        if name in made:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(made[name])
        else:
            path.unlink()
    return len(changed)


def _valid(made: dict[str, bytes]) -> Iterator[dict[str, Any]]:
    for cls in classes():
        for case in cases(cls):
            title = f"valid/{_title(cls)}_{case.name}"
            made[f"{title}.bin"] = frame = case.message.frame(*case.stamp)
            made[f"{title}.json"] = f"{dump(case.message, indent=2)}\n".encode()
            yield _sound(title, frame, cls.__name__, case)


def _sound(title: str, frame: bytes, name: str, case: Case) -> dict[str, Any]:
    head = Header.unpack(frame)
    return {
        "file": f"{title}.bin",
        "json": f"{title}.json",
        "name": name,
        "type": head.message_type,
        "version": head.version,
        "source": head.source,
        "flags": head.flags,
        "payload_size": head.payload_size,
        "sequence": str(head.sequence),
        "timestamp": str(head.timestamp),
        "checksum": head.checksum,
        "says": case.says,
    }


def _opaque(made: dict[str, bytes]) -> Iterator[dict[str, Any]]:
    some = {
        "type_26": (Unknown(26, 1, b"of another release"), 0, "a type without a class"),
        "type_255": (Unknown(255, 255, b""), 0, "a custom type, nothing in it"),
        "Trade_v7": (Unknown(1, 7, bytes(40)), 0, "a version of Trade that is not known"),
        "Trade_v1_compressed": (Unknown(1, 1, b"\x1f"), 1, "compressed: its size is not looked at"),
        "Trade_v1_compressed_3": (Unknown(1, 1, bytes(32)), 3, "both bits of compression"),
    }
    for name, (message, flags, says) in some.items():
        made[f"opaque/{name}.bin"] = message.frame(7, BEGIN, 1, flags)
        kind, version, payload = message
        facts = {"type": kind, "version": version, "flags": flags, "payload": f"0x{payload.hex()}"}
        yield {"file": f"opaque/{name}.bin", **facts, "says": says}


def _invalid(made: dict[str, bytes]) -> Iterator[dict[str, Any]]:
    for bad in all_bad(classes()):
        made[f"invalid/{bad.name}.bin"] = bad.frame
        yield {"file": f"invalid/{bad.name}.bin", **bad.expect, "says": bad.says}


def _stream(made: dict[str, bytes], stream: Stream) -> dict[str, Any]:
    made[f"streams/{stream.name}.bin"] = stream.data
    return {
        "file": f"streams/{stream.name}.bin",
        "rules": stream.rules,
        "accepted": stream.accepted,
        "rejects": [{"name": code.name, "code": int(code)} for code in stream.rejects],
        "closed": stream.closed,
        "says": stream.says,
    }


def _title(cls: type[Message]) -> str:
    return f"{cls.__name__.removesuffix(f'V{cls.VERSION}')}_v{cls.VERSION}"


def _lines(entries: dict[str, list[dict[str, Any]]]) -> str:
    """JSON with one entry a line: short, and a difference shows what differs."""
    parts = (f'"{name}": [\n{_rows(rows)}\n]' for name, rows in entries.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rows(rows: Iterable[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def _there() -> Iterator[Any]:
    return (path for path in FOLDER.rglob("*") if path.suffix in GIVEN)


def main(arguments: list[str]) -> int:
    """The command line: 1 when files differ and only looking was asked for."""
    if arguments == ["--check"]:
        stale = differences()
        print("\n".join(stale) or "up to date")
        return bool(stale)
    print(f"{write()} files written or removed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
