"""What students and Gradescope are given."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab.grading.assignment import Assignment
from lab.grading.autograder import archive
from lab.grading.release import release
from lab.refusal import Refusal
from tests.lab.grading.dice import dice
from tests.lab.grading.work import LABS, lab


def secrets(name: str) -> set[str]:
    """Lines that only the solution or the hidden tests of a lab have."""
    own = LABS[name]
    given = "".join(path.read_text() for path in own.given) + "".join(own.start.values())
    kept = "".join(own.reference.values())
    kept += "".join(path.read_text() for path in (own.folder / "hidden").glob("*.py"))
    lines = {line.strip() for line in kept.splitlines()}
    return {line for line in lines if len(line) > 30 and line not in given}


@pytest.mark.parametrize("name", LABS)
def test_a_release_holds_no_secret(name: str, tmp_path: Path) -> None:
    folder = release(LABS[name], tmp_path)
    text = "\n".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert len(secrets(name)) > 10
    assert not [line for line in secrets(name) if line in text]
    released = Assignment(folder)
    assert not released.has_solution
    assert released.start == LABS[name].start
    assert all(not task.hidden for task in released.tasks)
    with pytest.raises(Refusal, match="is a release"):
        _ = released.reference
    with pytest.raises(Refusal, match="is there already"):
        release(LABS[name], tmp_path)


def test_a_release_is_worked_with(tmp_path: Path) -> None:
    labs = release(LABS["messages"], tmp_path / "out").parent
    work = tmp_path / "work"
    assert lab("start", "1", str(work), "--labs", str(labs)).returncode == 0
    (work / "board.py").write_text(LABS["messages"].reference["board.py"])
    done = lab("grade", "notes_are_numbered", TWINOS_LABS=str(labs), cwd=work)
    assert done.stdout.splitlines()[-1] == "Score: 1/1"
    hidden = lab("grade", "several_wait", "--hidden", TWINOS_LABS=str(labs), cwd=work)
    assert "there is no test 'several_wait'" in hidden.stderr


def test_the_autograder_grades_alone(tmp_path: Path) -> None:
    """From the archive, with a bare interpreter that has nothing of this environment."""
    home = tmp_path / "source"
    own = Assignment(dice(tmp_path) / "dice")
    archive(own, tmp_path / "lab.zip")
    with zipfile.ZipFile(tmp_path / "lab.zip") as file:
        names = file.namelist()
        file.extractall(home)
        modes = {each.filename: each.external_attr >> 16 & 0o777 for each in file.infolist()}
    assert {"setup.sh", "run_autograder"} <= set(names)
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755
    assert not [name for name in names if "solution" in name]
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "dice.py").write_text(own.reference["dice.py"])
    who = {"users": [{"email": "ada@example.org"}]}
    (tmp_path / "submission_metadata.json").write_text(json.dumps(who))
    bare = {"PATH": os.environ["PATH"], "AUTOGRADER": str(tmp_path)}
    interpreter = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    for script in ("setup.sh", "run_autograder"):
        done = subprocess.run(
            ["bash", str(home / script)],
            env={**bare, "PYTHON": interpreter},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "results" / "results.json").read_text())
    assert told["score"] == 3
    assert "of ada@example.org" in done.stdout


def test_an_autograder_says_why_it_can_not_grade(tmp_path: Path) -> None:
    archive(LABS["messages"], tmp_path / "lab.zip")
    with zipfile.ZipFile(tmp_path / "lab.zip") as file:
        file.extractall(tmp_path / "source")
    (tmp_path / "submission").mkdir()
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "source" / "grade.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "results" / "results.json").read_text())
    assert told["score"] == 0
    assert "board.py is not there" in told["output"]


def test_an_archive_of_a_release_is_refused(tmp_path: Path) -> None:
    released = Assignment(release(LABS["messages"], tmp_path))
    with pytest.raises(Refusal, match="has no hidden tests"):
        archive(released, tmp_path / "x.zip")
    (tmp_path / "x.zip").write_text("mine")
    with pytest.raises(Refusal, match="is there already"):
        archive(LABS["messages"], tmp_path / "x.zip")


def test_the_same_lab_makes_the_same_archive(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        archive(LABS["paging"], tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
