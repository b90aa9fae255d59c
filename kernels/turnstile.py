"""The turnstile: a gate's lock at which a scheduling policy says which request goes next.

It takes the place of the baton (`boot(scheduler=...)`), at which the host's threads come in their
own order. Whoever enters is a task with the priority, the user and the tickets of its caller. Of
the kernel's own work nothing is put off by a priority.

A server that asks another one does so as urgently as the most urgent of those for whom it works or
who wait for it: it inherits their priority, through any number of servers (Sha, Rajkumar, Lehoczky:
Priority Inheritance Protocols, IEEE Transactions on Computers 39(9), 1990). Otherwise who is urgent
would wait for a server that stands, for somebody who is not, behind everybody in between.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final

from kernels.desk import Desk
from kernels.scheduling import Policy, Task
from twinos import Caller

KERNELS: Final = -100
"""The priority of what the kernel does by itself."""
MOST_TICKETS: Final = 40


class Asker(Task):
    """The requests of a caller, as urgent as it is now.

    Args:
        caller: who asks.
        desk: what is known of callers.
    """

    INHERITS = True
    """Whether a service that asks is as urgent as who waits for it."""

    def __init__(self, caller: Caller, desk: Desk) -> None:
        super().__init__(str(caller.id), user=str(caller.uid))
        self.caller = caller.id
        self._desk = desk

    @property
    def urgency(self) -> int:
        """Its own, that of whom it works for, or that of who waits for it here."""
        if not self.INHERITS:
            return self.priority
        return min([self._desk.urgency(self.caller), *self.lent])


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
        self._guests: list[int] = []  # whose requests are in this space, or before it
        self._queued = 0  # those of them that wait, outside, for a service to be idle
        self._holder: Task | None = None
        self._open = False
        self._entered = self._waited = 0
        self._show()  # those of an earlier life have been told
        self._thread = threading.local()

    def serve(self, caller: Caller) -> None:
        """This thread enters for that caller from now on."""
        tasks: dict[int, Task] = self._thread.__dict__.setdefault("tasks", {})
        task = tasks.get(caller.id)
        if task is None:
            task = tasks[caller.id] = Asker(caller, self._desk)
        task.priority = self._desk.priority(caller.id)
        task.tickets = max(1, MOST_TICKETS // 2 - task.priority)
        self._thread.task = task

    def acquire(self) -> bool:
        """Take it, waiting for one's turn. True. An exception meanwhile leaves it to others."""
        task, now = self._task(), time.monotonic_ns()
        with self._mutex:
            if self._open:
                return True
            self._arrive(task)
            if self._holder is None:
                self._hold(task, now, now)
                return True
            turn: SimpleQueue[bool] = SimpleQueue()
            self._waiting[task] = turn
            self._show()
            self._policy.ready(task, now / 1e9)
        try:
            turn.get()
        except BaseException:
            with self._mutex:
                was_waiting = self._waiting.pop(task, None) is not None
                if was_waiting:
                    self._depart(task)
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
                self._depart(self._holder)
            self._holder = None
            while (task := self._policy.next(now / 1e9)) is not None:
                turn = self._waiting.pop(task, None)
                self._show()
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

    @contextmanager
    def lending(self, *, queued: bool = False) -> Iterator[Task]:
        """The request of this thread counts as here, though it is outside; its task.

        It waits for another service, which must know how urgent it is; or, `queued`, for one of
        this space that is in the middle of another request.
        """
        task = self._task()
        with self._mutex:
            self._queued += queued
            self._arrive(task)
        try:
            yield task
        finally:
            with self._mutex:
                self._queued -= queued
                self._depart(task)

    def _arrive(self, task: Task) -> None:
        if isinstance(task, Asker):
            self._guests.append(task.caller)
            self._show()

    def _depart(self, task: Task) -> None:
        if isinstance(task, Asker):
            self._guests.remove(task.caller)
            self._show()

    def _show(self) -> None:
        """Let others know who is here, and how many of them wait."""
        self._desk.line(self._space, len(self._waiting) + self._queued)
        self._desk.welcome(self._space, self._guests)

    def _hold(self, task: Task, came: int, now: int) -> None:
        self._holder, self._entered, self._waited = task, now, now - came

    def _task(self) -> Task:
        task: Task | None = getattr(self._thread, "task", None)
        if task is None:
            task = self._thread.task = Task("kernel", KERNELS, "kernel", MOST_TICKETS)
        return task
