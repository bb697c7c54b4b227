"""Report of a run as one HTML file: figures with intervals, plots, peers and the worst cases.

The only module that imports jinja2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evals import plots
from evals.comparing import Comparison, compare_runs
from evals.figures import ALL, Figure, errors, figures, paired
from evals.outcomes import Row
from evals.runs import Run

_WORST = 20
# The measures that the score of a case is computed from.
_HIGHER_IS_BETTER = ("nDCG@10", "evidence recall", "metadata right", "accuracy")
_LOWER_IS_BETTER = ("declined wrongly", "answered wrongly")


def write_report(run: Run, path: Path, baselines: Sequence[Run] = ()) -> None:
    """Write the report of a run; it is compared with those `baselines` that have the same data."""
    path.write_text(_drawn("report", run, baselines), encoding="utf-8")


def drawn_figures(run: Run, baselines: Sequence[Run] = ()) -> str:
    """Return the contents of the report as HTML, for a page that has its own style."""
    return _drawn("figures", run, baselines)


def _drawn(template: str, run: Run, baselines: Sequence[Run]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.ChainableUndefined,  # the keys of a case depend on its suite
    )
    environment.filters["figure"] = shown
    suites = [_suite(run, name, about, baselines) for name, about in run.info["suites"].items()]
    return environment.get_template(f"{template}.html.j2").render(run=run, suites=suites)


def shown(value: float) -> str:
    """Format a figure with three decimal places, or with one if it is 10 or more."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def table(suite_figures: Sequence[Figure]) -> tuple[list[str], list[tuple[str, list[Any]]]]:
    """Return the types, and the estimates of each measure in the order of the types.

    An estimate is None if the measure has no figure for the type.
    """
    types = list(dict.fromkeys(figure.type for figure in suite_figures))
    cells = {(figure.measure, figure.type): figure.estimate for figure in suite_figures}
    names = dict.fromkeys(figure.measure for figure in suite_figures)
    return types, [(measure, [cells.get((measure, type_)) for type_ in types]) for measure in names]


def compare_with_baselines(
    run: Run, baselines: Iterable[Run], suite: str
) -> list[tuple[str, Comparison]]:
    """Compare the run with each baseline that ran this suite on the same data."""
    rows = []
    for other in baselines:
        if other.data.get(suite) == run.data[suite]:
            rows += [(other.name, row) for row in compare_runs(run, other) if row.suite == suite]
    return rows


def written_by(run: Run, suite: str) -> list[tuple[str, int]]:
    """Count a suite's answers by the model and prompts that wrote them, most frequent first."""
    writers = (seen.get("made_by") for (name, _), seen in run.seen.items() if name == suite)
    return Counter(writer for writer in writers if writer).most_common()


def pace(about: Mapping[str, Any]) -> str:
    """Format the questions per minute, and how many were asked at once; "" if not recorded."""
    if not about.get("asked"):
        return ""
    per_minute = 60 * about["asked"] / about["seconds"]
    return f"{per_minute:.1f} questions a minute, {about['parallel']} at once"


def _suite(run: Run, name: str, about: dict[str, Any], baselines: Sequence[Run]) -> dict[str, Any]:
    rows = [row for row in run.rows if row.suite == name]
    suite_figures = figures(rows)
    types, cells = table(suite_figures)
    return {
        **about,
        "name": name,
        "types": types,
        "table": cells,
        "written_by": written_by(run, name),
        "pace": pace(about),
        "errors": errors(rows),
        "baselines": compare_with_baselines(run, baselines, name),
        "plots": list(_plots(name, rows, suite_figures)),
        "worst": _worst(run, name, rows),
    }


def _plots(suite: str, rows: list[Row], suite_figures: list[Figure]) -> Iterable[str]:
    for measure in ("nDCG@10", "evidence recall", "support AUROC"):
        if by_type := [
            figure for figure in suite_figures if figure.measure == measure and figure.type != ALL
        ]:
            yield plots.bars(by_type, f"{suite}: {measure} by type")
    answerability, answerable = paired(rows, "answerability", "answerable")
    if answerable.any() and not answerable.all():
        yield plots.risk_and_coverage(
            answerability, ~answerable, f"{suite}: risk and coverage of abstention"
        )
        yield plots.reliability(
            answerability, answerable, f"{suite}: answerability, predicted and judged"
        )
    for type_ in dict.fromkeys(row.type for row in rows):
        scores, supported = paired(
            [row for row in rows if row.type == type_], "support", "supported"
        )
        if len(scores):
            yield plots.reliability(scores, supported, f"{suite}: support, {type_}")
    if latency := [
        row.value for row in rows if row.measure == "latency ms" and row.value is not None
    ]:
        yield plots.latencies(latency, f"{suite}: latency")


def _worst(run: Run, suite: str, rows: list[Row]) -> list[dict[str, Any]]:
    cases: dict[str, dict[str, float]] = {}
    failed = {row.case: row.error for row in errors(rows)}
    types = {row.case: row.type for row in rows}
    for row in rows:
        cases.setdefault(row.case, {})
        if row.value is not None:
            cases[row.case][row.measure] = row.value
    scores = {case: -1.0 if case in failed else _score(values) for case, values in cases.items()}
    worst = sorted((case for case in cases if scores[case] < 1), key=lambda case: scores[case])[
        :_WORST
    ]
    return [
        {
            "name": case,
            "type": types[case],
            "score": f"score {max(scores[case], 0):.2f}",
            "error": failed.get(case),
            "measured": cases[case],
            "seen": run.seen.get((suite, case), {}),
        }
        for case in worst
    ]


def _score(values: dict[str, float]) -> float:
    """Compute the score of a case, 0 (worst) to 1: the mean of its measures; 1 without any."""
    parts = [values[name] for name in _HIGHER_IS_BETTER if name in values] + [
        1 - values[name] for name in _LOWER_IS_BETTER if name in values
    ]
    if "support" in values:
        parts.append(1 - abs(values["support"] - values["supported"]))
    return float(np.mean(parts)) if parts else 1.0
