"""The clock: what time it is, and an alarm that a client can wait for."""

import errno
import math
import time as host
from typing import Final

from servers.timer import Timer
from twinos import NO_DEVICE, Caller, Line, Service, Signal, Waits, fail, op

LONGEST_WAIT: Final = 86_400.0
"""Seconds of one wait: a timer holds only so much, so a longer wait is made of several."""

LATEST: Final = 2**63 // 10**9
"""Seconds from 1970 that nanoseconds in 64 bits can tell."""


class Alarm:
    """The alarm of one caller; it has one, as a POSIX process has.

    Attributes:
        changed: notified when the alarm is armed or cancelled.
        deadline: when it goes off, in seconds of the host's monotonic clock; None: not armed.
    """

    __slots__ = ("_armed_at", "_seconds", "changed", "deadline")

    def __init__(self) -> None:
        self.changed = Signal()
        self.deadline: float | None = None
        self._seconds = 0.0
        self._armed_at = 0.0

    def arm(self, seconds: float, now: float) -> None:
        """Go off in `seconds`; none, if that is 0. `now` is the time that the clock tells."""
        self.deadline = host.monotonic() + seconds if seconds else None
        self._seconds = seconds
        self._armed_at = now
        self.changed.notify()

    def left(self, now: float) -> float:
        """The seconds left when the clock tells `now`; 0 if none is armed."""
        return (
            max(0.0, self._seconds - (now - self._armed_at)) if self.deadline is not None else 0.0
        )


class Clock(Service):
    """The time of day, waiting, and alarms. The names are those of Python's `time` module.

    Who waits is woken by an interrupt, which the clock raises when it is time.

    Args:
        tick: raised when it is time.
        time: hold the time that is told still at this many seconds since 1970, for runs that
            repeat to the last bit. Sleeps and alarms still take the time that they take.

    Raises:
        OSError: EINVAL: `time` is more than 292 years from 1970.
    """

    def __init__(self, tick: Line = NO_DEVICE, time: int | None = None) -> None:
        if time is not None and abs(time) > LATEST:
            raise OSError(errno.EINVAL, f"time must be within {LATEST} s of 1970, not {time}")
        self._held = time
        self._timer = Timer(tick)
        self._alarms: dict[int, Alarm] = {}

    @op(idempotent=True)
    def null(self) -> None:
        """Do nothing: the null call, which measures what a request itself costs."""

    @op(idempotent=True)
    def time(self) -> float:
        """Seconds since 1970, UTC."""
        return host.time() if self._held is None else float(self._held)

    @op(idempotent=True)
    def time_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return host.time_ns() if self._held is None else self._held * 10**9

    @op(idempotent=True)
    def monotonic(self) -> float:
        """Seconds of a clock that is never set back; only differences mean something."""
        return self._now()

    @op
    def sleep(self, seconds: float) -> Waits[None]:
        """Wait for `seconds`. EINVAL: negative, or not a number."""
        deadline, over = host.monotonic() + _checked(seconds), Signal()
        try:
            while (now := host.monotonic()) < deadline:
                yield self._timer.until(min(deadline, now + LONGEST_WAIT), over)
        finally:
            self._timer.forget(over)

    @op
    def alarm(self, caller: Caller, seconds: float) -> float:
        """Arm the caller's alarm. As in POSIX there is one, and a new one replaces it.

        `pause` waits for it. Another thread of the caller may cancel it.

        Args:
            caller: whose alarm it is.
            seconds: when it goes off; 0 cancels it.

        Returns:
            The seconds that the alarm so replaced had left, 0 if there was none.

        Raises:
            OSError: EINVAL: `seconds` is negative, or not a number.
        """
        _checked(seconds)
        alarm = self._alarm(caller)
        left = alarm.left(self._now())
        alarm.arm(seconds, self._now())
        return left

    @op
    def pause(self, caller: Caller) -> Waits[None]:
        """Wait till the caller's alarm goes off; at once if it did since the last `pause`.

        Without an alarm this waits for one to be armed, by another thread of the caller. An alarm
        ends one `pause`: of several threads that wait, one goes on.
        """
        alarm = self._alarm(caller)
        while alarm.deadline is None or (now := host.monotonic()) < alarm.deadline:
            if alarm.deadline is None:
                yield alarm.changed
            else:
                yield self._timer.until(min(alarm.deadline, now + LONGEST_WAIT), alarm.changed)
        alarm.deadline = None

    def _interrupted(self) -> None:
        self._timer.expired()

    def _departed(self, caller: Caller) -> None:
        alarm = self._alarms.pop(caller.id, None)
        if alarm is not None:
            self._timer.forget(alarm.changed)

    def _alarm(self, caller: Caller) -> Alarm:
        return self._alarms.setdefault(caller.id, Alarm())

    def _now(self) -> float:
        return host.monotonic() if self._held is None else 0.0


def _checked(seconds: float) -> float:
    if math.isnan(seconds) or seconds < 0:
        raise fail(errno.EINVAL)
    return seconds
