"""The blocks of a disk image: in a file of the host, or in memory."""

import os
from typing import Protocol

from servers.filesystem.layout import BLOCK_SIZE


class Image(Protocol):
    """Blocks that can be read, whatever state the image is in.

    Attributes:
        size: bytes.
    """

    @property
    def size(self) -> int:
        """Bytes."""

    def read(self, block: int, count: int = 1) -> bytes:
        """`count` blocks from `block` on; what lies beyond the end is zeros."""

    def write(self, block: int, data: bytes) -> None:
        """Write whole blocks from `block` on; an image grows as it must."""


class FileImage:
    """An image in a file or device of the host.

    Args:
        descriptor: of the file; the caller closes it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.lseek(descriptor, 0, os.SEEK_END)

    def read(self, block: int, count: int = 1) -> bytes:
        """See `Image`."""
        offset, length = block * BLOCK_SIZE, count * BLOCK_SIZE
        data = os.pread(self._descriptor, length, offset) if offset < self.size else b""
        while len(data) < length:
            part = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not part:
                return data.ljust(length, b"\0")
            data += part
        return data

    def write(self, block: int, data: bytes) -> None:
        """See `Image`."""
        offset = block * BLOCK_SIZE
        while data:
            written = os.pwrite(self._descriptor, data, offset)
            offset += written
            data = data[written:]
        self.size = max(self.size, offset)


class MemoryImage:
    """An image in memory.

    Args:
        data: its bytes; they are changed by `write`.
    """

    def __init__(self, data: bytearray) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._data)

    def read(self, block: int, count: int = 1) -> bytes:
        """See `Image`."""
        offset, length = block * BLOCK_SIZE, count * BLOCK_SIZE
        return bytes(self._data[offset : offset + length]).ljust(length, b"\0")

    def write(self, block: int, data: bytes) -> None:
        """See `Image`."""
        offset = block * BLOCK_SIZE
        self._data.extend(bytes(max(0, offset + len(data) - len(self._data))))
        self._data[offset : offset + len(data)] = data
