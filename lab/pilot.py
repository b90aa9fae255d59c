"""How many boots are enough: decided by a pilot, whose boots are not reported.

After Kalibera and Jones, Rigorous Benchmarking in Reasonable Time (ISMM 2013): a few rounds show
how much the ratios vary, and so how many rounds an interval of the wanted width takes.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from lab.stats import MIN_VALUES

ROUNDS: Final = 5
MOST: Final = 15
"""Rounds that a run has at most, however much its ratios vary."""

_MAD: Final = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""
_MEDIAN: Final = 1.2533
"""How much wider the interval of a median is than that of a mean, for a normal distribution."""
_Z95: Final = 1.96


def rounds_for(ratios: Iterable[Sequence[float]], precision: float) -> int:
    """How many rounds give intervals of the wanted width.

    Args:
        ratios: of each workload, the ratios of the pilot's rounds.
        precision: the wanted half-width of an interval, as a fraction of its ratio.

    Returns:
        as many as three of four workloads need, within the least that gives an interval and `MOST`.
    """
    needed = sorted(_rounds(each, precision) for each in ratios)
    if not needed:
        return MIN_VALUES
    enough = needed[math.ceil(0.75 * len(needed)) - 1]
    return max(MIN_VALUES, min(enough, MOST))


def _rounds(ratios: Sequence[float], precision: float) -> int:
    middle = median(ratios)
    deviation = _MAD * median(abs(ratio - middle) for ratio in ratios) / middle
    return math.ceil((_Z95 * _MEDIAN * deviation / precision) ** 2)
