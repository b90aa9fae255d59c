"""A disk: blocks of fixed size, in memory or in an image file."""

import errno
import os
import sys
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from twinos import Region, Service, fail, op

BLOCK_SIZE: Final = 1024
BLOCKS: Final = 65536
"""Blocks of a disk in memory when nobody says how many (64 MiB; the host gives what is used)."""


TRANSFER: Final = 64 << 20
"""Bytes that one request moves at most."""
_CHUNK: Final = 1 << 20


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
        store: the blocks of a disk in memory. (For a disk with an image: a mark of its first life.)
        image: a file or block device of the host; one that does not exist is made, if `blocks`
            says how large.
        blocks: how many blocks; None means all of the image, or 65,536 in memory.
        block_size: bytes in a block.
        erase: fill the disk with zeros when the system boots, whatever the image holds.

    Raises:
        OSError: the image is missing, too small, or no whole number of blocks.
    """

    def __init__(
        self,
        store: Region,
        image: str | None = None,
        blocks: int | None = None,
        block_size: int = BLOCK_SIZE,
        erase: bool = False,
    ) -> None:
        if block_size < 1 or (blocks is not None and blocks < 1):
            raise OSError(errno.EINVAL, "a disk has at least one block of at least one byte")
        if (blocks or BLOCKS) * block_size > sys.maxsize:
            raise OSError(errno.EFBIG, f"{blocks} blocks are more than any disk has")
        first_life = store.size == 0
        self._medium: _Medium
        if image is None:
            self._medium = _Memory(store, (blocks or BLOCKS) * block_size)
        else:
            self._medium = _Image(image, blocks, block_size)
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
    def read(self, block: int, count: int = 1) -> bytes:
        """`count` blocks from `block` on.

        EINVAL beyond the end of the disk and for more than `TRANSFER` bytes; EIO when the image
        has become shorter.
        """
        self._check(((block, count),))
        return self._medium.read(block * self._size, count * self._size)

    @op(idempotent=True)
    def write(self, block: int, data: bytes) -> None:
        """Write whole blocks from `block` on. EINVAL beyond the end or for part of a block."""
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
        """
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
        self._medium.flush()

    @op(idempotent=True)
    def blank(self) -> bool:
        """Whether every byte of the disk is zero."""
        return self._medium.blank()

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
        self._medium.flush()
        self._medium.close()


class _Medium(Protocol):
    """Where bytes are kept."""

    size: int

    def read(self, offset: int, length: int) -> bytes: ...
    def write(self, offset: int, data: bytes | memoryview) -> None: ...
    def flush(self) -> None: ...
    def blank(self) -> bool: ...
    def erase(self) -> None: ...
    def close(self) -> None: ...


class _Memory:
    """Bytes in a region; one that has bytes already keeps them: the service died and is back."""

    def __init__(self, store: Region, size: int) -> None:
        if store.size == 0:
            store.resize(size)
        elif store.size != size:
            raise OSError(errno.EINVAL, f"the store has {store.size} bytes, the disk {size}")
        self.size = size
        self._store = store

    def read(self, offset: int, length: int) -> bytes:
        return self._store.memory[offset : offset + length]

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self._store.memory[offset : offset + len(data)] = data

    def flush(self) -> None:
        """Memory is all the medium there is."""

    def blank(self) -> bool:
        return _is_blank(self._store.descriptor, self.size)

    def erase(self) -> None:
        """A region is born with zeros, and this is its first life."""

    def close(self) -> None:
        """The kernel owns the region."""


class _Image:
    """Bytes in a file or device of the host."""

    def __init__(self, path: str, blocks: int | None, block_size: int) -> None:
        self._descriptor = _open_image(path, blocks, block_size)
        try:
            self.size = _image_size(self._descriptor, path, blocks, block_size)
        except OSError:
            self.close()
            raise

    def __del__(self) -> None:
        self.close()  # a system that does not come up has no orderly end

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            part = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not part:
                raise OSError(errno.EIO, "the disk image is shorter than it was")
            data += part
        return data

    def write(self, offset: int, data: bytes | memoryview) -> None:
        while data:
            written = os.pwrite(self._descriptor, data, offset)
            offset += written
            data = data[written:]

    def flush(self) -> None:
        os.fdatasync(self._descriptor)

    def blank(self) -> bool:
        return _is_blank(self._descriptor, self.size)

    def erase(self) -> None:
        zeros = bytes(_CHUNK)
        for offset in range(0, self.size, _CHUNK):
            self.write(offset, zeros[: self.size - offset])

    def close(self) -> None:
        descriptor, self._descriptor = getattr(self, "_descriptor", -1), -1
        if descriptor >= 0:
            os.close(descriptor)


def _open_image(path: str, blocks: int | None, block_size: int) -> int:
    """Open the image; make a sparse one if there is none and its size is known."""
    if not path or "\0" in path:
        raise OSError(errno.EINVAL, f"{path!r} is no name of a disk image")
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        if blocks is None:
            raise OSError(
                errno.ENOENT, f"there is no disk image {path!r}; to make one, say how many blocks"
            ) from None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(descriptor, blocks * block_size)
    except OSError:
        os.close(descriptor)
        os.unlink(path)  # made a moment ago, and of no use
        raise
    return descriptor


def _image_size(descriptor: int, path: str, blocks: int | None, block_size: int) -> int:
    """The bytes of the image that are the disk; a device's size is where its end is."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    if size % block_size:
        raise OSError(
            errno.EINVAL,
            f"the disk image {path!r} has {size} bytes: its blocks of {block_size} are not whole",
        )
    if size < (blocks or 1) * block_size:
        raise OSError(
            errno.EINVAL,
            f"the disk image {path!r} has {size // block_size} blocks, too few for {blocks or 1}",
        )
    return size if blocks is None else blocks * block_size


def _is_blank(descriptor: int, size: int) -> bool:
    """Whether the first `size` bytes are zero; holes are not even looked at."""
    offset = 0
    while (offset := _next_data(descriptor, offset, size)) < size:
        part = os.pread(descriptor, min(_CHUNK, size - offset), offset)
        if part.count(0) != len(part):
            return False
        offset += len(part) or size
    return True


def _next_data(descriptor: int, offset: int, size: int) -> int:
    """Where there may be data at or after `offset`; `size` if nowhere."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        return size if error.errno == errno.ENXIO else offset  # a device knows no holes
