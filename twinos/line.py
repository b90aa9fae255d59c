"""Interrupt lines: how a device tells its driver that something has happened.

    class Timer(Service):
        def __init__(self, tick: Line) -> None: ...

        def _interrupted(self) -> None:
            self._ticked.notify()

A service that names a `Line` in its constructor is a driver, and the kernel gives it the line of a
device. When the device raises it, the monolithic kernel calls the driver's `_interrupted`; the
microkernel, which has the handler of no device in its own space, turns the interrupt into a
notification to the driver's process. Interrupts have no content, and several that nobody has dealt
with yet are one: the driver looks at its device.
"""

from typing import Final, Protocol


class Line(Protocol):
    """A driver's way to its device."""

    def after(self, seconds: float) -> None:
        """Have the device raise its line in so many seconds: once, and not when it was to before.

        It is what a driver writes into the registers of a timer, or of a disk that will be done
        then.
        """


class _NoDevice:
    def after(self, seconds: float) -> None:
        del seconds


NO_DEVICE: Final = _NoDevice()
"""The line of a driver that no kernel runs: nothing ever raises it."""
