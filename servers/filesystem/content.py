"""Content: the bytes of files, in pages of 4 KiB.

A page is a `bytes` object, so a read or write of a whole one moves a reference and copies nothing:
`FileOperations` does so itself where the page is in memory (and, for a write, has changed before).
It may be shorter than 4 KiB: the rest of it is zeros, up to the size of the file. A hole is an
empty page. What is written stays here until `PageWriter` gives its blocks zones and brings it
straight to the disk. Every block of a changed page, up to its length, has a zone given or promised.
"""

from contextlib import suppress
from typing import Final

from servers.disk import Disk
from servers.filesystem.batch import BATCH, extents
from servers.filesystem.blockmap import BlockMap
from servers.filesystem.cutting import cutter, with_holes
from servers.filesystem.inode import Inode, InodeTable
from servers.filesystem.layout import BLOCK_SIZE
from servers.filesystem.memory import Memory
from servers.filesystem.writing import BLOCKS, PAGE, PageWriter
from twinos import Journal, Pages

SHIFT: Final = 12
MASK: Final = PAGE - 1
STEP: Final = BATCH * BLOCK_SIZE
"""Bytes of a long read or write that are handled at a time (a whole number of pages)."""
_READ_AHEAD: Final = 32
_IN_PAGES: Final = 16 << 10
"""Bytes from which on it pays not to join pages."""


