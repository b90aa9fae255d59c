"""Every reference solution has full points under both kernels; what it is cut to has none."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.grading.assignment import BOTH, assignments
from lab.grading.submission import begin

LABS = assignments()
ROOT = Path(__file__).parents[3]


def graded(out: Path, *arguments: str) -> Any:
    """As a teacher would grade it, in a process of one thread: then tests are forked."""
    command = [sys.executable, "-m", "lab", "lab", "grade", *arguments, "--hidden"]
    done = subprocess.run(
        [*command, "--json", str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(out.read_text())
    assert done.returncode == (0 if result["score"] == result["max_score"] else 1), done.stderr
    assert done.stdout.splitlines()[-1] == f"Score: {result['score']}/{result['max_score']}"
    return result


def test_there_are_six() -> None:
    assert [lab.about.number for lab in LABS.values()] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", LABS)
@pytest.mark.timeout(400)
def test_the_reference_has_full_points(name: str, tmp_path: Path) -> None:
    result = graded(tmp_path / "out", name, "--reference", "--slow", "6")
    wrong = {test["name"]: test for test in result["tests"] if test["score"] != test["max_score"]}
    assert not wrong
    assert result["score"] == result["max_score"] > 0
    for test in result["tests"]:
        assert all(outcome["passed"] for outcome in test["kernels"].values())
    assert {kernel for test in result["tests"] for kernel in test["kernels"]} == set(BOTH)


@pytest.mark.parametrize("name", LABS)
@pytest.mark.timeout(400)
def test_the_starting_code_has_none(name: str, tmp_path: Path) -> None:
    begin(LABS[name], tmp_path / "work", "ada")
    result = graded(tmp_path / "out", "--in", str(tmp_path / "work"))
    assert [test["name"] for test in result["tests"] if test["score"]] == []
    assert result["score"] == 0


@pytest.mark.parametrize("name", LABS)
def test_a_lab_is_complete(name: str) -> None:
    lab = LABS[name]
    for heading in ("## Goals", "## Background", "## Steps", "## Questions", "**Time:**"):
        assert heading in lab.handout
    for hidden in (False, True):
        assert any(task.hidden == hidden for task in lab.tasks)
        module = lab.module("hidden.tests" if hidden else "tests")
        tasks = [task for task in lab.tasks if task.hidden == hidden]
        assert all(getattr(module, task.name).__doc__ for task in tasks)
        assert all(task.look for task in tasks)
    public = sum(task.points for task in lab.tasks if not task.hidden)
    most = sum(task.points for task in lab.tasks)
    assert f"{most}, of which {public} by public tests" in lab.handout
    assert f"The hidden ones, {most - public} points" in " ".join(lab.handout.split())
    assert "# >>>" not in "".join(lab.start.values()) + "".join(lab.reference.values())
