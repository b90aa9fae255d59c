"""The turnstile: a gate's lock at which a scheduling policy says which request goes next.

It takes the place of the baton (`boot(scheduler=...)`), at which the host's threads come in their
own order. Whoever enters is a task with the priority, the user and the tickets of its caller. Of
the kernel's own work nothing is put off by a priority.
"""

import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Final, NamedTuple

from kernels.scheduling import Policy, Task, policies
from twinos import Caller, Region

QUANTUM: Final = 0.001
"""Seconds by which a policy reckons, when it ages what waits."""
ROWS: Final = 1 << 16
"""Callers that have a priority of their own at a time."""
KERNELS: Final = -100
"""The priority of what the kernel does by itself."""
MOST_TICKETS: Final = 40
_COUNTS: Final = 5
_WORD: Final = 8


class Passages(NamedTuple):
    """What came of those who wanted to enter an address space. Times are seconds.

    Attributes:
        entered: how many there were: requests, and those that came back from waiting.
        wait: how long they stood before the gate, all together.
        turnaround: the same, and how long they were inside.
        longest: the longest wait of one.
        waiting: how many stand before the gate now.
    """

    entered: int
    wait: float
    turnaround: float
    longest: float
    waiting: int


class Desk:
    """What the gates of a system know of callers, and count, in memory that they share.

    Args:
        region: that memory; made large enough if it is new.
        spaces: how many gates there are.
    """

    def __init__(self, region: Region, spaces: int) -> None:
        if not region.size:
            region.resize((ROWS + spaces * _COUNTS) * _WORD)
        self._words = memoryview(region.memory).cast("q")

    def close(self) -> None:
        """Look there no more."""
        self._words.release()

    def weigh(self, caller: int, priority: int) -> None:
        """A caller has this priority: less is more urgent."""
        self._words[caller % ROWS] = priority

    def priority(self, caller: int) -> int:
        """The priority of a caller; 0, if nobody has said."""
        return self._words[caller % ROWS]

    def count(self, space: int, wait: int, inside: int) -> None:
        """Somebody has entered a space and left, after so many nanoseconds before and within."""
        first = ROWS + space * _COUNTS
        self._words[first] += 1
        self._words[first + 1] += wait
        self._words[first + 2] += wait + inside
        self._words[first + 3] = max(self._words[first + 3], wait)

    def line(self, space: int, length: int) -> None:
        """So many stand before the gate of a space now."""
        self._words[ROWS + space * _COUNTS + 4] = length

    def passages(self, space: int) -> Passages:
        """What has been counted at the gate of a space."""
        first = ROWS + space * _COUNTS
        entered, *times, waiting = self._words[first : first + _COUNTS]
        wait, turnaround, longest = (nanoseconds / 1e9 for nanoseconds in times)
        return Passages(entered, wait, turnaround, longest, waiting)


