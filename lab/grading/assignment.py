"""Assignments: folders with a handout, a contract, tests, a rubric and a reference solution.

    lab.toml        title, number, time, what is handed in
    handout.md      what the student reads
    contract.py     what the student implements, and what is given beside it
    tests.py        public tests, a function each; rubric.toml: their points
    hidden/         the same, for the teacher
    solution/       the reference solution, with marks; a release has start/ instead

Labs live in a folder whose name is the package from which all import: `assignments.messages`.
"""

import importlib
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import msgspec

from lab.grading.cutting import cut, unmarked
from lab.refusal import Refusal, broken, unknown

LABS: Final = Path(__file__).resolve().parents[2] / "assignments"
VARIABLE: Final = "TWINOS_LABS"
"""The environment's name for a folder of labs of one's own."""

KernelName = Literal["monolithic", "microkernel"]
BOTH: Final[tuple[KernelName, ...]] = ("monolithic", "microkernel")


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test in a rubric.

    Attributes:
        name: of its function.
        points: for passing it under each of its kernels; there are no halves.
        look: what to look at next when it fails.
        kernels: under which it runs; costs in messages exist only under the microkernel.
        hidden: whether the teacher keeps it.
    """

    name: str
    points: int
    look: str
    kernels: tuple[KernelName, ...] = BOTH
    hidden: bool = False

    @property
    def module(self) -> str:
        """Where its function is."""
        return "hidden.tests" if self.hidden else "tests"


class Rubric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rubric's file holds."""

    test: tuple[Task, ...]


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `lab.toml` says.

    Attributes:
        number: its place in the course.
        title: what it is called.
        about: in one sentence.
        hours: that a student takes.
        files: what is handed in; the first is the student's code, or what stands for it.
    """

    number: int
    title: str
    about: str
    hours: float
    files: tuple[str, ...]


class Assignment:
    """One lab.

    Args:
        folder: where it is.

    Raises:
        Refusal: a file is missing, or has an error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.about = _read(folder / "lab.toml", About)
        self.tasks = self._tasks()

    @property
    def package(self) -> str:
        """The package whose modules are the lab's."""
        return f"{self.folder.parent.name}.{self.name}"

    @property
    def handout(self) -> str:
        """What the student reads."""
        return _text(self.folder / "handout.md")

    @cached_property
    def start(self) -> Mapping[str, str]:
        """The starting code by file: cut out of the solution, or as it was released."""
        folder = self.folder / "start"
        if not self.has_solution:
            return {name: _text(folder / name) for name in self.about.files}
        return {name: cut(text, f"{self.name}/{name}") for name, text in self._solution.items()}

    @property
    def given(self) -> list[Path]:
        """The files that students may see as they are: all but those in folders."""
        return sorted(path for path in self.folder.iterdir() if path.is_file())

    @property
    def has_solution(self) -> bool:
        """Whether this is the teacher's copy."""
        return (self.folder / "solution").is_dir()

    @property
    def reference(self) -> Mapping[str, str]:
        """The reference solution, as a student would have handed it in. Refusal: it is not here."""
        if not self.has_solution:
            raise Refusal(f"{self.folder} is a release: it has no solution.")
        return {name: unmarked(text) for name, text in self._solution.items()}

    def module(self, name: str) -> ModuleType:
        """A module of the lab: `contract`, `tests`, `hidden.tests`."""
        known(self.folder.parent)
        try:
            return importlib.import_module(f"{self.package}.{name}")
        except Exception as error:  # a lab may be wrong in any way
            raise broken(f"{self.package}.{name}", error) from error

    @property
    def _solution(self) -> Mapping[str, str]:
        folder = self.folder / "solution"
        return {name: _text(folder / name) for name in self.about.files}

    def _tasks(self) -> tuple[Task, ...]:
        tasks: tuple[Task, ...] = _read(self.folder / "rubric.toml", Rubric).test
        hidden = self.folder / "hidden" / "rubric.toml"
        if hidden.is_file():
            kept = _read(hidden, Rubric).test
            tasks += tuple(msgspec.structs.replace(task, hidden=True) for task in kept)
        names = [task.name for task in tasks]
        for name in names:
            if names.count(name) > 1:
                raise Refusal(f"the lab {self.name} has two tests called {name}.")
        return tasks


def assignments(folders: Iterable[Path] = ()) -> dict[str, Assignment]:
    """All labs by name, in the order of their numbers.

    Args:
        folders: of labs beside ours and those that the environment names.

    Raises:
        Refusal: one has an error, or two have one name.
    """
    named = [Path(path) for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path]
    found: dict[str, Assignment] = {}
    for folder in (*folders, *named, *[LABS] * LABS.is_dir()):
        if not folder.is_dir():
            raise Refusal(f"{folder} is no folder of labs.")
        for path in sorted(folder.resolve().glob("*/lab.toml")):
            lab = Assignment(path.parent)
            found.setdefault(lab.name, lab)  # a teacher's own comes before ours
    return dict(sorted(found.items(), key=lambda item: (item[1].about.number, item[0])))


def find(name: str, folders: Iterable[Path] = ()) -> Assignment:
    """The lab of that number or name."""
    labs = assignments(folders)
    for lab in labs.values():
        if name in {lab.name, str(lab.about.number)}:
            return lab
    raise unknown("lab", name, labs, "twinos lab list")


def known(folder: Path) -> None:
    """Have the labs of a folder imported from there, whatever else has its name."""
    parent = str(folder.parent)
    if parent not in sys.path:
        sys.path.insert(0, parent)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} can't be read: {getattr(error, 'strerror', error)}.") from None


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(tomllib.loads(_text(path)), kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Refusal(f"{path} is wrong: {' '.join(str(error).split())}.") from None
