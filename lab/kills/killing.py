"""Killing servers from outside, which is no fault of theirs."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from kernels import System
from twinos import Service, Supervision

_KEPT_ALIVE: Final = Supervision(at_once=10**9, most=10**9)


def kill(system: System, name: str) -> int:
    """Kill the process that a service is in; which one it was, or 0: it had none."""
    for server in system.status():
        if name in server.services and server.pid:
            with suppress(ProcessLookupError):  # it has died a moment ago
                os.kill(server.pid, signal.SIGKILL)
                return server.pid
    return 0


@contextmanager
def never_given_up(services: Iterable[type[Service]]) -> Iterator[None]:
    """Meanwhile none of these is given up, or made to rest, however often it dies."""
    policies = {service: service.__supervision__ for service in services}
    for service in policies:
        service.__supervision__ = _KEPT_ALIVE
    try:
        yield
    finally:
        for service, policy in policies.items():
            service.__supervision__ = policy
