"""A disk that takes its time: an arm that seeks, a platter that turns, and then the transfer.

    time = seek + turn + blocks / rate

A seek takes `settle` and grows with the square root of the distance to `stroke` (the curve that
Ruemmler and Wilkes measured: An introduction to disk drive modeling, IEEE Computer 27(3), 1994);
then half a turn goes by on average, here always. A request that begins where the one before ended
pays the transfer alone. Requests are served in the order in which they come, one at a time; when
one is done, the disk raises an interrupt.
"""

import errno
import math
from collections.abc import Iterable
from typing import Final

from servers.disk import BLOCK_SIZE, Disk, Extent
from servers.timer import Timer, VirtualTimer
from twinos import NO_DEVICE, Line, Region, Signal, Waits, op

SETTLE: Final = 0.002
STROKE: Final = 0.016
"""Seconds of the shortest and of the longest seek: a disk of 1995 to 2005."""
TURN: Final = 60 / 5400
"""Seconds of a turn."""
RATE: Final = 10e6
"""Bytes in a second."""


class Arm:
    """What the disk is doing, and until when.

    Args:
        blocks: how many the disk has.
        block_time: seconds in which one passes under the head.
        settle: seconds of the shortest seek.
        stroke: of the longest.
        turn: of one turn.
    """

    def __init__(
        self, blocks: int, block_time: float, settle: float, stroke: float, turn: float
    ) -> None:
        self._blocks = blocks
        self._block_time = block_time
        self._settle = settle
        self._stroke = stroke
        self._half_turn = turn / 2
        self._head = 0
        self._free_at = 0.0

    def serve(self, extents: Iterable[Extent], now: float) -> float:
        """When these blocks will have passed under the head, if they are asked for `now`."""
        self._free_at = max(self._free_at, now) + sum(map(self._passing, extents))
        return self._free_at

    def _passing(self, extent: Extent) -> float:
        distance = abs(extent.block - self._head)
        self._head = extent.block + extent.length
        transfer = extent.length * self._block_time
        if not distance:
            return transfer
        reach = math.sqrt(distance / self._blocks)
        return self._settle + (self._stroke - self._settle) * reach + self._half_turn + transfer


class SlowDisk(Disk):
    """A `Disk` whose blocks take as long to come as those of a disk with an arm.

    Args:
        store: as for `Disk`.
        done: raised when the blocks of a request have passed.
        image: as for `Disk`.
        blocks: as for `Disk`.
        settle: seconds of the shortest seek.
        stroke: seconds of the longest.
        turn: seconds of one turn.
        rate: bytes in a second.
        speed: how many times faster it all goes; 0: nothing takes any time.
        virtual: go by a clock of its own, which jumps to when the disk is done: for tests.

    Raises:
        OSError: those of `Disk`; EINVAL, a time or rate is negative.
    """

    def __init__(
        self,
        store: Region,
        done: Line = NO_DEVICE,
        image: str | None = None,
        blocks: int | None = None,
        settle: float = SETTLE,
        stroke: float = STROKE,
        turn: float = TURN,
        rate: float = RATE,
        speed: float = 1.0,
        virtual: bool = False,
    ) -> None:
        if min(settle, stroke, turn, speed) < 0 or rate <= 0:
            raise OSError(
                errno.EINVAL, "the times of a disk are not negative, and its rate is not 0"
            )
        super().__init__(store, image, blocks)
        self._speed = speed
        self._timer = VirtualTimer(done) if virtual else Timer(done)
        self._arm = Arm(super().geometry().blocks, BLOCK_SIZE / rate, settle, stroke, turn)

    @op(idempotent=True)
    def read(self, block: int, count: int = 1) -> Waits[bytes]:
        """`read`, when the blocks have passed under the head."""
        data = super().read(block, count)
        yield from self._pass((Extent(block, count),))
        return data

    @op(idempotent=True)
    def write(self, block: int, data: bytes) -> Waits[None]:
        """`write`, when the blocks have passed under the head."""
        super().write(block, data)
        yield from self._pass((Extent(block, len(data) // BLOCK_SIZE),))

    @op(idempotent=True)
    def readv(self, extents: tuple[Extent, ...]) -> Waits[bytes]:
        """`readv`, when the blocks have passed under the head."""
        data = super().readv(extents)
        yield from self._pass(extents)
        return data

    @op(idempotent=True)
    def writev(self, extents: tuple[Extent, ...], data: bytes) -> Waits[None]:
        """`writev`, when the blocks have passed under the head."""
        super().writev(extents, data)
        yield from self._pass(extents)

    def _pass(self, extents: tuple[Extent, ...]) -> Waits[None]:
        """Wait until the blocks have passed."""
        if not self._speed:
            return
        now = self._timer.now() * self._speed
        done = self._arm.serve(extents, now) / self._speed
        passed = Signal()
        try:
            while self._timer.now() < done:
                yield self._timer.until(done, passed)
        finally:
            self._timer.forget(passed)

    def _interrupted(self) -> None:
        self._timer.expired()
