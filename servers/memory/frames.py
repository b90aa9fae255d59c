"""Physical memory: the page frames and how many hold each."""

import errno
from collections.abc import Iterable
from mmap import mmap

from servers.memory.layout import PAGE_SHIFT, PAGE_SIZE
from twinos import fail

ZEROS = bytes(PAGE_SIZE)


class Frames:
    """The page frames of the machine. A frame is free when nothing holds it.

    Args:
        memory: the bytes of the frames.
        counts: how many hold each, in the tables region; 32 bits each.
    """

    __slots__ = ("_counts", "_free", "_memory")

    def __init__(self, memory: mmap, counts: memoryview) -> None:
        self._memory = memory
        self._counts = counts
        self._free = [frame for frame in reversed(range(len(counts))) if not counts[frame]]

    @property
    def free(self) -> int:
        """How many frames are free."""
        return len(self._free)

    def allocate(self) -> int:
        """A frame of zeros, held once: whatever its last holder left is gone. ENOMEM: none."""
        frame = self._take()
        start = frame << PAGE_SHIFT
        self._memory[start : start + PAGE_SIZE] = ZEROS
        return frame

    def copy(self, frame: int) -> int:
        """A frame with the bytes of another, held once. ENOMEM: none is free."""
        twin = self._take()
        start, source = twin << PAGE_SHIFT, frame << PAGE_SHIFT
        self._memory[start : start + PAGE_SIZE] = self._memory[source : source + PAGE_SIZE]
        return twin

    def holders(self, frame: int) -> int:
        """How many page tables, and memory objects, hold a frame."""
        return int(self._counts[frame])

    def hold(self, frames: Iterable[int]) -> None:
        """Hold each of these frames once more."""
        counts = self._counts
        for frame in frames:
            counts[frame] += 1

    def drop(self, frames: Iterable[int]) -> None:
        """Hold each of these frames once less; those that nobody holds any more are free."""
        counts, free = self._counts, self._free
        for frame in frames:
            left = counts[frame] - 1
            counts[frame] = left
            if not left:
                free.append(frame)

    def _take(self) -> int:
        if not self._free:
            raise fail(errno.ENOMEM)
        frame = self._free.pop()
        self._counts[frame] = 1
        return frame
