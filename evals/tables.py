"""Tables of figures and comparisons for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from evals.comparing import Comparison
from evals.figures import errors, figures
from evals.report import pace, shown, table, written_by
from evals.runs import Run


def print_figures(run: Run) -> None:
    """Print a table per suite: a row per measure, a column per type.

    Only the first type has its 95 % interval and number of cases.
    """
    for suite, about in run.info["suites"].items():
        types, rows = table([figure for figure in figures(run.rows) if figure.suite == suite])
        terminal_table = _table(
            f"{suite}: {run.name}, {about['cases']} cases",
            ["measure", types[0], "95 %", "cases", *types[1:]],
        )
        for measure, cells in rows:
            first = cells[0]
            first_cells = (
                [shown(first.value), f"{shown(first.low)} to {shown(first.high)}", str(first.n)]
                if first
                else [""] * 3
            )
            other_cells = [shown(cell.value) if cell else "" for cell in cells[1:]]
            terminal_table.add_row(measure, *first_cells, *other_cells)
        _print(terminal_table)
        for name, answers in written_by(run, suite):
            sys.stdout.write(f"{answers} answers by {name}; {pace(about)}\n")
        for row in [row for row in errors(run.rows) if row.suite == suite]:
            sys.stderr.write(f"rag: {suite}, {row.case} failed: {row.error}\n")


def print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """Print a row per measure: both means, the difference with its interval, and its p-value."""
    columns = ["suite", "measure", "A", "B", "A - B", "95 %", "p (Holm)", "won", "lost", "tied"]
    terminal_table = _table("A compared with B, case by case", columns)
    for comparison in comparisons:
        difference = comparison.difference
        estimate = difference.estimate
        terminal_table.add_row(
            comparison.suite,
            comparison.measure,
            shown(comparison.a),
            shown(comparison.b),
            f"{estimate.value:+.3f}",
            f"{estimate.low:+.3f} to {estimate.high:+.3f}",
            f"{comparison.p:.4f}",
            str(difference.wins),
            str(difference.losses),
            str(difference.ties),
        )
    _print(terminal_table)


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of texts."""
    terminal_table = _table(title, columns)
    for row in rows:
        terminal_table.add_row(*row)
    _print(terminal_table)


def _table(title: str, columns: Sequence[str]) -> Any:
    from rich.table import Table

    terminal_table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        terminal_table.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    return terminal_table


def _print(terminal_table: Any) -> None:
    from rich.console import Console

    # In a pipe rich assumes 80 columns and would cut the table.
    Console(width=None if sys.stdout.isatty() else 200).print(terminal_table)
