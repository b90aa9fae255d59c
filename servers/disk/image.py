"""Disk images: a file or device of the host, held by one system at a time."""

import errno
import fcntl
import os

from servers.disk.medium import CHUNK, is_blank
from twinos import Region


class Image:
    """Bytes in a file or device of the host.

    The lock is on an open file of its own, which the kernel keeps: a service that died finds it
    still locked, and nobody can have come in between.

    Args:
        store: what keeps the locked file from one life of the service to the next.
        path: the file or device; a file that is not there is made, if `blocks` says how large.
        blocks: how many blocks; None means all that there are.
        block_size: bytes in a block.
        read_only: share the image with others who only read it.

    Raises:
        OSError: the image is missing, too small, or no whole number of blocks; EBUSY, another
            system has it.
    """

    def __init__(
        self, store: Region, path: str, blocks: int | None, block_size: int, *, read_only: bool
    ) -> None:
        locked = store.kept()
        if locked is None:
            locked = _open_locked(path, None if read_only else blocks, block_size, read_only)
            store.keep(locked)
        try:
            self._descriptor = os.open(f"/proc/self/fd/{locked}", _flags(read_only))
        finally:
            os.close(locked)
        try:
            self.size = _image_size(self._descriptor, path, blocks, block_size)
        except OSError:
            self._close()
            raise
        self._store = store

    def __del__(self) -> None:
        self._close()  # a system that does not come up has no orderly end

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on, all of which are on the medium."""
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            part = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not part:
                raise OSError(errno.EIO, "the disk image is shorter than it was")
            data += part
        return data

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at `offset`."""
        while data:
            written = os.pwrite(self._descriptor, data, offset)
            offset += written
            data = data[written:]

    def flush(self) -> None:
        """Wait until all that was written is on the medium."""
        os.fdatasync(self._descriptor)

    def blank(self) -> bool:
        """Whether every byte is zero."""
        return is_blank(self._descriptor, self.size)

    def erase(self) -> None:
        """Make every byte zero."""
        zeros = bytes(CHUNK)
        for offset in range(0, self.size, CHUNK):
            self.write(offset, zeros[: self.size - offset])

    def close(self) -> None:
        """Let others have the image, whatever a child of this process still holds."""
        self._close()
        locked = self._store.kept()
        if locked is not None:
            fcntl.flock(locked, fcntl.LOCK_UN)
            os.close(locked)

    def _close(self) -> None:
        descriptor, self._descriptor = getattr(self, "_descriptor", -1), -1
        if descriptor >= 0:
            os.close(descriptor)


def lock(descriptor: int, path: str, *, shared: bool) -> None:
    """Keep other systems off an image for as long as this file is open.

    Args:
        descriptor: the image.
        path: its name, for the sentence.
        shared: whether others may read it at the same time.

    Raises:
        OSError: EBUSY, somebody else has it.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, f"the disk image {path!r} is in use by another system") from None


def is_current(descriptor: int, path: str) -> bool:
    """Whether `path` still leads to this open file: the tools replace images as a whole."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _flags(read_only: bool) -> int:
    return os.O_CLOEXEC | (os.O_RDONLY if read_only else os.O_RDWR)


def _open_locked(path: str, blocks: int | None, block_size: int, read_only: bool) -> int:
    while True:
        descriptor = _open_image(path, blocks, block_size, _flags(read_only))
        try:
            lock(descriptor, path, shared=read_only)
            if is_current(descriptor, path):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _open_image(path: str, blocks: int | None, block_size: int, flags: int) -> int:
    """Open the image; make a sparse one if there is none and its size is known."""
    if not path or "\0" in path:
        raise OSError(errno.EINVAL, f"{path!r} is no name of a disk image")
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        if blocks is None:
            raise OSError(
                errno.ENOENT, f"there is no disk image {path!r}; to make one, say how many blocks"
            ) from None
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
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
