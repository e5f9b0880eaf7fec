"""`relays journal`: what it says of journals that are whole, torn or damaged, what it copies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from protocol.message import decode
from relays.cli.journaling.ranges import Span, parse
from relays.cli.journaling.telling import author_text
from tests.harness import RelayProcess, frame
from tests.journal.handmade import RECORD, Disk, Journal, Sent
from tests.journal.ran import Ran

BASE = 1_790_000_000 * 10**9
SECOND = 10**9
COMMAND = [sys.executable, "-m", "relays.cli", "journal"]


def made_of(count: int, lag: int = 2) -> Journal:
    """Commits of three Trades, a second apart, in segments of 64 KiB."""
    made = Journal()
    for n in range(count):
        frames = [frame(n * 3 + k + 1, timestamp=BASE + n * SECOND) for k in range(3)]
        made.commit(
            Sent(
                frames,
                producer_id=n % 2,
                last_sequence=n * 3 + 3,
                receive_ns=BASE + n * SECOND,
                synced=max(n - lag, 0) * 3,
                uid=os.getuid(),
            )
        )
    return made


def written(made: Journal, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, disk in made.files.items():
        (folder / name).write_bytes(disk.data)
    return folder


@pytest.fixture
def made(tmp_path: Path) -> tuple[Journal, Path]:
    journal = made_of(400)
    return journal, written(journal, tmp_path / "execution")


def test_ls_lists_segments_with_positions_and_times(made: tuple[Journal, Path], run: Ran) -> None:
    journal, folder = made
    (data,) = run.json("ls", "execution", "--dir", folder)
    assert (data["oldest"], data["end"], data["damage"], data["torn"]) == (0, 1200, [], None)
    assert [row["file"] for row in data["segments"]] == sorted(journal.files)
    first, last = data["segments"]
    assert (first["first"], first["end"]) == (0, last["first"])
    assert first["received_from_ns"] == BASE
    assert last["received_to_ns"] == BASE + 399 * SECOND
    assert first["frames_bytes"] + last["frames_bytes"] == 1200 * 64
    lines = run("ls", "execution", "--dir", folder).splitlines()
    assert [line.split()[1] for line in lines] == ["journal", "log", "segment", "segment"]


def test_ls_without_a_domain_lists_every_journal_of_a_directory(tmp_path: Path, run: Ran) -> None:
    written(made_of(10), tmp_path / "execution")
    written(made_of(5), tmp_path / "signals")
    found = run.json("ls", "--dir", tmp_path)
    assert {data["domain"]: data["end"] for data in found} == {"signals": 15, "execution": 30}
    (alone,) = run.json("ls", "--dir", tmp_path / "signals")
    assert (alone["domain"], alone["end"]) == ("", 15)


def test_the_journal_of_a_relay_is_found_by_its_configuration(tmp_path: Path, run: Ran) -> None:
    written(made_of(10), tmp_path / "journal" / "execution")
    (data,) = run.json("ls", "execution", "--runtime-dir", tmp_path)
    assert data["end"] == 30


def test_no_journal_is_said_in_a_line(tmp_path: Path, run: Ran) -> None:
    for words in (("ls",), ("cat", "execution"), ("verify", "signals"), ("who", "execution", 1)):
        run(*words, "--runtime-dir", tmp_path, code=66)
        assert run.err.startswith("relays: there is no journal in ")
        assert run.err.count("\n") == 1


def test_verify_names_file_place_and_positions_of_damage(
    made: tuple[Journal, Path], run: Ran
) -> None:
    journal, folder = made
    assert "damage" not in run("verify", "execution", "--dir", folder)
    hurt = journal.wrote[100]
    journal.files[hurt.file].data[hurt.place + 70] ^= 1
    written(journal, folder)
    (data,) = run.json("verify", "execution", "--dir", folder, code=65)
    (damage,) = data["damage"]
    assert damage["reason"] == "the checksum of the frames is not right"
    assert (damage["file"], damage["place"]) == (hurt.file, hurt.place)
    assert (damage["first"], damage["end"]) == (hurt.first, hurt.end)
    assert " damage file=" in run("verify", "execution", "--dir", folder, code=65)


def test_verify_checks_each_frame_where_the_relay_does(tmp_path: Path, run: Ran) -> None:
    journal = Journal()
    wrong = bytearray(frame(1))
    wrong[28] ^= 1
    journal.commit(Sent([bytes(wrong)]))
    journal.commit(Sent([frame(2)], synced=1))
    for name, code in (("execution", 65), ("market_data", 0)):
        written(journal, tmp_path / name)
        run("verify", name, "--dir", tmp_path, code=code)
    run("verify", "market_data", "--checksums", "--dir", tmp_path, code=65)


def test_a_torn_tail_is_told_and_is_no_damage(made: tuple[Journal, Path], run: Ran) -> None:
    journal, folder = made
    last = journal.wrote[-1]
    journal.files[last.file].data[last.place + 5] ^= 1
    written(journal, folder)
    for name in ("ls", "verify"):
        (data,) = run.json(name, "execution", "--dir", folder)
        assert data["torn"]["first"] == last.first == data["end"]
        assert data["damage"] == []
    run("cat", "execution", "last:6", "--dir", folder)
    assert run.err.startswith("relays: torn: ")


def test_a_broken_chain_between_segments_is_found_by_verify_alone(tmp_path: Path, run: Ran) -> None:
    journal = made_of(200)
    journal.chain ^= 1
    journal.begin()
    journal.commit(Sent([frame(1)], synced=600))
    folder = written(journal, tmp_path / "execution")
    run("ls", "execution", "--dir", folder)
    (data,) = run.json("verify", "execution", "--dir", folder, code=65)
    assert "chain" in data["damage"][0]["reason"]


def test_cat_shows_messages_as_tap_does(made: tuple[Journal, Path], run: Ran) -> None:
    _, folder = made
    lines = run("cat", "execution", "700..702", "--dir", folder).splitlines()
    assert [line.split()[1:3] for line in lines] == [[str(n), "trade"] for n in (700, 701, 702)]
    objects = run("cat", "execution", "last:2", "--json", "--dir", folder).splitlines()
    assert [msgspec.json.decode(line)["position"] for line in objects] == [1198, 1199]
    assert len(run("cat", "execution", "--count", 7, "--dir", folder).splitlines()) == 7
    assert (
        run("cat", "execution", "5", "--hex", "--dir", folder).splitlines()[1].startswith("  0000")
    )


def test_cat_by_time_shows_what_was_received_then(made: tuple[Journal, Path], run: Ran) -> None:
    _, folder = made
    # 1_790_000_000 is 2026-09-21T14:13:20Z.
    span = "2026-09-21T14:13:30..2026-09-21T16:13:32+02:00"
    objects = run("cat", "execution", span, "--json", "--dir", folder).splitlines()
    assert [msgspec.json.decode(line)["position"] for line in objects] == [30, 31, 32, 33, 34, 35]


def test_cat_goes_on_behind_damage_and_says_what_is_missing(
    made: tuple[Journal, Path], run: Ran
) -> None:
    journal, folder = made
    hurt = journal.wrote[2]
    journal.files[hurt.file].data[-RECORD * 3] ^= 1
    written(journal, folder)
    lines = run("cat", "execution", "0..11", "--dir", folder, code=65).splitlines()
    assert [int(line.split()[1]) for line in lines] == [0, 1, 2, 3, 4, 5, 9, 10, 11]
    assert "positions 6 to 8" in run.err
    run("cat", "execution", "9..11", "--dir", folder)
    assert len(run("cat", "execution", "6..9", "--dir", folder, code=65).splitlines()) == 1


def test_positions_that_are_not_there_are_said(made: tuple[Journal, Path], run: Ran) -> None:
    _, folder = made
    for words in (("cat", "execution", "1200"), ("who", "execution", 1200)):
        run(*words, "--dir", folder, code=66)
        assert "position 1200 is not in the journal, which has positions 0 to 1199" in run.err
    for wrong in ("7..5", "x", "1..y", "last:", "25:00..26:00"):
        run("cat", "execution", wrong, "--dir", folder, code=64)


def test_export_writes_the_frames_of_a_range_byte_for_byte(
    made: tuple[Journal, Path], run: Ran, tmp_path: Path
) -> None:
    journal, folder = made
    wanted = b"".join(each.sent.data for each in journal.wrote)
    file = tmp_path / "some.frames"
    run("export", "execution", "650..800", "-o", file, "--dir", folder)
    assert file.read_bytes() == wanted[650 * 64 : 801 * 64]
    run("export", "execution", "-o", file, "--dir", folder, code=64)
    run("export", "execution", "-o", file, "--force", "--dir", folder)
    assert file.read_bytes() == wanted


def test_who_says_what_the_kernel_said(made: tuple[Journal, Path], run: Ran) -> None:
    journal, folder = made
    data = run.json("who", "execution", 301, "--dir", folder)
    wrote = journal.wrote[100]
    assert (data["uid"], data["pid"], data["connection"]) == (os.getuid(), 77, 1)
    assert (data["producer_id"], data["received_ns"]) == (0, BASE + 100 * SECOND)
    assert (data["sequence"], data["commit_first"], data["commit_last"]) == (302, 300, 302)
    assert (data["file"], data["place"]) == (wrote.file, wrote.place + 64)
    assert "producer_id=1" in run("who", "execution", 303, "--dir", folder)
    assert "no producer_id" in author_text(data)


def test_who_of_a_damaged_record_is_unknown(made: tuple[Journal, Path], run: Ran) -> None:
    journal, folder = made
    journal.files[journal.wrote[0].file].data[-1] ^= 1
    written(journal, folder)
    run("who", "execution", 1, "--dir", folder, code=65)
    assert "damaged" in run.err


def test_a_whole_range_is_replayed_into_a_relay(tmp_path: Path, run: Ran) -> None:
    folder = written(made_of(300), tmp_path / "kept")
    (tmp_path / "run").mkdir()
    relay = RelayProcess("market_data", tmp_path / "run").start()
    try:
        with relay.client() as client:
            client.hello()
            run(
                *("replay", "market_data", "100..899", "--to", "market_data", "--speed", "max"),
                *("--recorded-times", "--dir", folder, "--runtime-dir", tmp_path / "run"),
            )
            assert "messages=800" in run.out
            got = [decode(raw) for raw in client.data(800)]
    finally:
        relay.clean()
    assert got == [decode(frame(n + 1)) for n in range(100, 900)]


def test_a_reader_that_leaves_ends_it_quietly(made: tuple[Journal, Path]) -> None:
    _, folder = made
    done = subprocess.run(
        f"{' '.join(COMMAND)} cat execution --dir {folder} | head -n 1",
        shell=True, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_it_is_shown_to_people(made: tuple[Journal, Path], run: Ran) -> None:
    journal, folder = made
    hurt = journal.wrote[-50]
    journal.files[hurt.file].data[hurt.place] ^= 1
    journal.files["00000000000000001200.segment"] = Disk(b"nothing")
    written(journal, folder)
    (data,) = run.json("ls", "execution", "--dir", folder, code=65)
    out = " ".join(run.shown(data).split())
    assert "1,200 messages, positions 0 to 1199" in out
    assert f"positions {hurt.first} to {hurt.end - 1} are lost" in out
    assert "unreadable" in out


def test_ranges_are_read_as_people_write_them() -> None:
    assert parse("..7") == Span(None, 7)
    assert parse("7..") == Span(7, None)
    assert parse("last:100").latest == 100
    assert parse("2026-01-31T09:00Z..").times
    assert parse("2026-01-31T10:00+01:00..") == parse("2026-01-31T09:00..")
