"""The command line of the bench: what it lists, what it refuses, and what `all` runs and writes.

The suites here are made up: that the real ones measure is shown beside each of them.
"""

import json
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from . import __main__ as command
from . import machine
from .bars import Judged
from .children import RunFailed
from .plots import Plot
from .runs import Load, _prefix, workspace
from .statistic import Interval
from .suite import Asked, Size, Suite
from .suites import ALL


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int | str | None, str]:
    """The exit code of a command line that is not run, and everything it said."""
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    out, err = capsys.readouterr()
    return ended.value.code, out + err


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_without_a_suite_each_is_listed_with_what_it_answers(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(words, capsys)
    assert code == 0
    words_said = " ".join(text.split())
    for suite in ALL:
        assert f" {suite.name} {suite.answers} ({suite.takes[0]}" in words_said
        assert "?" in suite.answers
        assert re.search(rf"^    {suite.name} +{suite.answers[:9]}", text, re.MULTILINE), text
        assert len(suite.answers) <= 80
    assert "examples:" in text


def test_an_option_that_a_suite_does_not_take_is_refused_with_those_that_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, text = said(["protocol", "--only", "relay"], capsys)
    assert code == 2
    assert "protocol does not take --only; it takes --count, --json, --pairs, --quick" in text
    assert said(["all", "--count", "7"], capsys)[0] == 2
    assert "invalid choice: '65'" in said(["peers", "--configuration", "65"], capsys)[1]


def test_in_a_run_of_all_each_suite_has_what_it_takes_as_it_is_by_default() -> None:
    arguments = command._arguments(["all", "--pairs", "7"])
    for suite in ALL:
        asked = suite.asked(arguments)
        assert asked.rounds == 7
        assert asked.load.window == Load(count=1).window
        for name in suite.options:
            assert hasattr(asked.options, name.removeprefix("--").replace("-", "_"))
    assert command._arguments(["relay"]).only is None


def counting(asked: Asked) -> dict[str, Any]:
    table = Table("counted", "rounds", "rows")
    table.add_row(f"{asked.count}", f"{asked.rounds}", ",".join(asked.rows))
    asked.show(table)
    figure = Interval(asked.count, asked.count - 1, asked.count + 1)
    bar = Judged("how many rows", "", figure, limit=6.5, larger=True).as_json()
    return {"rows": [asked.count], "settings": {"nobody": "a < b"}, "bars": [bar]}


def failing(asked: Asked) -> dict[str, Any]:
    raise RunFailed("a frame was <lost>")


def drawn(measured: Any) -> list[Plot]:
    values = [Interval(each, each - 1, each + 1) for each in measured["rows"]]
    return [Plot("a picture", "frames", ["here"], {"one": values, "none": [None]})]


def mistaken(asked: Asked) -> dict[str, Any]:
    raise KeyError(asked.count)


def half(asked: Asked) -> dict[str, Any]:
    return {"rows": [3], "failed": "y: nobody came"}


MADE_UP = {
    "half": Suite("half", "the first row", Size(1, 1), Size(5, 1), half),
    "mistaken": Suite("mistaken", "nothing either", Size(1, 1), Size(5, 1), mistaken),
    "failing": Suite("failing", "nothing", Size(1, 1), Size(1, 1), failing),
    "counting": Suite(
        "counting", "how many", Size(70, 3), Size(7, 2), counting, rows=("x", "y"), plots=drawn
    ),
}


def test_all_runs_every_suite_into_one_file_and_one_page_though_one_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "SUITES", MADE_UP)
    written, page = tmp_path / "all.json", tmp_path / "page"
    words = ["all", "--quick", "--json", str(written), "--report", str(page)]
    assert command.main(words) == 1
    out = capsys.readouterr().out
    assert "counting: how many" in out
    assert str(page / "index.html") in out
    made = json.loads(written.read_text())["suites"]
    assert made["mistaken"] == {"failed": "KeyError(5)"}
    assert made["failing"] == {"failed": "a frame was <lost>"}
    assert (made["half"]["rows"], made["half"]["failed"]) == ([3], "y: nobody came")
    assert made["counting"]["rows"] == [7]
    assert "│ 7       │ 2      │ x,y" in made["counting"]["tables"][0]
    html = (page / "index.html").read_text()
    assert html.count("<svg") == 1
    assert "<td>at least 6.5</td><td>7.00 [6.00 - 8.00]</td>" in html
    assert all(
        each in html
        for each in ("a frame was &lt;lost&gt;", "y: nobody came", "│ x,y", "a &lt; b", ">NO<")
    )
    again = tmp_path / "again"
    assert command.main(["report", str(written), "--report", str(again)]) == 0
    assert (again / "index.html").read_text() == html


