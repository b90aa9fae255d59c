"""Lanes: how the MMUs of a process say that one of them is in the middle of an access.

One lane serves all MMUs that a process has of a space: from raising it to lowering it no other
thread of the process comes in between (see `mmu`).
"""

import errno
import fcntl
import os
from threading import Lock
from typing import Final
from weakref import WeakValueDictionary

from servers.memory.layout import LANE_BUSY, LANE_SHIFT, LANES, SLOT_LANES
from servers.memory.slots import is_alive
from twinos import fail


class Lane:
    """A lane. It is given back when nobody refers to it any more.

    Attributes:
        words: where it is.
        word: which of them it is.
        busy, idle: what it is while an access goes on, and otherwise.
    """

    __slots__ = ("__weakref__", "busy", "idle", "word", "words")

    def __init__(self, words: memoryview, word: int) -> None:
        self.words = words
        self.word = word
        self.idle = os.getpid() << LANE_SHIFT
        self.busy = self.idle | LANE_BUSY
        words[word] = self.idle

    def __del__(self) -> None:
        self.words[self.word] = 0

    def cut_off(self) -> None:
        """Let it alone from now on: it is that of the process that forked this one."""
        self.words, self.word = memoryview(bytearray(8)).cast("Q"), 0


_Place = tuple[int, int]

_lanes: Final[WeakValueDictionary[_Place, Lane]] = WeakValueDictionary()
_claiming: Final = Lock()


def claim(words: memoryview, slot: int, descriptor: int) -> Lane:
    """This process's lane of a slot.

    Args:
        words: the tables region, in words.
        slot: the first word of the slot.
        descriptor: the region's, to keep other processes out meanwhile.

    Raises:
        OSError: EAGAIN: all are other processes'.
    """
    place = os.fstat(descriptor).st_ino, slot
    with _claiming:
        lane = _lanes.get(place)
        if lane is None:
            fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, slot)
            try:
                lane = _lanes[place] = Lane(words, _free(words, slot + SLOT_LANES))
            finally:
                fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, slot)
        return lane


def _free(words: memoryview, first: int) -> int:
    for word in range(first, first + LANES):
        if not words[word] or not is_alive(words[word] >> LANE_SHIFT):
            return word
    raise fail(errno.EAGAIN)


def forsake() -> None:
    """In a child that its process forked: have no lane any more."""
    _claiming._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001 (as threading does)
    for lane in list(_lanes.values()):
        lane.cut_off()
    _lanes.clear()
