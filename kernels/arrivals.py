"""Messages counted where they arrive, by a server that does not trust who sends them."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

R = TypeVar("R")
A = TypeVar("A")


class Arrivals:
    """Counts the messages by which this process is asked from now on.

    For a service that must know what its clients have sent, and can't ask them: a bundle counts as
    one, and nobody else can write the count. Make it in the constructor, before anybody is served;
    it costs each request a call.

    Attributes:
        number: so far; the one under way is counted. It may be set.
    """

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()
        _arrivals[:] = [self]

    def add(self) -> None:
        """One more has come."""
        with self._lock:
            self.number += 1


_arrivals: Final[list[Arrivals]] = []
"""At most one: a process has one space."""


def counted(handler: Callable[[A], R]) -> Callable[[A], R]:
    """What handles messages, each counted, if this process counts; else as it is."""
    if not _arrivals:
        return handler
    add = _arrivals[0].add

    def count(request: A) -> R:
        add()
        return handler(request)

    return count