def test_one_suite_has_the_sizes_and_rows_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SUITES", MADE_UP)
    written = tmp_path / "one.json"
    words = ["counting", "--configuration", "y", "--pairs", "5", "--json", str(written)]
    assert command.main(words) == 0
    table = json.loads(written.read_text())["suites"]["counting"]["tables"][0]
    assert "│ 70      │ 5      │ y " in table
    assert json.loads(written.read_text())["arguments"]["configuration"] == ["y"]


def test_a_page_says_what_was_asked_as_it_can_be_said_again_and_how_many_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "SUITES", MADE_UP)
    monkeypatch.setattr(machine, "commit", lambda root: "v9-3-gabcdef")
    rows = ["--configuration", "x", "--configuration", "y"]
    assert command.main(["counting", *rows, "--pairs", "1", "--report", str(tmp_path)]) == 0
    html = (tmp_path / "index.html").read_text()
    assert "scripts/bench counting --pairs 1 --configuration x --configuration y<" in html
    assert "v9-3-gabcdef" in html
    assert "1 pair or round, " in html
    assert " GiB, Linux" in html
    assert html.count('<div class="wide"><table>') == html.count("<table>") == 1
    assert "1 round: an interval is one value" in capsys.readouterr().out


def test_few_rounds_and_a_busy_machine_are_said_in_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "SUITES", MADE_UP)
    monkeypatch.setattr("os.getloadavg", lambda: (999.0, 0.0, 0.0))
    assert command.main(["counting"]) == 0
    out = capsys.readouterr().out
    assert "3 rounds: below 20 intervals say little" in out
    assert "more is waiting for processors" in out
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    assert command.main(["counting", "--pairs", "20"]) == 0
    out = capsys.readouterr().out
    assert "rounds:" not in out
    assert "waiting" not in out


def test_what_others_took_of_the_processors_is_said_and_what_the_bench_took_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "SUITES", MADE_UP)
    file = tmp_path / "made.json"
    for used, own, says in ((1_500.0, 900.0, True), (1_500.0, 1_450.0, False)):
        ticks = iter([(0.0, 0.0, 0.0), (2_000.0, used, own)])
        monkeypatch.setattr(machine, "_ticks", ticks.__next__)
        assert command.main(["counting", "--json", str(file)]) == 0
        line = "others took 30% of the processors meanwhile" in capsys.readouterr().out
        assert line is says
        others = json.loads(file.read_text())["suites"]["counting"]["others"]
        assert others == (used - own) / 2_000


def never(asked: Asked) -> dict[str, Any]:
    raise AssertionError("measured")


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_path_that_cannot_be_written_is_said_before_anything_is_measured(
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        command, "SUITES", {"one": Suite("one", "?", Size(1, 1), Size(1, 1), never)}
    )
    (tmp_path / "file").write_text("")
    code, text = said(["one", option, str(tmp_path / "file" / "below")], capsys)
    assert (code, text.count("\n")) == (2, 1)
    assert "scripts/bench: cannot write " in text
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read"),
        ("{", "is no JSON"),
        ("[]", "is not what --json writes"),
        ('{"machine": {}, "arguments": {}}', "it has no 'suites'"),
    ],
)
def test_a_page_of_something_else_is_refused_in_one_line(
    content: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "made.json"
    if content is not None:
        file.write_text(content)
    code, text = said(["report", str(file), "--report", str(tmp_path / "page")], capsys)
    assert (code, text.count("\n")) == (2, 1)
    assert complaint in text


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["realy"], "no suite 'realy' (did you mean relay?)"),
        (["relay", "--qick"], "does not take --qick (did you mean --quick?)"),
        (["--fetch", "all", "--configuration", "x"], "all does not take --configuration"),
    ],
)
def test_a_mistyped_word_is_answered_in_one_line_before_anything_is_fetched(
    words: list[str],
    meant: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "_fetch", never)
    code, text = said(words, capsys)
    assert (code, text.count("\n")) == (2, 1)
    assert meant in text


def test_an_interrupted_bench_keeps_what_was_measured_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []

    def interrupted(asked: Asked) -> dict[str, Any]:
        with workspace() as folder:
            folders.append(folder)
            folders.append(Path(tempfile.mkdtemp(dir=folder.parent, prefix=_prefix())))
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:  # again, while it is tidied up
                os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    last = Suite("last", "?", Size(1, 1), Size(1, 1), interrupted)
    monkeypatch.setattr(command, "SUITES", {"counting": MADE_UP["counting"], "last": last})
    written = tmp_path / "made.json"
    assert command.main(["all", "--json", str(written)]) == 130
    assert capsys.readouterr().err == f"interrupted; 1 suite is in {written}\n"
    assert list(json.loads(written.read_text())["suites"]) == ["counting"]
    assert command.main(["last", "--json", str(tmp_path / "nothing.json")]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not any(folder.exists() for folder in folders)
    assert list(tmp_path.iterdir()) == [written]
