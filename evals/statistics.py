"""Intervals and comparisons: what a figure is worth, and whether two differ by more than chance."""

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
    """A - B over the cases both have: mean with interval, two-sided p-value, and cases won, lost and tied by A."""

    estimate: Estimate
    p: float
    wins: int
    losses: int
    ties: int


def mean(values: Sequence[float]) -> Estimate:
    """The mean with its percentile bootstrap interval (Efron 1979). Raises ValueError for none, or NaN."""
    sample = _checked(values)
    if len(sample) == 1 or np.ptp(sample) == 0:
        return Estimate(float(sample[0]), float(sample[0]), float(sample[0]), len(sample))
    return bootstrapped(sample, np.mean)


def bootstrapped(sample: NDArray[np.float64], statistic: Callable[..., Any]) -> Estimate:
    """A statistic of a sample of shape (n,) with its interval; `statistic` takes the sample and an `axis`."""
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
    """A statistic of two groups with its interval, each group resampled for itself."""
    first, second = _checked(positive), _checked(negative)
    rng = np.random.default_rng(SEED)
    drawn = [
        statistic(rng.choice(first, len(first)).tolist(), rng.choice(second, len(second)).tolist())
        for _ in range(RESAMPLES // 4)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(
        statistic(positive, negative), float(low), float(high), len(first) + len(second)
    )


def compare(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Two runs over the same cases, by the paired randomisation test (Smucker, Allan and Carterette 2007)."""
    from scipy.stats import permutation_test

    first, second = _checked(a), _checked(b)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} cases can't be paired with {len(second)}")
    differences = first - second
    p = 1.0
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
    """P-values corrected for their number by Holm's step-down method (1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda row: p_values[row])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, row in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[row]))
        adjusted[row] = highest
    return adjusted


def _checked(values: Sequence[float]) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        raise ValueError("there is nothing to average")
    if not np.isfinite(sample).all():
        raise ValueError("a value is not a number")
    return sample
