"""A mounted file system: its layers put together, and what concerns all of them.

*Write-back*: everything that changed goes to the disk together, with one commit, between two
operations. It happens at `sync`, when memory runs short, when the log would not hold more, and when
what was freed is needed again. Files that have no name but are open stay out of it: on the disk
they are free, so what they change can be written at any time, and is only when memory runs short.
*Forgetting*: what is known of the files used least recently goes when there is more than the limit.
"""

import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from servers.disk import Disk, Extent
from servers.filesystem.batch import Ordered, Phase
from servers.filesystem.blockmap import BlockMap
from servers.filesystem.cache import BlockCache
from servers.filesystem.content import Content
from servers.filesystem.directory import Directories
from servers.filesystem.inode import Inode, InodeTable
from servers.filesystem.layout import (
    BLOCK_SIZE,
    CLEAN,
    MAX_SIZE,
    NAME_MAX,
    ROOT,
    damaged,
)
from servers.filesystem.lending import Lending
from servers.filesystem.logformat import SPAN
from servers.filesystem.memory import Memory
from servers.filesystem.mounting import bitmaps, mount, packed
from servers.filesystem.results import MemoryUse, Stat, StatVFS, stat_of
from servers.filesystem.survey import Survey
from servers.filesystem.writing import PAGE
from twinos import NO_JOURNAL, Journal, Region

_KEPT_SHARE: Final = 64
"""The block cache has this part of the memory; but not fewer than so many blocks."""


