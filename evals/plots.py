"""Plots as SVG in the page's own colours, so that one drawing serves light and dark. The door to matplotlib."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.figures import Figure
from evals.measures import risk_coverage

# Stands for the page's own text colour until the drawing is done.
_INK = "#010203"
_BAR, _LINE = "#3b7dd8", "#d9822b"


def bars(figures: Sequence[Figure], title: str) -> str:
    """One bar a type with its 95 % interval."""
    figure, axes = _axes(title, height=0.6 + 0.34 * len(figures))
    values = [one.estimate.value for one in figures]
    errors = [
        [one.estimate.value - one.estimate.low for one in figures],
        [one.estimate.high - one.estimate.value for one in figures],
    ]
    rows = np.arange(len(figures))[::-1]
    axes.barh(
        rows, values, xerr=np.maximum(errors, 0), color=_BAR, ecolor=_INK, capsize=2, height=0.6
    )
    axes.set_yticks(rows, [f"{one.type} ({one.estimate.n})" for one in figures])
    axes.set_xlim(0, max(1.0, *values))
    return _svg(figure)


def risk_and_coverage(confidence: NDArray[np.float64], wrong: NDArray[np.bool_], title: str) -> str:
    """The share of wrong answers when only the most confident questions are answered."""
    figure, axes = _axes(title)
    coverage, risk = risk_coverage(confidence, wrong)
    axes.plot(coverage, risk, color=_LINE)
    axes.set(
        xlabel="share of questions answered",
        ylabel="share of answers wrong",
        xlim=(0, 1),
        ylim=(0, None),
    )
    return _svg(figure)


def reliability(
    scores: NDArray[np.float64], labels: NDArray[np.bool_], title: str, bins: int = 10
) -> str:
    """How often what was scored so came true; on the dashed line a score means what it says."""
    figure, axes = _axes(title)
    where = np.minimum((scores * bins).astype(int), bins - 1)
    filled = [one for one in range(bins) if (where == one).any()]
    axes.plot([0, 1], [0, 1], linestyle="--", color=_INK, linewidth=0.8)
    means = [
        (scores[where == one].mean(), labels[where == one].mean(), (where == one).sum())
        for one in filled
    ]
    axes.scatter(
        *zip(*((x, y) for x, y, _ in means), strict=True),
        s=[12 + 3 * n**0.5 * 3 for *_, n in means],
        color=_BAR,
    )
    axes.set(xlabel="score", ylabel="share that was true", xlim=(0, 1), ylim=(0, 1))
    return _svg(figure)


def latencies(milliseconds: Sequence[float], title: str) -> str:
    """How many answers came within how many milliseconds."""
    figure, axes = _axes(title)
    axes.ecdf(milliseconds, color=_LINE)
    axes.set(xlabel="milliseconds", ylabel="share of answers", xlim=(0, None), ylim=(0, 1))
    return _svg(figure)


def _axes(title: str, height: float = 2.8) -> tuple[Any, Any]:
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(5.2, height), layout="constrained")
    axes = drawing.subplots()
    axes.set_title(title, color=_INK, fontsize=10, loc="left")
    axes.set_facecolor("none")
    axes.tick_params(colors=_INK, labelsize=8)
    axes.xaxis.label.set(color=_INK, size=8)
    axes.yaxis.label.set(color=_INK, size=8)
    for name, spine in axes.spines.items():
        spine.set(color=_INK, visible=name in {"left", "bottom"})
    return drawing, axes


def _svg(figure: Any) -> str:
    from matplotlib import rc_context

    title = figure.axes[0].get_title(loc="left")
    # The salt keeps ids apart that several drawings on one page would share.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    drawing = buffer.getvalue()
    # matplotlib's style sheet would reach beyond the drawing; on its root the same holds within.
    if style := re.search(r"<style[^>]*>\*\{(.*?)\}</style>", drawing):
        drawing = drawing.replace(style[0], "").replace("<svg", f'<svg style="{style[1]}"', 1)
    return drawing[drawing.index("<svg") :].replace(_INK, "currentColor")
