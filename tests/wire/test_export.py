"""alphapulse.h and alphapulse.rs: never stale, compiled without a warning, and of one mind with
Python about every field of every frame, sound or not."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from errno import EACCES, ELOOP
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from protocol.checksum import seal
from protocol.errors import ProtocolError
from protocol.export import LANGUAGES, committed, render
from protocol.export.facts import enumerations, extensions, messages, notes, snake
from protocol.header import HEADER_SIZE
from protocol.instruments import symbol_to_id
from protocol.message import REGISTRY, Message, catalogue, decode
from protocol.reject import Reject
from relays.cli import main
from tests.vectors import index, read
from tests.vectors.bad import all_bad
from tests.vectors.make import classes
from tests.wire.native.programs import (
    compile_c,
    compile_rust,
    compiler,
    expected,
    feed,
    run,
)

INDEX = index()
VALID = [read(entry) for entry in INDEX["valid"]]
# What the read functions of both languages answer for what is wrong with tails.
FAULTS = {"tails": "read -2", "text": "read -3", "tlv": "read -4"}
# Fields as the structs have them: a pad has a name there.
NAMED = {f"invalid/{bad.name}.bin": bad.named for bad in all_bad(classes())}
NOT_LOOKED_AT = {"json", "rule"}
MUTANTS = 3_000


class Program(NamedTuple):
    """A compiled program, and where it may write."""

    path: Path
    folder: Path

    def says(self, frames: list[bytes]) -> tuple[list[str], list[bytes]]:
        said, made = feed(self.path, frames, self.folder / "again")
        assert len(said) == len(made) == len(frames)
        return said, made


def _needed(name: str) -> str:
    found = compiler(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("c")
    return Program(compile_c(folder, _needed("gcc"), ["-std=c11"]), folder)


@pytest.fixture(scope="module")
def in_rust(tmp_path_factory: pytest.TempPathFactory) -> Program:
    folder = tmp_path_factory.mktemp("rust")
    return Program(compile_rust(folder, _needed("rustc")), folder)


@pytest.fixture(params=["in_c", "in_rust"])
def program(request: pytest.FixtureRequest) -> Program:
    found: Program = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_committed_file_is_not_stale(language: str) -> None:
    path = committed(language)
    assert path.read_text() == render(language), f"relays export {language} -o {path}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_the_catalogue_is_left_out(language: str) -> None:
    text = render(language)
    assert [part.title for part in messages()] == [cls.__name__ for cls in classes()]
    prefix = {"c": "typedef struct ap_", "rust": "    "}[language]
    for part in messages() + extensions():
        name = part.name if language == "c" else f"{part.title}, {part.size} bytes"
        assert f"{prefix}{name} {{" in text or not part.fixed
    for name in enumerations():
        wanted = f"enum ap_{snake(name)} {{" if language == "c" else f"    {name}: u"
        assert wanted in text


def test_no_two_things_have_one_name() -> None:
    titles = [part.title for part in messages() + extensions()] + list(enumerations())
    assert len(titles) == len(set(titles))
    assert len({snake(title) for title in titles}) == len(titles)


def test_a_class_that_a_program_adds_is_not_exported() -> None:
    before = render("c")

    class Mine(Message, type=231, version=1):
        """Nobody else's."""

    try:
        assert catalogue()[231, 1] is Mine
        assert Mine.__name__ not in [part.title for part in messages()]
        assert render("c") == before
    finally:
        del REGISTRY[231, 1]


def test_every_reject_says_what_it_means() -> None:
    assert set(notes(Reject)) == set(map(int, Reject))


def test_another_language_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ProtocolError, match="expected c or rust, got 'cobol'"):
        render("cobol")


def test_a_frame_is_the_same_to_every_field_and_byte(program: Program) -> None:
    said, made = program.says(VALID)
    for entry, frame, text in zip(INDEX["valid"], VALID, said, strict=True):
        message = decode(frame)
        assert isinstance(message, Message)
        assert text == expected(message), entry["file"]
    assert made == VALID


def test_frames_go_from_python_through_c_and_rust_to_python(
    in_c: Program, in_rust: Program
) -> None:
    _, from_c = in_c.says(VALID)
    _, from_rust = in_rust.says(from_c)
    for frame, again in zip(VALID, from_rust, strict=True):
        message, came = decode(frame), decode(again)
        assert isinstance(message, Message)
        assert isinstance(came, Message)
        assert came.values() == message.values()
        assert again == frame


def test_the_header_is_c_plus_plus_too(tmp_path: Path) -> None:
    made = compile_c(tmp_path, _needed("g++"), ["-std=c++11", "-x", "c++"])
    _, again = Program(made, tmp_path).says(VALID)
    assert again == VALID


def test_an_opaque_frame_is_passed_on(program: Program) -> None:
    frames = [read(entry) for entry in INDEX["opaque"]]
    said, made = program.says(frames)
    assert said == ["check 0\nunknown"] * len(frames)
    assert made == frames


def test_an_invalid_frame_is_refused_for_its_reason(program: Program) -> None:
    frames = [read(entry) for entry in INDEX["invalid"]]
    said, _ = program.says(frames)
    for entry, text in zip(INDEX["invalid"], said, strict=True):
        assert _reason(entry) in text.split("\n"), entry["file"]


def _reason(entry: dict[str, Any]) -> str:
    """The line that says what is wrong with an invalid frame."""
    if "check" in entry:
        return f"check {entry['code']}"
    if entry["decode"] in NOT_LOOKED_AT:
        return "read 0"
    return FAULTS.get(entry["decode"], f"wrong {NAMED[entry['file']]}")


