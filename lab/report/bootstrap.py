"""Intervals by bootstrap, for what has no exact one (scipy, extra `report`).

The median of a row and the median ratio of its rounds have intervals by order statistics, here as
in `twinos bench`: with so few boots a bootstrap of them would be too narrow (see `lab.stats`). A
mean over workloads, a slope over loads, and a ratio between two runs whose boots are no pairs are
composed of many medians: for these there is no exact interval, and boots are resampled. Whole
rounds are resampled together, so what a round's host did to several workloads stays together.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from lab.refusal import Refusal
from lab.stats import MIN_VALUES, Interval

try:
    import numpy as np
    from scipy import stats
except ModuleNotFoundError as _error:
    raise Refusal(f"a report takes {_error.name}: pip install 'twinos[report]'.") from None

RESAMPLES: Final = 2000
SEED: Final = 1992


def geometric_mean(rounds: Sequence[Sequence[float]]) -> tuple[float, Interval | None]:
    """The geometric mean over workloads of their median ratios, and its 95 % interval.

    Args:
        rounds: of each workload, the ratio of every round.
    """
    fewest = min(map(len, rounds))
    matrix = np.array([each[:fewest] for each in rounds])

    def mean(chosen: Any) -> float:
        medians = np.median(matrix[:, chosen], axis=1)
        return float(np.exp(np.mean(np.log(medians))))

    return mean(range(fewest)), _interval([np.arange(fewest)], mean)


def slope(
    loads: Sequence[float], boots: Sequence[Sequence[float]]
) -> tuple[float, Interval | None]:
    """The slope of the median cost over the load by least squares, and its 95 % interval.

    Args:
        loads: how many at once.
        boots: for each load, the cost of every boot.
    """

    def fitted(*samples: Any) -> float:
        medians = [np.median(sample) for sample in samples]
        return float(np.polyfit(loads, medians, 1)[0])

    return fitted(*boots), _interval([np.array(each) for each in boots], fitted)


def ratio_of_medians(new: Sequence[float], old: Sequence[float]) -> tuple[float, Interval | None]:
    """The median of one sample over that of another, which has nothing to do with it."""

    def ratio(one: Any, other: Any) -> float:
        return float(np.median(one) / np.median(other))

    return ratio(new, old), _interval([np.array(new), np.array(old)], ratio)


def cliffs_delta(new: Sequence[float], old: Sequence[float]) -> float:
    """How much two samples differ: -1, all new values are below all old ones, to 1, all above."""
    signs = np.sign(np.subtract.outer(np.array(new), np.array(old)))
    return float(np.mean(signs))


def _interval(samples: Sequence[Any], statistic: Callable[..., float]) -> Interval | None:
    """The 95 % percentile interval, or None of samples that are too small for any."""
    if any(len(sample) < MIN_VALUES for sample in samples):
        return None
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    low, high = found.confidence_interval
    return float(low), float(high)
