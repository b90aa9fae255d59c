"""RAID 1: one disk made of two that hold the same.

After Patterson, Gibson and Katz, "A Case for Redundant Arrays of Inexpensive Disks" (SIGMOD 1988).
Between the two writes of a block the sides differ, and a service that dies there would leave them
so: which of them a later read sees is luck (the *write hole*). So a block is noted in memory that
outlives the service before it is written, and whoever starts makes what is noted the same again.
"""

import errno
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from servers.disk import Disk, Geometry
from twinos import Region, Service, fail, only, op

_OPEN: Final = 16
"""Bytes at the start of `journal`: first block and number of blocks of the write under way."""
_COPY: Final = 256
"""Blocks that a rebuild copies in one request."""


class LeftDisk(Disk, privileged=True):
    """The first disk of a mirror."""


class RightDisk(Disk, privileged=True):
    """The second disk of a mirror."""


class Which(StrEnum):
    """A side of the mirror."""

    LEFT = "left"
    RIGHT = "right"


class Health(NamedTuple):
    """How the mirror is.

    Attributes:
        left: whether the left side is in use.
        right: whether the right side is in use.
        reads: requests that each side has answered, left and right.
    """

    left: bool
    right: bool
    reads: tuple[int, int]


class Mirror(Service, privileged=True):
    """Two disks as one. One of them may fail, and be put back with `rebuild`.

    Args:
        left: one side.
        right: the other; of the same geometry.
        journal: the write under way, and which sides are in use.

    Raises:
        OSError: EINVAL, the sides are not alike.
    """

    def __init__(
        self,
        left: Annotated[LeftDisk, only("geometry", "read", "write", "flush")],
        right: Annotated[RightDisk, only("geometry", "read", "write", "flush")],
        journal: Region,
    ) -> None:
        self._geometry = left.geometry()
        if right.geometry() != self._geometry:
            raise OSError(errno.EINVAL, "the sides of a mirror have the same geometry")
        if not journal.size:
            journal.resize(_OPEN + len(Which))
            journal.memory[_OPEN:] = bytes([1, 1])
        self._journal = journal.memory
        self._sides: dict[Which, Disk] = {Which.LEFT: left, Which.RIGHT: right}
        self._reads = dict.fromkeys(Which, 0)
        self._finish_write()

    @op(idempotent=True)
    def geometry(self) -> Geometry:
        """That of either side."""
        return self._geometry

    @op(idempotent=True)
    def read(self, block: int, count: int = 1) -> bytes:
        """`count` blocks from `block` on, from the side that has read less. EINVAL, EIO."""
        return self._one(lambda side: side.read(block, count))

    @op(idempotent=True)
    def write(self, block: int, data: bytes) -> None:
        """Write whole blocks on both sides. EINVAL; EIO: no side took them."""
        self._note(block, len(data) // self._geometry.block_size)
        try:
            self._both(lambda side: side.write(block, data))
        finally:
            self._note(0, 0)  # both have it, or one is out of use

    @op(idempotent=True)
    def flush(self) -> None:
        """Wait until all that was written is on the media. EIO."""
        self._both(lambda side: side.flush())

    @op(idempotent=True)
    def health(self) -> Health:
        """Which sides are in use."""
        left, right = (self._is_good(which) for which in Which)
        return Health(left, right, (self._reads[Which.LEFT], self._reads[Which.RIGHT]))

    @op(idempotent=True)
    def drop(self, side: Which) -> None:
        """Take a side out of use. EBUSY: it is the only one."""
        if not self._is_good(_other(side)):
            raise fail(errno.EBUSY)
        self._set_good(side, good=False)

    @op(idempotent=True)
    def rebuild(self, side: Which) -> None:
        """Copy the other side to this one, and take it back into use. EIO: the other one fails."""
        if not self._is_good(_other(side)):
            raise fail(errno.EIO)
        self._set_good(side, good=False)  # until it has everything
        self._copy(_other(side), side, 0, self._geometry.blocks)
        self._set_good(side, good=True)

    def _one(self, ask: Callable[[Disk], bytes]) -> bytes:
        for which in sorted(self._good(), key=self._reads.__getitem__):
            self._reads[which] += 1
            try:
                return ask(self._sides[which])
            except OSError as error:
                self._failed(which, error)
        raise fail(errno.EIO)

    def _both(self, tell: Callable[[Disk], None]) -> None:
        for which in list(self._good()):
            try:
                tell(self._sides[which])
            except OSError as error:
                self._failed(which, error)

    def _failed(self, which: Which, error: OSError) -> None:
        """A side that fails is used no more, unless the request was wrong or it is the last."""
        if error.errno == errno.EINVAL or not self._is_good(_other(which)):
            raise error
        self._set_good(which, good=False)

    def _finish_write(self) -> None:
        """Make the blocks alike that were being written when the service died."""
        first, count = (
            int.from_bytes(self._journal[at : at + 8], "little") for at in (0, _OPEN // 2)
        )
        if count and len(list(self._good())) == len(Which):
            self._copy(Which.LEFT, Which.RIGHT, first, min(count, self._geometry.blocks - first))
        self._note(0, 0)

    def _copy(self, source: Which, target: Which, first: int, count: int) -> None:
        for block in range(first, first + count, _COPY):
            length = min(_COPY, first + count - block)
            self._sides[target].write(block, self._sides[source].read(block, length))
        self._sides[target].flush()

    def _note(self, block: int, count: int) -> None:
        if not 0 <= block < 1 << 63:
            raise fail(errno.EINVAL)
        self._journal[:_OPEN] = block.to_bytes(8, "little") + count.to_bytes(8, "little")

    def _good(self) -> Iterator[Which]:
        return (which for which in Which if self._is_good(which))

    def _is_good(self, which: Which) -> bool:
        return bool(self._journal[_OPEN + _index(which)])

    def _set_good(self, which: Which, *, good: bool) -> None:
        self._journal[_OPEN + _index(which)] = good


def _index(which: Which) -> int:
    return list(Which).index(which)


def _other(which: Which) -> Which:
    return Which.RIGHT if which is Which.LEFT else Which.LEFT
