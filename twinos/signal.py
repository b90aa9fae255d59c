"""Waiting: an operation that may wait is a generator that yields what it waits for.

    @op
    def take(self) -> Waits[bytes]:
        while not self._items:
            yield self._arrived
        return self._items.pop()

The operation runs again each time the signal is notified, so it looks again at its condition
(Mesa semantics: between the notification and the second look somebody else may have come first).
While it waits, other requests of the service are served; between two yields none is.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

R = TypeVar("R")

Wake = Callable[[], None]


class Signal:
    """Something that operations wait for and other operations, or a device, notify."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Wake] = []

    def notify(self) -> None:
        """Wake every operation that waits for this signal; each looks at its condition again."""
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def until(self, deadline: float) -> "Until":
        """This signal or the moment `deadline` (seconds of `time.monotonic`), whichever is first.

        `Signal().until(deadline)` waits for the moment alone.
        """
        return Until(self, deadline)

    def subscribe(self, wake: Wake) -> None:
        """Have `wake` called at the next notification, once. For kernels."""
        self._waiting.append(wake)

    def unsubscribe(self, wake: Wake) -> None:
        """Take `wake` back if it has not been called. For kernels."""
        if wake in self._waiting:
            self._waiting.remove(wake)


class Until:
    """A signal with a deadline."""

    __slots__ = ("deadline", "signal")

    def __init__(self, signal: Signal, deadline: float) -> None:
        self.signal = signal
        self.deadline = deadline


Waits = Generator[Signal | Until, None, R]
"""What an operation that may wait returns: `Waits[int]` is an `int` to the client."""
