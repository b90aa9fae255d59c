"""Where the time of a workload goes, from stamps on both sides of every request.

A traced boot stamps each request at every place that it passes (see `kernels.probe`). The parts add
up to the traced time exactly, by construction: each is a difference of sums. What a stamp costs is
measured and taken off every part; how much longer tracing made everything is told beside them.
"""

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Final, NamedTuple

import msgspec

from kernels import probe
from kernels.probe import Place, Sum, Sums
from lab import timing
from lab.refusal import Failure
from twinos import Service, operations
from workloads.workload import Operation, User

SLICES: Final = 11
"""Slices of calls that are traced; the one whose time is the median speaks for all."""
SLICE_NS: Final = 2_000_000
"""About how long one slice is."""

PARTS: Final = {
    "program": "the user's program between its requests",
    "checking": "the types of arguments, at the user's gate",
    "encoding": "arguments and results into bytes and back, on both sides",
    "switching": "from one side to the other: the host's calls, the wake-up, the switch",
    "copying": "the bytes of messages into a pipe or store and out of it; estimated",
    "queueing": "for the gate of the services' address space",
    "service": "the services themselves",
}
"""The parts of an operation's time, and what is in them."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of one operation goes.

    Attributes:
        traced_ns: what it took while it was traced.
        stamp_ns: what one stamp costs.
        stamps: how many there were in an operation.
        messages: requests and replies that were sent, those between services included.
        parts: ns by part, less the cost of stamps; copying is still in switching.
    """

    traced_ns: float
    stamp_ns: float
    stamps: float
    messages: float
    parts: dict[str, float]


class CopyPrices(msgspec.Struct, frozen=True):
    """What a byte of a message costs in ns, into and out of a pipe, or a store."""

    pipe: float = 0.0
    store: float = 0.0


class _Taken(NamedTuple):
    """What some calls took: time, and stamps of this process and of others."""

    ns: int
    own: Sums
    others: Sums


@contextmanager
def watching() -> Iterator[None]:
    """Systems that are booted here are watched."""
    probe.begin()
    try:
        yield
    finally:
        probe.end()


def watch_user(user: User, services: Sequence[type[Service]]) -> None:
    """Stamp what a user's program calls, before any check, and what comes back."""
    for service in services:
        handle = user[service]
        for name in operations(service):
            call = getattr(handle, name)
            vars(handle)[name] = probe.around(Place.CALL, Place.RETURN, call)


def trace(operation: Operation, *, once: bool) -> Trace:
    """Trace an operation in a watched system.

    Args:
        operation: what is done.
        once: it can't be done twice.

    Raises:
        Failure: a server could not be watched.
    """
    calls = _calls(operation, once=once)
    stamp_ns = probe.cost_ns()
    taken = _taken(operation, calls, once=once)
    sent = taken.own[Place.SEND].number + taken.others[Place.SEND].number
    if sent != taken.others[Place.ARRIVED].number:
        raise Failure("the servers can't be watched: they were not started by fork.")
    done = calls * operation.ops
    parts = _parts(taken, stamp_ns)
    return Trace(
        traced_ns=taken.ns / done,
        stamp_ns=stamp_ns,
        stamps=sum(each.number for each in (*taken.own, *taken.others)) / done,
        messages=2 * sent / done,
        parts={name: part / done for name, part in parts.items()},
    )


def _calls(operation: Operation, *, once: bool) -> int:
    """How many calls make a slice."""
    if once or operation.reset is not None:
        return 1
    taken = timing.time_slice(operation.call, 3) / 3
    return max(1, round(SLICE_NS / taken))


def _taken(operation: Operation, calls: int, *, once: bool) -> _Taken:
    """The slice whose time is the median: what the host did beside is in others."""
    slices = []
    for _ in range(1 if once else SLICES):
        slices.append(_slice(operation, calls))
        if operation.reset is not None:
            operation.reset()
    return sorted(slices, key=lambda each: each.ns)[len(slices) // 2]


def _slice(operation: Operation, calls: int) -> _Taken:
    before = probe.own(), probe.others()
    ns = timing.time_slice(operation.call, calls)
    after = probe.own(), probe.others()
    own, others = (_minus(now, then) for now, then in zip(after, before, strict=True))
    return _Taken(ns, own, others)


def _parts(taken: _Taken, stamp_ns: float) -> dict[str, float]:
    """The parts in ns. Every way from one stamp to the next has the cost of one in it."""
    own, others = taken.own, taken.others
    both = _plus(own, others)

    def way(sums: Sums, start: Place, end: Place) -> float:
        return sums[end].ns - sums[start].ns - sums[start].number * stamp_ns

    nested = others[Place.BOUND].ns - others[Place.BIND].ns + others[Place.BIND].number * stamp_ns
    inside = own[Place.RETURN].ns - own[Place.CALL].ns + own[Place.CALL].number * stamp_ns
    sent = bool(both[Place.SEND].number)
    first, last = (Place.BIND, Place.BOUND) if sent else (Place.ENTER, Place.LEFT)
    return {
        "program": taken.ns - inside,
        "checking": way(own, Place.CALL, first) + way(own, last, Place.RETURN),
        "encoding": sent
        * (
            way(both, Place.BIND, Place.SEND)
            + way(both, Place.ARRIVED, Place.ENTER)
            + way(both, Place.LEFT, Place.ANSWERED)
            + way(both, Place.RECEIVED, Place.BOUND)
        ),
        "switching": sent
        * (way(both, Place.SEND, Place.ARRIVED) + way(both, Place.ANSWERED, Place.RECEIVED)),
        "queueing": way(both, Place.ENTER, Place.SERVE) + way(both, Place.SERVED, Place.LEFT),
        "service": way(both, Place.SERVE, Place.SERVED) - nested,
    }


def _plus(one: Sums, other: Sums) -> Sums:
    return tuple(Sum(a.number + b.number, a.ns + b.ns) for a, b in zip(one, other, strict=True))


def _minus(now: Sums, then: Sums) -> Sums:
    return tuple(Sum(a.number - b.number, a.ns - b.ns) for a, b in zip(now, then, strict=True))


def copy_prices() -> CopyPrices:
    """Measure what a byte costs on its way, in this process, so without any switch."""
    source, sink = os.pipe()
    small, large = bytes(64), bytes(4096)
    try:

        def through(data: bytes) -> None:
            os.write(sink, data)
            os.read(source, len(data))

        times = timing.time_calls([lambda: through(small), lambda: through(large)], 5_000_000)
    finally:
        os.close(source)
        os.close(sink)
    pipe = (times[1] - times[0]) / (len(large) - len(small))
    return CopyPrices(pipe=max(pipe, 0.0), store=_store_price())


def _store_price(size: int = 256 * 1024, turns: int = 50) -> float:
    data = bytes(size)
    with mmap.mmap(-1, size) as store:
        start = perf_counter_ns()
        for _ in range(turns):
            store[:] = data
            data = store[:]
        return (perf_counter_ns() - start) / turns / size
