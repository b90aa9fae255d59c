"""Timing inside one boot: slices of many calls each, interleaved, and their median.

A slice is long against the timer (a clock read costs about 0.1 µs) and short against whatever else
the host does, so that what hits one slice leaves the median alone. Slices of things that are to be
compared take turns, close in time. Nothing is subtracted: the loop's own cost (about 0.01 µs a
call) is in every figure, floors included. The garbage collector stays on: what it costs is part of
what services cost.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from statistics import median
from time import perf_counter_ns
from typing import Any, Final

Call = Callable[[], Any]

SLICE_NS: Final = 2_000_000
MIN_SLICES: Final = 3


def time_slice(call: Call, count: int) -> int:
    """Nanoseconds that `count` calls take together."""
    calls = repeat(None, count)
    start = perf_counter_ns()
    for _ in calls:
        call()
    return perf_counter_ns() - start


def calibrate(call: Call) -> int:
    """How many calls make a slice. Warms up on the way: it runs the call for more than a slice."""
    count = 1
    while (taken := time_slice(call, count)) < SLICE_NS // 2:
        count *= 2
    return max(1, round(count * SLICE_NS / taken))


def time_calls(calls: Sequence[Call], budget_ns: int) -> list[float]:
    """The cost of each call in ns, all measured side by side.

    Args:
        calls: they take turns, one slice each.
        budget_ns: about how long each may take in all; at least three slices are measured.
    """
    counts = [calibrate(call) for call in calls]
    slices: list[list[float]] = [[] for _ in calls]
    spent = 0
    while spent < budget_ns * len(calls) or len(slices[0]) < MIN_SLICES:
        for call, count, measured in zip(calls, counts, slices, strict=True):
            call()  # the others have cooled the caches
            taken = time_slice(call, count)
            measured.append(taken / count)
            spent += taken
    return [median(measured) for measured in slices]


def time_with_reset(call: Call, reset: Call, budget_ns: int) -> float:
    """The cost in ns of a call that needs an untimed `reset` after it: one call a slice."""
    measured: list[int] = []
    while sum(measured) < budget_ns or len(measured) <= MIN_SLICES:
        measured.append(time_slice(call, 1))
        reset()
    return median(measured[1:])  # the first warmed up
