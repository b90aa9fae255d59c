"""The floors: what the host charges for a call and for two switches, without any of TwinOS.

Measured in every boot, by the same loop, between the slices of the null workload, so that a ratio
to a floor compares two figures of one process and one moment.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from lab.placement import Cpus, pin

PAYLOAD: Final = bytes(64)


class _Bare:
    def null(self) -> None:
        """Nothing, called as a method."""


def method_call() -> Callable[[], None]:
    """A bound method of no arguments that does nothing."""
    return _Bare().null


@contextmanager
def pipe_round_trip(cpus: Cpus) -> Iterator[Callable[[], bytes]]:
    """64 bytes to another process and back, by `os.write` and `os.read` on two pipes.

    The other process is forked, so enter this while the process is small and has one thread.

    Args:
        cpus: the other process runs on `server`.

    Yields:
        the round trip.
    """
    there_read, there_write = os.pipe()
    back_read, back_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(there_write)  # or the end of file would never be seen
        _echo(there_read, back_write, cpus.server)
    os.close(there_read)
    os.close(back_write)

    def round_trip() -> bytes:
        os.write(there_write, PAYLOAD)
        return os.read(back_read, len(PAYLOAD))

    try:
        yield round_trip
    finally:
        os.close(there_write)
        os.close(back_read)
        os.waitpid(child, 0)


def _echo(source: int, sink: int, cpu: int) -> None:
    """Send back what comes until the other end is closed; never returns."""
    try:
        pin(cpu)
        while data := os.read(source, len(PAYLOAD)):
            os.write(sink, data)
    finally:
        os._exit(0)
