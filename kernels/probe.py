"""Where the time of a request goes: stamps at the places that it passes.

Off, unless a process says `begin` before it boots a system: then the processes that it forks have
the table too, and each stamp adds the time to the sum of its place. Differences between sums of
places are what all requests together spent between them; no request needs to be told from another.
Whoever is not watched pays nothing: what is asked to be watched is left as it is.

    user         CALL  BIND  SEND                                            RECEIVED  BOUND  RETURN
    server                        ARRIVED  ENTER  SERVE  SERVED  LEFT  ANSWERED

Under the monolithic kernel a request is never sent: it goes from CALL to ENTER.
"""

import mmap
import os
import threading
from collections.abc import Callable
from enum import IntEnum
from statistics import median
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

from kernels.line import Exchange
from kernels.remote import Around
from twinos import Bind


class Place(IntEnum):
    """Where a request is, in the order in which it comes there."""

    CALL = 0
    BIND = 1
    SEND = 2
    ARRIVED = 3
    ENTER = 4
    SERVE = 5
    SERVED = 6
    LEFT = 7
    ANSWERED = 8
    RECEIVED = 9
    BOUND = 10
    RETURN = 11


class Sum(NamedTuple):
    """The stamps of one place: how many, and their times together, in ns since `begin`."""

    number: int
    ns: int


Sums = tuple[Sum, ...]
"""By place."""

_WORD: Final = 8
_ROWS: Final = 1024
_WIDTH: Final = 2 * len(Place)
"""Words of a row; every process has one, by its pid."""


class _Table:
    def __init__(self) -> None:
        self.start: Final = perf_counter_ns()
        self.cells = memoryview(mmap.mmap(-1, _ROWS * _WIDTH * _WORD)).cast("q")
        self.lock: Final = threading.Lock()

    def stamp(self, place: int) -> None:
        now = perf_counter_ns() - self.start
        first = os.getpid() % _ROWS * _WIDTH + 2 * place
        with self.lock:
            self.cells[first] += 1
            self.cells[first + 1] += now


_tables: Final[list[_Table]] = []
"""At most one: what processes forked from now on stamp into."""


def begin() -> None:
    """Watch the systems that this process boots from now on. They must be booted by fork."""
    _tables[:] = [_Table()]


def end() -> None:
    """Watch no more."""
    _tables.clear()


def around(before: Place, after: Place, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` between two stamps, if anybody watches; else as it is."""
    if not _tables:
        return function
    stamp = _tables[0].stamp

    def stamped(*arguments: Any, **keywords: Any) -> Any:
        stamp(before)
        try:
            return function(*arguments, **keywords)
        finally:
            stamp(after)

    return stamped


def entered(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` after a stamp that a request is at the gate, if anybody watches."""
    return _with_stamp(function, Place.ENTER, first=True)


def left(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` before a stamp that a request has left the gate, if anybody watches."""
    return _with_stamp(function, Place.LEFT, first=False)


def _with_stamp(function: Callable[..., Any], place: Place, *, first: bool) -> Callable[..., Any]:
    if not _tables:
        return function
    stamp = _tables[0].stamp

    def stamped(*arguments: Any) -> Any:
        if first:
            stamp(place)
            return function(*arguments)
        result = function(*arguments)
        stamp(place)
        return result

    return stamped


def exchange(inner: Around | None) -> Around | None:
    """What goes around an exchange: `inner`, and two stamps if anybody watches."""
    if not _tables:
        return inner

    def watched(carry: Exchange) -> Exchange:
        return around(Place.SEND, Place.RECEIVED, inner(carry) if inner else carry)

    return watched


def binder(bind: Bind) -> Bind:
    """`bind`, with what it binds between two stamps, if anybody watches; else as it is."""
    if not _tables:
        return bind
    return lambda operation: around(Place.BIND, Place.BOUND, bind(operation))


def own() -> Sums:
    """The stamps of this process so far."""
    first = os.getpid() % _ROWS * _WIDTH
    cells = _tables[0].cells[first : first + _WIDTH].tolist()
    return tuple(Sum(cells[2 * place], cells[2 * place + 1]) for place in Place)


def others() -> Sums:
    """The stamps of all other processes so far."""
    pairs = zip(_whole(), own(), strict=True)
    return tuple(Sum(whole.number - mine.number, whole.ns - mine.ns) for whole, mine in pairs)


def _whole() -> Sums:
    cells = _tables[0].cells.tolist()
    columns = [sum(cells[column::_WIDTH]) for column in range(_WIDTH)]
    return tuple(Sum(columns[2 * place], columns[2 * place + 1]) for place in Place)


def cost_ns(batches: int = 50, stamps: int = 200) -> float:
    """What one stamp takes: the median over some batches."""
    stamped = _Table().stamp
    taken = []
    for _ in range(batches):
        start = perf_counter_ns()
        for _ in range(stamps):
            stamped(Place.CALL)
        taken.append((perf_counter_ns() - start) / stamps)
    return median(taken)