class Turnstile:
    """A lock like `Baton`, given to whom a policy chooses.

    Args:
        policy: chooses.
        desk: what is known of callers.
        space: the number of the address space.
    """

    def __init__(self, policy: Policy, desk: Desk, space: int) -> None:
        self._policy = policy
        self._desk = desk
        self._space = space
        self._mutex = threading.Lock()
        self._waiting: dict[Task, SimpleQueue[bool]] = {}
        self._holder: Task | None = None
        self._open = False
        self._entered = self._waited = 0
        desk.line(space, 0)  # those of an earlier life have been told
        self._thread = threading.local()

    def serve(self, caller: Caller) -> None:
        """This thread enters for that caller from now on."""
        tasks: dict[int, Task] = self._thread.__dict__.setdefault("tasks", {})
        task = tasks.get(caller.id)
        if task is None:
            task = tasks[caller.id] = Task(str(caller.id), user=str(caller.uid))
        task.priority = self._desk.priority(caller.id)
        task.tickets = max(1, MOST_TICKETS // 2 - task.priority)
        self._thread.task = task

    def acquire(self) -> bool:
        """Take it, waiting for one's turn. True. An exception meanwhile leaves it to others."""
        task, now = self._task(), time.monotonic_ns()
        with self._mutex:
            if self._open:
                return True
            if self._holder is None:
                self._hold(task, now, now)
                return True
            turn: SimpleQueue[bool] = SimpleQueue()
            self._waiting[task] = turn
            self._desk.line(self._space, len(self._waiting))
            self._policy.ready(task, now / 1e9)
        try:
            turn.get()
        except BaseException:
            with self._mutex:
                was_waiting = self._leave_line(task) is not None
            if not was_waiting:
                self.give()
            raise
        with self._mutex:
            self._hold(task, now, time.monotonic_ns())
        return True

    def give(self, _baton: bool = True) -> None:
        """Let the next one have it; for whoever holds it."""
        now = time.monotonic_ns()
        with self._mutex:
            if self._holder is not None:
                inside = now - self._entered
                self._policy.ran(self._holder, inside / 1e9)
                self._desk.count(self._space, self._waited, inside)
            self._holder = None
            while (task := self._policy.next(now / 1e9)) is not None:
                turn = self._leave_line(task)
                if turn is not None:  # it has not given up
                    self._hold(task, now, now)
                    turn.put(True)
                    return

    def release(self) -> None:
        """Let the next one have it."""
        self.give()

    def close(self) -> None:
        """Look up and count no more."""
        self._desk.close()

    def after_fork(self) -> None:
        """In a child: whoever held it does not exist. From now on nobody waits, all come in."""
        self._mutex = threading.Lock()
        self._open, self._holder = True, None
        for turn in self._waiting.values():
            turn.put(True)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _leave_line(self, task: Task) -> SimpleQueue[bool] | None:
        """A task waits no more; what would have told it of its turn."""
        turn = self._waiting.pop(task, None)
        self._desk.line(self._space, len(self._waiting))
        return turn

    def _hold(self, task: Task, came: int, now: int) -> None:
        self._holder, self._entered, self._waited = task, now, now - came

    def _task(self) -> Task:
        task: Task | None = getattr(self._thread, "task", None)
        if task is None:
            task = self._thread.task = Task("kernel", KERNELS, "kernel", MOST_TICKETS)
        return task


class Queues:
    """The gates of a system at which a scheduler decides, if there is one.

    Args:
        scheduler: the policy's name; None: the host's order will do.
        spaces: the names of the address spaces.

    Attributes:
        region: what the gates share; None: nothing.
    """

    def __init__(self, scheduler: str | None, spaces: Sequence[str]) -> None:
        self.region = Region.create("ready") if scheduler else None
        self._desk = None if self.region is None else Desk(self.region, len(spaces))
        self._scheduler = scheduler
        self._spaces = spaces

    def close(self) -> None:
        """Let go of what is shared."""
        if self._desk is not None and self.region is not None:
            self._desk.close()
            self.region.close()

    def seat(self, space: int) -> "Seat":
        """What the gate of a space needs to know."""
        return Seat(self._scheduler, self.region, space, len(self._spaces))

    def weigh(self, caller: int, priority: int) -> None:
        """A caller has another priority: less is more urgent."""
        if self._desk is not None:
            self._desk.weigh(caller, priority)

    def passages(self) -> tuple[tuple[str, Passages], ...]:
        """What came of those who wanted to enter, by address space."""
        desk, names = self._desk, enumerate(self._spaces)
        return () if desk is None else tuple((name, desk.passages(at)) for at, name in names)


class Seat(NamedTuple):
    """What a gate needs of `Queues`, in the process where it is."""

    scheduler: str | None
    region: Region | None
    space: int
    spaces: int

    def lock(self) -> Turnstile | None:
        """Its lock, if a scheduler decides there."""
        if self.scheduler is None or self.region is None:
            return None
        desk = Desk(self.region, self.spaces)
        return Turnstile(policies()[self.scheduler](QUANTUM), desk, self.space)
