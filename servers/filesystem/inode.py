"""Inodes: a file or directory in memory, and the table of them on the disk.

An inode in memory carries all that is known of its file: the pages of its content, its block map, a
directory's names. What is known of one file is forgotten together (see `volume`).
"""

from __future__ import annotations

import stat
from array import array
from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING, Final

from servers.filesystem.batch import Phase
from servers.filesystem.bitmap import Bitmap
from servers.filesystem.cache import BlockCache
from servers.filesystem.layout import (
    BLOCK_SIZE,
    DIRECT,
    ENTRY,
    INODE,
    INODES_PER_BLOCK,
    MAX_SIZE,
    PATH_MAX,
    Superblock,
    damaged,
)
from servers.filesystem.memory import Memory

if TYPE_CHECKING:
    from servers.filesystem.directory import Names
    from servers.filesystem.lent import Lent
    from servers.filesystem.nodes import Tree
    from servers.filesystem.results import Stat

S_IFMT: Final = 0o170000
_WITH_ZONES: Final = frozenset([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK])
_DEVICES: Final = frozenset([stat.S_IFCHR, stat.S_IFBLK])
_KINDS: Final = _WITH_ZONES | _DEVICES | {stat.S_IFIFO, stat.S_IFSOCK}
_NO_ZONES: Final = array("I", [0] * 10)
_READ_AHEAD: Final = 8
_HEAD: Final = Struct("<HH")
"""Mode and links, with which a record begins."""


class Inode:
    """A file, directory, link or device, in memory.

    Attributes:
        number: its place in the table, from 1.
        mode: type and permissions.
        kind: the type alone, one of `stat.S_IF*`; it never changes.
        links: how many names it has; 0 for a file that is only open.
        size: bytes.
        atime, mtime, ctime: seconds.
        zones: the zone numbers in the inode itself (see `nodes`); of a device, its number.
        sectors: zones with data or pointers in units of 512 bytes; -1 while nobody counted, and
            always 0 of what has no content.
        opens: how many open files and working directories are on it.
        dirty: whether it is to be written to the table.
        recent: whether it was used since the last look for something to forget.
        stat: the answer to `stat`, until something changes.
        pages: content by page number (see `content`).
        changed: pages that are to be written.
        lent: of a file that is mapped into programs' memory, its `pages`, some of them there.
        tree: the indirect blocks that are in memory.
        names: what a directory holds, once read.
    """

    __slots__ = (
        "atime",
        "changed",
        "ctime",
        "dirty",
        "gid",
        "kind",
        "lent",
        "links",
        "mode",
        "mtime",
        "names",
        "number",
        "opens",
        "pages",
        "recent",
        "sectors",
        "size",
        "stat",
        "tree",
        "uid",
        "zones",
    )

    def __init__(
        self,
        number: int,
        mode: int,
        links: int,
        uid: int,
        gid: int,
        size: int,
        atime: int,
        mtime: int,
        ctime: int,
        zones: array[int],
    ) -> None:
        self.number = number
        self.mode = mode
        self.kind = mode & S_IFMT
        self.links = links
        self.uid = uid
        self.gid = gid
        self.size = size
        self.atime = atime
        self.mtime = mtime
        self.ctime = ctime
        self.zones = zones
        self.sectors = -1
        self.opens = 0
        self.dirty = False
        self.recent = True
        self.stat: Stat | None = None
        self.pages: dict[int, bytes] = {}
        self.changed: set[int] = set()
        self.lent: Lent | None = None
        self.tree: Tree | None = None
        self.names: Names | None = None

    @property
    def device(self) -> int:
        """The device's number, as it is on the disk; 0 if this is no device."""
        return self.zones[0] if self.kind in _DEVICES else 0

    def pack(self) -> bytes:
        """The record in the table; of a file without a name, that of a free inode."""
        if not self.links:
            return bytes(INODE.size)
        return INODE.pack(
            self.mode,
            self.links,
            self.uid,
            self.gid,
            self.size,
            self.atime,
            self.mtime,
            self.ctime,
            *self.zones,
        )


