"""Paging simulated: references, frames and a policy; no kernel, and no time but references."""

from collections.abc import Sequence
from typing import NamedTuple

from servers.memory.policies import Policy


class Step(NamedTuple):
    """What one reference did.

    Attributes:
        page: which was referenced.
        fault: whether it was not in memory.
        victim: the page that gave up its frame for it; None: a frame was free, or none was needed.
        frames: the pages by frame, afterwards.
    """

    page: int
    fault: bool
    victim: int | None
    frames: tuple[int, ...]


class Memory:
    """Frames, and the reference bits of the pages in them."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._frames: list[int] = []
        self._place: dict[int, int] = {}
        self._bits: set[int] = set()

    def accessed(self, page: int) -> bool:
        """Read a page's reference bit, and clear it."""
        was = page in self._bits
        self._bits.discard(page)
        return was

    def dirty(self, page: int) -> bool:
        """Whether a page was written: references here only read."""
        return page not in self._place

    def evictable(self, page: int) -> bool:
        """Whether a page may go: all that are here may."""
        return page in self._place

    def refer(self, page: int) -> tuple[bool, int | None]:
        """A reference: whether it is a fault, and who had to go for it."""
        fault = page not in self._place
        victim = self._bring(page) if fault else None
        self._bits.add(page)
        self._policy.tick(self)
        return fault, victim

    @property
    def frames(self) -> tuple[int, ...]:
        """The pages, by frame."""
        return tuple(self._frames)

    def _bring(self, page: int) -> int | None:
        victim = None
        if len(self._frames) < self._policy.frames:
            self._place[page] = len(self._frames)
            self._frames.append(page)
        else:
            victim = self._policy.victim(self)
            if victim is None:
                raise RuntimeError(f"{self._policy.name} finds no victim, and all pages may go")
            self._policy.forget(victim)
            self._bits.discard(victim)
            self._place[page] = self._place.pop(victim)
            self._frames[self._place[page]] = page
        self._policy.admit(page)
        return victim


def steps(policy: Policy, references: Sequence[int]) -> list[Step]:
    """All that happens, reference by reference."""
    policy.foresee(references)
    memory = Memory(policy)
    return [Step(page, *memory.refer(page), memory.frames) for page in references]


def faults(policy: Policy, references: Sequence[int]) -> int:
    """How many of the references fault; the first to each page is one of them."""
    policy.foresee(references)
    memory = Memory(policy)
    return sum(memory.refer(page)[0] for page in references)
