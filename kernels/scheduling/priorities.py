"""Priorities, with ageing: the urgent first, and in the end everybody."""

from kernels.scheduling.policy import Policy, Task


class Priorities(Policy):
    """The most urgent task runs, at once; who waits becomes more urgent, one step in each `AGE`.

    Without ageing, urgent tasks could keep all others waiting for ever. Among equals, who has
    been ready longer is first.
    """

    name = "priority"
    preempts = True

    AGE = 10.0
    """Quanta in which a task that waits becomes more urgent by one step."""

    def __init__(self, quantum: float = 2, seed: int = 0) -> None:
        super().__init__(quantum, seed)
        self._since: dict[Task, tuple[float, int]] = {}
        self._count = 0

    def ready(self, task: Task, now: float) -> None:
        """From now on it ages."""
        self._count += 1
        self._since[task] = (now, self._count)

    def next(self, now: float) -> Task | None:
        """The most urgent one."""
        task = self._first(now)
        if task is not None:
            del self._since[task]
        return task

    def prefers(self, running: Task, now: float) -> bool:
        """Whether somebody is more urgent, who runs does not age."""
        first = self._first(now)
        return first is not None and self._aged(first, now) < running.urgency

    def _first(self, now: float) -> Task | None:
        def order(task: Task) -> tuple[float, float, int]:
            return self._aged(task, now), *self._since[task]

        return min(self._since, key=order, default=None)

    def _aged(self, task: Task, now: float) -> float:
        since, _ = self._since[task]
        return task.urgency - (now - since) // (self.AGE * self.quantum)
