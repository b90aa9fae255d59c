"""A class: many submissions graded, a table, a histogram, and who resembles whom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from tabulate import tabulate

from lab.grading import outcome
from lab.grading.assignment import Assignment
from lab.grading.bench import harmless
from lab.grading.grader import Grade, chosen, failed, grade
from lab.grading.likeness import Pair, alike
from lab.grading.submission import submitted
from lab.progress import Progress
from lab.refusal import Refusal

BARS: Final = 10
WIDTH: Final = 50


@dataclass
class Entry:
    """One submission.

    Attributes:
        student: the name of its folder.
        grade: what it came to; None: it can't be graded.
        reason: why not.
    """

    student: str
    grade: Grade | None
    reason: str = ""

    @property
    def score(self) -> int:
        """Its points."""
        return 0 if self.grade is None else self.grade.score

    @property
    def remark(self) -> str:
        """Why it has no more."""
        if self.grade is None:
            return self.reason
        return ", ".join(row.task.name for row in self.grade.rows if not row.passed)


def folders(folder: Path) -> list[Path]:
    """The submissions in a folder. Refusal: there are none."""
    if not folder.is_dir():
        raise Refusal(f"{folder} is no folder of submissions.")
    found = sorted(each for each in folder.iterdir() if each.is_dir() and each.name[0] != ".")
    if not found:
        raise Refusal(f"{folder} has no folders: there must be one for each student.")
    return found


def graded(
    lab: Assignment, folders: Sequence[Path], *, hidden: bool, progress: Progress
) -> Iterator[Entry]:
    """Grade the work in each folder; the folder's name is the student's."""
    tasks = chosen(lab, hidden=hidden)
    for folder in folders:
        progress.begin(folder.name)
        try:
            result = failed(lab, submitted(lab, folder, folder.name), tasks)
        except Refusal as refusal:
            yield Entry(folder.name, None, str(refusal))
        else:
            grade(result)
            yield Entry(folder.name, result)
        progress.step()


def pairs(lab: Assignment, entries: Sequence[Entry]) -> list[Pair]:
    """Submissions that resemble each other."""
    found: list[Pair] = []
    for name in lab.about.files:
        if name.endswith(".py"):  # right answers that are data are alike
            texts = {e.student: e.grade.submission.files[name] for e in entries if e.grade}
            found += alike(texts, lab.start[name])
    return found


def told(lab: Assignment, entries: Sequence[Entry], most: int, similar: Sequence[Pair]) -> str:
    """The report as text."""
    parts = [f"{lab.about.title}: {len(entries)} submissions", _table(entries)]
    if entries:
        scores = [entry.score for entry in entries]
        parts += [
            _tests(entries),
            f"median {median(scores):g}, mean {mean(scores):.1f}, of {most}\n"
            + histogram(scores, most),
        ]
    parts.append(_similar(similar))
    return "\n\n".join(filter(None, parts))


def plain(entries: Sequence[Entry], similar: Sequence[Pair]) -> dict[str, Any]:
    """The report as JSON."""
    grades: list[dict[str, Any]] = [
        outcome.plain(entry.grade)
        if entry.grade is not None
        else {"student": entry.student, "score": 0, "reason": entry.reason}
        for entry in entries
    ]
    return {"submissions": grades, "alike": [pair._asdict() for pair in similar]}


def histogram(scores: Sequence[int], most: int) -> str:
    """How many have how many points, in `BARS` steps at most."""
    step = -(-(most + 1) // BARS)
    lines = []
    for low in range(0, most + 1, step):
        high = min(low + step - 1, most)
        count = sum(low <= score <= high for score in scores)
        bar = "#" * (-(-count * WIDTH // max(len(scores), WIDTH)))
        lines.append(f"{low:>3} to {high:>3} {count:>4} {bar}".rstrip())
    return "\n".join(lines)


def _table(entries: Sequence[Entry]) -> str:
    rows = [[harmless(entry.student), entry.score, harmless(entry.remark)] for entry in entries]
    return tabulate(rows, ["student", "score", "not passed"])


def _tests(entries: Sequence[Entry]) -> str:
    grades = [entry.grade for entry in entries if entry.grade is not None]
    if not grades:
        return ""
    rows = [
        [rows[0].task.name, sum(row.passed for row in rows), len(rows)]
        for rows in zip(*(each.rows for each in grades), strict=True)
    ]
    return tabulate(rows, ["test", "passed", "of"])


def _similar(similar: Sequence[Pair]) -> str:
    if not similar:
        return "no two resemble each other beyond the starting code"
    rows = [[pair.one, pair.other, f"{pair.share:.0%}", pair.both] for pair in similar]
    head = ["one", "other", "of the smaller", "fingerprints"]
    return f"alike beyond the starting code: look at them\n{tabulate(rows, head)}"