def test_damaged_frames_are_read_alike_and_nothing_is_read_beyond_them(
    in_c: Program, in_rust: Program
) -> None:
    """The C program is compiled with sanitizers where they are, the Rust one checks bounds."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    frames = list(_mutants(random.Random(seed)))
    said, made = in_c.says(frames)
    assert (said, made) == in_rust.says(frames)
    for frame, text, again in zip(frames, said, made, strict=True):
        said_by_python = _expected(frame)
        if said_by_python is not None:
            assert text == said_by_python
            assert again == frame


def _mutants(source: random.Random) -> Iterator[bytes]:
    """Sound frames with some bytes of the payload changed, cut or added, and sealed again."""
    for _ in range(MUTANTS):
        frame = bytearray(source.choice(VALID))
        for _ in range(source.randrange(1, 4)):
            if len(frame) > HEADER_SIZE:
                frame[source.randrange(HEADER_SIZE, len(frame))] = source.randrange(256)
        if source.random() < 0.3:
            size = source.randrange(HEADER_SIZE, len(frame) + 40)
            frame = (frame + bytes(40))[:size]
        frame[8:12] = (len(frame) - HEADER_SIZE).to_bytes(4, "little")
        seal(frame)
        yield bytes(frame)


def _expected(frame: bytes) -> str | None:
    """What to say about a frame; None for one, or for a TLV in it, that Python refuses."""
    try:
        message = decode(frame)
        return expected(message) if isinstance(message, Message) else None
    except ProtocolError:
        return None


def test_the_helpers_of_the_header_do_what_they_say(in_c: Program) -> None:
    said = run([str(in_c.path)]).decode().splitlines()
    id_ = symbol_to_id("BTCUSDT")
    assert said == [
        "crc cbf43926",
        "parts cbf43926",
        f"symbol {id_} BTCUSDT",
        "none 0 0",
        "wide 1",
        "negative 1",
        "name Trade 1",
        "faults BAD_TAILS TRUNCATED UNKNOWN",
    ]


def test_the_helpers_of_the_module_do_what_they_say(in_rust: Program) -> None:
    said = run([str(in_rust.path)]).decode().splitlines()
    id_ = symbol_to_id("BTCUSDT")
    assert said == [
        "crc cbf43926",
        "parts cbf43926",
        f"symbol {id_} BTCUSDT",
        "none None None",
        "names BAD_MAGIC Reject(99)",
        "error TRUNCATED",
        "walk [Err(Rejected(BAD_MAGIC))]",
    ]


def _ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["export", *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_the_command_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended("rust") == 0
    assert capsys.readouterr().out == render("rust")
    assert _ended("c", "-o", "-") == 0
    assert capsys.readouterr().out == render("c")


def test_the_command_puts_a_whole_file_in_place(tmp_path: Path) -> None:
    path = tmp_path / "alphapulse.h"
    path.write_text("what was there")
    was = path.stat().st_ino
    assert _ended("c", "-o", str(path)) == 0
    assert path.read_text() == render("c")
    assert path.stat().st_ino != was, "written into the file that somebody may be reading"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & 0o444


def test_the_command_follows_a_link_and_writes_into_what_is_no_file(tmp_path: Path) -> None:
    path, link = tmp_path / "real.h", tmp_path / "link.h"
    link.symlink_to(path)
    assert _ended("c", "-o", str(link)) == 0
    assert link.is_symlink()
    assert path.read_text() == render("c")
    assert _ended("c", "-o", "/dev/null") == 0


def test_check_says_whether_a_copy_is_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alphapulse.rs"
    path.write_text(render("rust").replace("pub const MAGIC", "pub const MAGIK"))
    assert _ended("rust", "--check", "-o", str(path)) == 1
    assert f"{path} is stale from line " in capsys.readouterr().err
    path.write_text(render("rust"))
    assert _ended("rust", "--check", "-o", str(path)) == 0
    assert _ended("rust", "--check") == 0


def test_a_file_that_cannot_be_written_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "no" / "alphapulse.h"
    assert _ended("c", "-o", str(nowhere)) == os.EX_CANTCREAT
    said = capsys.readouterr().err
    assert said == f"relays: {nowhere} cannot be written: No such file or directory\n"
    assert _ended("c", "-o", str(tmp_path)) == os.EX_CANTCREAT
    assert capsys.readouterr().err == f"relays: {tmp_path} cannot be written: Is a directory\n"


def test_a_file_that_may_not_be_written_is_not_permitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(EACCES, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    path = tmp_path / "alphapulse.h"
    assert _ended("c", "-o", str(path)) == os.EX_NOPERM
    assert capsys.readouterr().err == f"relays: {path} cannot be written: Permission denied\n"


def test_links_in_a_ring_are_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "alphapulse.h", tmp_path / "other.h"
    path.symlink_to(other)
    other.symlink_to(path)
    assert _ended("c", "-o", str(path)) == os.EX_CANTCREAT
    said = capsys.readouterr().err
    assert said == f"relays: {path} cannot be written: {os.strerror(ELOOP)}\n"


def test_a_copy_that_cannot_be_read_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "alphapulse.h"
    assert _ended("c", "--check", "-o", str(nowhere)) == os.EX_NOINPUT
    said = capsys.readouterr().err
    assert said == f"relays: {nowhere} cannot be read: No such file or directory\n"


def test_a_language_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended("cobol") == os.EX_USAGE
    assert capsys.readouterr().err.count("\n") == 1
