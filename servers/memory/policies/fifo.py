"""First in, first out."""

from collections import OrderedDict

from servers.memory.policies.policy import Look, Policy, first_evictable


class FIFO(Policy):
    """The page that came first goes first, however busy it is. Shows Belady's anomaly."""

    name = "fifo"

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._queue: OrderedDict[int, None] = OrderedDict()

    def admit(self, page: int) -> None:
        """The last in the queue."""
        self._queue[page] = None

    def forget(self, page: int) -> None:
        """Out of the queue, wherever it is."""
        del self._queue[page]

    def victim(self, look: Look) -> int | None:
        """The first in the queue."""
        return first_evictable(self._queue, look)
