"""A timer: how a driver has operations wait for a moment, by interrupts of its device."""

import heapq
import math
import time
from typing import Final

from twinos import NO_DEVICE, Line, Signal, Until

PATIENCE: Final = 1.0
"""Seconds after which who waits looks by itself: the interrupt is lost."""


class Timer:
    """Moments for which operations of one driver wait.

    Args:
        line: of the device that raises an interrupt at the next of them.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._due: list[tuple[float, int, Signal]] = []
        self._armed = math.inf
        self._count = 0

    def now(self) -> float:
        """The time of its clock: the host's monotonic one."""
        return time.monotonic()

    def until(self, moment: float, signal: Signal) -> Until:
        """What to yield: `signal` is notified at a moment of the monotonic clock, if not before."""
        if self._line is NO_DEVICE:
            return signal.until(moment)
        self._count += 1
        heapq.heappush(self._due, (moment, self._count, signal))
        self._arm()
        return signal.until(moment + PATIENCE)

    def forget(self, signal: Signal) -> None:
        """Nobody waits for that one any more."""
        self._due = [due for due in self._due if due[2] is not signal]
        heapq.heapify(self._due)

    def expired(self) -> None:
        """The device has raised an interrupt."""
        self._armed = math.inf
        now = self.now()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2].notify()
        self._arm()

    def _arm(self) -> None:
        """Have the device raise one at the first moment."""
        if self._due and self._due[0][0] < self._armed:
            self._armed = self._due[0][0]
            self._line.after(max(0.0, self._armed - time.monotonic()))


class VirtualTimer(Timer):
    """A timer whose clock stands still but when all wait: then it is the next moment at once.

    What takes its time takes none, and still everything happens in the order in which it would.
    """

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._now = 0.0

    def now(self) -> float:
        """Seconds that have passed for the device."""
        return self._now

    def until(self, moment: float, signal: Signal) -> Until:
        """What to yield; see `Timer`."""
        super().until(moment, signal)
        if self._line is NO_DEVICE:
            self._now = max(self._now, moment)
        return signal.until(time.monotonic() + (0 if self._line is NO_DEVICE else PATIENCE))

    def expired(self) -> None:
        """The device has raised an interrupt: it is the first moment that somebody waits for."""
        if self._due:
            self._now = max(self._now, self._due[0][0])
        super().expired()

    def _arm(self) -> None:
        if self._due and self._due[0][0] < self._armed:
            self._armed = self._due[0][0]
            self._line.after(0.0)
