"""Where a disk's bytes are kept: what all media have in common, and memory."""

import errno
import os
from typing import Final, Protocol

from twinos import Region

CHUNK: Final = 1 << 20
"""Bytes that are looked at, or filled with zeros, at a time."""


class Medium(Protocol):
    """Where bytes are kept."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on, all of which are on the medium."""

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at `offset`."""

    def flush(self) -> None:
        """Wait until all that was written is on the medium."""

    def blank(self) -> bool:
        """Whether every byte is zero."""

    def erase(self) -> None:
        """Make every byte zero."""

    def close(self) -> None:
        """Let go of the medium."""


class Memory:
    """Bytes in a region; one that has bytes already keeps them: the service died and is back."""

    def __init__(self, store: Region, size: int) -> None:
        if store.size == 0:
            store.resize(size)
        elif store.size != size:
            raise OSError(errno.EINVAL, f"the store has {store.size} bytes, the disk {size}")
        self.size = size
        self._store = store

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` on, all of which are on the medium."""
        return self._store.memory[offset : offset + length]

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at `offset`."""
        self._store.memory[offset : offset + len(data)] = data

    def flush(self) -> None:
        """Memory is all the medium there is."""

    def blank(self) -> bool:
        """Whether every byte is zero."""
        return is_blank(self._store.descriptor, self.size)

    def erase(self) -> None:
        """A region is born with zeros, and this is its first life."""

    def close(self) -> None:
        """The kernel owns the region."""


def is_blank(descriptor: int, size: int) -> bool:
    """Whether the first `size` bytes are zero; holes are not even looked at."""
    offset = 0
    while (offset := _next_data(descriptor, offset, size)) < size:
        part = os.pread(descriptor, min(CHUNK, size - offset), offset)
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
