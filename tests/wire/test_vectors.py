"""The golden vectors: what is on disk is what the code makes, and what the code understands."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from protocol import scan as readable
from protocol._core import scan as compiled
from protocol.as_json import load
from protocol.control import Error
from protocol.errors import ChecksumError, FieldError, HeaderError, ProtocolError, SchemaError
from protocol.fields import Field
from protocol.header import HEADER_SIZE, Header
from protocol.message import Unknown, decode, find, sizes
from protocol.reject import Reject
from tests.daemon.fake_edge import World
from tests.harness import split
from tests.vectors import FOLDER, MAX_PAYLOAD, index, read
from tests.vectors.bad import all_bad
from tests.vectors.make import classes, differences
from tests.vectors.streams import RULES
from tests.vectors.values import FILLS

INDEX = index()
# What a frame causes by itself, without anybody's lists, queues or state of draining.
BY_FRAMES = set(map(int, Reject)) - set(range(12, 19))
RAISED: dict[str, tuple[type[ProtocolError], ...]] = {
    "BAD_MAGIC": (HeaderError,),
    "PAYLOAD_TOO_LARGE": (HeaderError,),
    "BAD_SIZE": (SchemaError, HeaderError),
    "BAD_CHECKSUM": (ChecksumError,),
    "TRUNCATED": (HeaderError,),
}
# Which field Python names where a message must not be decoded; other implementations need not.
NAMED = {f"invalid/{bad.name}.bin": bad.named for bad in all_bad(classes())}
OPEN = RULES | {"last_type": 255}
FRONTS = pytest.mark.parametrize("front", [readable, compiled], ids=["readable", "compiled"])


def each(part: str, session: bool | None = None) -> pytest.MarkDecorator:
    """Once for every entry of a part of the index; of streams those with or without a session."""
    entries = [
        one
        for one in INDEX[part]
        if session is None or one["rules"].get("session", False) == session
    ]
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry["file"])


def test_the_vectors_on_disk_are_those_that_the_code_makes() -> None:
    assert differences() == [], "python -m tests.vectors.make; may they change? README.md"


def test_every_type_and_version_has_its_vectors() -> None:
    there = {(one["name"], one["file"].rpartition("_")[2]) for one in INDEX["valid"]}
    always = [case for case in FILLS if case != "minimum"]
    wanted = {(cls.__name__, f"{case}.bin") for cls in classes() for case in always}
    assert wanted <= there


def test_every_reject_that_a_frame_can_cause_has_a_vector() -> None:
    alone = {one["code"] for one in INDEX["invalid"] if "check" in one}
    together = {reject["code"] for one in INDEX["streams"] for reject in one["rejects"]}
    assert alone | together == BY_FRAMES


def test_every_field_that_has_rules_has_a_vector_that_breaks_them() -> None:
    broken = {one["file"] for one in INDEX["invalid"]}
    for cls in classes():
        title = f"{cls.__name__.removesuffix(f'V{cls.VERSION}')}_v{cls.VERSION}"
        for field in cls.FIELDS:
            if field.kind == "pad" or field.enum or field.flags or field.declared.within:
                assert f"invalid/{title}_{field.name.strip('_')}.bin" in broken


@each("valid")
def test_a_valid_frame_is_its_message(entry: dict[str, Any]) -> None:
    frame = read(entry)
    message = load((FOLDER / entry["json"]).read_text())
    assert type(message).__name__ == entry["name"]
    assert decode(frame) == message
    stamp = int(entry["sequence"]), int(entry["timestamp"]), entry["source"], entry["flags"]
    assert message.frame(*stamp) == frame


@each("valid")
def test_the_index_says_what_is_in_the_header(entry: dict[str, Any]) -> None:
    head = Header.unpack(read(entry))
    assert (head.message_type, head.version) == (entry["type"], entry["version"])
    assert (head.payload_size, head.checksum) == (entry["payload_size"], entry["checksum"])


@each("opaque")
def test_an_opaque_frame_is_passed_on(entry: dict[str, Any]) -> None:
    frame, payload = read(entry), bytes.fromhex(entry["payload"][2:])
    assert decode(frame) == Unknown(entry["type"], entry["version"], payload)
    assert alone(readable, frame) == alone(compiled, frame) == 0


@each("invalid")
def test_an_invalid_frame_is_an_error_that_names_the_field(entry: dict[str, Any]) -> None:
    frame = read(entry)
    with pytest.raises(ProtocolError) as raised:
        decode(frame)
    if "check" in entry:
        assert isinstance(raised.value, RAISED[entry["check"]])
        return
    cls = find(frame[4], frame[5])
    assert cls
    assert type(raised.value) is FieldError
    assert raised.value.what == f"{cls.label()}.{NAMED[entry['file']]}"


@each("invalid")
def test_an_invalid_frame_has_either_a_check_or_what_must_not_be_decoded(
    entry: dict[str, Any],
) -> None:
    found = set(entry) - {"file", "says"}
    assert found in ({"check", "code"}, {"decode", "field"})


@each("invalid")
def test_the_field_of_an_invalid_frame_is_one_of_the_specification(entry: dict[str, Any]) -> None:
    if "decode" in entry:
        cls = find(*read(entry)[4:6])
        assert cls
        names = {"pad" if field.kind == "pad" else field.name for field in cls.FIELDS}
        assert entry["field"] in names


@each("invalid")
def test_no_other_field_of_an_invalid_frame_is_altered(entry: dict[str, Any]) -> None:
    frame = read(entry)
    if entry.get("decode") not in ("field", "tails"):
        return
    cls = find(frame[4], frame[5])
    assert cls
    title = entry["file"].split("/")[1].split("_v")[0]
    sound = FOLDER.joinpath(f"valid/{title}_v{cls.VERSION}_typical.bin").read_bytes()
    if len(frame) == len(sound):
        altered = {
            "pad" if field.kind == "pad" else field.name
            for field in cls.FIELDS
            if field.wire and _of(frame, field) != _of(sound, field)
        }
        assert altered == {entry["field"]}


def _of(frame: bytes, field: Field) -> bytes:
    return frame[HEADER_SIZE + field.offset :][: field.size]


def test_the_readme_says_what_every_entry_may_have() -> None:
    text = (FOLDER / "README.md").read_text()
    words = {word for one in INDEX["invalid"] for word in (*one, one.get("decode", "file"))}
    assert [word for word in sorted(words) if f"`{word}`" not in text] == []


@FRONTS
@each("invalid")
def test_a_scanner_finds_what_a_relay_refuses(front: ModuleType, entry: dict[str, Any]) -> None:
    code = alone(front, read(entry))
    # A scanner waits for the rest of a frame; what does not come is for the relay to notice.
    assert code == (0 if entry.get("check") == "TRUNCATED" else entry.get("code", 0))


@FRONTS
@each("streams", session=False)
def test_a_stream_is_judged_as_the_index_says(front: ModuleType, entry: dict[str, Any]) -> None:
    accepted, rejects = scanned(front, read(entry), entry["rules"])
    assert rejects == [reject["code"] for reject in entry["rejects"]]
    assert accepted == entry["accepted"]


@each("streams", session=True)
def test_a_relay_judges_sessions_as_the_index_says(entry: dict[str, Any]) -> None:
    world = World(validate_checksums=True, max_payload=MAX_PAYLOAD, log_bytes=1 << 20)
    _, sock = world.connect()
    world.send(sock, read(entry))
    answers = [decode(frame) for frame in split(bytes(sock.got))]
    errors = [answer.code for answer in answers if isinstance(answer, Error)]
    assert errors == [reject["code"] for reject in entry["rejects"]]
    assert sock.closed == entry["closed"]
    assert world.state.end_position == entry["accepted"]


def alone(front: ModuleType, frame: bytes) -> int:
    """The Reject that one frame gets by itself; 0 for none, and for one that is not whole."""
    _, rejects = scanned(front, frame, OPEN)
    codes = [code for code in rejects if code != Reject.TRUNCATED]
    assert len(codes) < 2
    return codes[0] if codes else 0


def scanned(front: ModuleType, data: bytes, asked: dict[str, Any]) -> tuple[int, list[int]]:
    """How many frames a scanner accepts of a connection's bytes, and the rejects, in order."""
    bounds = asked["first_type"], asked["last_type"], asked["max_payload"]
    rules = front.Rules(asked["checksums"], asked["strict"], *bounds, sizes())
    window = bytearray(readable.WINDOW * 8)
    track = front.Track(identified=asked["identified"], sources=asked["sources"], window=window)
    buffer, tally = bytearray(data), front.Tally()
    at = accepted = 0
    rejects: list[int] = []
    code = int(front.STOP_CONTROL)
    while code == front.STOP_CONTROL:
        code = front.scan(buffer, 0, at, len(buffer), rules, track, tally, 1000)
        at, accepted = tally.src, accepted + tally.accepted
        rejects += [offence[0] for offence in tally.offences_kept()]
    if code == 0 and at < len(buffer):
        rejects.append(int(Reject.TRUNCATED))
    return accepted, rejects
