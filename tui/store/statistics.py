"""Intervals and paired tests, by scipy; everything is deterministic.

The choice of tests follows Dror et al. (2018), The Hitchhiker's Guide to Testing Statistical Significance in Natural
Language Processing, ACL, 1383-1392.
"""

from statistics import NormalDist
from typing import Any

from tui.core.examples import Interval

LEVEL = 0.95
_SEED = 20_261_123
_NUM_RESAMPLES = 1_999
_MAX_DRAWS = 100_000_000
"""Above, fewer resamples are drawn, but never fewer than a level of 0.95 needs."""
_MIN_RESAMPLES = 399
_BATCH_NUMBERS = 2_000_000
_NUM_FEW = 30
"""Below, resamples tell less than Student's t does: docs/comparison.md has the figures."""


def proportion_interval(num_yes: int, num: int) -> Interval | None:
    """Wilson's score interval of a share: Wilson (1927), J. of the American Statistical Association 22, 209-212."""
    from scipy.stats import binomtest

    if num < 2:
        return None
    found = binomtest(num_yes, num).proportion_ci(LEVEL, method="wilson")
    return Interval(float(found.low), float(found.high), LEVEL)


def mean_interval(values: Any) -> Interval | None:
    """Interval of a mean: Student's t for few examples, else a bootstrap with expanded percentiles."""
    if len(values) < 2:
        return None
    return _t_interval(values) if draws_none(len(values)) else _interval(_bootstrap(values), len(values))


def draws_none(num: int) -> bool:
    """Whether so few examples are not resampled: Student (1908), The Probable Error of a Mean, Biometrika 6, 1-25."""
    return num < _NUM_FEW


def mcnemar(num_fixed: int, num_broke: int) -> float:
    """Exact two-sided p-value of as many answers fixed as broken: McNemar (1947), Psychometrika 12, 153-157.

    Only the pairs that differ count: under the hypothesis each is a fair coin.
    """
    from scipy.stats import binomtest

    num = num_fixed + num_broke
    return float(binomtest(num_fixed, num, 0.5).pvalue) if num else 1.0


def paired_share_interval(num_fixed: int, num_broke: int, num: int) -> Interval | None:
    """Interval of the difference of two shares over the same examples: Bonett and Price (2012), Journal of Educational
    and Behavioral Statistics 37, 479-488; Fagerland et al. (2014), Statistics in Medicine 33, 2850-2875, advise it.

    Unlike a bootstrap it does not collapse where few answers differ.
    """
    if num < 2:
        return None
    better, worse = (num_fixed + 1) / (num + 2), (num_broke + 1) / (num + 2)
    delta = better - worse
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * ((better + worse - delta**2) / (num + 2)) ** 0.5
    return Interval(max(-1.0, delta - half), min(1.0, delta + half), LEVEL)


def paired_share_test(num_fixed: int, num_broke: int, num: int) -> tuple[Interval | None, float | None]:
    """Interval of the difference of two shares, and its p-value."""
    return paired_share_interval(num_fixed, num_broke, num), mcnemar(num_fixed, num_broke)


def paired_mean_test(differences: Any) -> tuple[Interval | None, float | None]:
    """Interval of the mean of paired differences, and the two-sided p-value that is its inversion: by Student's t for
    few examples, else from one paired bootstrap: Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 13
    to 16.

    So many resamples cannot tell what few examples do not: no exact paired test of m differences that are not zero has
    a p-value below 2^(1-m), and neither has this one; nor is one below `smallest_p_value`, so that no difference
    from one of about 50 candidates can be significant, nor from one of about 10 over 250,000 examples.
    """
    import numpy as np

    num = len(differences)
    num_nonzero = int(np.count_nonzero(differences))
    if num < 2:
        return None, None
    if not num_nonzero:
        return Interval(0.0, 0.0, LEVEL), 1.0
    if draws_none(num):
        return _t_interval(differences), max(_t_p_value(differences), 2.0 ** (1 - num_nonzero))
    means = _bootstrap(differences)
    tail = min(int(np.sum(means <= 0)), int(np.sum(means >= 0)))
    p_value = _two_sided(min(0.5, (tail + 1) / (len(means) + 1)), num)
    return _interval(means, num), max(p_value, 2.0 ** (1 - num_nonzero))


def smallest_p_value(num: int) -> float | None:
    """What the bootstrap of so many examples gives where no resample is on the other side of zero; None where none is
    drawn."""
    return None if draws_none(num) else _two_sided(1 / (_num_resamples(num) + 1), num)


def _t_interval(values: Any) -> Interval:
    from scipy.stats import t

    mean, error = _mean_and_error(values)
    half = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return Interval(mean - half, mean + half, LEVEL)


def _t_p_value(values: Any) -> float:
    """Of a mean that is not zero; zero where nothing varies."""
    from scipy.stats import t

    mean, error = _mean_and_error(values)
    return 2 * float(t.sf(abs(mean) / error, len(values) - 1)) if error else float(mean == 0)


def _mean_and_error(values: Any) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5


def _two_sided(share: float, num: int) -> float:
    from scipy.stats import norm, t

    return 2 * float(t.cdf(norm.ppf(share) / _expansion(num), num - 1))


def _num_resamples(num: int) -> int:
    return max(_MIN_RESAMPLES, min(_NUM_RESAMPLES, _MAX_DRAWS // num))


def _bootstrap(values: Any) -> Any:
    """Means of resamples of the values."""
    import numpy as np
    from scipy.stats import bootstrap

    found = bootstrap(
        (values,), np.mean, n_resamples=_num_resamples(len(values)), batch=max(1, _BATCH_NUMBERS // len(values)),
        vectorized=True, confidence_level=LEVEL, method="percentile", rng=np.random.default_rng(_SEED),
    )  # fmt: skip
    return found.bootstrap_distribution


def _interval(means: Any, num: int) -> Interval:
    import numpy as np
    from scipy.stats import norm, t

    tail = float(norm.cdf(t.ppf((1 - LEVEL) / 2, num - 1) * _expansion(num)))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high), LEVEL)


def _expansion(num: int) -> float:
    """A resample spreads less than a sample does, and percentiles are those of a normal distribution where Student's
    is right: Hesterberg (2015), What Teachers Should Know About the Bootstrap, The American Statistician 69, 371-386.
    """
    return float((num / (num - 1)) ** 0.5)
