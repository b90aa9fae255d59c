"""A batch: the changes of metadata that one commit brings to the disk, and the order they need.

On a disk without a log the order is all that protects what was there: a block is written once for
each phase in which something of it changes, with a flush between phases. So nothing on the disk
names what is not there yet, nothing is free while something names it, and a file that moves has two
names for a moment rather than none. A log needs no order.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

from servers.disk import Disk, Extent

BATCH: Final = 1024
"""Blocks that one request to the disk moves at most."""

Bytes = bytes | bytearray


class Phase(IntEnum):
    """When, on a disk without a log, a change is written.

    TAKEN: bits of what is used from now on (with it go new blocks, which nothing names yet).
    INODE: inodes and block maps, with the larger one of the old and the new number of links.
    ENTER: names that come; REMOVE: names that go.
    FORGET: inodes that have lost a name, or their last one.
    FREED: bits of what is free from now on.
    """

    TAKEN = 0
    INODE = 1
    ENTER = 2
    REMOVE = 3
    FORGET = 4
    FREED = 5


class Batch:
    """What one commit changes.

    Attributes:
        fresh: blocks that nothing on the disk names yet: they go there first, in any order.
        blocks: the other blocks, as they will be.
        old: those as they are on the disk.
        changes: what makes the one of the other: phase, block, offset and bytes, in order.
    """

    __slots__ = ("blocks", "changes", "fresh", "old")

    def __init__(self) -> None:
        self.fresh: dict[int, bytearray] = {}
        self.blocks: dict[int, bytearray] = {}
        self.old: dict[int, bytes] = {}
        self.changes: list[tuple[Phase, int, int, Bytes]] = []

    def __bool__(self) -> bool:
        """Whether there is anything to be written."""
        return bool(self.blocks or self.fresh)

    def drop(self, block: int) -> None:
        """What the block was to hold must not reach the disk any more."""
        self.fresh.pop(block, None)
        if self.blocks.pop(block, None) is not None:
            del self.old[block]
            self.changes = [change for change in self.changes if change[1] != block]

    def drop_unchanged(self) -> dict[int, bytes]:
        """Leave out the blocks that are what they were; these."""
        old = self.old
        same = {at: old[at] for at, data in self.blocks.items() if data == old[at]}
        for block in same:
            del self.blocks[block], old[block]
        return same


class Ordered:
    """Commits without a log.

    Args:
        disk: where blocks go.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def commit(self, batch: Batch) -> bool:
        """Write the batch, phase by phase. The last one is not flushed."""
        write_blocks(self._disk, batch.fresh)
        phases: list[dict[int, list[tuple[int, Bytes]]]] = [{} for _ in Phase]
        for phase, block, offset, data in batch.changes:
            if block in batch.blocks:
                phases[phase].setdefault(block, []).append((offset, data))
        now = {block: bytearray(data) for block, data in batch.old.items()}
        for phase in Phase:
            if phase and phases[phase]:
                self._disk.flush()
            for block, changes in phases[phase].items():
                for offset, data in changes:
                    now[block][offset : offset + len(data)] = data
            write_blocks(self._disk, {block: now[block] for block in phases[phase]})
        return False


def write_blocks(disk: Disk, blocks: Mapping[int, Bytes]) -> None:
    """Write blocks in the order of their numbers, many with one request."""
    if not blocks:
        return
    numbers = sorted(blocks)
    for start in range(0, len(numbers), BATCH):
        part = numbers[start : start + BATCH]
        disk.writev(extents(part), b"".join([blocks[number] for number in part]))


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
