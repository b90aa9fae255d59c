"""How long to poll before sleeping: as long as it pays, and never on a CPU that the other needs."""

import os
from collections.abc import Callable
from typing import Final

POLLS: Final = 2000
"""About 0.1 ms: twice what waking a process on another CPU costs."""
LONGEST_REST: Final = 10
"""After so many vain polls in a row, the next 2 ** 10 waits sleep at once."""
RECHECK: Final = 64
"""Sleeps after which it is looked again where both ends may run."""

SEVERAL: Final = 1
_FIRST: Final = 2


def place() -> int:
    """Where this thread may run: 2 + the CPU, if there is but one, or `SEVERAL`."""
    cpus = os.sched_getaffinity(0)
    return _FIRST + min(cpus) if len(cpus) == 1 else SEVERAL


class Patience:
    """One end's decision whether to poll for the next message.

    Polling for a message costs the CPU that its sender may need, so an end polls only if both can
    run at the same time, and only if it has paid lately: after a wait in which it did not, the next
    wait sleeps at once; after two in a row, the next two; then four, eight and so on.

    Args:
        say: tells the other end where this one may run.
        other: where the other end has said that it may run; 0: it has said nothing.
    """

    def __init__(self, say: Callable[[int], None], other: Callable[[], int]) -> None:
        self._say = say
        self._other = other
        self._polling = False
        self._last = 0  # wait in which it slept
        self._vain = 0  # in a row
        self._rest = 1  # sleeps until polling is tried
        say(place())

    def next(self, number: int) -> int:
        """How often to poll from now on, for who has to sleep in the wait of this number."""
        if self._polling:  # in vain
            hits = number - self._last - 1
            self._vain = 1 if hits else min(self._vain + 1, LONGEST_REST)
            self._polling, self._rest = False, 1 << self._vain - 1
        elif self._rest > 1:
            self._rest -= 1
        else:
            self._polling = self._may_poll()
            self._rest = 1 if self._polling else RECHECK
        self._last = number
        return POLLS if self._polling else 0

    def _may_poll(self) -> bool:
        here, there = place(), self._other()
        self._say(here)
        return there != 0 and (here == SEVERAL or here != there)
