"""Making a file system: the tables of an empty one, as `mkfs.minix -3` lays them out."""

import errno
from stat import S_IFDIR
from typing import Final

from servers.disk import Disk, Extent
from servers.filesystem.layout import (
    BITS_PER_BLOCK,
    BLOCK_SIZE,
    CLEAN,
    ENTRY,
    INODE,
    INODES_PER_BLOCK,
    MAGIC,
    MAX_SIZE,
    ROOT,
    Superblock,
)
from servers.filesystem.logformat import LARGEST, SMALLEST, SPAN, Header

_LARGE: Final = 512 * 1024
_HUGE: Final = 2048 * 1024
_MIN_BLOCKS: Final = 10
_LOGGED: Final = 1024
"""Blocks from which on an image gets a log unasked: the sixteenth part of it."""


def plan(blocks: int, inodes: int | None = None) -> Superblock:
    """The superblock of a new file system, by the arithmetic of `mkfs.minix -3`.

    Args:
        blocks: the size of the file system.
        inodes: how many files it can hold (rounded up to fill a block); None means one for every
            three blocks, fewer on a large disk.

    Raises:
        OSError: EINVAL, there is no room, or the tables would be too large.
    """
    share = 16 if blocks > _HUGE else 8 if blocks > _LARGE else 3
    wanted = blocks // share if inodes is None else inodes
    table_blocks = -(-wanted // INODES_PER_BLOCK)
    count = table_blocks * INODES_PER_BLOCK
    imap_blocks = -(-(count + 1) // BITS_PER_BLOCK)
    zmap_blocks = -(-(blocks - (1 + imap_blocks + table_blocks)) // (BITS_PER_BLOCK + 1))
    first_data_zone = 2 + imap_blocks + zmap_blocks + table_blocks
    if wanted < 1 or blocks < _MIN_BLOCKS or first_data_zone >= blocks:
        raise OSError(errno.EINVAL, f"{blocks} blocks are too few for a file system")
    if first_data_zone > 0xFFFF or blocks > 0xFFFF_FFFF:
        raise OSError(
            errno.EINVAL, f"{count} inodes on {blocks} blocks are too many: ask for fewer"
        )
    return Superblock(
        inodes=count,
        pad0=0,
        imap_blocks=imap_blocks,
        zmap_blocks=zmap_blocks,
        first_data_zone=first_data_zone,
        log_zone_size=0,
        flags=0,
        max_size=MAX_SIZE,
        zones=blocks,
        magic=MAGIC,
        pad2=0,
        block_size=BLOCK_SIZE,
        disk_version=0,
    )


def plan_with_log(
    blocks: int, inodes: int | None = None, log: int | None = None
) -> tuple[Superblock, Header | None]:
    """The superblock of a new file system, and the header of a log behind it.

    Args:
        blocks: the size of both together.
        inodes: as for `plan`.
        log: blocks of the log; 0 for none, None for one if there is room.

    Raises:
        OSError: EINVAL, as in `plan`, or the log is too small for the bitmaps.
    """
    whole = plan(blocks, inodes)
    bitmaps = whole.imap_blocks + whole.zmap_blocks
    if log is None:
        log = 0 if blocks < _LOGGED else min(blocks // 16, LARGEST + 2 * bitmaps)
    if not log:
        return whole, None
    if log > blocks - _MIN_BLOCKS:
        raise OSError(errno.EINVAL, f"a log of {log} blocks leaves no room on {blocks}")
    superblock = plan(blocks - log, inodes)
    header = Header(superblock.zones, log, sequence=1)
    if log < SMALLEST or header.capacity <= bitmaps + SPAN:
        least = max(SMALLEST, 2 * (bitmaps + SPAN))
        raise OSError(errno.EINVAL, f"a log of {log} blocks is too small: make it {least}, or 0")
    return superblock._replace(flags=CLEAN), header


def tables(superblock: Superblock, time: int) -> bytes:
    """Blocks 0 to `first_data_zone` of an empty file system: all that is not zero.

    The root directory belongs to the superuser and has mode 755.

    Args:
        superblock: from `plan`.
        time: when the root directory was made, in seconds.
    """
    zone = superblock.first_data_zone
    root = INODE.pack(S_IFDIR | 0o755, 2, 0, 0, 2 * ENTRY.size, time, time, time, zone, *[0] * 9)
    return b"".join(
        (
            bytes(BLOCK_SIZE),
            superblock.pack(),
            _bitmap(superblock.imap_blocks, superblock.inodes),
            _bitmap(superblock.zmap_blocks, superblock.zones - zone),
            root.ljust(superblock.table_blocks * BLOCK_SIZE, b"\0"),
            (ENTRY.pack(ROOT, b".") + ENTRY.pack(ROOT, b"..")).ljust(BLOCK_SIZE, b"\0"),
        )
    )


def make_filesystem(
    disk: Disk, inodes: int | None = None, time: int = 0, log: int | None = None
) -> None:
    """Write an empty file system and its log, which fill `disk`, whatever was there before.

    Args:
        disk: it is erased.
        inodes: see `plan`.
        time: see `tables`.
        log: see `plan_with_log`.

    Raises:
        OSError: EINVAL, the disk is too small or has blocks of another size.
    """
    superblock, header = plan_with_log(check_block_size(disk), inodes, log)
    image = tables(superblock, time)
    extents = [Extent(0, len(image) // BLOCK_SIZE)]
    if header is not None:
        extents += [Extent(header.start, 1), Extent(header.place, 1)]
        image += bytes(BLOCK_SIZE) + header.pack()
    # One request, so that a file system is made or is not.
    disk.writev(tuple(extents), image)


def check_block_size(disk: Disk) -> int:
    """The number of blocks of `disk`. EINVAL if their size is not the file system's."""
    block_size, blocks = disk.geometry()
    if block_size != BLOCK_SIZE:
        raise OSError(
            errno.EINVAL,
            f"the file system needs blocks of {BLOCK_SIZE} bytes; this disk's have {block_size}",
        )
    return blocks


def _bitmap(blocks: int, count: int) -> bytes:
    """A bitmap in which bit 0 and bit 1 (the root) are taken, and all beyond `count`."""
    free = ((1 << (count + 1)) - 1) & ~0b11
    return (((1 << (blocks * BITS_PER_BLOCK)) - 1) ^ free).to_bytes(blocks * BLOCK_SIZE, "little")
