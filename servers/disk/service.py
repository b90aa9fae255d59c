"""The service: blocks of fixed size."""

import errno
import sys
from collections.abc import Iterable
from typing import Final, NamedTuple

from servers.disk.image import Image
from servers.disk.medium import Medium, Memory
from twinos import Region, Service, fail, op

BLOCK_SIZE: Final = 1024
BLOCKS: Final = 65536
"""Blocks of a disk in memory when nobody says how many (64 MiB; the host gives what is used)."""


TRANSFER: Final = 64 << 20
"""Bytes that one request moves at most."""


class Geometry(NamedTuple):
    """What a disk is like.

    Attributes:
        block_size: bytes in a block.
        blocks: how many there are, numbered from 0.
    """

    block_size: int
    blocks: int


class Extent(NamedTuple):
    """Some blocks in a row.

    Attributes:
        block: the first.
        length: how many.
    """

    block: int
    length: int


class Disk(Service, privileged=True):
    """Blocks that keep what was written to them.

    Without an image the blocks are in `store`: they outlive the service, not the system. With one
    they are in that file or device, and `flush` makes them outlive the host's power.

    Args:
        store: the blocks of a disk in memory. (For a disk with an image: a mark of its first life,
            and what keeps others off the image from one life to the next.)
        image: a file or block device of the host; one that does not exist is made, if `blocks`
            says how large.
        blocks: how many blocks; None means all of the image, or 65,536 in memory.
        block_size: bytes in a block.
        erase: fill the disk with zeros when the system boots, whatever the image holds.
        read_only: let nothing be written, and others read the image too.
        durable: whether `flush` waits for the medium; not for an image that is of no use before it
            is complete, if somebody else waits for that.

    Raises:
        OSError: the image is missing, too small, or no whole number of blocks; EBUSY, another
            system has it.
    """

    def __init__(
        self,
        store: Region,
        image: str | None = None,
        blocks: int | None = None,
        block_size: int = BLOCK_SIZE,
        erase: bool = False,
        read_only: bool = False,
        durable: bool = True,
    ) -> None:
        if block_size < 1 or (blocks is not None and blocks < 1):
            raise OSError(errno.EINVAL, "a disk has at least one block of at least one byte")
        if (blocks or BLOCKS) * block_size > sys.maxsize:
            raise OSError(errno.EFBIG, f"{blocks} blocks are more than any disk has")
        if erase and read_only:
            raise OSError(errno.EINVAL, "a disk that is only read can't be erased")
        first_life = store.size == 0
        self._medium: Medium
        if image is None:
            self._medium = Memory(store, (blocks or BLOCKS) * block_size)
        else:
            self._medium = Image(store, image, blocks, block_size, read_only=read_only)
        self._read_only = read_only
        self._durable = durable
        self._size = block_size
        self._blocks = self._medium.size // block_size
        if erase and first_life:
            self._medium.erase()
        if image is not None:
            store.resize(1)  # from now on it is another life, which erases nothing

    @op(idempotent=True)
    def geometry(self) -> Geometry:
        """The size of a block and the number of blocks."""
        return Geometry(self._size, self._blocks)

    @op(idempotent=True)
    def writable(self) -> bool:
        """Whether anything can be written."""
        return not self._read_only

    @op(idempotent=True)
    def read(self, block: int, count: int = 1) -> bytes:
        """`count` blocks from `block` on.

        EINVAL beyond the end of the disk and for more than `TRANSFER` bytes; EIO when the image
        has become shorter.
        """
        self._check(((block, count),))
        return self._medium.read(block * self._size, count * self._size)

    @op(idempotent=True)
    def write(self, block: int, data: bytes) -> None:
        """Write whole blocks from `block` on.

        EINVAL beyond the end or for part of a block; EROFS on a disk that is only read.
        """
        self._require_writable()
        self._check(((block, self._whole(data)),))
        self._medium.write(block * self._size, data)

    @op(idempotent=True)
    def readv(self, extents: tuple[Extent, ...]) -> bytes:
        """Several extents in one request, one after the other. Errors are those of `read`."""
        self._check(extents)
        size = self._size
        read = self._medium.read
        return b"".join([read(block * size, count * size) for block, count in extents])

    @op(idempotent=True)
    def writev(self, extents: tuple[Extent, ...], data: bytes) -> None:
        """Write `data` over several extents in one request, in their order.

        EINVAL unless the extents lie on the disk and hold exactly `data`; then nothing is written.
        EROFS on a disk that is only read.
        """
        self._require_writable()
        if self._check(extents) != self._whole(data):
            raise fail(errno.EINVAL)
        view = memoryview(data)
        for block, count in extents:
            length = count * self._size
            self._medium.write(block * self._size, view[:length])
            view = view[length:]

    @op(idempotent=True)
    def flush(self) -> None:
        """Wait until all that was written is on the medium."""
        if self._durable:
            self._medium.flush()

    @op(idempotent=True)
    def blank(self) -> bool:
        """Whether every byte of the disk is zero."""
        return self._medium.blank()

    def _require_writable(self) -> None:
        if self._read_only:
            raise fail(errno.EROFS)

    def _check(self, extents: Iterable[tuple[int, int]]) -> int:
        """The number of blocks in `extents`, all of which must lie on the disk."""
        total = 0
        for block, count in extents:
            if block < 0 or count < 0 or block + count > self._blocks:
                raise fail(errno.EINVAL)
            total += count
        if total * self._size > TRANSFER:
            raise fail(errno.EINVAL)
        return total

    def _whole(self, data: bytes) -> int:
        count, rest = divmod(len(data), self._size)
        if rest:
            raise fail(errno.EINVAL)
        return count

    def _stopping(self) -> None:
        if not self._read_only:
            self.flush()
        self._medium.close()
