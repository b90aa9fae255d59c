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
    assert stats.median_interval([1.0] * (stats.MIN_VALUES - 1)) is None


@SETTINGS
@given(SAMPLES)
def test_median_lies_in_its_interval(values: list[float]) -> None:
    low, high = stats.median_interval(values)
    assert min(values) <= low <= statistics.median(values) <= high <= max(values)


@SETTINGS
@given(SAMPLES, st.floats(min_value=0.01, max_value=100))
def test_ratios_of_proportional_samples(values: list[float], factor: float) -> None:
    rounds = stats.ratios([value * factor for value in values], values)
    assert rounds == pytest.approx([factor] * len(values))


def test_rounds_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        stats.ratios([1.0, 2.0], [1.0])


def test_constant_samples_have_a_point_for_an_interval() -> None:
    assert stats.median_interval([3.0] * 8) == (3.0, 3.0)


@pytest.mark.parametrize("rounds", [6, 9, 12])
def test_ratios_cover_the_truth_on_a_skewed_and_drifting_host(rounds: int) -> None:
    """Outliers in 15 of 100 boots, and a host that becomes slower half-way: 95 % still hold."""
    rng = random.Random(1992)

    def boots(true: float) -> list[float]:
        noise = (rng.gauss(1, 0.05) + (rng.random() < 0.15) * rng.expovariate(3) for _ in drift)
        return [true * speed * factor for speed, factor in zip(drift, noise, strict=True)]

    drift = [1 if number < rounds // 2 else 1.7 for number in range(rounds)]
    intervals = [stats.median_interval(stats.ratios(boots(10), boots(1))) for _ in range(1000)]
    assert sum(low <= 10 <= high for low, high in filter(None, intervals)) >= 940


@SETTINGS
@given(st.lists(COSTS, min_size=2, max_size=30), st.floats(min_value=0, max_value=1))
def test_quantile_as_the_standard_library_has_it(values: list[float], fraction: float) -> None:
    ordered = sorted(values)
    hundredth = round(fraction * 100)
    if 0 < hundredth < 100:
        wanted = statistics.quantiles(ordered, n=100, method="inclusive")[hundredth - 1]
        assert stats.quantile(values, hundredth / 100) == pytest.approx(wanted)
    assert ordered[0] <= stats.quantile(values, fraction) <= ordered[-1]
