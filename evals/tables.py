"""Figures and comparisons as tables in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from evals.comparing import Comparison
from evals.figures import errors, figures
from evals.report import pace, shown, table, written_by
from evals.runs import Run


def print_figures(run: Run) -> None:
    """One table a suite: a row a measure, a column a type, 95 % intervals at the first column."""
    for suite, about in run.info["suites"].items():
        types, rows = table([one for one in figures(run.rows) if one.suite == suite])
        made = _table(
            f"{suite}: {run.name}, {about['cases']} cases",
            ["measure", types[0], "95 %", "cases", *types[1:]],
        )
        for measure, cells in rows:
            first = cells[0]
            own = (
                [shown(first.value), f"{shown(first.low)} to {shown(first.high)}", str(first.n)]
                if first
                else [""] * 3
            )
            made.add_row(measure, *own, *(shown(cell.value) if cell else "" for cell in cells[1:]))
        _print(made)
        for name, answers in written_by(run, suite):
            sys.stdout.write(f"{answers} answers by {name}; {pace(about)}\n")
        for row in [row for row in errors(run.rows) if row.suite == suite]:
            sys.stderr.write(f"rag: {suite}, {row.case} failed: {row.error}\n")


def print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """One row a measure: both means, the difference with its interval, and how likely it is chance."""
    columns = ["suite", "measure", "A", "B", "A - B", "95 %", "p (Holm)", "won", "lost", "tied"]
    made = _table("A against B, case by case", columns)
    for one in comparisons:
        gap = one.difference.estimate
        numbers = [
            shown(one.a),
            shown(one.b),
            f"{gap.value:+.3f}",
            f"{gap.low:+.3f} to {gap.high:+.3f}",
            f"{one.p:.4f}",
        ]
        counts = [
            str(number)
            for number in (one.difference.wins, one.difference.losses, one.difference.ties)
        ]
        made.add_row(one.suite, one.measure, *numbers, *counts)
    _print(made)


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of texts."""
    made = _table(title, columns)
    for row in rows:
        made.add_row(*row)
    _print(made)


def _table(title: str, columns: Sequence[str]) -> Any:
    from rich.table import Table

    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        made.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    return made


def _print(made: Any) -> None:
    from rich.console import Console

    # A table that is cut to a narrow pipe is no use to anyone.
    Console(width=None if sys.stdout.isatty() else 200).print(made)
