"""The log: a batch of metadata is there as a whole or not at all, whenever the power fails.

A commit writes new blocks to their places (nothing names them yet, like the file data that was
written before), flushes, writes the batch into the log, flushes, and then writes it to its place.
At most one transaction is live: the first flush of the next commit makes sure that this one is in
its place before its log is written over. A block in a transaction is never free after it; so nobody
else has written there when it is replayed.

`recover` completes what the log holds. Doing it twice does no harm.
"""

from typing import Final

from servers.disk import Disk, Extent
from servers.filesystem.batch import BATCH, Batch, Ordered, write_blocks
from servers.filesystem.check import Severity, check
from servers.filesystem.layout import BLOCK_SIZE, Superblock, damaged
from servers.filesystem.logformat import (
    BESIDE,
    SPAN,
    Header,
    Standing,
    find_header,
    pack_transaction,
    read_transaction,
    standing,
)


class Log:
    """Commits by way of the log.

    Args:
        disk: where it is.
        header: as it is on the disk.
        superblock: that of the file system.
    """

    def __init__(self, disk: Disk, header: Header, superblock: Superblock) -> None:
        self._disk = disk
        self._header = header
        self._sequence = header.sequence
        self._unfinished: dict[int, bytes] = {}
        tables = superblock.imap_blocks + superblock.zmap_blocks
        self._capacity = header.capacity
        self.budget: Final = self._capacity - tables - SPAN
        """Blocks that may change, bitmaps apart, until a commit is due."""
        self.content: Final = self.budget + SPAN - BESIDE
        """Blocks of content that a commit has room for, which has nothing else to do."""

    @classmethod
    def find(cls, disk: Disk, superblock: Superblock, end: int) -> "Log | None":
        """The log of a disk of `end` blocks; None if there is none. EUCLEAN if it is damaged."""
        header = find_header(disk.read, superblock, end)
        return None if header is None else cls(disk, header, superblock)

    def recover(self) -> dict[int, bytes]:
        """Complete what the log holds; the blocks that this concerns.

        On a disk that is only read nothing is written: the blocks are to be taken for what it has.

        Raises:
            OSError: EUCLEAN, another program has changed the image, and it makes no sense now.
        """
        disk = self._disk
        transaction = read_transaction(disk.read, self._header)
        if transaction is None:
            return {}
        state = standing(disk.read, transaction)
        if state is Standing.STALE and self._is_damaged():
            raise damaged("another program changed it while its log held something to be done")
        due = dict(zip(transaction.blocks, transaction.contents, strict=True))
        if state is not Standing.DUE:
            due.clear()
        if disk.writable():
            write_blocks(disk, due)
            disk.flush()
            self._sequence = transaction.sequence + 1
            self._empty()
        return due

    def commit(self, batch: Batch) -> bool:
        """Write the batch as a whole, if there is more in it than fresh blocks."""
        self._finish(batch)
        write_blocks(self._disk, batch.fresh)
        if not batch.blocks:
            return False
        self._disk.flush()
        if len(batch.blocks) > self._capacity:
            return self._without_log(batch)
        image = pack_transaction(self._header, self._sequence, batch.blocks, batch.old)
        write_run(self._disk, self._header.start, image)
        self._disk.flush()
        self._sequence += 1
        try:
            write_blocks(self._disk, batch.blocks)
        except OSError:
            self._unfinished = {block: bytes(data) for block, data in batch.blocks.items()}
            batch.fresh.clear()  # they are on the disk, and some have changed there since
            raise
        return True

    def close(self) -> None:
        """Empty the log: all that was committed is in its place. It is flushed at the end."""
        if self._sequence != self._header.sequence:
            self._disk.flush()
            self._empty()

    def _finish(self, batch: Batch) -> None:
        """Complete a commit that an error of the disk interrupted; only then it may be replaced."""
        if self._unfinished:
            write_blocks(self._disk, self._unfinished)
            batch.old.update({at: new for at, new in self._unfinished.items() if at in batch.old})
            self._unfinished = {}

    def _without_log(self, batch: Batch) -> bool:
        """Write in the order that a disk without a log needs."""
        self._empty()
        return Ordered(self._disk).commit(batch)

    def _is_damaged(self) -> bool:
        image = _DiskImage(self._disk, self._header.start)
        return any(finding.severity is Severity.ERROR for finding in check(image))

    def _empty(self) -> None:
        self._header = self._header._replace(sequence=self._sequence)
        write_run(self._disk, self._header.place, self._header.pack())
        self._disk.flush()


class _DiskImage:
    """A disk, for the checker to read."""

    def __init__(self, disk: Disk, blocks: int) -> None:
        self.size = blocks * BLOCK_SIZE
        self._disk = disk

    def read(self, block: int, count: int = 1) -> bytes:
        """See `Image`."""
        return self._disk.read(block, count)

    def write(self, block: int, data: bytes) -> None:
        """See `Image`."""
        write_run(self._disk, block, data)


def write_run(disk: Disk, start: int, data: bytes) -> None:
    """Write blocks in a row, many with one request."""
    step = BATCH * BLOCK_SIZE
    for at in range(0, len(data), step):
        part = data[at : at + step]
        extent = Extent(start + at // BLOCK_SIZE, len(part) // BLOCK_SIZE)
        disk.writev((extent,), part)
