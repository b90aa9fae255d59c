"""What is done in the system that is watched, beside watching it: commands, and killing processes.

A thread of its own asks and starts, since a service that hangs answers late and the screen is not
to wait for it.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from kernels.system import LeftError
from lab.shell.machine import Machine
from lab.top.watcher import Watcher
from servers.console import Console
from twinos import KernelPanic, ServerDied
from twinos.errors import describe

SHELL: Final = "/bin/sh"
PATIENCE: Final = 5.0
"""Seconds that an errand may still take when the watching ends."""

Said = Callable[[str], None]
"""Is told what somebody who watches ought to read; from any thread."""


class Errands:
    """Commands that run in a machine, and what they write.

    Args:
        machine: where; booted with `screen`.
        watcher: whose `ask` is called in between.
        said: is told what commands write, and what goes wrong.
    """

    def __init__(self, machine: Machine, watcher: Watcher, said: Said) -> None:
        self._machine = machine
        self._watcher = watcher
        self._said = said
        self._due: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, text: str) -> int:
        """Start a shell that carries out `text`; its pid. OSError."""
        process = self._machine.process
        null = process.open("/dev/null")
        try:
            return process.spawn(
                SHELL, ["sh", "-c", text], descriptors={0: null, 1: 1, 2: 2}, group=0
            )
        finally:
            process.close(null)

    def kill(self, pid: int) -> None:
        """Kill a process of the system. OSError."""
        self._machine.process.kill(pid, signal.SIGKILL)

    def collect(self) -> None:
        """Tell what programs wrote meanwhile, and forget those that have ended."""
        screen = self._machine.system[Console].screen()
        if screen:
            self._said(screen.decode(errors="replace"))
        process = self._machine.process
        with suppress(ChildProcessError):
            while process.waitpid(-1, os.WNOHANG)[0]:
                pass

    def post(self, errand: Callable[[], object]) -> None:
        """Have something done by the thread, soon."""
        self._due.put(lambda: self._try(errand))

    def start(self, interval: float) -> None:
        """Ask every `interval` seconds, in a thread."""
        self._thread = threading.Thread(
            target=self._work, args=(interval,), name="errands", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        if self._thread is not None:
            self._due.put(None)
            self._thread.join(PATIENCE)

    def _work(self, interval: float) -> None:
        with suppress(LeftError):  # the system is gone before this has heard of it
            self._run_errands(interval)

    def _run_errands(self, interval: float) -> None:
        while True:
            try:
                errand = self._due.get(timeout=interval)
            except Empty:
                pass
            else:
                if errand is None:
                    return
                errand()
            self._try(self.collect)
            self._watcher.ask()

    def _try(self, errand: Callable[[], object]) -> None:
        try:
            errand()
        except KernelPanic:
            pass  # the look says so
        except (ServerDied, OSError) as error:
            self._said(f"top: {describe(error)}\n")
