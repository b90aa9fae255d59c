"""All tests of a submission, one after the other, within a minute."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kernels.cell import locks
from lab.grading.assignment import Assignment, Task
from lab.grading.submission import Submission
from lab.grading.trial import LIMIT, NO_TIME, NOT_RUN, Case, Outcome, run
from lab.refusal import unknown

BUDGET: Final = 58.0
"""Seconds for all tests of a submission."""
LEAST: Final = 1.0
"""Seconds with which a test is begun."""


@dataclass
class Row:
    """What a test came to.

    Attributes:
        task: which test.
        outcomes: by kernel, as far as it has been run.
    """

    task: Task
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it did, under every kernel."""
        return bool(self.outcomes) and all(each.passed for each in self.outcomes.values())

    @property
    def score(self) -> int:
        """Its points."""
        return self.task.points if self.passed else 0

    @property
    def wrong(self) -> tuple[str, Outcome] | None:
        """The first kernel under which it failed, and how."""
        return next((pair for pair in self.outcomes.items() if not pair[1].passed), None)

    @property
    def figures(self) -> dict[str, float]:
        """Numbers for a leaderboard: only work that is right has any."""
        if not self.passed:
            return {}
        return {name: v for each in self.outcomes.values() for name, v in each.figures.items()}


@dataclass
class Grade:
    """What a submission came to; before it is graded, that it failed.

    Attributes:
        assignment: which lab.
        submission: whose.
        rows: its tests.
        seconds: that it took.
    """

    assignment: Assignment
    submission: Submission
    rows: list[Row]
    seconds: float = 0.0

    @property
    def score(self) -> int:
        """All points."""
        return sum(row.score for row in self.rows)

    @property
    def most(self) -> int:
        """All points that there were to be had."""
        return sum(row.task.points for row in self.rows)

    @property
    def figures(self) -> dict[str, float]:
        """Numbers for a leaderboard."""
        return {name: value for row in self.rows for name, value in row.figures.items()}

    @property
    def unlocked(self) -> list[str]:
        """What the host could not take away from the student's process."""
        return [name for name, closed in locks().items() if not closed]

    @property
    def open_to_reading(self) -> bool:
        """Whether the student's code can read what whoever grades can."""
        return {"another user", "no files (Landlock)"} <= set(self.unlocked)


def chosen(
    assignment: Assignment, *, hidden: bool, names: Iterable[str] = (), kernels: Sequence[str] = ()
) -> list[Task]:
    """The tests that are asked for: public ones, and those of the teacher if `hidden`.

    Raises:
        Refusal: there is no test of that name.
    """
    tasks = {task.name: task for task in assignment.tasks if hidden or not task.hidden}
    for name in names:
        if name not in tasks:
            raise unknown("test", name, tasks, f"twinos lab grade {assignment.name} --list")
    wanted = [tasks[name] for name in names] or list(tasks.values())
    return [task for task in wanted if not kernels or set(kernels) & set(task.kernels)]


def failed(assignment: Assignment, submission: Submission, tasks: Iterable[Task]) -> Grade:
    """The grade before any test has run: every one has failed."""
    rows = [Row(task, {task.kernels[0]: NOT_RUN}) for task in tasks]
    return Grade(assignment, submission, rows)


def grade(
    grade: Grade,
    kernels: Sequence[str] = (),
    done: Callable[[Row], None] = lambda _: None,
    slow: float = 1.0,
) -> None:
    """Run the tests of a grade, and put into it what they come to.

    Args:
        grade: as `failed` has made it.
        kernels: under these only.
        done: told of each test.
        slow: how many times slower than usual the machine is. What does not get its turn within
            the budget has failed.
    """
    start = time.monotonic()
    for module in {row.task.module for row in grade.rows}:
        grade.assignment.module(module)  # once, and not for each test
    for row in grade.rows:
        row.outcomes = dict.fromkeys(_kernels(row.task, kernels), NOT_RUN)
        for kernel in row.outcomes:
            left = BUDGET - (time.monotonic() - start) / slow
            row.outcomes[kernel] = _run(grade, row.task, kernel, left, slow)
            if not row.outcomes[kernel].passed:
                break  # its points are lost already
        done(row)
        grade.seconds = round(time.monotonic() - start, 3)


def _kernels(task: Task, wanted: Sequence[str]) -> Iterator[str]:
    yield from (kernel for kernel in task.kernels if not wanted or kernel in wanted)


def _run(grade: Grade, task: Task, kernel: str, left: float, slow: float) -> Outcome:
    if left <= LEAST:
        return NO_TIME
    folder, submission = str(grade.assignment.folder), grade.submission
    seed = submission.seed(grade.assignment.name)
    case = Case(folder, task, kernel, submission.files, seed, slow)
    return run(case, min(left, LIMIT))
