"""Intervals and paired tests: against hand-computed numbers, brute force and simulated data."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, t, ttest_1samp

from tui.core.examples import Interval
from tui.store.statistics import (
    mcnemar,
    mean_interval,
    paired_mean_test,
    paired_share_interval,
    proportion_interval,
    smallest_p_value,
)


@pytest.mark.parametrize(
    ("fixed", "broke", "p_value"),
    [
        (0, 0, Fraction(1)),
        (1, 1, Fraction(1)),
        (5, 0, Fraction(2, 32)),
        (8, 2, Fraction(2 * (45 + 10 + 1), 1024)),
        (2, 8, Fraction(2 * (45 + 10 + 1), 1024)),
        (6, 4, Fraction(2 * (210 + 120 + 45 + 10 + 1), 1024)),
    ],
)
def test_mcnemar_equals_the_coin_tosses_counted_by_hand(fixed: int, broke: int, p_value: Fraction) -> None:
    assert mcnemar(fixed, broke) == pytest.approx(float(p_value), rel=1e-12)


@pytest.mark.parametrize(("fixed", "broke"), [(7, 1), (3, 9), (6, 6), (10, 0)])
def test_mcnemar_equals_brute_force_over_all_ways_to_toss(fixed: int, broke: int) -> None:
    num = fixed + broke
    extreme = sum(abs(2 * sum(toss) - num) >= abs(fixed - broke) for toss in itertools.product((0, 1), repeat=num))
    assert mcnemar(fixed, broke) == pytest.approx(extreme / 2**num, rel=1e-12)


def test_wilson_equals_the_textbook() -> None:
    # 81 of 263 from Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3
    found = proportion_interval(81, 263)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(("yes", "num"), [(0, 20), (20, 20), (1, 2)])
def test_an_interval_of_a_share_never_collapses_nor_leaves_0_to_1(yes: int, num: int) -> None:
    found = proportion_interval(yes, num)
    assert found is not None
    assert 0 <= found.low < found.high <= 1
    assert found.low <= yes / num <= found.high


def test_the_interval_of_a_paired_difference_equals_its_formula() -> None:
    # by hand: (9+1)/52 - (3+1)/52 = 0.11538; standard error sqrt((0.26923 - 0.01331) / 52) = 0.07015
    found = paired_share_interval(9, 3, 50)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (-0.0221, 0.2529)


def test_too_few_examples_have_no_interval() -> None:
    assert proportion_interval(1, 1) is None
    assert mean_interval(np.array([0.5])) is None
    assert paired_share_interval(1, 0, 1) is None
    assert paired_mean_test(np.array([0.5])) == (None, None)


def expanded(tail: float, num: int) -> float:
    """Share of the resamples that is beyond an end of the expanded percentile interval (Hesterberg 2015)."""
    return float(norm.cdf(t.ppf(tail, num - 1) * math.sqrt(num / (num - 1))))


def test_few_examples_are_told_by_student() -> None:
    values = np.random.default_rng(1).normal(0.4, 1, size=12)
    wanted = ttest_1samp(values, 0)
    low, high = wanted.confidence_interval(0.95)
    interval, p_value = paired_mean_test(values)
    for found in (interval, mean_interval(values)):
        assert found is not None
        assert (found.low, found.high) == pytest.approx((low, high))
    assert p_value == pytest.approx(wanted.pvalue)
    assert paired_mean_test(np.full(12, 0.5)) == (Interval(0.5, 0.5, 0.95), 2**-11)
    assert smallest_p_value(29) is None
    assert smallest_p_value(30) is not None


def test_the_bootstrap_equals_all_resamples_of_a_small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.statistics._NUM_FEW", 2)
    values = np.array([0.0, 1.0, 4.0, 7.0])
    means = sorted(sum(draw) / 4 for draw in itertools.product(values, repeat=4))
    tail = expanded(0.025, 4)
    low, high = np.quantile(means, [tail, 1 - tail])
    found = mean_interval(values)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.26)  # one step between two resamples


def test_the_p_value_of_differences_equals_that_of_all_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.statistics._NUM_FEW", 2)
    differences = np.array([-0.5, 1.0, 2.0, 0.5, -1.0, 3.0])
    means = np.array([sum(draw) / 6 for draw in itertools.product(differences, repeat=6)])
    share = min((means <= 0).mean(), (means >= 0).mean())
    exact = 2 * t.cdf(norm.ppf(share) * math.sqrt(5 / 6), 5)
    assert expanded(exact / 2, 6) == pytest.approx(share)
    _, p_value = paired_mean_test(differences)
    assert p_value == pytest.approx(exact, abs=0.03)


def test_two_resampled_examples_prove_nothing() -> None:
    assert paired_mean_test(np.array([0.4, 0.5]))[1] == 0.5
    assert paired_mean_test(np.array([0.4, 0.5, 0.1, 0.2, 0.3]))[1] == 2**-4
    _, p_value = paired_mean_test(np.array([*([0.0] * 100), 0.4, 0.5]))
    assert p_value is not None
    assert p_value >= 0.25


def test_no_difference_is_no_news() -> None:
    interval, p_value = paired_mean_test(np.zeros(30))
    assert p_value == 1.0
    assert interval is not None
    assert (interval.low, interval.high) == (0.0, 0.0)


def test_the_same_data_give_the_same_numbers_again() -> None:
    values = np.random.default_rng(3).normal(size=80)
    assert mean_interval(values) == mean_interval(values.copy())
    assert paired_mean_test(values) == paired_mean_test(values.copy())


def test_a_large_eval_set_draws_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.store.statistics._MAX_DRAWS", 1000)
    values = np.random.default_rng(3).normal(1, 1, size=500)
    interval, p_value = paired_mean_test(values)
    assert interval is not None
    assert interval.low < values.mean() < interval.high
    assert p_value == pytest.approx(2 * t.cdf(norm.ppf(1 / 400) * math.sqrt(499 / 500), 499))


def covered(rng: np.random.Generator, rounds: int, num: int, before: float, fixed: float, broke: float) -> float:
    """Share of simulated eval sets whose interval holds the true difference."""
    hits = 0
    truth = (1 - before) * fixed - before * broke
    for _ in range(rounds):
        right = rng.random(num) < before
        changed = rng.random(num) < np.where(right, broke, fixed)
        found = paired_share_interval(int((changed & ~right).sum()), int((changed & right).sum()), num)
        assert found is not None
        hits += found.low <= truth <= found.high
    return hits / rounds


@pytest.mark.parametrize(
    ("num", "before", "fixed", "broke"), [(50, 0.6, 0.3, 0.2), (322, 0.95, 0.5, 0.02), (100, 0.1, 0.9, 0.5)]
)
def test_intervals_of_differences_hold_the_truth_as_often_as_they_say(
    num: int, before: float, fixed: float, broke: float
) -> None:
    assert 0.93 <= covered(np.random.default_rng(1), 1500, num, before, fixed, broke) <= 0.99


def test_intervals_of_means_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        found = mean_interval(rng.gamma(2.0, 1.0, 80))
        assert found is not None
        hits += found.low <= 2.0 <= found.high
    assert 0.89 <= hits / 200 <= 0.98


@pytest.mark.parametrize("num", [5, 10, 20])
def test_intervals_of_few_examples_hold_the_truth_as_often_as_they_say(num: int) -> None:
    rng = np.random.default_rng(4)
    draws: dict[str, Callable[[], Any]] = {
        "normal": lambda: rng.normal(0, 1, num),
        "ties": lambda: np.where(rng.random(num) < 0.7, 0.0, rng.gamma(2.0, 1.0, num) - 2),
        "skewed": lambda: rng.gamma(2.0, 1.0, num) - 2,
    }
    for name, draw in draws.items():
        found = [mean_interval(draw()) for _ in range(1000)]
        assert sum(one is not None and one.low <= 0 <= one.high for one in found) >= (890 if name == "skewed" else 935)


def test_without_a_difference_p_values_are_about_uniform() -> None:
    rng = np.random.default_rng(5)
    found = [paired_mean_test(rng.normal(0, 1, 60))[1] for _ in range(300)]
    p_values = np.sort(np.array([value for value in found if value is not None]))
    assert len(p_values) == 300
    distance = np.max(np.abs(p_values - np.arange(1, 301) / 300))
    assert distance < 1.63 / math.sqrt(300)  # Kolmogorov-Smirnov at 1 %
    assert 0.02 <= (p_values < 0.05).mean() <= 0.09


@pytest.mark.parametrize("num", [8, 20])
def test_few_examples_raise_few_false_alarms(num: int) -> None:
    rng = np.random.default_rng(11)
    found = [paired_mean_test(rng.normal(0, 1, num))[1] for _ in range(200)]
    assert sum(value is not None and value < 0.05 for value in found) <= 20  # 10 expected, 20 once in 500 runs


def test_mcnemar_is_never_too_eager() -> None:
    rng = np.random.default_rng(6)
    found = [mcnemar(fixed, 30 - fixed) for fixed in rng.binomial(30, 0.5, 2000).tolist()]
    assert (np.array(found) < 0.05).mean() <= 0.05


def test_a_true_difference_is_found() -> None:
    differences = np.random.default_rng(7).normal(0.5, 1.0, 100)
    interval, p_value = paired_mean_test(differences)
    assert interval is not None
    assert interval.low > 0
    assert p_value is not None
    assert p_value < 0.01


@pytest.mark.parametrize(("num", "num_resamples"), [(60, 1_999), (2_000, 399)])
def test_a_difference_that_no_resample_doubts_has_the_smallest_p_value(
    num: int, num_resamples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.store.statistics._MAX_DRAWS", 200_000)
    values = np.random.default_rng(3).normal(5, 1, size=num)
    smallest = smallest_p_value(num)
    assert paired_mean_test(values)[1] == smallest
    assert smallest == pytest.approx(2 * t.cdf(norm.ppf(1 / (num_resamples + 1)) * math.sqrt((num - 1) / num), num - 1))
    assert smallest_p_value(1) is None
