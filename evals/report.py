"""A run as one self-contained HTML file: figures with intervals, plots, peers, and the worst cases. Door to jinja2."""

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
# The measures that say how badly a case went: higher is better, or lower where named so.
_TELLING = ("nDCG@10", "evidence recall", "metadata right", "accuracy")
_BAD = ("declined wrongly", "answered wrongly")


def write_report(run: Run, path: Path, baselines: Sequence[Run] = ()) -> None:
    """Write the report of a run; `baselines` on the same data stand beside it."""
    path.write_text(_drawn("report", run, baselines), encoding="utf-8")


def drawn_figures(run: Run, baselines: Sequence[Run] = ()) -> str:
    """What the report shows, as HTML for a page that brings its own style."""
    return _drawn("figures", run, baselines)


def _drawn(template: str, run: Run, baselines: Sequence[Run]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.ChainableUndefined,  # cases of different suites show different things
    )
    environment.filters["figure"] = shown
    suites = [_suite(run, name, about, baselines) for name, about in run.info["suites"].items()]
    return environment.get_template(f"{template}.html.j2").render(run=run, suites=suites)


def shown(value: float) -> str:
    """A figure with as many digits as mean something."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def table(made: Sequence[Figure]) -> tuple[list[str], list[tuple[str, list[Any]]]]:
    """Types, and for each measure its estimate of each type (None where there is none)."""
    types = list(dict.fromkeys(one.type for one in made))
    cells = {(one.measure, one.type): one.estimate for one in made}
    names = dict.fromkeys(one.measure for one in made)
    return types, [(measure, [cells.get((measure, type_)) for type_ in types]) for measure in names]


def beside(run: Run, baselines: Iterable[Run], suite: str) -> list[tuple[str, Comparison]]:
    """The run against each baseline that ran this suite on the same data."""
    rows = []
    for other in baselines:
        if other.data.get(suite) == run.data[suite]:
            rows += [(other.name, one) for one in compare_runs(run, other) if one.suite == suite]
    return rows


def written_by(run: Run, suite: str) -> list[tuple[str, int]]:
    """Which models and prompts wrote answers of a suite, and how many each; none where no model did."""
    made = (seen.get("made_by") for (name, _), seen in run.seen.items() if name == suite)
    return Counter(one for one in made if one).most_common()


def pace(about: Mapping[str, Any]) -> str:
    """How many questions a minute a suite took, and how many were asked at once; "" where it was not noted."""
    if not about.get("asked"):
        return ""
    return f"{60 * about['asked'] / about['seconds']:.1f} questions a minute, {about['parallel']} at once"


def _suite(run: Run, name: str, about: dict[str, Any], baselines: Sequence[Run]) -> dict[str, Any]:
    rows = [row for row in run.rows if row.suite == name]
    made = figures(rows)
    types, cells = table(made)
    return {
        **about,
        "name": name,
        "types": types,
        "table": cells,
        "written_by": written_by(run, name),
        "pace": pace(about),
        "errors": errors(rows),
        "baselines": beside(run, baselines, name),
        "plots": list(_plots(name, rows, made)),
        "worst": _worst(run, name, rows),
    }


def _plots(suite: str, rows: list[Row], made: list[Figure]) -> Iterable[str]:
    for measure in ("nDCG@10", "evidence recall", "support AUROC"):
        if by_type := [one for one in made if one.measure == measure and one.type != ALL]:
            yield plots.bars(by_type, f"{suite}: {measure} by type")
    answerability, answerable = paired(rows, "answerability", "answerable")
    if answerable.any() and not answerable.all():
        yield plots.risk_and_coverage(
            answerability, ~answerable, f"{suite}: risk and coverage of declining"
        )
        yield plots.reliability(
            answerability, answerable, f"{suite}: do the papers tell, as scored and as judged"
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
    """How well a case went, 0 to 1: the mean of what its measures say."""
    parts = [values[name] for name in _TELLING if name in values] + [
        1 - values[name] for name in _BAD if name in values
    ]
    if "support" in values:
        parts.append(1 - abs(values["support"] - values["supported"]))
    return float(np.mean(parts)) if parts else 1.0
