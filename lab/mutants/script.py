"""What the clients of a trial do: the steps of `lab.faults`, and tours by newcomers in between."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec

from kernels import System
from lab.faults import script as by_chance
from lab.faults.history import Step
from lab.faults.trial import Clients
from lab.mutants.tour import tour
from servers.filesystem import FileSystem

TOURS: Final = 6
"""One before so many other steps."""


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What came of a step.

    Attributes:
        found: the version of the file that was looked at.
        told: the answers of a tour.
        error: the class of the exception and its text; empty: there was none.
        down: whether the kernel has said that nothing answers any more.
    """

    found: int = 0
    told: tuple[str, ...] = ()
    error: str = ""
    down: bool = False


def steps(seed: int) -> list[Step]:
    """The steps, the same for all mutants of a campaign."""
    chosen = [step for step in by_chance.script(str(seed)).steps if step.action != "newcomer"]
    for number in range(0, len(chosen) + len(chosen) // TOURS, TOURS + 1):
        chosen.insert(number, Step("newcomer", number % 2, f"/tour-{number}"))
    return chosen


class Asking:
    """Two users and many newcomers.

    Args:
        system: that has a FileSystem.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._clients = Clients(system)

    def take(self, step: Step) -> Answer:
        """Do what a step says. Raises whatever comes of it."""
        if step.action != "newcomer":
            return Answer(self._clients.take(step))
        with self._system.user() as newcomer:
            return Answer(told=tuple(tour(newcomer[FileSystem], step.path)))


class Reached:
    """The lines that are carried out in some files, while this is entered, in every thread."""

    def __init__(self, files: Iterator[Path]) -> None:
        self._files = {str(file) for file in files}
        self.lines: set[tuple[str, int]] = set()

    def __enter__(self) -> set[tuple[str, int]]:
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        return self.lines

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def _enter(self, frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        return self._line if event == "call" and file in self._files else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line
