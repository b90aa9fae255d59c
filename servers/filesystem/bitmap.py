"""Bitmaps: which inodes and which zones are taken.

There are two pictures of each. *In use* is what may not be given to anybody else now; *on disk* is
what the disk is to say. They differ for files that are open and have no name any more: they are
free on the disk, so that nothing is lost when the system dies, and in use until they are closed.

Room can be promised before it is given: a write that is still only in memory has *reserved* its
zones, so it can't fail later.
"""

import errno
import re
from collections.abc import Iterable
from typing import Final

from servers.disk import Extent
from servers.filesystem.cache import BlockCache, Stage, extents
from servers.filesystem.layout import BITS_PER_BLOCK, BLOCK_SIZE, damaged
from twinos import fail

_NOT_FULL: Final = re.compile(rb"[^\xff]")
_FREE_BITS: Final = tuple(
    tuple(bit for bit in range(8) if not value >> bit & 1) for value in range(256)
)


class Bitmap:
    """One of the two bitmaps. Its numbers are those of inodes or zones.

    Args:
        cache: the blocks.
        start: the bitmap's first block.
        blocks: how many it has.
        first: the number that bit 1 stands for; bit 0 stands for nothing and is always taken.
        count: how many numbers there are; bits beyond them count as taken.
    """

    def __init__(self, cache: BlockCache, start: int, blocks: int, first: int, count: int) -> None:
        self._cache = cache
        self._start = start
        self._origin = first - 1
        self._on_disk = bytearray().join(cache.read_many(range(start, start + blocks)))
        self._in_use = _with_margins_taken(self._on_disk, count)
        self._first_free = 0  # no byte before this one has a free bit
        self._unused = 8 * len(self._in_use) - int.from_bytes(self._in_use, "little").bit_count()
        self._reserved = 0
        self._doubtful = b""
        self._changed: set[int] = set()
        self.count: Final = count

    @property
    def free(self) -> int:
        """How many may still be reserved."""
        return self._unused - self._reserved

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
            self._unused -= (bits & ~in_use).bit_count()
            self._in_use = bytearray((in_use | bits).to_bytes(size, "little"))
            self._doubtful = bits.to_bytes(size, "little")

    @property
    def on_disk(self) -> bytes:
        """What the disk is to say."""
        return bytes(self._on_disk)

    def reserve(self, count: int) -> None:
        """Promise `count` to somebody who will take them. ENOSPC if there are fewer."""
        if count > self._unused - self._reserved:
            raise fail(errno.ENOSPC)
        self._reserved += count

    def unreserve(self, count: int) -> None:
        """Take back a promise."""
        self._reserved -= count

    def take_one(self) -> int:
        """Reserve and take the first free one. ENOSPC."""
        if self._unused <= self._reserved:
            raise fail(errno.ENOSPC)
        at = self._find_free()
        old = self._in_use[at]
        bit = _FREE_BITS[old][0]
        self._in_use[at] = old | 1 << bit
        self._on_disk[at] |= 1 << bit
        self._changed.add(at // BLOCK_SIZE)
        self._unused -= 1
        return 8 * at + bit + self._origin

    def release_one(self, number: int) -> None:
        """Give back one that is in use."""
        bit = number - self._origin
        at = bit >> 3
        rest = ~(1 << (bit & 7))
        self._in_use[at] &= rest
        self._on_disk[at] &= rest
        self._changed.add(at // BLOCK_SIZE)
        self._unused += 1
        self._first_free = min(self._first_free, at)

    def take(self, count: int, *, nameless: bool = False) -> list[int]:
        """Take the first `count` free ones, which were reserved.

        Args:
            count: how many.
            nameless: for a file without a name: they stay free on the disk.
        """
        taken: list[int] = []
        in_use = self._in_use
        while len(taken) < count:
            at = self._find_free()
            old = in_use[at]
            bits = _FREE_BITS[old]
            if len(bits) > count - len(taken):
                bits = bits[: count - len(taken)]
                in_use[at] |= sum([1 << bit for bit in bits])
            else:
                in_use[at] = 0xFF
            if not nameless:
                self._on_disk[at] |= in_use[at] ^ old
                self._changed.add(at // BLOCK_SIZE)
            base = 8 * at + self._origin
            taken += [base + bit for bit in bits]
        self._unused -= count
        self._reserved -= count
        return taken

    def _find_free(self) -> int:
        """The first byte with a free bit."""
        if self._in_use[self._first_free] == 0xFF:
            match = _NOT_FULL.search(self._in_use, self._first_free)
            if match is None:
                raise damaged("more was promised than there is")
            self._first_free = match.start()
        return self._first_free

    def release(self, numbers: Iterable[int]) -> None:
        """Give back what was taken."""
        runs = extents(numbers)
        for first, count in runs:
            self._unused += _clear(self._in_use, first - self._origin, count)
            self._first_free = min(self._first_free, (first - self._origin) >> 3)
        self._hide(runs)

    def hide(self, numbers: Iterable[int]) -> None:
        """Free these on the disk, though they stay in use."""
        self._hide(extents(numbers))

    def _hide(self, runs: Iterable[Extent]) -> None:
        for first, count in runs:
            bit = first - self._origin
            if _clear(self._on_disk, bit, count):
                last = bit + count - 1
                changed = range(bit // BITS_PER_BLOCK, last // BITS_PER_BLOCK + 1)
                self._changed.update(changed)

    def stage(self) -> None:
        """Stage the blocks that changed."""
        for block in sorted(self._changed):
            data = self._on_disk[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE]
            self._cache.replace(self._start + block, data, Stage.BITMAP)
        self._changed.clear()


def _clear(bits: bytearray, first: int, count: int) -> int:
    """Clear bits in a row; how many of them were set."""
    start, end = first >> 3, (first + count + 7) >> 3
    mask = ((1 << count) - 1) << (first & 7)
    old = int.from_bytes(bits[start:end], "little")
    bits[start:end] = (old & ~mask).to_bytes(end - start, "little")
    return (old & mask).bit_count()


def _with_margins_taken(bits: bytearray, count: int) -> bytearray:
    """A copy in which bit 0 and the bits beyond `count` are set."""
    size = len(bits)
    margins = ((1 << 8 * size) - 1) ^ ((1 << (count + 1)) - 2)
    return bytearray((int.from_bytes(bits, "little") | margins).to_bytes(size, "little"))
