"""Being poked: how a program learns that signals have come, whatever it is doing.

The host's signal runs a Python function between two instructions, and interrupts a read that waits.
But one that comes just before the read begins is noticed only after it, which may be never. So a
thread watches: the host tells it of each poke, and it pokes again until the function has run.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from kernels.host import POKE

RETRY: Final = 0.005
"""Seconds after which a poke that was not noticed is repeated."""


class Ear:
    """Calls a function, in the main thread, whenever this process has been poked.

    Args:
        heard: the function. It may raise: what the main thread was doing is left then.
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._count = 0
        self._source, sink = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(sink, False)
        signal.signal(POKE, self._handle)
        signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
        old = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            threading.Thread(target=self._watch, name="ear", daemon=True).start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def close(self) -> None:
        """Hear no more."""
        signal.signal(POKE, signal.SIG_DFL)
        sink = signal.set_wakeup_fd(-1)
        if sink >= 0:
            os.close(sink)  # the thread finds the end, and goes

    def renewed(self) -> Ear:
        """Another one, in a child of this process, where no thread watches and the pipe is shared.

        Nothing pokes meanwhile: see `kernels.host.unpoked`.
        """
        os.close(signal.set_wakeup_fd(-1))
        os.close(self._source)
        return Ear(self._heard)

    def _handle(self, _number: int, _frame: object) -> None:
        self._count += 1
        self._heard()

    def _watch(self) -> None:
        main = threading.main_thread().ident or 0
        count = self._count
        while os.read(self._source, 512):
            while count == self._count:
                time.sleep(RETRY)
                if count == self._count:
                    signal.pthread_kill(main, POKE)
            os.set_blocking(self._source, False)
            try:
                while os.read(self._source, 512):
                    pass
            except BlockingIOError:
                os.set_blocking(self._source, True)
            count = self._count
        os.close(self._source)
