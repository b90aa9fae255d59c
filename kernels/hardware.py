"""The hardware, as far as there is any: devices that raise interrupts, and who is told.

Every driver (a service that names a `Line`) has one device. It raises its line when its driver has
asked for that, or when somebody outside does something to it: presses a key. The interrupts are
counted here, where they come from.

The microkernel's devices are beside the nucleus, and so are those of a monolithic kernel in a
process of its own: there a driver reaches them by a message. In its user's process they are a
thread.
"""

import errno
import heapq
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from kernels.agent import Agent
from kernels.control import Arm, Granted, Lines
from kernels.peers import Peer
from kernels.switchboard import Switchboard, Timer
from twinos import Service, fail
from twinos.wiring import Services, drivers

Raised = Callable[[type[Service]], None]
"""Interrupts a driver."""


class Devices:
    """The devices of a kernel that is a process of its own.

    Args:
        board: where to wait.
        order: the services of the system.
        raised: interrupts a driver.

    Attributes:
        counts: interrupts so far, by driver.
    """

    def __init__(self, board: Switchboard, order: Services, raised: Raised) -> None:
        self._board = board
        self._raised = raised
        self._drivers = {driver.__name__: driver for driver in drivers(order)}
        self._timers: dict[type[Service], Timer] = {}
        self.counts: Counter[str] = Counter()

    def handle(self, peer: Peer, number: int, ask: Lines) -> None:
        """Do what a driver says to its device, or the superuser does to one. EINVAL, EPERM."""
        driver = self._drivers.get(ask.driver)
        if driver is None:
            raise fail(errno.EINVAL)
        if isinstance(ask, Arm):
            if peer.server is None or driver not in peer.server.services:
                raise fail(errno.EPERM)
            self._arm(driver, ask.seconds)
        else:
            if peer.server is not None or peer.credentials[0]:
                raise fail(errno.EPERM)
            self._interrupt(driver)
            peer.answer(Granted(), number)

    def _arm(self, driver: type[Service], seconds: float) -> None:
        if driver in self._timers:
            self._board.cancel(self._timers[driver])
        self._timers[driver] = self._board.after(seconds, partial(self._interrupt, driver))

    def _interrupt(self, driver: type[Service]) -> None:
        self.counts[driver.__name__] += 1
        self._raised(driver)


class RemoteLine:
    """The line of a driver in a server.

    Args:
        agent: the server's.
        driver: the driver.
    """

    def __init__(self, agent: Agent, driver: str) -> None:
        self._agent = agent
        self._driver = driver

    def after(self, seconds: float) -> None:
        """See `Line`."""
        self._agent.tell(Arm(self._driver, seconds))


class LocalDevices:
    """The devices of a kernel in its user's process: a thread, as long as one is to raise its line.

    Args:
        raised: interrupts a driver.

    Attributes:
        counts: interrupts so far, by driver.
    """

    def __init__(self, raised: Raised) -> None:
        self._raised = raised
        self._due: list[tuple[float, int, type[Service]]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._count = 0
        self.counts: Counter[str] = Counter()

    def arm(self, driver: type[Service], seconds: float) -> None:
        """See `Line.after`."""
        with self._changed:
            self._count += 1
            self._due = [due for due in self._due if due[2] is not driver]
            heapq.heapify(self._due)
            heapq.heappush(self._due, (time.monotonic() + seconds, self._count, driver))
            if self._thread is None:
                self._thread = _quiet_thread(self._work)
            self._changed.notify()

    def interrupt(self, driver: type[Service]) -> None:
        """A device raises its line."""
        self.counts[driver.__name__] += 1
        self._raised(driver)

    def close(self) -> None:
        """Nothing is raised any more."""
        with self._changed:
            self._due.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _work(self) -> None:
        while (driver := self._next()) is not None:
            self.interrupt(driver)

    def _next(self) -> type[Service] | None:
        """The next driver to interrupt, waited for; None: there is none, and the thread ends."""
        with self._changed:
            while self._due:
                left = self._due[0][0] - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
            self._thread = None
            return None


class LocalLine:
    """The line of a driver in the kernel's own address space.

    Args:
        devices: those there are.
        driver: the driver.
    """

    def __init__(self, devices: LocalDevices, driver: type[Service]) -> None:
        self._devices = devices
        self._driver = driver

    def after(self, seconds: float) -> None:
        """See `Line`."""
        self._devices.arm(self._driver, seconds)


def _quiet_thread(work: Callable[[], None]) -> threading.Thread:
    """A thread that takes no signals: those are the main thread's."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread = threading.Thread(target=work, name="devices", daemon=True)
        thread.start()
        return thread
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
