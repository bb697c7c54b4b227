"""Compare two runs, and check a run against its gates."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evals.figures import ALL, RAW, Figure, column, figures
from evals.runs import Run
from evals.statistics import Difference, compare, corrected
from rag.errors import InputError

# These are raw inputs of other figures, times, or counts without a better direction.
_NOT_COMPARED = RAW | {"answer words", "points without quotes"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A - B in one measure; `p` is corrected for the number of measures compared (Holm).

    `a` and `b` are the means over the cases that both runs have.
    """

    suite: str
    measure: str
    a: float
    b: float
    difference: Difference
    p: float


def compare_runs(a: Run, b: Run) -> list[Comparison]:
    """Compare every measure that both runs have, over the cases that both have.

    Raises InputError if they share no suite, or ran a suite on different cases or papers.
    """
    shared = [suite for suite in a.data if suite in b.data]
    if not shared:
        raise InputError(f"{a.folder} and {b.folder} share no suite")
    for suite in shared:
        if a.data[suite] != b.data[suite]:
            raise InputError(
                f"{a.folder} and {b.folder} ran the suite {suite} on different cases or papers"
            )
    comparisons = [row for suite in shared for row in _compare_suite(a, b, suite)]
    p_values = corrected([row.difference.p for row in comparisons])
    return [replace(row, p=p) for row, p in zip(comparisons, p_values, strict=True)]


def _compare_suite(a: Run, b: Run, suite: str) -> list[Comparison]:
    first, second = ([row for row in run.rows if row.suite == suite] for run in (a, b))
    comparisons = []
    for measure in dict.fromkeys(row.measure for row in first):
        left, right = column(first, measure), column(second, measure)
        cases = [case for case in left if case in right]
        if measure in _NOT_COMPARED or not cases:
            continue
        difference = compare([left[case] for case in cases], [right[case] for case in cases])
        a_mean, b_mean = (
            sum(values[case] for case in cases) / len(cases) for values in (left, right)
        )
        # compare_runs replaces p by the value that is corrected over all suites.
        comparisons.append(Comparison(suite, measure, a_mean, b_mean, difference, difference.p))
    return comparisons


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on a figure; `value` is None if the run has no such figure."""

    suite: str
    type: str
    measure: str
    bound: float
    at_least: bool
    value: float | None

    @property
    def kept(self) -> bool:
        """Whether the figure exists and is within its bound."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        word = "at least" if self.at_least else "at most"
        value = "no such figure" if self.value is None else f"{self.value:.3f}"
        return f"{self.suite}, {self.type}, {self.measure}: {value}, must be {word} {self.bound:g}"


def check_gates(run: Run, path: Path) -> list[Gate]:
    """Check the gates of a TOML file that concern the suites of a run.

    The file is a list of tables `[[gate]]` with the keys suite, measure, at_least or at_most, and
    optionally type. Raises InputError if the file is invalid or has no gate for these suites.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["gate"]
        run_figures = figures(run.rows)
        gates = [_gate(row, run_figures) for row in rows if row["suite"] in run.data]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a gates file: {error}") from None
    if not gates:
        raise InputError(f"{path} has no gate for {', '.join(run.data)}")
    return gates


def _gate(row: dict[str, object], run_figures: Sequence[Figure]) -> Gate:
    at_least = "at_least" in row
    bound = float(str(row["at_least" if at_least else "at_most"]))
    suite, type_, measure = str(row["suite"]), str(row.get("type", ALL)), str(row["measure"])
    values = (
        figure.estimate.value
        for figure in run_figures
        if (figure.suite, figure.type, figure.measure) == (suite, type_, measure)
    )
    return Gate(suite, type_, measure, bound, at_least, next(values, None))
