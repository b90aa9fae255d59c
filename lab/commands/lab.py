"""`twinos lab`: labs for a class: list, start, grade; for the teacher release, archive, report."""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from tabulate import tabulate

from lab.arguments import Intermixed, between
from lab.grading import outcome, report
from lab.grading.assignment import BOTH, LABS, Assignment, assignments, find
from lab.grading.autograder import archive
from lab.grading.grader import Grade, Row, chosen, failed, grade
from lab.grading.release import release
from lab.grading.submission import HOME, MARK, Submission, begin, mark_of, submitted
from lab.progress import Progress

EPILOG: Final = """\
examples:
  twinos lab list
  twinos lab start 1 board --student ada       what a student begins with, in the folder board
  cd board; twinos lab grade                   all public tests
  twinos lab grade 1 a_wait_ends               one of them
  twinos lab release 1 --out handed-out        what students are given: no solution, no hidden tests
  twinos lab autograder 1 --out lab1.zip       for Gradescope
  twinos lab report submissions                a class: a folder for each student

exit status: 0 all points, 1 not all, 2 asked for what there is not. See docs/teaching.md.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=Intermixed)

    def action(name: str, about: str, run: Callable[[argparse.Namespace], int]) -> Any:
        added = actions.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        added.add_argument(
            "--labs", metavar="DIR", type=Path, action="append", default=[], help="labs of your own"
        )
        added.set_defaults(run=run)
        return added

    action("list", "list the labs", _list)
    _describe_start(partial(action, "start", "write what a student begins with"))
    _describe_grade(partial(action, "grade", "run the tests on a student's work"))
    _describe_release(partial(action, "release", "write what students are given"))
    _describe_autograder(partial(action, "autograder", "write an archive for Gradescope"))
    _describe_report(partial(action, "report", "grade a class: a folder for each student"))


def execute(arguments: argparse.Namespace) -> int:
    """Do what is asked for."""
    status: int = arguments.run(arguments)
    return status


def _describe_start(action: Callable[..., Any]) -> None:
    start = action(_start)
    start.add_argument("lab", metavar="N", help="number or name")
    start.add_argument("folder", metavar="DIR", type=Path, help="a new folder")
    start.add_argument("--student", metavar="NAME", default="", help="seeds the tests")


def _describe_grade(action: Callable[..., Any]) -> None:
    parser = action(_grade)
    parser.add_argument("what", metavar="N", nargs="?", help="number or name of the lab")
    parser.add_argument("test", metavar="TEST", nargs="?", help="one test, by its name")
    parser.add_argument(
        "--in", dest="folder", metavar="DIR", type=Path, default=Path(), help="the work; here"
    )
    parser.add_argument("--kernel", choices=BOTH, help="under this one only")
    parser.add_argument("--student", metavar="NAME", help="whose seed; by default the folder's")
    parser.add_argument("--hidden", action="store_true", help="the teacher's tests, too")
    parser.add_argument("--reference", action="store_true", help="grade the reference solution")
    parser.add_argument("--list", action="store_true", help="list the tests and their points")
    parser.add_argument(
        "--slow",
        metavar="TIMES",
        type=between(1, 1000, "number from 1 to 1000"),
        default=1.0,
        help="on a slow machine: longer limits",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything as JSON")
    parser.add_argument("--gradescope", metavar="FILE", type=Path, help="write results.json")


def _describe_release(action: Callable[..., Any]) -> None:
    parser = action(_release)
    parser.add_argument("lab", metavar="N", help="number or name")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="for labs")


def _describe_autograder(action: Callable[..., Any]) -> None:
    parser = action(_autograder)
    parser.add_argument("lab", metavar="N", help="number or name")
    parser.add_argument("--out", metavar="ZIP", type=Path, required=True, help="a new file")
    parser.add_argument(
        "--python",
        metavar="3.12",
        action="append",
        default=[],
        type=_version,
        help="carry msgspec for this Python, too; fetched from PyPI",
    )


def _describe_report(action: Callable[..., Any]) -> None:
    parser = action(_report)
    parser.add_argument("folder", metavar="DIR", type=Path, help="of folders, one a student")
    parser.add_argument("--lab", metavar="N", help="which; by default what the folders say")
    parser.add_argument("--public", action="store_true", help="the public tests only")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything as JSON")


def _list(arguments: argparse.Namespace) -> int:
    rows = []
    for lab in assignments(arguments.labs).values():
        public = sum(task.points for task in lab.tasks if not task.hidden)
        hidden = sum(task.points for task in lab.tasks if task.hidden)
        about = lab.about
        rows.append([about.number, lab.name, about.title, f"{about.hours:g} h", public, hidden])
    print(tabulate(rows, ["", "lab", "title", "time", "public", "hidden"]))
    return 0


def _start(arguments: argparse.Namespace) -> int:
    lab = find(arguments.lab, arguments.labs)
    for path in begin(lab, arguments.folder, arguments.student):
        print(f"wrote {path}")
    print(f"TwinOS itself, to read in: {HOME}")
    print(f"read {arguments.folder / 'handout.md'}, then: cd {arguments.folder}; twinos lab grade")
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    lab, test = _asked(arguments)
    kernels = [arguments.kernel] if arguments.kernel else []
    tests = [test] if test else []
    if arguments.list:
        tasks = chosen(lab, hidden=arguments.hidden)
        rows = [[t.name, t.points, "hidden" if t.hidden else ""] for t in tasks]
        print(tabulate(rows, ["test", "points", ""]))
        return 0
    tasks = chosen(lab, hidden=arguments.hidden, names=tests, kernels=kernels)
    result = failed(lab, _submission(arguments, lab), tasks)
    import_nothing_from(arguments.folder)
    _write(arguments, result)  # before anything of the student's runs

    def done(row: Row) -> None:
        print("\n".join(outcome.told(row)), flush=True)

    print(_title(result))
    if arguments.hidden and result.open_to_reading:
        print("note: this host can't keep the student's code from reading files: run it as root")
    try:
        grade(result, kernels, done, arguments.slow)
    finally:
        _write(arguments, result)  # if it is interrupted, what there is
    print(outcome.last(result))
    return 0 if result.score == result.most else 1


def _release(arguments: argparse.Namespace) -> int:
    folder = release(find(arguments.lab, arguments.labs), arguments.out)
    print(f"wrote {folder}: no solution, no hidden tests")
    print(f"students: twinos lab start {folder.name} DIR --labs {folder.parent}")
    return 0


def _autograder(arguments: argparse.Namespace) -> int:
    archive(find(arguments.lab, arguments.labs), arguments.out, arguments.python)
    print(f"wrote {arguments.out}, {arguments.out.stat().st_size >> 10} KiB")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    folders = report.folders(arguments.folder)
    name = arguments.lab or mark_of(folders[0]).lab
    lab, hidden = find(name, arguments.labs), not arguments.public
    most = sum(task.points for task in chosen(lab, hidden=hidden))
    with Progress(len(folders), "submission") as progress:
        entries = list(report.graded(lab, folders, hidden=hidden, progress=progress))
    similar = report.pairs(lab, entries)
    if arguments.json:
        outcome.write(arguments.json, report.plain(entries, similar))
    print(report.told(lab, entries, most, similar))
    return 0


def _version(text: str) -> str:
    if not re.fullmatch(r"3\.\d{1,2}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version of Python; 3.12 is one")
    return text


def import_nothing_from(folder: Path) -> None:
    """Whatever modules a student has left beside the work, they are not ours (`python -m lab`)."""
    here = folder.resolve()
    if here != LABS.parent:
        sys.path[:] = [each for each in sys.path if Path(each or ".").resolve() != here]


def _title(result: Grade) -> str:
    seed = result.submission.seed(result.assignment.name)
    whose = f" of {result.submission.student}" if result.submission.student else ""
    return f"{result.assignment.about.title}: seed {seed}{whose}"


def _asked(arguments: argparse.Namespace) -> tuple[Assignment, str | None]:
    """The lab and the test: `grade`, `grade N`, `grade N TEST`, and in a started folder `TEST`."""
    what, test = arguments.what, arguments.test
    if what is not None:
        labs = assignments(arguments.labs)
        is_lab = any(what in {lab.name, str(lab.about.number)} for lab in labs.values())
        if is_lab or test is not None or not (arguments.folder / MARK).is_file():
            return find(what, arguments.labs), test
    return find(mark_of(arguments.folder).lab, arguments.labs), what


def _submission(arguments: argparse.Namespace, lab: Assignment) -> Submission:
    student = arguments.student
    if arguments.reference:
        return Submission(student or "", lab.reference)
    if student is None and (arguments.folder / MARK).is_file():
        student = mark_of(arguments.folder).student
    return submitted(lab, arguments.folder, student or "")


def _write(arguments: argparse.Namespace, result: Grade) -> None:
    if arguments.json:
        outcome.write(arguments.json, outcome.plain(result))
    if arguments.gradescope:
        outcome.write(arguments.gradescope, outcome.gradescope(result))
