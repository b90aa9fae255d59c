"""A volume: three operations on a disk in the MINIX format, and what is given below them.

The disk: block 0, superblock in block 1, inode bitmap, zone bitmap, inode table, zones. A zone is a
block of 1024 bytes. `servers.filesystem.layout` has the numbers and the records.
"""

import errno
from typing import NamedTuple

from lab.grading.held import held
from servers.disk import Disk
from servers.filesystem.layout import (
    BLOCK_SIZE,
    INODE,
    INODES_PER_BLOCK,
    Superblock,
)
from twinos import Service, fail, op


class Inode(NamedTuple):
    """A record of the inode table.

    Attributes:
        mode: kind and permissions, as in `stat`.
        nlinks: how many names it has.
        uid: its owner.
        gid: its group.
        size: bytes.
        atime: when it was read; times are seconds since 1970, and not asked of you.
        mtime: when it was written.
        ctime: when it was changed.
        zones: seven zones of data, one of 256 zone numbers, one of zones of these, and one more
            step: 0 where there is none, which reads as zeros (a hole).
    """

    mode: int
    nlinks: int
    uid: int
    gid: int
    size: int
    atime: int
    mtime: int
    ctime: int
    zones: tuple[int, ...]


class Entry(NamedTuple):
    """A name in a directory.

    Attributes:
        inode: what it leads to.
        name: of at most 60 bytes.
    """

    inode: int
    name: bytes


class Volume(Service):
    """Operations on inodes of a MINIX file system.

    Args:
        disk: holds it; nobody else uses it meanwhile.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._superblock = Superblock.unpack(disk.read(1))

    # What you write.

    @op
    def names(self, directory: int) -> tuple[Entry, ...]:
        """What is in a directory, in its order; `.` and `..` too, free entries not.

        ENOENT: there is no such inode; ENOTDIR: it is no directory.
        """
        raise NotImplementedError

    @op
    def link(self, directory: int, name: bytes, inode: int) -> None:
        """Give a file another name.

        It takes the first free entry, or else a new one at the end, in a new zone if need be (seven
        zones are the most: ENOSPC). The file has one link more.

        EINVAL: the name is empty, or has a / or a zero in it; ENAMETOOLONG: more than 60 bytes;
        ENOENT: there is no such inode; ENOTDIR: no directory; EPERM: the file is one;
        EEXIST: the name is taken; EMLINK: it has `LINK_MAX` already. Then nothing has changed.
        """
        raise NotImplementedError

    @op
    def truncate(self, inode: int, size: int) -> None:
        """Make a file `size` bytes long: what is cut off is gone, what is added reads as zeros.

        Zones that hold nothing any more are free, those of zone numbers, too.

        EINVAL: negative; EFBIG: more than `MAX_SIZE`; ENOENT: there is no such inode; EISDIR: it is
        a directory.
        """
        raise NotImplementedError

    # What is given.

    def _inode(self, number: int) -> Inode:
        """An inode. ENOENT: there is none of that number, or it is free."""
        if not 1 <= number <= self._superblock.inodes or not self._bit(2, number):
            raise fail(errno.ENOENT)
        block, place = self._place(number)
        fields = INODE.unpack_from(self._disk.read(block), place)
        return Inode._make((*fields[:8], fields[8:]))

    def _put_inode(self, number: int, inode: Inode) -> None:
        """Write an inode."""
        block, place = self._place(number)
        data = bytearray(self._disk.read(block))
        INODE.pack_into(data, place, *inode[:8], *inode.zones)
        self._disk.write(block, bytes(data))

    def _take_zone(self) -> int:
        """A zone that was free, now full of zeros. ENOSPC: there is none."""
        superblock = self._superblock
        for bit in range(1, superblock.zones - superblock.first_data_zone + 1):
            if not self._bit(superblock.zmap_start, bit):
                self._set_bit(superblock.zmap_start, bit, on=True)
                zone = superblock.first_data_zone + bit - 1
                self._disk.write(zone, bytes(BLOCK_SIZE))
                return zone
        raise fail(errno.ENOSPC)

    def _free_zone(self, zone: int) -> None:
        """Let others have a zone."""
        bit = zone - self._superblock.first_data_zone + 1
        self._set_bit(self._superblock.zmap_start, bit, on=False)

    def _place(self, number: int) -> tuple[int, int]:
        """The block of an inode, and where in it."""
        index, rest = divmod(number - 1, INODES_PER_BLOCK)
        return self._superblock.table_start + index, rest * INODE.size

    def _bit(self, bitmap: int, bit: int) -> bool:
        block, rest = divmod(bit, 8 * BLOCK_SIZE)
        return bool(self._disk.read(bitmap + block)[rest // 8] >> rest % 8 & 1)

    def _set_bit(self, bitmap: int, bit: int, *, on: bool) -> None:
        block, rest = divmod(bit, 8 * BLOCK_SIZE)
        data = bytearray(self._disk.read(bitmap + block))
        data[rest // 8] = data[rest // 8] & ~(1 << rest % 8) | on << rest % 8
        self._disk.write(bitmap + block, bytes(data))


Subject = held(Volume)
