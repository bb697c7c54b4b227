"""Two runs side by side, and a run against its gates."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.figures import ALL, RAW, Figure, column, figures
from evals.runs import Run
from evals.statistics import Difference, compare, corrected
from rag.errors import InputError

# Figures of time, and raw material, are not compared case by case.
_NOT_COMPARED = RAW | {"answer words", "points without quotes"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A - B in one measure; `p` is corrected for the number of measures compared (Holm)."""

    suite: str
    measure: str
    a: float
    b: float
    difference: Difference
    p: float


def compare_runs(a: Run, b: Run) -> list[Comparison]:
    """Every measure that both runs have, over the cases that both have.

    Raises InputError where they share no suite, or ran a suite on different cases or papers.
    """
    shared = [suite for suite in a.data if suite in b.data]
    if not shared:
        raise InputError(f"{a.folder} and {b.folder} share no suite")
    for suite in shared:
        if a.data[suite] != b.data[suite]:
            raise InputError(
                f"{a.folder} and {b.folder} ran the suite {suite} on different cases or papers"
            )
    made = [one for suite in shared for one in _compare_suite(a, b, suite)]
    for_all = corrected([one.difference.p for one in made])
    return [
        Comparison(one.suite, one.measure, one.a, one.b, one.difference, p)
        for one, p in zip(made, for_all, strict=True)
    ]


def _compare_suite(a: Run, b: Run, suite: str) -> list[Comparison]:
    first, second = ([row for row in run.rows if row.suite == suite] for run in (a, b))
    made = []
    for measure in dict.fromkeys(row.measure for row in first):
        left, right = column(first, measure), column(second, measure)
        cases = [case for case in left if case in right]
        if measure in _NOT_COMPARED or not cases:
            continue
        difference = compare([left[case] for case in cases], [right[case] for case in cases])
        a_mean, b_mean = (sum(side[case] for case in cases) / len(cases) for side in (left, right))
        made.append(Comparison(suite, measure, a_mean, b_mean, difference, difference.p))
    return made


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound that a figure must keep; `value` is None where the run has no such figure."""

    suite: str
    type: str
    measure: str
    bound: float
    at_least: bool
    value: float | None

    @property
    def kept(self) -> bool:
        """Whether the figure is there and within its bound."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        word = "at least" if self.at_least else "at most"
        value = "no such figure" if self.value is None else f"{self.value:.3f}"
        return f"{self.suite}, {self.type}, {self.measure}: {value}, must be {word} {self.bound:g}"


def check_gates(run: Run, path: Path) -> list[Gate]:
    """Each gate of a TOML file for the suites that the run has. Raises InputError for a file that holds none of them.

    The file is a list of tables `[[gate]]` with suite, measure, at_least or at_most, and where wanted type.
    """
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["gate"]
        made = figures(run.rows)
        gates = [_gate(row, made) for row in rows if row["suite"] in run.data]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no file of gates: {error}") from None
    if not gates:
        raise InputError(f"{path} has no gate for {', '.join(run.data)}")
    return gates


def _gate(row: dict[str, object], made: Sequence[Figure]) -> Gate:
    at_least = "at_least" in row
    bound = float(str(row["at_least" if at_least else "at_most"]))
    suite, type_, measure = str(row["suite"]), str(row.get("type", ALL)), str(row["measure"])
    found = (
        one.estimate.value
        for one in made
        if (one.suite, one.type, one.measure) == (suite, type_, measure)
    )
    return Gate(suite, type_, measure, bound, at_least, next(found, None))
