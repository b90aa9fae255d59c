"""Ctrl-C and the monolithic kernel.

A real kernel does not stop in the middle of a system call because somebody presses a key. Here user
and kernel share a thread, so a KeyboardInterrupt could tear an operation apart and leave the disk
half written. The shield puts the interrupt off until the thread has left the kernel. A thread that
sleeps outside the gate is interrupted at once, and so is one that stays inside for long.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from kernels.source import GATE

RETRY: Final = 0.002
"""Seconds until a put-off interrupt is tried again."""
PATIENCE: Final = 2.0
"""Seconds after which an interrupt is delivered wherever the thread is: the kernel may loop."""

_GATE_FILE: Final = f"<twinos {GATE} "
_SLEEPING: Final = "_await"

Handler = Callable[[int, FrameType | None], Any]


class Shield:
    """Wraps the handler of SIGINT while any monolithic kernel runs in this process."""

    def __init__(self) -> None:
        self._kernels = 0
        self._previous: Handler | None = None
        self._since: float | None = None

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

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if is_inside(frame) and now - self._since < PATIENCE:
            again = threading.Timer(RETRY, _interrupt_main)
            again.daemon = True
            again.start()
            return
        self._since = None
        if self._previous is not None:
            self._previous(number, frame)


def is_inside(frame: FrameType | None) -> bool:
    """Whether the thread whose innermost frame this is stands inside a gate, and not asleep."""
    if frame is not None and frame.f_code.co_name == _SLEEPING:
        return False
    while frame is not None:
        if frame.f_code.co_filename.startswith(_GATE_FILE):
            return True
        frame = frame.f_back
    return False


def _in_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupt_main() -> None:
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)


shield: Final = Shield()
