"""Which processor runs what: it decides more than anything else does, so it is always fixed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from lab.refusal import Refusal
from lab.schema import Placement


class Cpus(NamedTuple):
    """The processors of the user's process and of everything that serves it."""

    user: int
    server: int


def choose(placement: Placement) -> Cpus:
    """The processors for a placement, the last ones that we may use (the first takes interrupts).

    Raises:
        Refusal: two are asked for and this process may use only one.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if placement == "one":
        return Cpus(allowed[-1], allowed[-1])
    if len(allowed) < 2:
        raise Refusal("--placement two needs two processors, and this process may use only one.")
    return Cpus(user=allowed[-1], server=allowed[-2])


def pin(cpu: int) -> None:
    """Keep this process, and those that it starts from now on, on one processor."""
    os.sched_setaffinity(0, {cpu})


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """The same, until the block is left."""
    before = os.sched_getaffinity(0)
    pin(cpu)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
