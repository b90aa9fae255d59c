"""The MINIX version 3 layout: every number and record that is on the disk.

    block 0          boot block, unused
    block 1          superblock
    then             inode bitmap, zone bitmap, inode table
    first_data_zone  data, up to `zones`; what lies beyond is outside the file system (see `log`)

Block and zone are the same here: 1024 bytes, as `mkfs.minix -3` makes and `fsck.minix` reads.
Source: util-linux `include/minix.h`, Linux `fs/minix/`.
"""

import errno
from struct import Struct
from typing import Final, NamedTuple

BLOCK_SIZE: Final = 1024
SECTOR: Final = 512
"""The unit of `st_blocks`."""
BITS_PER_BLOCK: Final = 8 * BLOCK_SIZE
INODES_PER_BLOCK: Final = 16
ENTRIES_PER_BLOCK: Final = 16

MAGIC: Final = 0x4D5A
ROOT: Final = 1
"""The inode of the root directory."""
NAME_MAX: Final = 60
PATH_MAX: Final = 4096
"""Bytes of a path, a final zero included, as on Linux."""
LINK_MAX: Final = 65530
MAX_SIZE: Final = 0x7FFF_FFFF
MAX_ID: Final = 0xFFFF
MAX_TIME: Final = 0xFFFF_FFFF
DIRECT: Final = 7
"""How many zones an inode names itself; the next three names lead to indirect blocks."""
FANOUT: Final = 256
"""Zone numbers in an indirect block."""

INODE: Final = Struct("<HHHHIIII10I")
ENTRY: Final = Struct("<I60s")
POINTERS: Final = Struct("<256I")
CLEAN: Final = 1
"""Bit of the superblock's flags: the file system was left in good order."""
_SUPERBLOCK: Final = Struct("<IHHHHHHIIHHHB")
_OLD_MAGIC: Final = {0x137F: 1, 0x138F: 1, 0x2468: 2, 0x2478: 2}


def damaged(what: str) -> OSError:
    """The error for an image that contradicts itself, with one sentence."""
    return OSError(errno.EUCLEAN, f"the file system is damaged: {what}")


class Superblock(NamedTuple):
    """Block 1, in the order of its fields; `mkfs.layout` computes a new one."""

    inodes: int
    pad0: int
    imap_blocks: int
    zmap_blocks: int
    first_data_zone: int
    log_zone_size: int
    flags: int
    max_size: int
    zones: int
    magic: int
    pad2: int
    block_size: int
    disk_version: int

    @classmethod
    def unpack(cls, block: bytes) -> "Superblock":
        """The superblock in block 1's bytes."""
        return cls._make(_SUPERBLOCK.unpack_from(block))

    def pack(self) -> bytes:
        """Block 1's bytes."""
        return _SUPERBLOCK.pack(*self).ljust(BLOCK_SIZE, b"\0")

    @property
    def zmap_start(self) -> int:
        """The first block of the zone bitmap; that of the inode bitmap is always 2."""
        return 2 + self.imap_blocks

    @property
    def table_start(self) -> int:
        """The first block of the inode table."""
        return self.zmap_start + self.zmap_blocks

    @property
    def table_blocks(self) -> int:
        """Blocks of the inode table."""
        return -(-self.inodes // INODES_PER_BLOCK)

    def check(self, block: bytes, disk_blocks: int) -> None:
        """Refuse what is not ours to mount.

        Args:
            block: the bytes that this was unpacked from.
            disk_blocks: how large the disk is.

        Raises:
            OSError: EINVAL, this is another format; EUCLEAN, it is ours, and damaged.
        """
        if self.magic != MAGIC:
            raise OSError(errno.EINVAL, _what_else(block))
        if self.block_size != BLOCK_SIZE or self.log_zone_size or self.disk_version:
            raise OSError(
                errno.EINVAL,
                f"this MINIX version 3 file system has blocks of {self.block_size} bytes, "
                f"zones of 2^{self.log_zone_size} blocks and disk version {self.disk_version}; "
                f"only {BLOCK_SIZE}, 2^0 and 0 can be mounted",
            )
        tables = self.table_start + self.table_blocks
        if (
            not self.inodes
            or self.imap_blocks * BITS_PER_BLOCK <= self.inodes
            or self.first_data_zone != tables
            or self.zones <= tables
            or self.zmap_blocks * BITS_PER_BLOCK <= self.zones - tables
            or self.max_size < BLOCK_SIZE
        ):
            raise damaged("the superblock contradicts itself")
        if self.zones > disk_blocks:
            raise damaged(f"it has {self.zones} blocks, but the disk ends after {disk_blocks}")


def _what_else(block: bytes) -> str:
    old = _OLD_MAGIC.get(int.from_bytes(block[16:18], "little"))
    if old:
        return f"the disk holds a MINIX file system of version {old}; only version 3 can be mounted"
    return "the disk holds something, but no MINIX file system of version 3"
