"""Bitmaps: which inodes and which zones are taken.

There are four pictures of each. *In use* is what somebody has now. *Next* is what the disk is to
say, *committed* what it says. The first two differ for files that are open and have no name any
more: they are free on the disk, so that nothing is lost when the system dies, and in use until they
are closed. *Blocked* is what may not be given to anybody: what is in use, and what was in use at
the last commit; for until the next one the disk may have to show what was there.

Room can be promised before it is given: a write that is still only in memory has *reserved* its
zones, so it can't fail later.
"""

import errno
import re
from collections.abc import Iterable
from typing import Final

from servers.filesystem.batch import Phase, extents
from servers.filesystem.bits import clear_bits, count_bits, union, with_margins_taken
from servers.filesystem.cache import BlockCache
from servers.filesystem.layout import BITS_PER_BLOCK, BLOCK_SIZE, damaged
from servers.filesystem.memory import Memory
from twinos import fail

_NOT_FULL: Final = re.compile(rb"[^\xff]")
_FREE_BITS: Final = tuple(
    tuple(bit for bit in range(8) if not value >> bit & 1) for value in range(256)
)
_SCARCE: Final = 16
"""With fewer left, what is held back is given free before the next operation, which may need it."""


class Bitmap:
    """One of the two bitmaps. Its numbers are those of inodes or zones.

    Args:
        cache: the blocks.
        memory: told when a commit would make room.
        start: the bitmap's first block.
        blocks: how many it has.
        first: the number that bit 1 stands for; bit 0 stands for nothing and is always taken.
        count: how many numbers there are; bits beyond them count as taken.
    """

    def __init__(
        self, cache: BlockCache, memory: Memory, start: int, blocks: int, first: int, count: int
    ) -> None:
        self._cache = cache
        self._memory = memory
        self._start = start
        self._origin = first - 1
        self._committed = bytearray().join(cache.read_many(range(start, start + blocks)))
        self._next = self._committed[:]
        self._shown = self._committed
        self._in_use = with_margins_taken(self._committed, count)
        self._blocked = self._in_use[:]
        self._first_free = 0  # no byte before this one has a bit that is not blocked
        self._free = 8 * len(self._in_use) - int.from_bytes(self._in_use, "little").bit_count()
        self._unblocked = self._free
        self._reserved = 0
        self._moving = 0
        self._doubtful = b""
        self._changed: set[int] = set()
        self.count: Final = count

    @property
    def free(self) -> int:
        """How many may still be reserved, at the latest after a commit."""
        return self._free - self._reserved

    @property
    def room(self) -> int:
        """How many may still be reserved before the next commit."""
        return self._unblocked - self._reserved - self._moving

    @property
    def held(self) -> int:
        """How many are free, but held back until the next commit."""
        return self._free - self._unblocked

    @property
    def moving(self) -> int:
        """How many are kept for what will move with the next commit, which frees as many."""
        return self._moving

    @moving.setter
    def moving(self, count: int) -> None:
        self._moving = count
        if count:
            self._scarce()

    def adopt(self, numbers: Iterable[int]) -> None:
        """These are in use, though the disk calls them free."""
        for number in numbers:
            bit = number - self._origin
            at, mask = bit >> 3, 1 << (bit & 7)
            if not 1 <= bit <= self.count or self._in_use[at] & mask:
                raise damaged(f"{number} is referred to twice, or does not exist")
            self._in_use[at] |= mask
            self._blocked[at] |= mask
            self._free -= 1
            self._unblocked -= 1
        self._shown = self._with_nameless()

    def check(self, numbers: Iterable[int]) -> None:
        """EUCLEAN unless each of these exists, is in use, and is not doubtful."""
        in_use, count, doubtful = self._in_use, self.count, self._doubtful
        for number in numbers:
            bit = number - self._origin
            if not 1 <= bit <= count or not in_use[bit >> 3] >> (bit & 7) & 1:
                raise damaged(f"{number} is referred to, but it is free or does not exist")
            if doubtful and doubtful[bit >> 3] >> (bit & 7) & 1:
                raise damaged(f"{number} is referred to twice, or it is marked free")

    def distrust(self, bits: int) -> None:
        """Refuse these from now on, and give them to nobody (see `survey`)."""
        if bits:
            size = len(self._in_use)
            in_use = int.from_bytes(self._in_use, "little")
            self._free -= (bits & ~in_use).bit_count()
            self._unblocked = self._free
            self._in_use = bytearray((in_use | bits).to_bytes(size, "little"))
            self._blocked = self._in_use[:]
            self._doubtful = bits.to_bytes(size, "little")

    @property
    def on_disk(self) -> bytes:
        """What the disk says."""
        return bytes(self._committed)

    def shows(self, number: int) -> bool:
        """Whether the disk says that this one is in use."""
        bit = number - self._origin
        return bool(self._committed[bit >> 3] >> (bit & 7) & 1)

    def reserve(self, count: int) -> None:
        """Promise `count` to somebody who will take them. ENOSPC if there are fewer."""
        left = self._unblocked - self._reserved - self._moving - count
        if left < 0:
            raise fail(errno.ENOSPC)
        self._reserved += count
        if left < _SCARCE:
            self._scarce()

    def unreserve(self, count: int) -> None:
        """Take back a promise."""
        self._reserved -= count

    def take_one(self) -> int:
        """Reserve and take the first free one. ENOSPC."""
        left = self._unblocked - self._reserved - self._moving
        if left <= _SCARCE:
            if left <= 0:
                raise fail(errno.ENOSPC)
            self._scarce()
        at = self._find_free()
        blocked = self._blocked[at]
        bit = _FREE_BITS[blocked][0]
        mask = 1 << bit
        self._blocked[at] = blocked | mask
        self._in_use[at] |= mask
        self._next[at] |= mask
        self._changed.add(at // BLOCK_SIZE)
        self._free -= 1
        self._unblocked -= 1
        return 8 * at + bit + self._origin

    def release_one(self, number: int) -> None:
        """Give back one that is in use."""
        bit = number - self._origin
        at = bit >> 3
        mask = 1 << (bit & 7)
        self._in_use[at] &= ~mask
        self._next[at] &= ~mask
        self._changed.add(at // BLOCK_SIZE)
        self._free += 1
        if self._shown[at] & mask:
            self._scarce()
        else:
            self._blocked[at] &= ~mask
            self._unblocked += 1
            self._first_free = min(self._first_free, at)

    def take(self, count: int, *, nameless: bool = False) -> list[int]:
        """Take the first `count` free ones, which were reserved.

        Args:
            count: how many.
            nameless: for a file without a name: they stay free on the disk.
        """
        taken: list[int] = []
        blocked = self._blocked
        while len(taken) < count:
            at = self._find_free()
            bits = _FREE_BITS[blocked[at]]
            if len(bits) > count - len(taken):
                bits = bits[: count - len(taken)]
            mask = sum([1 << bit for bit in bits])
            blocked[at] |= mask
            self._in_use[at] |= mask
            if not nameless:
                self._next[at] |= mask
                self._changed.add(at // BLOCK_SIZE)
            base = 8 * at + self._origin
            taken += [base + bit for bit in bits]
        self._free -= count
        self._unblocked -= count
        self._reserved -= count
        return taken

    def _find_free(self) -> int:
        """The first byte with a bit that may be given."""
        if self._blocked[self._first_free] == 0xFF:
            match = _NOT_FULL.search(self._blocked, self._first_free)
            if match is None:
                raise damaged("more was promised than there is")
            self._first_free = match.start()
        return self._first_free

    def release(self, numbers: Iterable[int]) -> None:
        """Give back what was taken. EUCLEAN, and nothing is changed, if one of these is free."""
        runs = self._runs(numbers)
        for first, count in runs:
            clear_bits(self._in_use, first, count)
            self._free += count
            shown = count_bits(self._shown, first, count)
            if not shown:
                self._unblocked += clear_bits(self._blocked, first, count)
                self._first_free = min(self._first_free, first >> 3)
            elif shown < count:
                self._unblock(first, count)
            if shown and self._shown is not self._committed:
                last = first + count - 1
                self._changed.update(range(first // BITS_PER_BLOCK, last // BITS_PER_BLOCK + 1))
        self._hide(runs)
        self._scarce()

    def hide(self, numbers: Iterable[int]) -> None:
        """Free these on the disk, though they stay in use. EUCLEAN, as in `release`."""
        self._hide(self._runs(numbers))

    def stage(self) -> None:
        """Put the blocks that changed into the next commit."""
        for block in sorted(self._changed):
            part = slice(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
            now, then = self._committed[part], self._next[part]
            both = union(now, then)
            if both != now:
                self._cache.put(self._start + block, 0, both, Phase.TAKEN)
            if both != then:
                self._cache.put(self._start + block, 0, then, Phase.FREED)

    def committed(self, *, keep: bool = False) -> None:
        """The disk says what it was to say: what was held back is free.

        Args:
            keep: whether what is in use, and free on the disk, is to be held back until the next
                commit when it is given back.
        """
        for block in self._changed:
            part = slice(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
            now, in_use = self._next[part], self._in_use[part]
            self._committed[part] = now
            self._blocked[part] = now if now == in_use else union(now, in_use)
            self._first_free = min(self._first_free, part.start)
        self._changed.clear()
        self._unblocked = self._free
        self._shown = self._with_nameless() if keep else self._committed

    def _with_nameless(self) -> bytearray:
        """What may not be given again before the next commit: what is in use, or was."""
        if self._in_use == self._next:
            return self._committed
        return bytearray(union(self._committed, self._in_use))

    def _runs(self, numbers: Iterable[int]) -> list[tuple[int, int]]:
        """Numbers as bits in a row: the first, and how many. EUCLEAN unless all are in use."""
        runs = [(run.block - self._origin, run.length) for run in extents(sorted(numbers))]
        end = 1
        for first, count in runs:
            if first < end or first + count - 1 > self.count:
                raise damaged("something is to be freed that does not exist, or twice")
            if count_bits(self._in_use, first, count) != count:
                raise damaged("something is to be freed that is free")
            end = first + count
        return runs

    def _unblock(self, first: int, count: int) -> None:
        """Give free at once what the disk does not show, where some of it does."""
        for bit in range(first, first + count):
            if not self._shown[bit >> 3] >> (bit & 7) & 1:
                self._unblocked += clear_bits(self._blocked, bit, 1)
                self._first_free = min(self._first_free, bit >> 3)

    def _hide(self, runs: Iterable[tuple[int, int]]) -> None:
        for first, count in runs:
            if clear_bits(self._next, first, count):
                last = first + count - 1
                self._changed.update(range(first // BITS_PER_BLOCK, last // BITS_PER_BLOCK + 1))

    def _scarce(self) -> None:
        """Ask for a commit if little is left, and it would free something."""
        if self.room < _SCARCE and (self._moving or self.held):
            self._memory.press()
