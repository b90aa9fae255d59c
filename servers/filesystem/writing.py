"""Changed pages on their way to the disk."""

import errno
import os
from collections.abc import Iterator
from typing import Final

from servers.disk import Disk
from servers.filesystem.batch import BATCH, extents
from servers.filesystem.blockmap import BlockMap
from servers.filesystem.inode import Inode
from servers.filesystem.layout import BLOCK_SIZE
from servers.filesystem.memory import Memory
from twinos import Journal

PAGE: Final = 4096
BLOCKS: Final = PAGE // BLOCK_SIZE
"""Blocks of a page."""


class CrowdedError(OSError):
    """What is to be written over fits neither elsewhere nor into the log: so much, or just now."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC))


class PageWriter:
    """Brings changed pages to the disk.

    Args:
        disk: where they go.
        maps: where they lie.
        memory: knows what a commit holds already.
        journal: says whether there can be a commit now.
        log: blocks of content that a commit has room for; None: there is no log. Without one, what
            is written over other content goes where that is. With one it goes elsewhere, and the
            other content stays on the disk until the commit. Where there is no room elsewhere
            it goes into the commit itself, as far as that has room for it.
    """

    def __init__(
        self, disk: Disk, maps: BlockMap, memory: Memory, journal: Journal, log: int | None
    ) -> None:
        self._disk = disk
        self._maps = maps
        self._memory = memory
        self._journal = journal
        self._in_place = log is None
        self._most = max(log or 0, 2 * BLOCKS)

    @property
    def step(self) -> int:
        """Bytes, wherever they begin, that a commit of nothing else has room for."""
        return (self._most // BLOCKS - 1) * PAGE

    def admit(self, pages: int) -> None:
        """CrowdedError, if so many pages more can't be written over and be there whole or not.

        After a commit they can, if they are not more than a `step`.
        """
        blocks = pages * BLOCKS
        if self._in_place or blocks <= self._maps.room or self._journal.replaying:
            return
        if blocks > self._most or self._maps.moving or self._memory.spent:
            raise CrowdedError

    def crowd(self, pages: int, *, keep: bool = True) -> None:
        """So many pages are written over: keep room for them elsewhere, or have a commit soon."""
        if self._in_place or not pages:
            return
        blocks = pages * BLOCKS
        if keep and blocks <= self._maps.room:
            self._maps.moving += blocks
        else:
            self._memory.press()

    def begin(self) -> None:
        """All that was written is to go to the disk now: what was kept for it is to be had."""
        self._maps.moving = 0

    def flush(self, inode: Inode) -> None:
        """Write the changed pages to their zones."""
        pages = sorted(inode.changed)
        for start in range(0, len(pages), BATCH // BLOCKS):
            self._write_back(inode, pages[start : start + BATCH // BLOCKS])

    def _write_back(self, inode: Inode, pages: list[int]) -> None:
        spans: list[tuple[int, int]] = []
        parts: list[bytes] = []
        for first, run in _runs(inode, pages):
            blocks = -(-len(run[-1]) // BLOCK_SIZE)
            spans.append((first * BLOCKS, (first + len(run) - 1) * BLOCKS + blocks))
            run[-1] = run[-1].ljust(blocks * BLOCK_SIZE, b"\0")
            parts += run
        elsewhere = not self._in_place
        zones = self._maps.assign(inode, spans, elsewhere=elsewhere)
        data = b"".join(parts)
        if elsewhere and self._maps.shown(zones):  # there was no other room for it
            zones, data = self._log(zones, data)
        if zones:
            self._disk.writev(extents(zones), data)
        inode.changed.difference_update(pages)

    def _log(self, zones: list[int], data: bytes) -> tuple[list[int], bytes]:
        """Have content that can't move go into the next commit; what is to be written now.

        What the log has no room for is written over. Before that, the last transaction has to be
        in its place: it may have content of these very blocks in it.
        """
        left: list[int] = []
        parts: list[bytes] = []
        for number, zone in enumerate(zones):
            part = data[number * BLOCK_SIZE : (number + 1) * BLOCK_SIZE]
            if not self._maps.put_content(zone, part):
                left.append(zone)
                parts.append(part)
        if self._maps.shown(left):
            self._disk.flush()
        return left, b"".join(parts)


def _runs(inode: Inode, pages: list[int]) -> Iterator[tuple[int, list[bytes]]]:
    """Pages as blocks in a row: the first page's number, and pages of which all but one are whole.

    The blocks that the last one lacks of a whole page may be holes.
    """
    run: list[bytes] = []
    first = 0
    for index in pages:
        if run and (first + len(run) != index or len(run[-1]) < PAGE):
            yield first, run
            run = []
        if not run:
            first = index
        run.append(inode.pages[index])
    if run:
        yield first, run
