"""The block cache: blocks of metadata, and the changed ones on their way to the disk.

File data does not pass through here (see `content`); inodes, names and block maps do, when they
are read from the disk and when they are written back. Changed blocks are *staged*, whatever number
of operations changed them, and `commit` writes all of them: bitmaps, then inodes and block maps,
then directories. When a process dies in between, what was new leaks at worst; but what was freed is
marked free before its last reference goes, which `twinos image repair` has to mend. All that one
commit writes belongs together: it is what a log would write first.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

from servers.disk import Disk, Extent
from servers.filesystem.layout import BLOCK_SIZE

BATCH: Final = 1024
"""Blocks that one request to the disk moves at most."""


class Stage(IntEnum):
    """When in a commit a block is written."""

    BITMAP = 0
    INODE = 1
    DIRECTORY = 2


def extents(blocks: Iterable[int]) -> tuple[Extent, ...]:
    """Block numbers as runs, in their order."""
    runs: list[Extent] = []
    first = end = -1
    for block in blocks:
        if block != end:
            if end > first:
                runs.append(Extent(first, end - first))
            first = block
        end = block + 1
    if end > first:
        runs.append(Extent(first, end - first))
    return tuple(runs)


class BlockCache:
    """Blocks of metadata between the file system and its disk.

    Args:
        disk: where blocks come from and go to.
        limit: how many unchanged blocks are kept at most.
    """

    def __init__(self, disk: Disk, limit: int) -> None:
        self._disk = disk
        self._limit = limit
        self._clean: dict[int, bytes] = {}
        self._staged: dict[int, bytearray] = {}
        self._stage: dict[int, Stage] = {}

    def read(self, block: int) -> bytes | bytearray:
        """One block."""
        return self._staged.get(block) or self._clean.get(block) or self._fetch([block])[0]

    def read_many(self, blocks: Sequence[int]) -> list[bytes | bytearray]:
        """Several blocks, with one request for those that are not here."""
        missing = [b for b in blocks if b not in self._staged and b not in self._clean]
        fetched = dict(zip(missing, self._fetch(missing), strict=True))
        return [self._staged.get(b) or self._clean.get(b) or fetched[b] for b in blocks]

    def edit(self, block: int, stage: Stage) -> bytearray:
        """The block's bytes, to be changed in place before the next commit."""
        staged = self._staged.get(block)
        return self.replace(block, self.read(block), stage) if staged is None else staged

    def replace(self, block: int, data: bytes | bytearray, stage: Stage) -> bytearray:
        """Give the block new contents with the next commit."""
        staged = self._staged[block] = bytearray(data)
        self._stage[block] = stage
        self._clean.pop(block, None)
        return staged

    def forget(self, blocks: Iterable[int]) -> None:
        """These blocks are free: what they held must not reach the disk any more."""
        for block in blocks:
            self._clean.pop(block, None)
            if self._staged.pop(block, None) is not None:
                del self._stage[block]

    def commit(self) -> None:
        """Write what is staged. After an error the rest is still staged, and can be tried again."""
        for stage in Stage:
            blocks = sorted(block for block, when in self._stage.items() if when is stage)
            for start in range(0, len(blocks), BATCH):
                self._write(blocks[start : start + BATCH])

    def _write(self, blocks: list[int]) -> None:
        data = b"".join([self._staged[block] for block in blocks])
        self._disk.writev(extents(blocks), data)
        for block in blocks:
            del self._stage[block]
            self._keep(block, bytes(self._staged.pop(block)))

    def _fetch(self, blocks: Sequence[int]) -> list[bytes]:
        fetched: list[bytes] = []
        for start in range(0, len(blocks), BATCH):
            data = self._disk.readv(extents(blocks[start : start + BATCH]))
            fetched += [data[at : at + BLOCK_SIZE] for at in range(0, len(data), BLOCK_SIZE)]
        for block, data in zip(blocks, fetched, strict=True):
            self._keep(block, data)
        return fetched

    def _keep(self, block: int, data: bytes) -> None:
        if len(self._clean) >= self._limit:
            # The oldest go, an eighth at a time: a hit costs nothing this way.
            for old in list(self._clean)[: self._limit // 8 + 1]:
                del self._clean[old]
        self._clean[block] = data
