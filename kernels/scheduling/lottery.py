"""Lottery: each turn is drawn, and more tickets win more often."""

import random

from kernels.scheduling.policy import Policy, Task


class Lottery(Policy):
    """After Waldspurger and Weihl (Lottery scheduling, OSDI 1994): a ticket is drawn each turn."""

    name = "lottery"
    slices = True

    def __init__(self, quantum: float = 2, seed: int = 0) -> None:
        super().__init__(quantum, seed)
        self._ready: list[Task] = []
        self._lots = random.Random(seed)

    def ready(self, task: Task, now: float) -> None:
        """It takes part."""
        del now
        self._ready.append(task)

    def next(self, now: float) -> Task | None:
        """The holder of the winning ticket."""
        del now
        if not self._ready:
            return None
        weights = [task.tickets for task in self._ready]
        (place,) = self._lots.choices(range(len(self._ready)), weights)
        return self._ready.pop(place)
