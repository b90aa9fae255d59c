"""Fair share: users get equal parts of the processor, however many processes they have."""

from collections import defaultdict
from weakref import WeakKeyDictionary

from kernels.scheduling.policy import Policy, Task


class FairShare(Policy):
    """The user who has had least runs, and of that user's tasks the one that has had least.

    After Kay and Lauder (A fair share scheduler, CACM 31(1), 1988), without decay. A user who comes
    late, or comes back, starts with as much as the one who has had least of those who are ready,
    so that nobody saves up.
    """

    name = "fair"
    slices = True

    def __init__(self, quantum: float = 2, seed: int = 0) -> None:
        super().__init__(quantum, seed)
        self._ready: dict[Task, int] = {}
        self._by_user: defaultdict[str, float] = defaultdict(float)
        self._by_task: WeakKeyDictionary[Task, float] = WeakKeyDictionary()
        self._running: Task | None = None
        self._count = 0

    def ready(self, task: Task, now: float) -> None:
        """A user who had nothing to do catches up in what counts as had."""
        del now
        others = {other.user for other in (*self._ready, self._running) if other is not None}
        if others and task.user not in others:
            least = min(self._by_user[user] for user in others)
            self._by_user[task.user] = max(self._by_user[task.user], least)
        if task is self._running:
            self._running = None
        self._count += 1
        self._ready[task] = self._count

    def next(self, now: float) -> Task | None:
        """Of the user who has had least, the task that has had least."""
        del now

        def order(task: Task) -> tuple[float, float, int]:
            return self._by_user[task.user], self._by_task.get(task, 0.0), self._ready[task]

        self._running = min(self._ready, key=order, default=None)
        if self._running is not None:
            del self._ready[self._running]
        return self._running

    def ran(self, task: Task, time: float) -> None:
        """It is on its user's account."""
        self._by_user[task.user] += time
        self._by_task[task] = self._by_task.get(task, 0.0) + time
