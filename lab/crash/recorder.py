"""A disk in memory that remembers every write, every flush, and what was acknowledged when."""

from typing import Final, NamedTuple

from servers.disk import Extent, Geometry
from servers.filesystem.layout import BLOCK_SIZE


class Write(NamedTuple):
    """One block was written.

    Attributes:
        block: which.
        data: what is in it then.
    """

    block: int
    data: bytes


class Flush(NamedTuple):
    """All that was written before is on the medium."""


class Done(NamedTuple):
    """An operation was acknowledged.

    Attributes:
        number: how many have been, this one included.
        lasting: whether it promised that all of them outlive the power.
    """

    number: int
    lasting: bool


Event = Write | Flush | Done


class Recorder:
    """What `FileSystem` needs of a disk, with a memory for events.

    Args:
        data: what is on it.

    Attributes:
        events: what happened, in order.
    """

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = bytearray(data)
        self.events: Final[list[Event]] = []

    def contents(self) -> bytes:
        """All of it."""
        return bytes(self._data)

    def geometry(self) -> Geometry:
        """See `Disk`."""
        return Geometry(BLOCK_SIZE, len(self._data) // BLOCK_SIZE)

    def writable(self) -> bool:
        """See `Disk`."""
        return True

    def read(self, block: int, count: int = 1) -> bytes:
        """See `Disk`."""
        return bytes(self._data[block * BLOCK_SIZE : (block + count) * BLOCK_SIZE])

    def readv(self, extents: tuple[Extent, ...]) -> bytes:
        """See `Disk`."""
        return b"".join([self.read(block, count) for block, count in extents])

    def write(self, block: int, data: bytes) -> None:
        """See `Disk`."""
        for at in range(0, len(data), BLOCK_SIZE):
            self.events.append(Write(block + at // BLOCK_SIZE, bytes(data[at : at + BLOCK_SIZE])))
        self._data[block * BLOCK_SIZE : block * BLOCK_SIZE + len(data)] = data

    def writev(self, extents: tuple[Extent, ...], data: bytes) -> None:
        """See `Disk`."""
        at = 0
        for block, count in extents:
            self.write(block, data[at : at + count * BLOCK_SIZE])
            at += count * BLOCK_SIZE

    def flush(self) -> None:
        """See `Disk`."""
        self.events.append(Flush())

    def blank(self) -> bool:
        """See `Disk`."""
        return not any(self._data)
