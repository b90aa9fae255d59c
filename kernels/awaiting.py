"""Waiting for a moment, an event, or the end of who is waited with."""

import select
import time
from typing import Final

LONGEST_SLEEP: Final = 3600.0
"""Seconds after which a waiter looks again at its condition, whatever happens."""
_TICK: Final = 0.001
"""Seconds that `poll` can tell apart; what is shorter is left to `select`."""
_MOST_SELECTED: Final = 1024
"""The first descriptor that `select` can't take."""


def wait_for(event: int, hangup: int, deadline: float) -> bool:
    """Sleep until `event` or `deadline`; whether the pipe `hangup` lost its writer first."""
    poll = select.poll()
    poll.register(event, select.POLLIN)
    if hangup >= 0:
        poll.register(hangup, 0)
    deadline = min(deadline, time.monotonic() + LONGEST_SLEEP)
    while (left := deadline - time.monotonic()) > 0:
        if left >= _TICK or event >= _MOST_SELECTED:
            ready = poll.poll(max(int(left / _TICK), 1))
        else:
            ready = [(each, 0) for each in select.select([event], [], [], left)[0]]
        if ready:
            return any(descriptor == hangup for descriptor, _ in ready)
    return False
