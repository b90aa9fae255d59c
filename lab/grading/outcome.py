"""What a grade looks like: to a student, as plain JSON, and as Gradescope's results.json."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lab.grading.bench import harmless
from lab.grading.grader import Grade, Row
from lab.refusal import Failure

Format = dict[str, Any]

LINES: Final = 12
"""Of what a student's code printed that are shown, the last."""
TEACHERS: Final = "after_published"
"""When Gradescope shows students what a hidden test said."""


def told(row: Row) -> Iterator[str]:
    """One test, for the student."""
    mark = "pass" if row.passed else "FAIL"
    yield f"{mark}  {row.task.name:<42}{row.score:>3}/{row.task.points}"
    if row.wrong is not None:
        kernel, outcome = row.wrong
        if outcome.what:
            yield f"      at:        {outcome.what} ({kernel} kernel)"
        yield f"      expected:  {outcome.expected or 'that it passes'}"
        yield f"      came:      {outcome.came}"
        yield f"      look at:   {row.task.look}"
        yield from (f"      | {harmless(line)}" for line in outcome.said.splitlines()[-LINES:])


def last(grade: Grade) -> str:
    """The last line."""
    return f"Score: {grade.score}/{grade.most}"


def plain(grade: Grade) -> Format:
    """Everything, for other platforms."""
    return {
        "lab": grade.assignment.name,
        "student": grade.submission.student,
        "seed": grade.submission.seed(grade.assignment.name),
        "score": grade.score,
        "max_score": grade.most,
        "seconds": grade.seconds,
        "figures": grade.figures,
        "unlocked": grade.unlocked,
        "tests": [_plain(row) for row in grade.rows],
    }


def gradescope(grade: Grade) -> Format:
    """The file that Gradescope reads; see its autograder specification, "Output format"."""
    board = [{"name": "score", "value": grade.score, "order": "desc"}]
    board += [{"name": name, "value": v, "order": "asc"} for name, v in grade.figures.items()]
    return {
        "score": grade.score,
        "execution_time": grade.seconds,
        "output": f"{grade.assignment.about.title}. {last(grade)}",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_for_gradescope(row) for row in grade.rows],
        "leaderboard": board,
    }


def write(path: Path, what: Format) -> None:
    """Write a result whole, or leave what was there.

    Raises:
        Failure: it can't be written.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_text(json.dumps(what, indent=2) + "\n", encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}.") from None


def _plain(row: Row) -> Format:
    outcomes = {
        kernel: {
            "passed": each.passed,
            "what": each.what,
            "expected": each.expected,
            "came": each.came,
            "seconds": each.seconds,
        }
        for kernel, each in row.outcomes.items()
    }
    return {
        "name": row.task.name,
        "score": row.score,
        "max_score": row.task.points,
        "hidden": row.task.hidden,
        "look": row.task.look,
        "kernels": outcomes,
    }


def _for_gradescope(row: Row) -> Format:
    return {
        "name": row.task.name,
        "score": row.score,
        "max_score": row.task.points,
        "status": "passed" if row.passed else "failed",
        "output": "\n".join(told(row)),
        "visibility": TEACHERS if row.task.hidden else "visible",
    }
