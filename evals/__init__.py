"""Evaluation: suites, measures, intervals and comparisons; `rag eval` on the command line."""

from __future__ import annotations

from pathlib import Path

from evals.comparing import Comparison, compare_runs
from evals.running import run
from evals.runs import Run, read


def compare(a: Run | str | Path, b: Run | str | Path) -> list[Comparison]:
    """Compare two runs, or their folders, case by case; see `evals.comparing.compare_runs`."""
    first, second = (run if isinstance(run, Run) else read(Path(run)) for run in (a, b))
    return compare_runs(first, second)


__all__ = ["Run", "compare", "read", "run"]
