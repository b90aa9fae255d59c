"""The block cache: blocks of metadata, and the changed ones on their way to the disk.

File data does not pass through here (see `content`); inodes, names and block maps do, when they
are read from the disk and when they are written back. Changes are *put* here, whatever number of
operations made them, and `commit` brings all of them to the disk: through the log, or, where there
is none, in an order that loses nothing (see `batch`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from servers.disk import Disk
from servers.filesystem.batch import BATCH, Batch, Bytes, Phase, extents
from servers.filesystem.layout import BLOCK_SIZE


class Writer(Protocol):
    """How a batch gets to the disk: `Log` or `Ordered`."""

    def commit(self, batch: Batch) -> bool:
        """Write all of it; whether it has been flushed, with all that was written before.

        After an error it can be tried again, with more in it.
        """


class BlockCache:
    """Blocks of metadata between the file system and its disk.

    Args:
        disk: where blocks come from.
        writer: how changes get there.
        limit: how many unchanged blocks are kept at most.
    """

    def __init__(self, disk: Disk, writer: Writer, limit: int) -> None:
        self._disk = disk
        self._writer = writer
        self._clean: dict[int, bytes] = {}
        self._batch = Batch()
        self._failed = False
        self._contents: set[int] = set()
        self.limit: Final = limit

    def __len__(self) -> int:
        """How many blocks are in memory."""
        return len(self._clean) + len(self._batch.blocks) + len(self._batch.fresh)

    @property
    def changed(self) -> bool:
        """Whether the next commit has something to write."""
        if not self._failed:
            for block, data in self._batch.drop_unchanged().items():
                self._keep(block, data)
        return bool(self._batch)

    @property
    def batch(self) -> Batch:
        """What the next commit writes."""
        return self._batch

    def read(self, block: int) -> Bytes:
        """One block."""
        return self._here(block) or self._fetch([block])[0]

    def read_many(self, blocks: Sequence[int]) -> list[Bytes]:
        """Several blocks, with one request for those that are not here."""
        found = [self._here(block) for block in blocks]
        missing = [block for block, data in zip(blocks, found, strict=True) if data is None]
        fetched = iter(self._fetch(missing))  # which may push out what was here
        return [next(fetched) if data is None else data for data in found]

    def put(self, block: int, offset: int, data: Bytes, phase: Phase) -> None:
        """Change a part of a block with the next commit."""
        batch = self._batch
        target = batch.blocks.get(block) or batch.fresh.get(block)
        if target is None:
            old = batch.old[block] = self._clean.get(block) or self._fetch([block])[0]
            self._clean.pop(block, None)
            target = batch.blocks[block] = bytearray(old)
        if block in batch.blocks:
            batch.changes.append((phase, block, offset, data))
        target[offset : offset + len(data)] = data

    def put_content(self, block: int, data: Bytes) -> None:
        """Change a block of a file's content with the next commit; it is not kept here after it."""
        self._clean.pop(block, None)
        self.put(block, 0, data, Phase.INODE)
        self._contents.add(block)

    def put_fresh(self, block: int, data: Bytes) -> None:
        """Give a block contents that was free until now."""
        self.forget((block,))
        self._batch.fresh[block] = bytearray(data)

    def put_empty(self, block: int) -> None:
        """Give a block zeros that was free until now; what is put there later is a change."""
        self.put_fresh(block, bytes(BLOCK_SIZE))
        batch = self._batch
        batch.old[block] = bytes(BLOCK_SIZE)
        batch.blocks[block] = bytearray(BLOCK_SIZE)

    def show(self, blocks: Mapping[int, bytes]) -> None:
        """Have blocks be seen that are not on the disk: for one that is only read."""
        self._batch.fresh.update({block: bytearray(data) for block, data in blocks.items()})

    def forget(self, blocks: Iterable[int]) -> None:
        """These blocks are free: what they held is of no interest any more."""
        clean, batch = self._clean, self._batch
        for block in blocks:
            clean.pop(block, None)
            if batch:
                batch.drop(block)

    def commit(self) -> bool:
        """Write what was put; whether it, and all that was written before, outlives the power.

        After an error it is still here, and can be tried again.
        """
        batch, lasting = self._batch, False
        if self.changed:
            self._failed = True
            lasting = self._writer.commit(batch)
            self._failed = False
        self._batch = Batch()
        for blocks in (batch.fresh, batch.blocks):
            for block, data in blocks.items():
                self._keep(block, bytes(data))
        self._contents.clear()
        return lasting

    def _here(self, block: int) -> Bytes | None:
        batch = self._batch
        return batch.blocks.get(block) or self._clean.get(block) or batch.fresh.get(block)

    def _fetch(self, blocks: Sequence[int]) -> list[bytes]:
        fetched: list[bytes] = []
        for start in range(0, len(blocks), BATCH):
            data = self._disk.readv(extents(blocks[start : start + BATCH]))
            fetched += [data[at : at + BLOCK_SIZE] for at in range(0, len(data), BLOCK_SIZE)]
        for block, data in zip(blocks, fetched, strict=True):
            self._keep(block, data)
        return fetched

    def _keep(self, block: int, data: bytes) -> None:
        if block in self._contents:
            return
        if len(self._clean) >= self.limit:
            # The oldest go, an eighth at a time: a hit costs nothing this way.
            for old in list(self._clean)[: self.limit // 8 + 1]:
                del self._clean[old]
        self._clean[block] = data
