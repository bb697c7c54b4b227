"""Confidence intervals of figures, and significance tests of differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 20_240_117
RESAMPLES = 2_000
PERMUTATIONS = 9_999


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap interval over `n` cases."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A - B over the cases that both have.

    `estimate` is the mean difference, `p` is two-sided; the counts are cases that A won, lost or
    tied.
    """

    estimate: Estimate
    p: float
    wins: int
    losses: int
    ties: int


def mean(values: Sequence[float]) -> Estimate:
    """Estimate the mean with its percentile bootstrap interval (Efron 1979).

    Raises ValueError if there are no values, or if one is NaN or infinite.
    """
    sample = _checked(values)
    if len(sample) == 1 or np.ptp(sample) == 0:
        return Estimate(float(sample[0]), float(sample[0]), float(sample[0]), len(sample))
    return bootstrapped(sample, np.mean)


def bootstrapped(sample: NDArray[np.float64], statistic: Callable[..., Any]) -> Estimate:
    """Estimate a statistic of a sample of shape (n,) with its percentile bootstrap interval.

    `statistic` takes the sample and an `axis`.
    """
    from scipy.stats import bootstrap

    rng = np.random.default_rng(SEED)
    found = bootstrap(
        (sample,), statistic, n_resamples=RESAMPLES, method="percentile", rng=rng, vectorized=True
    )
    low, high = found.confidence_interval
    return Estimate(float(statistic(sample, axis=-1)), float(low), float(high), len(sample))


def two_samples(
    positive: Sequence[float],
    negative: Sequence[float],
    statistic: Callable[[Sequence[float], Sequence[float]], float],
) -> Estimate:
    """Estimate a statistic of two groups; the bootstrap resamples each group separately."""
    first, second = _checked(positive), _checked(negative)
    rng = np.random.default_rng(SEED)
    resampled = [
        statistic(rng.choice(first, len(first)).tolist(), rng.choice(second, len(second)).tolist())
        for _ in range(RESAMPLES // 4)
    ]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(
        statistic(positive, negative), float(low), float(high), len(first) + len(second)
    )


def compare(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Compare two runs over the same cases by a paired randomisation test.

    See Smucker, Allan and Carterette (2007). Raises ValueError if the lengths differ.
    """
    from scipy.stats import permutation_test

    first, second = _checked(a), _checked(b)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} cases can't be paired with {len(second)}")
    differences = first - second
    p = 1.0  # without any difference there is nothing to permute
    if np.any(differences != 0):
        p = permutation_test(
            (first, second),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            n_resamples=PERMUTATIONS,
            vectorized=True,
            rng=np.random.default_rng(SEED),
        ).pvalue
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return Difference(
        mean(differences.tolist()), float(p), wins, losses, len(differences) - wins - losses
    )


def corrected(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple tests by Holm's step-down method (1979); keep their order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        # The running maximum keeps the corrected values in the order of the original ones.
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _checked(values: Sequence[float]) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        raise ValueError("there is nothing to average")
    if not np.isfinite(sample).all():
        raise ValueError("a value is not a number")
    return sample
