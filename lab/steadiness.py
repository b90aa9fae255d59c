"""Measuring the measurement, before anything else is: what the loop itself costs, and how steadily.

As sel4bench does it: where the cost of measuring nothing varies from one moment to the next, so
would everything else, and nothing is measured.
"""

from statistics import median
from time import perf_counter_ns
from typing import Final

from lab.placement import pinned
from lab.refusal import Refusal
from lab.schema import Overhead
from lab.timing import time_calls

BATCHES: Final = 5
BATCH_NS: Final = 10_000_000
LIMIT: Final = 1.5
"""The most by which the slowest batch may exceed the fastest."""
ATTEMPTS: Final = 3


def measure(cpu: int) -> Overhead:
    """What measuring nothing costs on a processor, at the best of some attempts.

    Returns:
        the attempt in which the batches differ least.
    """
    with pinned(cpu):
        tried = []
        for _ in range(ATTEMPTS):
            tried.append(_attempt())
            if tried[-1].spread <= LIMIT:
                break
    return min(tried, key=lambda overhead: overhead.spread)


def check(overhead: Overhead) -> None:
    """Make sure that a host is steady enough to be measured.

    Raises:
        Refusal: it is not.
    """
    if overhead.spread > LIMIT:
        low, high = min(overhead.loop_batches_us), max(overhead.loop_batches_us)
        raise Refusal(
            f"this host is too unsteady: an empty loop took {low:.3f} to {high:.3f} µs a turn "
            "within a tenth of a second; try again when it is quiet, or with --anyway."
        )


def _attempt() -> Overhead:
    batches = tuple(time_calls([_nothing], BATCH_NS)[0] / 1000 for _ in range(BATCHES))
    return Overhead(
        clock_us=_clock_ns() / 1000,
        loop_us=median(batches),
        loop_batches_us=batches,
        spread=max(batches) / min(batches),
    )


def _nothing() -> None:
    """What is measured when the measurement is."""


def _clock_ns(readings: int = 1000) -> float:
    """The cost of reading the clock."""
    start = perf_counter_ns()
    for _ in range(readings):
        perf_counter_ns()
    return (perf_counter_ns() - start) / readings