class Content:
    """The content of all files.

    Args:
        disk: where it comes from and goes to.
        table: the inodes.
        maps: where it lies.
        memory: what is used is counted here.
        journal, log: see `PageWriter`.
    """

    def __init__(
        self,
        disk: Disk,
        table: InodeTable,
        maps: BlockMap,
        memory: Memory,
        journal: Journal,
        log: int | None,
    ) -> None:
        self._disk = disk
        self._table = table
        self._maps = maps
        self._memory = memory
        self.writer: Final = PageWriter(disk, maps, memory, journal, log)

    def read(self, inode: Inode, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer at the end.

        Args:
            inode: the file.
            offset: not negative.
            length: `STEP` at most, so that memory stays bounded; nothing if not positive.
        """
        length = min(length, inode.size - offset)
        if length <= 0:
            return b""
        start = offset & MASK
        if start + length > PAGE:
            return self._read_pages(inode, offset, length)
        page = inode.pages.get(offset >> SHIFT)
        if page is None:
            page = self._page(inode, offset >> SHIFT)
        part = page[start : start + length]
        return part if len(part) == length else part.ljust(length, b"\0")

    def read_pages(self, inode: Inode, offset: int, length: int) -> bytes | Pages:
        """The same, for who need not have it in one piece."""
        length = min(length, inode.size - offset)
        if length < _IN_PAGES or offset & MASK:
            return self.read(inode, offset, length)
        first, last = offset >> SHIFT, (offset + length - 1) >> SHIFT
        return Pages(self._pages(inode, first, last), PAGE, length)

    def write(self, inode: Inode, offset: int, data: bytes, *, admitted: bool = False) -> None:
        """Put `data` at `offset`. ENOSPC, and nothing is changed, if it does not fit on the disk.

        CrowdedError, which is one, if it may after a commit, or in parts.

        Args:
            inode: the file.
            offset: not negative, and the end is not beyond the largest size.
            data: not empty; `STEP` bytes at most.
            admitted: whether that may be is settled.
        """
        first, last = offset >> SHIFT, (offset + len(data) - 1) >> SHIFT
        over = min(last, (inode.size - 1) >> SHIFT) - first + 1
        if over > 0 and not admitted:
            self.writer.admit(over)
        if offset > inode.size:
            self._square_off(inode, offset + len(data))
        fresh = self._merged(inode, offset, data)
        self._maps.back(inode, first * BLOCKS, last * BLOCKS + -(-len(fresh[-1]) // BLOCK_SIZE))
        if over > 0:
            for index, page in enumerate(fresh, first):
                self._insert(inode, index, page)
        else:  # nothing is there yet
            self._memory.used += sum(map(len, fresh)) + len(fresh) * Memory.PAGE
            inode.pages.update(enumerate(fresh, first))
        known = len(inode.changed)
        inode.changed.update(range(first, last + 1))
        if over > 0:
            self.writer.crowd(min(over, len(inode.changed) - known), keep=not admitted)
        inode.size = max(inode.size, offset + len(data))

    def truncate(self, inode: Inode, size: int) -> None:
        """Cut the file, or lengthen it with a hole."""
        if size > inode.size:
            self._square_off(inode, size)
            inode.size = size
        elif size < inode.size:
            self._shorten(inode, size)
            inode.size = size
            if inode.lent is not None:
                inode.lent.cut()
            with suppress(OSError):  # a full disk: it is done again when the file grows
                self._square_off(inode, size)

    def drop(self, inode: Inode, pages: list[int]) -> None:
        """Let go of pages, changed or not."""
        for index in pages:
            page = inode.pages.pop(index)
            self._memory.used -= len(page) + Memory.PAGE
            inode.changed.discard(index)

    def drop_all(self, inode: Inode) -> None:
        """Let go of all pages."""
        pages = inode.pages
        self._memory.used -= sum(map(len, pages.values())) + len(pages) * Memory.PAGE
        pages.clear()
        inode.changed.clear()

    def expect(self, inode: Inode, index: int) -> None:
        """A page may be written with the next commit, though it has not changed yet."""
        self._table.expect(inode)
        self._maps.expect(inode, index * BLOCKS, (index + 1) * BLOCKS)

    def take(self, inode: Inode, index: int) -> bytes:
        """A page, which is kept elsewhere from now on, and is no shorter there. EIO, ENOSPC."""
        page = self._page(inode, index)
        if index in inode.changed:
            self._back_page(inode, index, inode.size)
        del inode.pages[index]
        self._memory.used -= len(page) + Memory.PAGE
        return page

    def put(self, inode: Inode, index: int, page: bytes) -> None:
        """Keep a page here again."""
        self._insert(inode, index, page)

    def _read_pages(self, inode: Inode, offset: int, length: int) -> bytes:
        first, last = offset >> SHIFT, (offset + length - 1) >> SHIFT
        parts = self._pages(inode, first, last)
        joined = b"".join(parts)
        if len(joined) - len(parts[-1]) != (last - first) * PAGE:
            joined = b"".join([part.ljust(PAGE, b"\0") for part in parts])
        start = offset & MASK
        part = joined[start : start + length]
        return part if len(part) == length else part.ljust(length, b"\0")

    def _pages(self, inode: Inode, first: int, last: int) -> list[bytes]:
        try:
            return list(map(inode.pages.__getitem__, range(first, last + 1)))
        except KeyError:
            return self._loaded(inode, first, last)

    def _loaded(self, inode: Inode, first: int, last: int) -> list[bytes]:
        """Pages, brought in; again if some that were here go while the disk is waited for."""
        while True:
            self._load(inode, first, last)
            with suppress(KeyError):
                return [inode.pages[index] for index in range(first, last + 1)]

    def _load(self, inode: Inode, first: int, last: int) -> None:
        """Bring pages in; when the file is read from its start on, some that follow too."""
        pages = inode.pages
        if first == 0 or first - 1 in pages:
            last = max(last, min(last + _READ_AHEAD, (inode.size - 1) >> SHIFT))
        wanted = [index for index in range(first, last + 1) if index not in pages]
        zones = [
            zone
            for index in wanted
            for zone in self._maps.zones(inode, index * BLOCKS, (index + 1) * BLOCKS)
        ]
        given = [zone for zone in zones if zone]
        data = self._disk.readv(extents(given)) if given else b""
        at = 0
        for number, index in enumerate(wanted):
            mine = zones[number * BLOCKS : (number + 1) * BLOCKS]
            backed = len(mine) - mine.count(0)
            page = data[at : at + backed * BLOCK_SIZE]
            at += len(page)
            if 0 < backed < BLOCKS:
                page = with_holes(page, mine)
            self._insert(inode, index, page[: inode.size - index * PAGE])

    def _merged(self, inode: Inode, offset: int, data: bytes) -> list[bytes]:
        """The pages as they will be with `data` at `offset`."""
        start = offset & MASK
        end = start + len(data)
        if not (start or end & MASK):
            return [data] if end == PAGE else list(cutter(end >> SHIFT, PAGE).unpack(data))
        first = offset >> SHIFT
        fresh = [data]
        if end > PAGE:
            cuts = range(PAGE - start, len(data), PAGE)
            fresh = [data[: PAGE - start], *[data[at : at + PAGE] for at in cuts]]
        if start:
            old = self._page(inode, first)
            fresh[0] = old[:start].ljust(start, b"\0") + fresh[0] + old[start + len(fresh[0]) :]
        tail = end & MASK
        if tail and offset + len(data) < inode.size and (end > PAGE or not start):
            old = self._page(inode, first + len(fresh) - 1)
            fresh[-1] += old[tail:]
        return fresh

    def _page(self, inode: Inode, index: int) -> bytes:
        page = inode.pages.get(index)
        if page is None:
            if index * PAGE >= inode.size:
                return b""
            self._load(inode, index, index)
            page = inode.pages[index]
        return page

    def _insert(self, inode: Inode, index: int, page: bytes) -> None:
        if inode.lent is not None and index in inode.lent.slots:
            inode.pages[index] = page  # it is kept elsewhere
            return
        old = inode.pages.get(index)
        self._memory.used += len(page) + Memory.PAGE if old is None else len(page) - len(old)
        inode.pages[index] = page

    def _square_off(self, inode: Inode, size: int) -> None:
        """Have zeros written to the last block beyond the end: they are read when the file grows.

        When it is cut something is there, and others than we may leave something too. The file
        will have this size then; a page that is lent grows with it.
        """
        if inode.lent is not None:
            inode.lent.blank()
        index, rest = divmod(inode.size, PAGE)
        page = self._page(inode, index) if rest % BLOCK_SIZE else b""
        if page and index not in inode.changed:
            self._maps.back(inode, index * BLOCKS, index * BLOCKS + -(-len(page) // BLOCK_SIZE))
            inode.changed.add(index)
            self.writer.crowd(1)
            self._table.mark(inode)
        if rest and inode.lent is not None and index in inode.lent.slots and index in inode.changed:
            self._back_page(inode, index, size)

    def _back_page(self, inode: Inode, index: int, size: int) -> None:
        """Back a page that is or will be lent, all that a file of this size has of it."""
        blocks = -(-min(PAGE, size - index * PAGE) // BLOCK_SIZE)
        self._maps.back(inode, index * BLOCKS, index * BLOCKS + blocks)

    def _shorten(self, inode: Inode, size: int) -> None:
        index, rest = divmod(size, PAGE)
        page = self._page(inode, index) if rest else b""
        self._maps.cut(inode, -(-size // BLOCK_SIZE))
        if not size:
            self.drop_all(inode)
            return
        self.drop(inode, [at for at in inode.pages if at >= index + bool(rest)])
        if len(page) > rest:
            self._insert(inode, index, page[:rest])
