"""Figures from rows: means with intervals by suite and type, and figures over all cases at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals import measures
from evals.outcomes import Row
from evals.statistics import Estimate, bootstrapped, mean, two_samples

ALL = "all"
_PERCENTILES = {
    "latency ms": (50, 99),
    "answer seconds": (50, 90, 99),
    "prompt tokens": (50, 90, 99),
    "completion tokens": (50, 90, 99),
    "first token ms": (50, 90),
}
_SIGNALS = {"calibrated answerability", "model yes"}  # read by evals/fit_answerability.py
RAW = {
    "answerability",
    "answerable",
    "support",
    "supported",
    "said",
    "judged",
    "error",
    *_SIGNALS,
    *_PERCENTILES,
}
"""Measures that other figures are computed from; their own means are not figures."""
# The types of these suites are judged by different rules and must not be pooled.
_APART = {"attribution", "abstention"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a run, over the cases of one type or of all types."""

    suite: str
    type: str
    measure: str
    estimate: Estimate


def figures(rows: Iterable[Row]) -> list[Figure]:
    """Compute all figures, in the order in which suites, types and measures first appear.

    Failed cases are left out.
    """
    found: list[Figure] = []
    for suite, type_, group in _groups(list(rows)):
        values: dict[str, list[float]] = {}
        for row in group:
            if row.value is not None:
                values.setdefault(row.measure, []).append(row.value)
        found += [
            Figure(suite, type_, measure, mean(numbers))
            for measure, numbers in values.items()
            if measure not in RAW
        ]
        found += [
            Figure(suite, type_, measure, estimate)
            for measure, estimate in _derived(suite, group, values)
        ]
    return found


def errors(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of cases that failed."""
    return [row for row in rows if row.error is not None]


def column(rows: Sequence[Row], measure: str) -> dict[str, float]:
    """Return a map from case to its value of one measure."""
    return {row.case: row.value for row in rows if row.measure == measure and row.value is not None}


def paired(
    rows: Sequence[Row], score: str, label: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores and labels of the cases that have both, each of shape (n,)."""
    scores, labels = _both(rows, score, label)
    return scores, labels > 0.5


def _both(
    rows: Sequence[Row], measure: str, other: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = column(rows, measure), column(rows, other)
    cases = [case for case in first if case in second]
    return np.array([first[case] for case in cases]), np.array([second[case] for case in cases])


def _groups(rows: list[Row]) -> Iterable[tuple[str, str, list[Row]]]:
    for suite in dict.fromkeys(row.suite for row in rows):
        own = [row for row in rows if row.suite == suite]
        types = list(dict.fromkeys(row.type for row in own))
        if suite not in _APART:
            yield suite, ALL, own
        if len(types) > 1 or suite in _APART:
            for type_ in types:
                yield suite, type_, [row for row in own if row.type == type_]


def _derived(
    suite: str, rows: list[Row], values: dict[str, list[float]]
) -> Iterable[tuple[str, Estimate]]:
    # AUROC and F1 are not defined where all cases have the same label: they are left out then.
    predicted, judged = _both(rows, "said", "judged")
    if len(set(judged)) > 1:
        yield "macro-F1", _over_cases(predicted, judged, measures.macro_f1)
    for measure, percents in _PERCENTILES.items():
        if numbers := values.get(measure):
            yield from (
                (f"{measure} p{percent}", _percentile(numbers, percent)) for percent in percents
            )
    answerability, answerable = paired(rows, "answerability", "answerable")
    if answerable.any() and not answerable.all():
        positive, negative = answerability[answerable].tolist(), answerability[~answerable].tolist()
        yield "abstention AUROC", two_samples(positive, negative, measures.auroc)
    support, supported = paired(rows, "support", "supported")
    if supported.any() and not supported.all():
        positive, negative = support[supported].tolist(), support[~supported].tolist()
        yield "support AUROC", two_samples(positive, negative, measures.auroc)
        yield "support F1 (best threshold)", _over_cases(support, supported, measures.best_f1)
        yield (
            "support calibration error",
            _over_cases(support, supported, measures.calibration_error),
        )


def _percentile(values: Sequence[float], percent: float) -> Estimate:
    def statistic(sample: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.percentile(sample, percent, axis=axis))

    if len(values) == 1:
        return mean(values)
    return bootstrapped(np.array(values), statistic)


def _over_cases(
    scores: NDArray[np.float64],
    labels: NDArray[Any],
    statistic: Callable[[NDArray[np.float64], NDArray[Any]], float],
) -> Estimate:
    """Estimate a statistic of (score, label) pairs; the bootstrap resamples whole pairs."""
    rng = np.random.default_rng(0)
    resampled = [
        statistic(scores[rows], labels[rows])
        for rows in rng.integers(0, len(scores), (500, len(scores)))
    ]
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(statistic(scores, labels), float(low), float(high), len(scores))
