"""The machine that the policy serves: references, faults, and what is done about them."""

from collections.abc import Iterable
from typing import NamedTuple

from assignments.paging.contract import Subject, Tables
from kernels import System
from lab.grading.bench import Bench, MismatchError

Reference = tuple[int, bool]
"""A page, and whether it is written."""


class Fault(NamedTuple):
    """A page that was not in memory, and which one had to go for it.

    Attributes:
        page: that was referenced.
        victim: None: there was a free frame.
    """

    page: int
    victim: int | None


class Machine:
    """Frames, a policy that is a student's, and tables that are not.

    Args:
        system: what runs them.
        frames: how many there are.
    """

    def __init__(self, system: System, frames: int) -> None:
        self.tables = system[Tables]
        self._policy = system[Subject]
        self._free = frames
        self._policy.begin(frames)

    def run(self, references: Iterable[Reference]) -> list[Fault]:
        """Make references; the faults."""
        faults = []
        for page, write in references:
            if not self.tables.refer(page, write):
                faults.append(Fault(page, self._bring(page)))
                self.tables.refer(page, write)
            self._policy.tick()
        return faults

    def end(self, page: int) -> None:
        """The process of a page has ended."""
        self._give_up(page)
        self._free += 1

    def _bring(self, page: int) -> int | None:
        victim = None
        if self._free:
            self._free -= 1
        else:
            victim = self._policy.victim()
            if victim is None:
                raise MismatchError("the victim", "a page that may go", "None")
            self._give_up(victim)
        self.tables.bring(page)
        self._policy.admit(page)
        return victim

    def _give_up(self, page: int) -> None:
        if not self.tables.drop(page):
            raise MismatchError("the victim", "a page in memory that may go", f"{page}")
        self._policy.forget(page)


def reads(text: str) -> list[Reference]:
    """References from a text: `1 2 3w`, w for a write."""
    return [(int(word.rstrip("w")), word.endswith("w")) for word in text.split()]


def expect_victims(bench: Bench, frames: int, text: str, victims: str) -> None:
    """Expect these victims of a reference string, in their order."""
    with bench.boot(Subject) as system:
        faults = Machine(system, frames).run(reads(text))
    came = " ".join(str(fault.victim) for fault in faults if fault.victim is not None)
    bench.expect(f"the victims of {text!r} in {frames} frames", came, victims)
