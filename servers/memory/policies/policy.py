"""What a page replacement policy is: which page gives up its frame when there is none left.

A policy is one class in one file of this package. It is told which pages come and go, and chooses a
victim among them. What the hardware would know of a page it asks of a `Look`. The simulator and the
memory manager use the same classes.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol


class Look(Protocol):
    """The page tables, as far as a policy sees them."""

    def accessed(self, page: int) -> bool:
        """Whether the page was referenced since this was last asked: reads and clears the bit."""

    def dirty(self, page: int) -> bool:
        """Whether the page would have to be written before its frame can be given away."""

    def evictable(self, page: int) -> bool:
        """Whether the page may go now: it is not locked in memory, and not somebody else's."""


class Policy:
    """A page replacement policy.

    Args:
        frames: how many pages are in memory at most.
        seed: for a policy that draws lots.

    Attributes:
        name: how it is asked for.
        clairvoyant: whether it must `foresee` all references: no real system can have it.
    """

    name: ClassVar[str]
    clairvoyant: ClassVar[bool] = False

    def __init__(self, frames: int, seed: int = 0) -> None:
        self.frames = frames
        self.seed = seed

    def foresee(self, references: Sequence[int]) -> None:
        """All references that are to come. Only a policy that no real system can have listens."""

    def admit(self, page: int) -> None:
        """The page was given a frame."""
        raise NotImplementedError

    def forget(self, page: int) -> None:
        """The page has given up its frame: as the victim, or because it is no longer used.

        It costs the same however many pages there are: whole address spaces end.
        """
        raise NotImplementedError

    def victim(self, look: Look) -> int | None:
        """Which of the pages in memory gives up its frame; None: none of them may."""
        raise NotImplementedError

    def tick(self, look: Look) -> None:
        """A moment of virtual time has passed: one reference, where each is seen."""


def first_evictable(pages: Iterable[int], look: Look) -> int | None:
    """The first of some pages that may go."""
    return next(filter(look.evictable, pages), None)
