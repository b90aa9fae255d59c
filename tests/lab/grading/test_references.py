"""Every reference solution has full points under both kernels; what it is cut to has none."""

import pytest

from lab.grading.assignment import BOTH, assignments
from lab.grading.grader import Grade, chosen, failed, grade
from lab.grading.submission import Submission

LABS = assignments()


def graded(name: str, files: dict[str, str]) -> Grade:
    lab = LABS[name]
    result = failed(lab, Submission("ada", files), chosen(lab, hidden=True))
    grade(result, budget=500, limit=100)  # the machine may be busy
    return result


@pytest.mark.parametrize("name", LABS)
def test_the_reference_has_full_points(name: str) -> None:
    result = graded(name, dict(LABS[name].reference))
    wrong = {row.task.name: row.wrong for row in result.rows if not row.passed}
    assert not wrong
    assert result.score == result.most > 0
    for row in result.rows:
        assert set(row.outcomes) == set(row.task.kernels)
    assert {kernel for row in result.rows for kernel in row.outcomes} == set(BOTH)


@pytest.mark.parametrize("name", LABS)
def test_the_starting_code_has_none(name: str) -> None:
    result = graded(name, dict(LABS[name].start))
    assert [row.task.name for row in result.rows if row.passed] == []
    assert result.score == 0


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
    assert "# >>>" not in "".join(lab.start.values()) + "".join(lab.reference.values())
