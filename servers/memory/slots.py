"""Slots: the places of address spaces in the tables region, where an MMU finds them."""

import errno
import os
import time
from collections.abc import Iterable
from typing import Final

from servers.memory.events import Events
from servers.memory.layout import (
    LANE_BUSY,
    LANE_SHIFT,
    LANES,
    SLOT_EVENTS,
    SLOT_GENERATION,
    SLOT_LANES,
    SLOT_ROOT,
    SLOT_SPACE,
    slot_word,
)
from twinos import fail

PATIENCE: Final = 0.02
"""Seconds to wait for an MMU in the middle of an access; then its pages are not taken."""
LAST_PATIENCE: Final = 1.0
"""The same, for what can't be left: its memory is unmapped, and the access was to that."""


class Slots:
    """Where spaces live.

    Args:
        words: the tables region, in words.
        count: how many there are.
    """

    __slots__ = ("_count", "_free", "_words")

    def __init__(self, words: memoryview, count: int) -> None:
        self._words = words
        self._count = count
        self._free = list(reversed(range(count)))

    def next(self) -> int:
        """The number of the space that is entered next. EAGAIN: there are too many."""
        if not self._free:
            raise fail(errno.EAGAIN)
        slot = self._free[-1]
        last: int = self._words[slot_word(slot, self._count) + SLOT_SPACE]
        return (last or slot) + self._count

    def root(self, space: int) -> int:
        """The root table of a space; 0: it does not live here."""
        word = slot_word(space, self._count)
        return self._words[word + SLOT_ROOT] if self._words[word + SLOT_SPACE] == space else 0

    def take_over(self, spaces: Iterable[int]) -> None:
        """Begin with these spaces, of an earlier life; all that MMUs know may be wrong."""
        taken = {space % self._count for space in spaces}
        self._free = [slot for slot in reversed(range(self._count)) if slot not in taken]
        for slot in range(self._count):
            if slot not in taken:
                self._words[slot_word(slot, self._count) + SLOT_ROOT] = 0
            self.invalidate(slot)
        self.silence(range(self._count))

    def events(self, space: int) -> Events:
        """The page faults of a space."""
        return Events(self._words, slot_word(space, self._count) + SLOT_EVENTS, 3)

    def enter(self, space: int, root: int) -> None:
        """The space called `next()` has its tables at `root`."""
        self._free.pop()
        self.settle(space, root)
        self.events(space).clear()

    def settle(self, space: int, root: int) -> None:
        """A space has its tables at `root`."""
        word = slot_word(space, self._count)
        self._words[word + SLOT_SPACE] = space
        self._words[word + SLOT_ROOT] = root

    def invalidate(self, space: int) -> None:
        """Tell the MMUs that translations of a space that they keep may be wrong.

        They look before each access. One that looked before this may still be in the middle of
        an access: see `silence`.
        """
        self._words[slot_word(space, self._count) + SLOT_GENERATION] += 1

    def leave(self, space: int) -> None:
        """A space ends. Its number stays in its slot, so that it is not given again."""
        self._words[slot_word(space, self._count) + SLOT_ROOT] = 0
        self.invalidate(space)
        self._free.append(space % self._count)

    def silence(self, spaces: Iterable[int], patience: float = LAST_PATIENCE) -> bool:
        """Wait till no MMU of these spaces is in an access begun before their `invalidate`.

        An access takes less than a microsecond, and no other of its process comes in between; so
        whoever is busy for longer has lost its processor, or its life. What the MMU wrote before
        it looked at the generation, its busy lane, is on its way through that processor's store
        buffer, which takes less time than the service needs to get here.

        Returns:
            Whether none is. False: `patience` (seconds) is over.
        """
        return all(self._is_silent(space, patience) for space in spaces)

    def _is_silent(self, space: int, patience: float) -> bool:
        words = self._words
        first = slot_word(space, self._count) + SLOT_LANES
        deadline = 0.0
        while any(lane & LANE_BUSY for lane in words[first : first + LANES].tolist()):
            now = time.monotonic()
            deadline = deadline or now + patience
            if now > deadline:
                return False
            self._bury(range(first, first + LANES))
            os.sched_yield()
        return True

    def _bury(self, lanes: range) -> None:
        """Free the lanes of processes that are gone: their accesses will not end."""
        for word in lanes:
            lane = self._words[word]
            if lane & LANE_BUSY and not is_alive(lane >> LANE_SHIFT):
                self._words[word] = 0


def is_alive(process: int) -> bool:
    """Whether there is such a process, one that has ended and is not yet buried left out."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False
