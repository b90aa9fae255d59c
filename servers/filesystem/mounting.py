"""Mounting: finding the file system on a disk, and bringing it into good order."""

from collections.abc import Callable
from typing import Final

from servers.disk import Disk
from servers.filesystem.batch import Batch, Ordered, Phase, extents
from servers.filesystem.bitmap import Bitmap
from servers.filesystem.cache import BlockCache
from servers.filesystem.layout import BLOCK_SIZE, ROOT, Superblock
from servers.filesystem.log import Log
from servers.filesystem.memory import Memory
from servers.filesystem.mkfs import check_block_size, make_filesystem
from twinos import Journal
from twinos.codec import decoder, encode

Blocks = dict[int, bytes]
_unpack: Final = decoder(tuple[Blocks, Blocks])


def mount(
    disk: Disk, now: Callable[[], int], inodes: int | None, log: int | None, journal: Journal
) -> tuple[Superblock, Log | None, dict[int, bytes]]:
    """The superblock, the log if it is of use, and blocks that are as the log says."""
    blocks = check_block_size(disk)
    block = disk.read(1) if blocks > 1 else bytes(BLOCK_SIZE)
    if not any(block) and disk.blank():
        make_filesystem(disk, inodes, now(), log)
        block = disk.read(1)
    superblock = Superblock.unpack(block)
    superblock.check(block, blocks)
    found = Log.find(disk, superblock, blocks)
    due = found.recover() if found else {}
    logged = found if found and found.budget > 0 else None
    if rest := journal.unfinished():
        _finish(disk, logged, rest)
        journal.finished()
        block = disk.read(1)
    superblock = Superblock.unpack(due.get(1, block))
    superblock.check(block, blocks)
    return superblock, logged, due


def bitmaps(cache: BlockCache, memory: Memory, superblock: Superblock) -> tuple[Bitmap, Bitmap]:
    """Those of inodes and of zones."""
    first = superblock.first_data_zone
    inodes = Bitmap(cache, memory, 2, superblock.imap_blocks, ROOT, superblock.inodes)
    start, blocks, count = superblock.zmap_start, superblock.zmap_blocks, superblock.zones - first
    return inodes, Bitmap(cache, memory, start, blocks, first, count)


def packed(batch: Batch) -> bytes:
    """What a commit is about to write, for a later life to finish it."""
    return encode((batch.fresh, batch.blocks))


def _finish(disk: Disk, log: Log | None, rest: bytes) -> None:
    """Commit what an earlier life was about to."""
    fresh, blocks = _unpack(rest)
    batch = Batch()
    numbers = sorted(blocks)
    old = disk.readv(extents(numbers)) if numbers else b""
    for at, number in enumerate(numbers):
        before = old[at * BLOCK_SIZE : (at + 1) * BLOCK_SIZE]
        if before == blocks[number]:
            fresh.pop(number, None)  # it has been made and filled already
            continue
        batch.old[number] = fresh.get(number, before)
        batch.blocks[number] = bytearray(blocks[number])
        batch.changes.append((Phase.TAKEN, number, 0, blocks[number]))
    batch.fresh.update({number: bytearray(data) for number, data in fresh.items()})
    (log or Ordered(disk)).commit(batch)
