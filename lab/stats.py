"""Statistics of a few boots: medians, ratios, and their 95 % intervals.

One value comes from one booted kernel, so a sample is small (6 to 20 values), skewed by whatever
else the host did, and of unknown shape. Hence:

- The middle is the median.
- Its interval lies between two order statistics (the sign test turned round). It assumes nothing
  about the shape; its coverage is known exactly and never below 95 %. Fewer than six values have no
  such interval, and get none.
- Kernels are compared round by round: a round boots each of them once, in random order and close in
  time, so a host that changes its speed during a run changes both sides of a round's ratio. The
  ratio is the median over rounds, its interval that of a median.

Why no bootstrap: resampling so few values gives intervals that are too narrow. Simulated with 6 to
12 rounds of skewed noise, percentile intervals covered 84 to 94 % (median, trimmed mean,
Hodges-Lehmann), a bootstrap of means 65 to 90 %, these 95 to 96 %. And ratios of medians that are
taken apart, without rounds, can compare a fast hour with a slow one.
"""

from collections.abc import Sequence
from math import comb
from typing import Final

Interval = tuple[float, float]

CONFIDENCE: Final = 0.95
MIN_VALUES: Final = 6
"""The least number of values whose range covers the median with 95 %: 1 - 2 / 2**6."""


def median_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval of the median, or None of fewer than six values."""
    if len(values) < MIN_VALUES:
        return None
    ordered = sorted(values)
    rank = _lower_rank(len(ordered))
    return ordered[rank], ordered[-1 - rank]


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """The ratio of each round; the i-th values of both come from the same one."""
    return [top / bottom for top, bottom in zip(numerators, denominators, strict=True)]


def quantile(values: Sequence[float], fraction: float) -> float:
    """The quantile of some values, linear between neighbours (type 7 of Hyndman and Fan)."""
    ordered = sorted(values)
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _lower_rank(count: int) -> int:
    """How many values may be cut off at each end so that the rest still covers the median."""
    rank = 0
    below = 1  # the number of ways in which at most `rank` of `count` values are below the median
    while 2 * (below + comb(count, rank + 1)) <= (1 - CONFIDENCE) * 2**count:
        rank += 1
        below += comb(count, rank)
    return rank
