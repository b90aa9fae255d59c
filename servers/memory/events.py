"""What has happened so far, counted in the tables region: the service's lives go on counting."""

from typing import Final

BROUGHT: Final = 0
EVICTIONS: Final = 1
WRITTEN: Final = 2
KILLS: Final = 3
ENDED: Final = 4
"""Where it is counted: pages that were given a frame, without copies; pages that gave theirs up;
those of them that had to be written to the swap area; spaces that were ended because memory ran
out; and from here on the faults of spaces that have ended."""

MINOR: Final = 0
MAJOR: Final = 1
COPIES: Final = 2
"""Of page faults: resolved without waiting for a disk; with; that copied a page."""


class Events:
    """Some counters. To read them costs nothing.

    Args:
        words: the tables region, in words.
        place: the first of their words.
        size: how many there are.
    """

    __slots__ = ("_place", "_words", "counts")

    def __init__(self, words: memoryview, place: int, size: int) -> None:
        self._words = words
        self._place = place
        self.counts: list[int] = words[place : place + size].tolist()

    def add(self, which: int, more: int = 1) -> None:
        """So many more."""
        self.counts[which] = count = self.counts[which] + more
        self._words[self._place + which] = count

    def clear(self) -> None:
        """None so far."""
        for which in range(len(self.counts)):
            self.add(which, -self.counts[which])
