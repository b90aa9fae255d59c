"""The statistics, against the exact binomial, known cases and simulation."""

import random
import statistics
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import stats

COSTS = st.floats(min_value=1e-3, max_value=1e6)
SAMPLES = st.lists(COSTS, min_size=stats.MIN_VALUES, max_size=20)
SETTINGS = settings(derandomize=True, deadline=None, max_examples=40)


def coverage(count: int, cut: int) -> float:
    """The exact chance that `count` values, less `cut` at each end, lie around their median."""
    return 1 - 2 * sum(comb(count, below) for below in range(cut + 1)) / 2**count


@pytest.mark.parametrize("count", range(stats.MIN_VALUES, 80))
def test_median_interval_is_the_narrowest_that_covers(count: int) -> None:
    low, high = stats.median_interval(range(count))
    assert low + high == count - 1
    assert coverage(count, low) >= stats.CONFIDENCE > coverage(count, low + 1)


@pytest.mark.parametrize(("count", "low", "high"), [(6, 1, 6), (8, 1, 8), (9, 2, 8), (20, 6, 15)])
def test_median_interval_as_tabulated(count: int, low: int, high: int) -> None:
    # The sign test's intervals, as textbooks on nonparametric statistics tabulate them.
    assert stats.median_interval(range(1, count + 1)) == (low, high)


def test_few_values_have_no_interval() -> None:
    few = [1.0] * (stats.MIN_VALUES - 1)
    assert stats.median_interval(few) is None
    assert stats.ratio_interval(few, [1.0] * 9, seed=1) is None
    assert stats.ratio_interval([1.0] * 9, few, seed=1) is None


@SETTINGS
@given(SAMPLES)
def test_median_lies_in_its_interval(values: list[float]) -> None:
    low, high = stats.median_interval(values)
    assert min(values) <= low <= statistics.median(values) <= high <= max(values)


@SETTINGS
@given(SAMPLES, st.floats(min_value=0.01, max_value=100))
def test_ratio_of_proportional_samples(values: list[float], factor: float) -> None:
    low, high = stats.ratio_interval([value * factor for value in values], values, seed=7)
    assert low <= factor * (1 + 1e-9)
    assert high >= factor * (1 - 1e-9)


@SETTINGS
@given(SAMPLES, SAMPLES, st.integers())
def test_ratio_interval_is_reproducible_and_bounded(
    tops: list[float], bottoms: list[float], seed: int
) -> None:
    interval = stats.ratio_interval(tops, bottoms, seed)
    assert interval == stats.ratio_interval(tops, bottoms, seed)
    low, high = interval
    assert min(tops) / max(bottoms) <= low <= high <= max(tops) / min(bottoms)


def test_constant_samples_have_a_point_for_an_interval() -> None:
    assert stats.median_interval([3.0] * 8) == (3.0, 3.0)
    assert stats.ratio_interval([6.0] * 8, [3.0] * 8, seed=0) == (2.0, 2.0)


def test_ratio_interval_covers_under_skewed_noise() -> None:
    """With contaminated noise and six boots, some 95 of 100 intervals hold the true ratio."""
    rng = random.Random(1992)

    def boots(true: float) -> list[float]:
        noise = (rng.gauss(1, 0.05) + (rng.random() < 0.15) * rng.expovariate(3) for _ in range(6))
        return [true * factor for factor in noise]

    intervals = (stats.ratio_interval(boots(10), boots(1), seed) for seed in range(100))
    assert sum(low <= 10 <= high for low, high in intervals) >= 90


@SETTINGS
@given(st.lists(COSTS, min_size=2, max_size=30), st.floats(min_value=0, max_value=1))
def test_quantile_as_the_standard_library_has_it(values: list[float], fraction: float) -> None:
    ordered = sorted(values)
    hundredth = round(fraction * 100)
    if 0 < hundredth < 100:
        wanted = statistics.quantiles(ordered, n=100, method="inclusive")[hundredth - 1]
        assert stats.quantile(ordered, hundredth / 100) == pytest.approx(wanted)
    assert ordered[0] <= stats.quantile(ordered, fraction) <= ordered[-1]