class InodeTable:
    """The inodes in memory and on the disk.

    Args:
        cache: the blocks.
        superblock: where the table is.
        inodes: which inodes are taken.
        zones: which zones are.
        memory: what is used is counted here.
    """

    def __init__(
        self,
        cache: BlockCache,
        superblock: Superblock,
        inodes: Bitmap,
        zones: Bitmap,
        memory: Memory,
    ) -> None:
        self._cache = cache
        self._start = superblock.table_start
        self._end = superblock.first_data_zone
        self._taken = inodes
        self._zones = zones
        self._memory = memory
        self._freed: set[int] = set()
        self._dirty: dict[int, Inode] = {}
        self.inodes: Final[dict[int, Inode]] = {}

    def __iter__(self) -> Iterator[Inode]:
        """The inodes in memory, the longest there first."""
        return iter(list(self.inodes.values()))

    def get(self, number: int) -> Inode:
        """The inode that a directory entry names. EUCLEAN if there can be none."""
        return self.inodes.get(number) or self._read(number)

    def create(self, mode: int, uid: int, gid: int, device: int, now: int) -> Inode:
        """A new inode with one link. ENOSPC if all are taken."""
        number = self._taken.take_one()
        inode = Inode(number, mode, 1, uid, gid, 0, now, now, now, _NO_ZONES[:])
        inode.zones[0] = device
        inode.sectors = 0
        inode.dirty = True
        self.inodes[number] = self._dirty[number] = inode
        self._freed.discard(number)
        memory = self._memory
        memory.used += Memory.INODE
        block = self._start + (number - 1) // INODES_PER_BLOCK
        if block not in memory.spent:
            memory.spend(block)
        return inode

    def free(self, inode: Inode) -> None:
        """Give the inode back; its content is gone already."""
        number = inode.number
        self._taken.release_one(number)
        self._freed.add(number)
        self._dirty.pop(number, None)
        self.expect(inode)
        self.forget(inode)

    def hide(self, inode: Inode) -> None:
        """The file has lost its last name but is open: on the disk it is free."""
        self._taken.hide((inode.number,))
        self.mark(inode)

    def mark(self, inode: Inode) -> None:
        """The inode changed."""
        inode.stat = None
        if not inode.dirty:
            inode.dirty = True
            self._dirty[inode.number] = inode
            self.expect(inode)

    def expect(self, inode: Inode) -> None:
        """The inode may be in the next commit."""
        self._memory.spend(self._start + (inode.number - 1) // INODES_PER_BLOCK)

    def dirty(self) -> list[Inode]:
        """The inodes that changed since they were staged last, and those without a name."""
        return list(self._dirty.values())

    def stage(self) -> None:
        """Put the inodes that changed into the next commit; those without a name remain dirty."""
        for number in sorted(self._freed):
            self._put(number, bytes(INODE.size), Phase.FORGET)
        self._freed.clear()
        nameless: dict[int, Inode] = {}
        for number, inode in sorted(self._dirty.items()):
            if inode.links:
                self._put_named(inode)
                inode.dirty = False
            else:
                self._put(number, inode.pack(), Phase.FORGET)
                nameless[number] = inode
        self._dirty = nameless

    def forget(self, inode: Inode) -> None:
        """Let go of an inode that nobody uses and that has not changed."""
        del self.inodes[inode.number]
        self._memory.used -= Memory.INODE

    def renew(self, inode: Inode) -> None:
        """Count the inode as the latest to come."""
        self.inodes[inode.number] = self.inodes.pop(inode.number)

    def _put(self, number: int, record: bytes, phase: Phase) -> None:
        block, slot = divmod(number - 1, INODES_PER_BLOCK)
        self._cache.put(self._start + block, slot * INODE.size, record, phase)

    def _put_named(self, inode: Inode) -> None:
        """On the disk a name that goes is counted until it has gone."""
        record = inode.pack()
        block, slot = divmod(inode.number - 1, INODES_PER_BLOCK)
        phase, place = Phase.INODE, slot * INODE.size
        table = self._cache.read(self._start + block)
        if table[place : place + INODE.size] == record:
            return
        _, before = _HEAD.unpack_from(table, place)
        if before > inode.links:
            counted = _HEAD.pack(inode.mode, before) + record[_HEAD.size :]
            self._put(inode.number, counted, phase)
            phase = Phase.FORGET
        self._put(inode.number, record, phase)

    def _read(self, number: int) -> Inode:
        self._taken.check((number,))
        block, slot = divmod(number - 1, INODES_PER_BLOCK)
        first = self._start + block
        blocks = self._cache.read_many(range(first, min(first + _READ_AHEAD, self._end)))
        record = INODE.unpack_from(blocks[0], slot * INODE.size)
        mode, links, uid, gid, size, atime, mtime, ctime, *zones = record
        inode = Inode(number, mode, links, uid, gid, size, atime, mtime, ctime, array("I", zones))
        self._check(inode)
        self.inodes[number] = inode
        self._memory.used += Memory.INODE
        return inode

    def _check(self, inode: Inode) -> None:
        """EUCLEAN for what no file system writes."""
        if inode.kind not in _KINDS or not inode.links or inode.size > MAX_SIZE:
            raise damaged(f"inode {inode.number} is none")
        if inode.kind == stat.S_IFDIR and (
            inode.links < 2
            or inode.size < 2 * ENTRY.size
            or inode.size % ENTRY.size
            or inode.size > self._zones.count * BLOCK_SIZE
        ):
            raise damaged(
                f"directory {inode.number} has {inode.size} bytes and {inode.links} links"
            )
        if inode.kind == stat.S_IFLNK and not 0 < inode.size < PATH_MAX:
            raise damaged(f"link {inode.number} has {inode.size} bytes")
        if inode.kind in _WITH_ZONES:
            self._zones.check(zone for zone in inode.zones[:DIRECT] if zone)
        else:
            inode.sectors = 0
