"""First come, first served: fair to the patient, and slow behind the long."""

from collections import deque

from kernels.scheduling.policy import Policy, Task


class FirstCome(Policy):
    """Who has been ready longest runs, until it waits or ends."""

    name = "fcfs"

    def __init__(self, quantum: float = 2, seed: int = 0) -> None:
        super().__init__(quantum, seed)
        self._queue: deque[Task] = deque()

    def ready(self, task: Task, now: float) -> None:
        """It queues up."""
        del now
        self._queue.append(task)

    def next(self, now: float) -> Task | None:
        """The first in the queue."""
        del now
        return self._queue.popleft() if self._queue else None
