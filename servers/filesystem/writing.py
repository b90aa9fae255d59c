"""Changed pages on their way to the disk."""

from collections.abc import Iterator
from typing import Final

from servers.disk import Disk
from servers.filesystem.batch import BATCH, extents
from servers.filesystem.blockmap import BlockMap
from servers.filesystem.inode import Inode
from servers.filesystem.layout import BLOCK_SIZE
from servers.filesystem.memory import Memory

PAGE: Final = 4096
BLOCKS: Final = PAGE // BLOCK_SIZE
"""Blocks of a page."""


class PageWriter:
    """Brings changed pages to the disk.

    Args:
        disk: where they go.
        maps: where they lie.
        memory: told when a commit is due.
        in_place: whether what is written over other content goes where that is. If not, it goes
            elsewhere, and the other content stays on the disk until the commit. Where there is no
            room elsewhere it goes into the commit itself, as far as the log has room for it.
    """

    def __init__(self, disk: Disk, maps: BlockMap, memory: Memory, *, in_place: bool) -> None:
        self._disk = disk
        self._maps = maps
        self._memory = memory
        self._in_place = in_place
        self._moving = 0  # blocks written over since the last commit, which go elsewhere then

    def crowd(self, pages: int) -> None:
        """So many pages are written over: ask for a commit if there is no other room for all."""
        self._moving += pages * BLOCKS
        if self._moving > self._maps.room and not self._in_place:
            self._memory.press()

    def committed(self) -> None:
        """All that was written is on the disk."""
        self._moving = 0

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
