"""What students are given of a lab: no solution, and no hidden tests."""

import shutil
from pathlib import Path

from lab.grading.assignment import Assignment
from lab.refusal import Failure, Refusal


def release(assignment: Assignment, out: Path) -> Path:
    """Write a lab as students get it, into a folder of labs in `out`; the lab's folder.

    The folder of labs keeps its name, because it is the package from which all import.

    Raises:
        Refusal: it is there already.
        Failure: it can't be written.
    """
    start = assignment.start
    labs = out / assignment.folder.parent.name
    folder = labs / assignment.name
    if folder.exists():
        raise Refusal(f"{folder} is there already: name another folder, or remove it.")
    try:
        (folder / "start").mkdir(parents=True)
        copy_package(assignment, labs)
        for path in assignment.given:
            shutil.copyfile(path, folder / path.name)
        for name, text in start.items():
            (folder / "start" / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{folder} can't be written: {error.strerror}.") from None
    return folder


def copy_package(assignment: Assignment, labs: Path) -> None:
    """Make a folder of labs the package that the original is."""
    original = assignment.folder.parent / "__init__.py"
    text = original.read_text(encoding="utf-8") if original.is_file() else '"""Labs."""\n'
    (labs / "__init__.py").write_text(text, encoding="utf-8")
