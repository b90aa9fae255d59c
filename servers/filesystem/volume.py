"""A mounted file system: its layers put together, and what concerns all of them.

*Write-back*: everything that changed goes to the disk together, data first, so that no block on the
disk ever names one that is not there yet. It happens at `sync`, and when memory runs short.
*Forgetting*: what is known of the files used least recently goes when there is more than the limit.
"""

import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from servers.disk import Disk
from servers.filesystem.bitmap import Bitmap
from servers.filesystem.blockmap import BlockMap
from servers.filesystem.cache import BlockCache
from servers.filesystem.content import PAGE, Content
from servers.filesystem.directory import Directories
from servers.filesystem.inode import Inode, InodeTable, Memory
from servers.filesystem.layout import BLOCK_SIZE, MAX_SIZE, NAME_MAX, ROOT, Superblock, damaged
from servers.filesystem.mkfs import check_block_size, make_filesystem
from servers.filesystem.results import Stat, StatVFS, stat_of
from servers.filesystem.survey import Survey

_KEPT_BLOCKS: Final = 1024


class Volume:
    """A file system on a disk.

    Args:
        disk: one that holds a file system; a blank one gets an empty file system first.
        now: the time in seconds.
        limit: bytes of memory for what is known of files, roughly.
        inodes: for a blank disk: how many files it is to hold.

    Raises:
        OSError: EINVAL, there is something else on the disk; EUCLEAN, it is damaged.
    """

    def __init__(
        self, disk: Disk, now: Callable[[], int], limit: int, inodes: int | None = None
    ) -> None:
        self._disk = disk
        self.now: Final = now
        superblock = self._superblock = _mount(disk, now, inodes)
        self._cache = cache = BlockCache(disk, _KEPT_BLOCKS)
        first_zone = superblock.first_data_zone
        self._inodes = Bitmap(cache, 2, superblock.imap_blocks, ROOT, superblock.inodes)
        self._zones = Bitmap(
            cache,
            superblock.zmap_start,
            superblock.zmap_blocks,
            first_zone,
            superblock.zones - first_zone,
        )
        doubts = Survey(disk, superblock, self._inodes.on_disk, self._zones.on_disk).doubts()
        self._inodes.distrust(doubts.inodes)
        self._zones.distrust(doubts.zones)
        self.memory: Final = Memory(limit)
        self.table: Final = InodeTable(
            cache, superblock, self._inodes, self._zones, self.memory, now
        )
        self.maps: Final = BlockMap(cache, self._zones, self.memory)
        self.content: Final = Content(disk, self.table, self.maps, self.memory)
        self.directories: Final = Directories(cache, self.maps, self.memory)
        self.max_size: Final = min(superblock.max_size, MAX_SIZE)  # what an inode's size can say
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

    def last_name_goes(self, inode: Inode) -> None:
        """The file is about to lose its last name: free it, or, while it is open, hide it.

        Damage and errors of the disk are met here, before anything has changed.
        """
        if inode.opens:
            self.maps.hide(inode)
            inode.links = 0
            self.table.hide(inode)
        else:
            self.destroy(inode)

    def destroy(self, inode: Inode) -> None:
        """Free the file and all that it has."""
        if inode.sectors:
            self.maps.cut(inode, 0)
        self._forget_content(inode)
        inode.links = 0
        self.table.free(inode)

    def closed(self, inode: Inode) -> None:
        """One open file or working directory less."""
        inode.opens -= 1
        if not inode.opens and not inode.links:
            # It is free on the disk already: if it can't be read any more, nothing is lost there.
            with suppress(OSError):
                self.destroy(inode)

    def write_back(self) -> None:
        """Write everything that changed.

        All metadata goes with one commit of the block cache, after the data that it names.
        """
        changed = self.table.dirty()
        for inode in changed:
            self.content.flush(inode)
        for inode in changed:
            self.directories.stage(inode)
            self.maps.stage(inode)
        self.table.stage()
        self._inodes.stage()
        self._zones.stage()
        self._cache.commit()

    def sync(self) -> None:
        """Write everything that changed, and wait until it is on the medium."""
        self.write_back()
        self._disk.flush()

    def make_room(self) -> None:
        """Let go of what was used least recently, until a quarter of the limit is free.

        Only between operations: an operation in progress may hold what would go.
        """
        self.write_back()
        goal = self.memory.limit - self.memory.limit // 4
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
        surplus = len(largest.pages) - self.memory.limit // (2 * PAGE)
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


def _mount(disk: Disk, now: Callable[[], int], inodes: int | None) -> Superblock:
    blocks = check_block_size(disk)
    block = disk.read(1) if blocks > 1 else bytes(BLOCK_SIZE)
    if not any(block) and disk.blank():
        make_filesystem(disk, inodes, now())
        block = disk.read(1)
    superblock = Superblock.unpack(block)
    superblock.check(block, blocks)
    return superblock
