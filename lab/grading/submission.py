"""A student's work: files, a name, and the seed that follows from it."""

import hashlib
import shutil
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lab.grading.assignment import Assignment
from lab.refusal import Failure, Refusal

HOME: Final = Path(__file__).resolve().parents[2]
"""Where TwinOS is."""
MARK: Final = "lab.toml"
"""What says whose work a folder is, and of which lab."""
LARGEST: Final = 1 << 20
"""Bytes of one file that is handed in."""
_WORDS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@+ "


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the mark says."""

    lab: str
    student: str = ""


@dataclass(frozen=True)
class Submission:
    """What was handed in.

    Attributes:
        student: whose; empty: nobody's.
        files: texts by name, the code first.
    """

    student: str
    files: Mapping[str, str]

    def seed(self, lab: str) -> str:
        """The seed of the student's tests in a lab: the same whenever they are run."""
        return hashlib.sha256(f"{lab}\n{self.student}".encode()).hexdigest()[:12]


def begin(assignment: Assignment, folder: Path, student: str) -> list[Path]:
    """Write what a student starts from; what was written.

    Raises:
        Refusal: the folder has something in it, or the name is none.
        Failure: it can't be written.
    """
    check_student(student)
    texts = dict(assignment.start)
    given = {"handout.md": assignment.handout}
    mark = f'# Whose work this is; for `twinos lab grade`.\nlab = "{assignment.name}"\n'
    texts |= given | {MARK: mark + (f'student = "{student}"\n' if student else "")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Refusal(f"{folder} is not empty: name a new folder.")
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        copy_given(assignment, folder / "given")
    except OSError as error:
        raise Failure(f"{folder} can't be written: {error.strerror}.") from None
    return sorted(path for path in folder.rglob("*") if path.is_file())


def copy_given(assignment: Assignment, folder: Path) -> None:
    """What the student may read: guide, contract, public tests. The grader has its own."""
    folder.mkdir()
    with suppress(FileNotFoundError):  # an archive for graders has none
        shutil.copyfile(guide(), folder / "guide.md")
    for path in assignment.given:
        if path.name not in {"handout.md", MARK}:
            shutil.copyfile(path, folder / path.name)


def guide() -> Path:
    """The guide: a wheel has it beside the code, a checkout among the documents."""
    installed = HOME / "lab" / "guide.md"
    return installed if installed.is_file() else HOME / "docs" / "guide.md"


def mark_of(folder: Path) -> Mark:
    """What a folder's mark says. Refusal: it has none."""
    if not (folder / MARK).is_file():
        raise Refusal(
            f"{folder} has no {MARK}, so say which lab: twinos lab grade N --in {folder}."
        )
    try:
        return msgspec.convert(tomllib.loads(_read(folder / MARK)), Mark)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Refusal(f"{folder / MARK} is wrong: {' '.join(str(error).split())}.") from None


def submitted(assignment: Assignment, folder: Path, student: str = "") -> Submission:
    """What lies in a folder.

    Raises:
        Refusal: a file is missing, too large, a link, or no text.
    """
    check_student(student)
    return Submission(student, {name: _read(folder / name) for name in assignment.about.files})


def check_student(name: str) -> None:
    """Refuse what could not be written as a name."""
    if set(name) - set(_WORDS) or len(name) > 100:
        raise Refusal(f"{name!r} is no student's name: letters, digits and -_.@+ only.")


def _read(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        raise Refusal(f"{path} is not there: it is what is handed in.")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise Refusal(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Refusal(f"{path} is no text in UTF-8.") from None
    if len(data) > LARGEST:
        raise Refusal(f"{path} is larger than {LARGEST >> 20} MiB.")
    return text