class Volume:
    """A file system on a disk.

    Args:
        disk: one that holds a file system; a blank one gets an empty file system first.
        now: the time in seconds.
        limit: bytes of memory for what is known of files, roughly.
        inodes, log: for a blank disk: see `make_filesystem`.
        mapped: the region for pages that programs map, and how many it has room for.
        journal: what survives is saved there with each commit.

    Attributes:
        tell: says what that is, beside what the disk has.
        appending: a file that is being appended to, and its size before; None: none is.

    Raises:
        OSError: EINVAL, there is something else on the disk; EUCLEAN, it is damaged.
    """

    def __init__(
        self,
        disk: Disk,
        now: Callable[[], int],
        limit: int,
        inodes: int | None = None,
        log: int | None = None,
        mapped: tuple[Region | None, int] = (None, 0),
        journal: Journal = NO_JOURNAL,
    ) -> None:
        self._disk = disk
        self._journal = journal
        self.now: Final = now
        self._read_only = not disk.writable()
        superblock, logged, due = mount(disk, now, inodes, log, journal)
        self._superblock = superblock
        self._log = None if self._read_only else logged
        kept = max(limit // Memory.BLOCK // _KEPT_SHARE, _KEPT_SHARE)
        self._cache = cache = BlockCache(disk, self._log or Ordered(disk), kept)
        self.memory: Final = Memory(limit - kept * Memory.BLOCK)
        if self._log is not None:
            self.memory.set_budget(self._log.budget, self._log.budget + SPAN - 1)
        elif self._read_only:
            cache.show(due)
        self._inodes, self._zones = bitmaps(cache, self.memory, superblock)
        bits = self._inodes.on_disk, self._zones.on_disk
        doubts = Survey(disk, superblock, *bits, due).doubts()
        self._inodes.distrust(doubts.inodes)
        self._zones.distrust(doubts.zones)
        self.table: Final = InodeTable(cache, superblock, self._inodes, self._zones, self.memory)
        self.maps: Final = BlockMap(cache, self._zones, self.memory)
        self.content: Final = Content(
            disk,
            self.table,
            self.maps,
            self.memory,
            journal,
            None if self._log is None else self._log.content,
        )
        self.lending: Final = Lending(*mapped, self.content, self.stored, journal)
        self.directories: Final = Directories(cache, self.maps, self.memory)
        self.max_size: Final = min(superblock.max_size, MAX_SIZE)  # what an inode's size can say
        self.above_removed: Final[dict[int, Inode]] = {}
        self.tell: Callable[[], bytes] = bytes
        self.appending: tuple[int, int] | None = None
        self.root: Final = self.table.get(ROOT)
        if self.root.kind != stat.S_IFDIR:
            raise damaged("the root is no directory")

    def stat(self, inode: Inode) -> Stat:
        """The answer to `stat`, and to the next one if nothing changes before."""
        inode.stat = stat_of(inode, self.maps.count(inode))
        return inode.stat

    def statvfs(self) -> StatVFS:
        """How large the file system is, and how full."""
        free, free_inodes = self._zones.free, self._inodes.free
        return StatVFS(
            f_bsize=BLOCK_SIZE,
            f_frsize=BLOCK_SIZE,
            f_blocks=self._zones.count,
            f_bfree=free,
            f_bavail=free,
            f_files=self._inodes.count,
            f_ffree=free_inodes,
            f_favail=free_inodes,
            f_flag=0,
            f_namemax=NAME_MAX,
        )

    def memory_use(self, paths: int) -> MemoryUse:
        """What is kept in memory; `paths` are the callers' business."""
        inodes = list(self.table)
        return MemoryUse(
            limit=self.memory.bound + self._cache.limit * Memory.BLOCK,
            used=self.memory.used + len(self._cache) * Memory.BLOCK,
            pages=sum(len(inode.pages) for inode in inodes),
            unwritten=sum(len(inode.changed) for inode in inodes),
            inodes=len(inodes),
            names=sum(len(inode.names.inodes) for inode in inodes if inode.names),
            nodes=sum(len(inode.tree.nodes) for inode in inodes if inode.tree),
            blocks=len(self._cache),
            paths=paths,
        )

    def stored(self, inode: Inode, index: int) -> None:
        """A program stored, or will store, to a page that it maps. ENOSPC: there is no room."""
        size = min(PAGE, inode.size - index * PAGE)
        first = index * (PAGE // BLOCK_SIZE)
        self.maps.back(inode, first, first + -(-size // BLOCK_SIZE))
        inode.changed.add(index)
        self.content.writer.crowd(1)
        inode.mtime = inode.ctime = self.now()
        self.table.mark(inode)

    def last_name_goes(self, inode: Inode, parent: Inode | None = None) -> None:
        """The file is about to lose its last name: free it, or, while it is open, hide it.

        Damage and errors of the disk are met here, before anything has changed. The `..` of a
        directory that is open goes on leading to `parent`.
        """
        if inode.opens:
            self.maps.hide(inode)
            inode.links = 0
            self.table.hide(inode)
            if parent is not None:
                parent.opens += 1
                self.above_removed[inode.number] = parent
        else:
            self.destroy(inode)

    def destroy(self, inode: Inode) -> None:
        """Free the file and all that it has."""
        if inode.sectors:
            self.maps.cut(inode, 0)
        if inode.pages or inode.tree or inode.names:
            self._forget_content(inode)
        inode.links = 0
        self.table.free(inode)

    def closed(self, inode: Inode) -> None:
        """One open file or working directory less."""
        inode.opens -= 1
        if not inode.opens and not inode.links:
            above = self.above_removed.pop(inode.number, None)
            # It is free on the disk already: if it can't be read any more, nothing is lost there.
            with suppress(OSError):
                self.destroy(inode)
            if above is not None:
                self.closed(above)

    def adopt(self, inode: Inode, taken: list[int]) -> None:
        """A file without a name, which an earlier life had open: the disk calls it free."""
        self._inodes.adopt([inode.number])
        self._zones.adopt(taken)
        self.table.inodes[inode.number] = inode
        self.memory.used += Memory.INODE
        self.table.mark(inode)

    def write_back(self) -> bool:
        """Write everything that changed; whether it was flushed, with all that was before.

        All metadata goes with one commit of the block cache, after the data that it names.
        """
        kept = self._journal.kept
        if self._journal.replaying:
            return True
        if self._read_only:
            self._journal.save(self.tell())
            return True
        self.lending.gather()
        self.content.writer.begin()
        self._stage([inode for inode in self.table.dirty() if inode.links or kept])
        self.table.stage()
        self._inodes.stage()
        self._zones.stage()
        if self._cache.changed and self._superblock.flags & CLEAN and self._log is not None:
            self._flag(0)
            self._cache.put(1, 0, self._superblock.pack(), Phase.TAKEN)
        if kept:
            self._journal.save(self.tell(), packed(self._cache.batch))
        lasting = self._cache.commit()
        self._inodes.committed(keep=kept)
        self._zones.committed(keep=kept)
        self.memory.committed()
        self.lending.expect()
        if kept:
            self._journal.finished()
        return lasting

    def _stage(self, inodes: list[Inode]) -> None:
        for inode in inodes:
            self.content.writer.flush(inode)
        for inode in inodes:
            self.directories.stage(inode)
            self.maps.stage(inode)

    def _flag(self, clean: int) -> None:
        flags = self._superblock.flags & ~CLEAN | clean
        self._superblock = self._superblock._replace(flags=flags)

    def sync(self) -> None:
        """Write everything that changed, and wait until it is on the medium."""
        if not self.write_back():
            self._disk.flush()

    def reclaim(self) -> bool:
        """Have what was freed be free to be taken; whether that made a difference.

        Only where an operation has not changed anything yet, or could end.
        """
        if not (self._zones.held or self._zones.moving) or self._journal.replaying:
            return False
        self.write_back()
        return True

    def unmount(self) -> None:
        """Leave the disk in good order: nothing is in the log, and the superblock says so."""
        self.sync()
        if self._log is not None and not self._superblock.flags & CLEAN:
            self._log.close()
            self._flag(CLEAN)
            self._disk.writev((Extent(1, 1),), self._superblock.pack())
            self._disk.flush()

    def make_room(self) -> None:
        """Write back; above the limit, let go of what was used least recently, a quarter of it.

        Only between operations: an operation in progress may hold what would go.
        """
        self.write_back()
        if self.memory.used <= self.memory.bound or self._journal.replaying:
            return
        self._stage([inode for inode in self.table.dirty() if not inode.links])
        self._cache.commit()
        goal = self.memory.bound - self.memory.bound // 4
        self._trim_largest()
        for _ in range(2):  # in the first round, what was used since the last time is spared
            for inode in self.table:
                if self.memory.used <= goal:
                    return
                if inode.recent:
                    inode.recent = False
                    self.table.renew(inode)
                else:
                    self._forget(inode)

    def _trim_largest(self) -> None:
        """A file that fills half of memory alone pushes out its own oldest pages, nobody else's."""
        largest = max(self.table, key=lambda inode: len(inode.pages))
        surplus = len(largest.pages) - self.memory.bound // (2 * PAGE)
        if surplus > 0:
            self.content.drop(largest, list(largest.pages)[: surplus + len(largest.pages) // 4])
            self.maps.forget(largest)

    def _forget(self, inode: Inode) -> None:
        self._forget_content(inode)
        if not inode.opens and inode is not self.root:
            self.table.forget(inode)

    def _forget_content(self, inode: Inode) -> None:
        if inode.pages:
            self.content.drop_all(inode)
        if inode.tree is not None:
            self.maps.forget(inode)
        if inode.names is not None:
            self.directories.forget(inode)
