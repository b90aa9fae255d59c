"""The gate: the entrance to the services of one address space.

One lock lets one request in at a time. Who waits for a signal steps outside and lets others in; so
the only points at which operations interleave are their yields. Both kernels use it: under the
monolithic one users' threads enter, under the microkernel a server's threads, one a channel.
"""

import math
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from kernels.awaiting import wait_for
from kernels.baton import Baton
from kernels.scheduling import Task
from kernels.system import LeftError
from kernels.turnstile import Turnstile
from twinos import Caller, KernelPanic, Service, Signal, Until
from twinos.errors import as_delivered, is_failure
from twinos.signal import Wake

R = TypeVar("R")
Waiting = Generator[Signal | Until, None, R]

Busy = tuple[type[Service], ...]

OnBug = Callable[[object, BaseException], BaseException]
"""Given the operation and its bug, does what must be done, and returns what to raise if it does."""

Refusal = Callable[[], Exception]
"""Makes the exception that tells why somebody may not enter."""


class CallerGoneError(BaseException):
    """Who waited has hung up; the operation is unwound, and nobody is told."""


class Gate:
    """One lock, and the way to step outside while waiting.

    Args:
        on_bug: what becomes of a bug in a service.
        lock: at which a scheduler decides; None: who comes first enters first.

    Attributes:
        lock: held by the thread that is inside.
        inside: the service that this thread entered; kept only where it may lead to a wait in
            another service.
    """

    def __init__(self, on_bug: OnBug, lock: Turnstile | None = None) -> None:
        self.lock: Final[Baton | Turnstile] = lock or Baton()
        self.inside: type[Service] = Service
        self._down: list[Refusal] = []  # why nobody may enter any more; empty: the gate is open
        self._closer: int | None = None
        self._barred: dict[int, list[Refusal]] = {}
        self._sleepers: list[Wake] = []
        self._on_bug = on_bug
        self._busy: list[type[Service]] = []
        self._idle = Signal()
        self._workers: dict[type[Service], Task] = {}  # whose requests hold busy ones
        self._queues: defaultdict[type[Service], deque[object]] = defaultdict(deque)
        self._thread = threading.local()

    def entering(self, caller: Caller, enter: Callable[[], Any]) -> Callable[[], Any]:
        """`enter`, for that caller, if it matters who it is."""
        lock = self.lock
        if isinstance(lock, Baton):
            return enter

        def entered() -> Any:
            lock.serve(caller)
            return enter()

        return entered

    def watch(self, hangup: int, before_waiting: Callable[[], None] | None = None) -> None:
        """This thread serves a client whose pipe is the descriptor `hangup`.

        It calls `before_waiting` whenever it leaves the gate to wait, or to call another service.
        """
        self._thread.hangup = hangup
        self._thread.before_waiting = before_waiting

    def about_to_wait(self) -> None:
        """Have done what this thread must do before it waits."""
        before_waiting = getattr(self._thread, "before_waiting", None)
        if before_waiting is not None:
            before_waiting()

    def failed(self, error: BaseException, where: object) -> BaseException:
        """What to raise at the client for an exception that ended the operation `where`."""
        if isinstance(error, OSError) and is_failure(error):
            return as_delivered(error)
        if isinstance(error, KernelPanic | LeftError | KeyboardInterrupt | CallerGoneError):
            return error
        return self._on_bug(where, error)

    @property
    def is_down(self) -> bool:
        """Whether nobody may enter any more."""
        return bool(self._down)

    def barred(self, caller: Caller) -> list[Refusal]:
        """Why `caller` may not enter: a list that is empty as long as it may."""
        return self._barred.setdefault(caller.id, list(self._down))

    def bar(self, caller: Caller) -> None:
        """Let `caller` in no more: it has left the system."""
        with self.lock:
            self._barred.pop(caller.id, []).append(LeftError)

    def shut(self, reason: str) -> None:
        """Let nobody in any more, and turn away those who wait. For who is inside, and may wait."""
        self._closer = threading.get_ident()
        panic = partial(KernelPanic, reason)
        for barred in (self._down, *self._barred.values()):
            barred.append(panic)
        for wake in self._sleepers:
            wake()

    def after_fork(self, reason: str) -> None:
        """Shut the gate in a child process, and turn away everybody there."""
        self._sleepers.clear()
        self.shut(reason)
        self.lock.after_fork()

    def enter_when_idle(self, service: type[Service], patience: float = math.inf) -> None:
        """Take the lock when no operation of `service` waits for another service.

        Or after `patience` seconds all the same. Who comes first enters first: else a thread that
        asks again and again would let in nobody who waits.
        """
        self.lock.acquire()
        try:
            queue = self._queues[service]
            if queue or service in self._busy:
                self._queue_up(queue, service, time.monotonic() + patience)
        except BaseException:
            self.lock.release()
            raise
        self.inside = service

    def _queue_up(self, queue: deque[object], service: type[Service], deadline: float) -> None:
        ticket = object()
        queue.append(ticket)
        try:
            while queue[0] is not ticket or service in self._busy:
                if time.monotonic() >= deadline:
                    return
                with self._urging(service):
                    self._sleep(self._idle.until(deadline))
        finally:
            queue.remove(ticket)
            self._idle.notify()  # the next one may be free to go, too

    @contextmanager
    def _urging(self, service: type[Service]) -> Iterator[None]:
        """Have a service's request be as urgent meanwhile as this one, which waits for it."""
        lock = self.lock
        if isinstance(lock, Baton):
            yield
            return
        worker = self._workers.get(service)
        with lock.lending(queued=True) as task, ExitStack() as lent:
            if worker is not None:
                lent.enter_context(worker.lending(task.urgency))
            yield

    def drive(
        self,
        waiting: Waiting[R],
        busy: Busy = (),
        step_outside: Callable[[Signal | Until], None] | None = None,
    ) -> R:
        """Run a waiting operation to its end, from inside the gate.

        Args:
            waiting: the operation.
            busy: services in the middle of an operation that led here: as single-threaded
                servers they serve nobody until it ends.
            step_outside: another way to wait for what it yields.
        """
        step_outside = step_outside or partial(self.step_outside, busy=busy)
        if not isinstance(waiting, Generator):
            raise TypeError(f"an operation that waits yields; this one returned {waiting!r}")
        try:
            signal = next(waiting)
            while True:
                step_outside(signal)
                signal = waiting.send(None)
        except StopIteration as done:
            result: R = done.value
            return result
        finally:
            waiting.close()

    def step_outside(self, signal: Signal | Until, busy: Busy = ()) -> None:
        """Leave the gate until what is waited for has come; `busy` as for `drive`."""
        with self._serving_nobody(busy):
            self._sleep(signal)

    @contextmanager
    def left(self, busy: Busy) -> Iterator[None]:
        """Be outside the gate meanwhile; `busy` as for `drive`."""
        with self._serving_nobody(busy):
            self.about_to_wait()
            self.lock.release()
            try:
                yield
            finally:
                self._come_back()

    @contextmanager
    def _serving_nobody(self, busy: Busy) -> Iterator[None]:
        inside, lock = self.inside, self.lock
        self._busy.extend(busy)
        try:
            if isinstance(lock, Baton) or not busy:
                yield
            else:
                with lock.lending() as task:
                    self._workers.update(dict.fromkeys(busy, task))
                    yield
        finally:
            self.inside = inside
            for service in busy:
                self._busy.remove(service)
            if busy:
                self._idle.notify()

    def _sleep(self, until: Signal | Until) -> None:
        """Leave the gate until the signal, the deadline, or the client's end; then come back."""
        signal, deadline = (
            (until.signal, until.deadline) if isinstance(until, Until) else (until, math.inf)
        )
        if not isinstance(signal, Signal):
            raise TypeError(f"who waits yields a Signal, not {signal!r}")
        event = os.eventfd(0, os.EFD_CLOEXEC)
        wake = partial(os.eventfd_write, event, 1)
        signal.subscribe(wake)
        self._sleepers.append(wake)
        try:
            gone = self._outside(event, deadline)
        finally:
            self._sleepers.remove(wake)
            signal.unsubscribe(wake)
            os.close(event)
        if self._down and self._closer != threading.get_ident():
            refuse(self._down)
        if gone:
            raise CallerGoneError

    def _outside(self, event: int, deadline: float) -> bool:
        self.about_to_wait()
        self.lock.release()
        try:
            return wait_for(event, getattr(self._thread, "hangup", -1), deadline)
        finally:
            self._come_back()

    def _come_back(self) -> None:
        """Take the lock, interrupted or not: who goes on without it would let go of another's."""
        interrupt: KeyboardInterrupt | None = None
        held = False
        while not held:
            try:
                held = self.lock.acquire()
            except KeyboardInterrupt as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt


def refuse(barred: Sequence[Refusal]) -> NoReturn:
    """Turn away who may not enter."""
    make, *_ = barred
    raise make()
