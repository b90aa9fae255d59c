"""`twinos lab`: what students and teachers type."""

import json
import os
from pathlib import Path

import pytest

from lab import cli
from lab.grading.assignment import Assignment
from lab.grading.submission import LARGEST, Submission
from tests.lab.grading.dice import dice
from tests.lab.grading.work import LABS, lab, solved


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["lab", *arguments]) == cli.REFUSED
    said = capsys.readouterr().err
    assert said.startswith("twinos: ")
    assert said.count("\n") == 1
    return said


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lab", "list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said and each.about.title in said for name, each in LABS.items())


def test_a_student_starts_and_grades(tmp_path: Path) -> None:
    begun = lab("start", "1", "board", "--student", "ada", cwd=tmp_path)
    assert begun.returncode == 0
    work = tmp_path / "board"
    assert {"board.py", "handout.md", "lab.toml"} <= {path.name for path in work.iterdir()}
    assert "## 10. Messages between equals" in (work / "given" / "guide.md").read_text()
    assert not list(tmp_path.rglob("*hidden*")) + list(tmp_path.rglob("*solution*"))
    one = lab("grade", "notes_are_numbered", cwd=work)
    assert one.returncode == 1
    assert "expected:" in one.stdout
    assert "came:" in one.stdout
    assert "look at:" in one.stdout
    assert one.stdout.splitlines()[-1] == "Score: 0/1"
    (work / "board.py").write_text(LABS["messages"].reference["board.py"])
    for words in (["notes_are_numbered"], ["1", "notes_are_numbered"]):
        done = lab("grade", *words, cwd=work)
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1] == "Score: 1/1"
        assert "of ada" in done.stdout


def test_results_for_gradescope_and_others(tmp_path: Path) -> None:
    labs = dice(tmp_path)
    text = Assignment(labs / "dice").reference["dice.py"]
    (tmp_path / "dice.py").write_text(text.replace("roll > found", "roll < found"))
    files = ["--gradescope", str(tmp_path / "results.json"), "--json", str(tmp_path / "plain")]
    done = lab("grade", "dice", "--labs", str(labs), "--in", str(tmp_path), "--hidden", *files)
    told = json.loads((tmp_path / "results.json").read_text())
    plain = json.loads((tmp_path / "plain").read_text())
    assert told["score"] == plain["score"] == 2
    assert done.stdout.splitlines()[-1] == "Score: 2/3"
    by_name = {test["name"]: test for test in told["tests"]}
    right, wrong = by_name["rolls_are_added"], by_name["the_largest_is_found"]
    assert (right["score"], right["max_score"], right["status"]) == (2, 2, "passed")
    assert (wrong["score"], wrong["max_score"], wrong["status"]) == (0, 1, "failed")
    for line in ("expected:  5", "came:      1", "look at:   max"):
        assert line in wrong["output"]
    assert (right["visibility"], wrong["visibility"]) == ("visible", "after_published")
    assert told["leaderboard"] == [
        {"name": "score", "value": 2, "order": "desc"},
        {"name": "rolls", "value": 2, "order": "asc"},
    ]
    assert {"score", "execution_time", "output", "visibility", "tests"} <= told.keys()
    assert plain["figures"] == {"rolls": 2}


def test_one_kernel_only(tmp_path: Path) -> None:
    work = solved(tmp_path / "work")
    out = tmp_path / "out"
    words = ["grade", "1", "--in", str(work), "notes_are_numbered", "--json", str(out)]
    assert lab(*words, "--kernel", "microkernel").returncode == 0
    (test,) = json.loads(out.read_text())["tests"]
    assert list(test["kernels"]) == ["microkernel"]


def test_seeds_are_the_students_and_the_same_again() -> None:
    ada, bob = Submission("ada", {}), Submission("bob", {})
    assert ada.seed("messages") == Submission("ada", {"x": "y"}).seed("messages")
    assert len({ada.seed("messages"), bob.seed("messages"), ada.seed("files")}) == 3


def test_what_can_not_be_graded_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = solved(tmp_path / "work")
    here = ["--in", str(work)]
    assert "there is no lab '7'" in refusal(capsys, "grade", "7", "x")
    assert "did you mean 'messages'" in refusal(capsys, "start", "mesages", "x")
    assert "no test 'notes'" in refusal(capsys, "grade", "1", "notes", *here)
    assert "no test 'several_wait'" in refusal(capsys, "grade", "1", "several_wait", *here)
    assert "is not empty" in refusal(capsys, "start", "1", str(work))
    assert "has no lab.toml" in refusal(capsys, "grade", "--in", str(tmp_path))
    assert "no student's name" in refusal(capsys, "start", "1", "x", "--student", 'a"b')
    assert "is no folder of labs" in refusal(capsys, "list", "--labs", "/nowhere")
    (work / "board.py").write_bytes(b"\xff")
    assert "no text in UTF-8" in refusal(capsys, "grade", *here)
    (work / "board.py").unlink()
    assert "is not there" in refusal(capsys, "grade", *here)
    (work / "board.py").symlink_to("/etc/passwd")
    assert "is not there" in refusal(capsys, "grade", *here)
    (work / "board.py").unlink()
    os.mkfifo(work / "board.py")
    assert "is not there" in refusal(capsys, "grade", *here)
    (work / "board.py").unlink()
    (work / "board.py").write_bytes(bytes(LARGEST + 1))
    assert "is larger than 1 MiB" in refusal(capsys, "grade", *here)
    (work / "lab.toml").write_text("lab = 3")
    assert "lab.toml is wrong" in refusal(capsys, "grade", *here)
    (work / "lab.toml").unlink()
    os.mkfifo(work / "lab.toml")
    assert "has no lab.toml" in refusal(capsys, "grade", *here)
    assert "has no lab.toml" in refusal(capsys, "report", str(tmp_path))


@pytest.mark.parametrize(
    ("code", "came"),
    [
        ("def", "board.py:1: invalid syntax"),
        ("import nothing_of_that_name", "No module named"),
        ("x = 1", "board.py has no class that derives from Board"),
        ("class A: pass\nraise ValueError('mine')", "ValueError: mine"),
    ],
)
def test_what_can_not_be_loaded_fails_and_says_why(code: str, came: str, tmp_path: Path) -> None:
    work = solved(tmp_path / "work")
    (work / "board.py").write_text(code)
    done = lab("grade", "1", "notes_are_numbered", "--in", str(work))
    assert done.returncode == 1
    assert came in done.stdout
    assert done.stdout.splitlines()[-1] == "Score: 0/1"
