"""Alarms: SIGALRM when it is time, which an interrupt of the manager's own timer says."""

import errno
import math
import signal as host_signal
import time

from servers.process.terminals import Terminals
from twinos import Caller, Line, fail, op


class Alarms(Terminals):
    """One alarm for each process, as POSIX has it; it stays through exec, and no child has it."""

    _tick: Line

    @op
    def alarm(self, caller: Caller, seconds: float) -> float:
        """Have SIGALRM sent to the caller after `seconds`; 0 cancels. What the last one had left.

        EINVAL, ESRCH.
        """
        entry, now = self._table.of_caller(caller), time.monotonic()
        if not 0 <= seconds < math.inf:
            raise fail(errno.EINVAL)
        left = max(entry.alarm - now, 0.0) if entry.alarm else 0.0
        entry.alarm = now + seconds if seconds else 0.0
        self._arm()
        self._keep()
        return left

    def _arm(self) -> None:
        """Have the timer raise its line at the first alarm."""
        due = [entry.alarm for entry in self._table if entry.alarm and entry.alive]
        if due:
            self._tick.after(max(min(due) - time.monotonic(), 0.0))

    def _interrupted(self) -> None:
        now = time.monotonic()
        for entry in self._table:
            if entry.alarm and entry.alarm <= now:
                entry.alarm = 0.0
                self._send(entry, int(host_signal.SIGALRM))
        self._arm()
        self._publish()
