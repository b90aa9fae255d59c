"""What a scheduling policy is: who goes next, of those who are ready.

A policy is one class in one file of this package. It is told who becomes ready and who has had the
processor for how long, and chooses. It knows nothing of clocks, threads and queues: the simulator
of `twinos scheduling` uses it, and a kernel can.

Priorities are as nice(1) has them: less is more urgent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(eq=False)
class Task:
    """Somebody who wants the processor: a process, or a request.

    Attributes:
        name: for people.
        priority: how urgent it is, less is more; its own.
        user: whose it is; fair share counts by user.
        tickets: its part in a lottery.
        lent: priorities of those who wait for it, which it has inherited.
    """

    name: str
    priority: int = 0
    user: str = ""
    tickets: int = 1
    lent: list[int] = field(default_factory=list)

    @property
    def urgency(self) -> int:
        """Its priority, or that of the most urgent one who waits for it."""
        return min([self.priority, *self.lent])

    @contextmanager
    def lending(self, priority: int) -> Iterator[None]:
        """Have it inherit a priority meanwhile."""
        self.lent.append(priority)
        try:
            yield
        finally:
            self.lent.remove(priority)


class Policy:
    """A scheduling policy.

    Args:
        quantum: how long a task may run before others have a turn, for policies that care.
        seed: for a policy that draws lots.

    Attributes:
        name: how it is asked for.
        slices: whether a task's turn ends after the quantum.
        preempts: whether who becomes ready may take the processor from a less urgent task.
    """

    name: ClassVar[str]
    slices: ClassVar[bool] = False
    preempts: ClassVar[bool] = False

    def __init__(self, quantum: float = 2, seed: int = 0) -> None:
        self.quantum = quantum
        self.seed = seed

    def ready(self, task: Task, now: float) -> None:
        """A task wants the processor: it is new, has waited for something, or its turn is over."""
        raise NotImplementedError

    def next(self, now: float) -> Task | None:
        """Who goes next, and is ready no longer; None: nobody is."""
        raise NotImplementedError

    def ran(self, task: Task, time: float) -> None:
        """A task has had the processor for so long."""

    def prefers(self, running: Task, now: float) -> bool:
        """Whether somebody who is ready should have the processor instead of who has it."""
        del running, now
        return False
