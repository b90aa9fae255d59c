"""Hitting the process that a service lives in."""

import os
import signal

from kernels import System
from kernels.status import ServerStatus
from twinos import Service


def space_of(system: System, service: type[Service]) -> ServerStatus:
    """How the address space is that holds a service. KernelPanic."""
    return next(one for one in system.status() if service.__name__ in one.services)


def strike(pid: int, number: int) -> None:
    """Send a signal of the host to a server; unless it is SIGSTOP, it feels it also when stopped.

    OSError: it is gone.
    """
    os.kill(pid, number)
    if number != signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
