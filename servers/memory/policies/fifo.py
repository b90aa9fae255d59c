"""First in, first out."""

from servers.memory.policies.policy import Look, Policy


class FIFO(Policy):
    """The page that came first goes first, however busy it is. Shows Belady's anomaly."""

    name = "fifo"

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._queue: dict[int, None] = {}  # in the order of arrival

    def admit(self, page: int) -> None:
        """The last in the queue."""
        self._queue[page] = None

    def forget(self, page: int) -> None:
        """Out of the queue, wherever it is."""
        del self._queue[page]

    def victim(self, look: Look) -> int:  # noqa: ARG002 (it does not look)
        """The first in the queue."""
        return next(iter(self._queue))
