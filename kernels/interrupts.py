"""Ctrl-C and the monolithic kernel.

A real kernel does not stop in the middle of a system call because somebody presses a key. Here user
and kernel share a thread, so a KeyboardInterrupt could tear an operation apart and leave the disk
half written. The shield puts the interrupt off until the thread leaves the kernel: what the gate
calls last then raises it. A thread that sleeps outside the gate is interrupted at once, and so is
one that stays inside for long.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from kernels.source import is_inside
from kernels.space import Space

RETRY: Final = 0.002
"""Seconds until a put-off interrupt is tried again."""
PATIENCE: Final = 2.0
"""Seconds after which an interrupt is delivered wherever the thread is: the kernel may loop."""

_HOOKS: Final = Space._carefully.__code__  # noqa: SLF001 (where services stop and hear of departures)
_SLEEPING: Final = "_await"

Handler = Callable[[int, FrameType | None], Any]


class Shield:
    """Wraps the handler of SIGINT while any monolithic kernel runs in this process."""

    def __init__(self) -> None:
        self._kernels = 0
        self._previous: Handler | None = None
        self._since: float | None = None  # when the interrupt came that is put off
        self._retried = False

    def raise_(self) -> None:
        """One more kernel runs. Only the main thread can install a handler; elsewhere none is."""
        self._kernels += 1
        handler = signal.getsignal(signal.SIGINT)
        if handler != self._handle and callable(handler) and _in_main():
            self._previous = handler
            signal.signal(signal.SIGINT, self._handle)

    def lower(self) -> None:
        """One kernel fewer runs."""
        self._kernels -= 1
        ours = signal.getsignal(signal.SIGINT) == self._handle
        if self._kernels == 0 and ours and _in_main():
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None
            if self._since is not None:  # the one that was put off is due
                self._since = None
                signal.raise_signal(signal.SIGINT)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        retried, self._retried = self._retried, False
        if retried and self._since is None:
            return  # it was delivered meanwhile
        now = time.monotonic()
        first = self._since is None
        self._since = now if self._since is None else self._since
        gate = gate_of(frame)
        if gate is None or now - self._since >= PATIENCE:
            self._deliver(number, frame)
            return
        if first and gate.f_code is not _HOOKS:
            self._deliver_on_leaving(gate.f_globals, number)
        again = threading.Timer(RETRY, self._retry)  # it may have left just now
        again.daemon = True
        again.start()

    def _deliver(self, number: int, frame: FrameType | None) -> None:
        self._since = None
        if self._previous is not None:
            self._previous(number, frame)

    def _deliver_on_leaving(self, names: dict[str, Any], number: int) -> None:
        """Have the gate function that uses these `names` let out with an interrupt."""
        leave = names["_leave"]

        def leave_interrupted(baton: bool) -> None:
            leave(baton)
            if _in_main():
                names["_leave"] = leave
                if self._since is not None:
                    self._deliver(number, None)

        names["_leave"] = leave_interrupted

    def _retry(self) -> None:
        main = threading.main_thread().ident
        if self._since is not None and main is not None:
            self._retried = True
            signal.pthread_kill(main, signal.SIGINT)


def gate_of(frame: FrameType | None) -> FrameType | None:
    """Where the thread whose innermost frame this is entered a gate; None: outside, or asleep."""
    if frame is not None and frame.f_code.co_name == _SLEEPING:
        return None
    outermost = None
    while frame is not None:
        if is_inside(frame) or frame.f_code is _HOOKS:
            outermost = frame
        frame = frame.f_back
    return outermost


def _in_main() -> bool:
    return threading.current_thread() is threading.main_thread()


shield: Final = Shield()
