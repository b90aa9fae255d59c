"""Physical memory: the page frames, how many hold each, and whose page is in it."""

import errno
from collections.abc import Iterable
from mmap import mmap
from typing import Final

from servers.memory.homes import Home
from servers.memory.layout import PAGE_SHIFT, PAGE_SIZE
from servers.memory.policies import Policy
from servers.memory.record import PageRecord
from servers.memory.swap import SwapArea
from twinos import fail

ZEROS: Final = bytes(PAGE_SIZE)


class Frames:
    """The page frames of the machine. A frame is free when nothing holds it.

    Frames beyond `own` are pages of files, which lie elsewhere: they are numbered, counted and
    chosen for replacement as all others, but nobody takes one from here.

    Args:
        memory: the bytes of the own frames.
        counts: how many hold each, in the tables region; 32 bits each; of all frames.
        own: how many frames there are in `memory`.
        record: what outlives the service.
        policy: is told which pages come and go.
        swap: where pages go.

    Attributes:
        homes: whose page is in each frame, and which of its pages; None: it is free.
        dirty: by frame, whether its bytes are nowhere else: not zeros, not in the swap area.
        record: what outlives the service.
    """

    __slots__ = (
        "_counts",
        "_free",
        "_memory",
        "_policy",
        "_swap",
        "dirty",
        "homes",
        "own",
        "record",
    )

    def __init__(
        self,
        memory: mmap,
        counts: memoryview,
        own: int,
        policy: Policy,
        swap: SwapArea,
        record: PageRecord,
    ) -> None:
        self.own = own
        self.homes: list[tuple[Home, int] | None] = [None] * len(counts)
        self.record = record
        self.dirty = record.dirty
        self._memory = memory
        self._counts = counts
        self._policy = policy
        self._swap = swap
        self._free = list(reversed(range(own)))

    @property
    def free(self) -> int:
        """How many frames are free."""
        return len(self._free)

    def allocate(self, home: Home, page: int) -> int:
        """A frame of zeros, held once: whatever its last holder left is gone. ENOMEM: none."""
        frame = self.take(home, page)
        start = frame << PAGE_SHIFT
        self._memory[start : start + PAGE_SIZE] = ZEROS
        return frame

    def take(self, home: Home, page: int) -> int:
        """A frame for a page whose bytes the caller will `write`; held once. ENOMEM: none."""
        if not self._free:
            raise fail(errno.ENOMEM)
        frame = self._free.pop()
        self.adopt(frame, home, page)
        return frame

    def adopt(self, frame: int, home: Home, page: int) -> None:
        """A frame that was nobody's has a page now; held once."""
        self._counts[frame] = 1
        self.homes[frame] = home, page
        self._policy.admit(frame)

    def read(self, frame: int) -> bytes:
        """The bytes of a frame."""
        home = self.homes[frame]
        if frame >= self.own and home is not None:
            return home[0].fetch(frame)
        start = frame << PAGE_SHIFT
        return self._memory[start : start + PAGE_SIZE]

    def write(self, frame: int, data: bytes) -> None:
        """Fill an own frame."""
        start = frame << PAGE_SHIFT
        self._memory[start : start + PAGE_SIZE] = data

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
        counts = self._counts
        for frame in frames:
            left = counts[frame] - 1
            counts[frame] = left
            if not left:
                self._release(frame)

    def take_over(self, held: dict[int, tuple[Home, int, int]]) -> None:
        """Begin with the frames that an earlier life has given out, and no others.

        Args:
            held: by frame: whose page is there, which, and how many hold it.
        """
        self._counts[:] = memoryview(bytes(self._counts.nbytes)).cast("I")
        for frame, (home, page, holders) in held.items():
            self.adopt(frame, home, page)
            self._counts[frame] = holders
        for frame in [f for f, dirty in enumerate(self.dirty) if dirty and f not in held]:
            self.dirty[frame] = 0
        self._free = [frame for frame in reversed(range(self.own)) if frame not in held]

    def _release(self, frame: int) -> None:
        self._policy.forget(frame)
        home = self.homes[frame]
        if home is not None and not home[0].private:
            self.record.forget(frame)
        self._swap.part(frame)
        self.dirty[frame] = 0
        self.homes[frame] = None
        if frame < self.own:
            self._free.append(frame)
        elif home is not None:
            home[0].returned(frame, home[1])
