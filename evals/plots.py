"""SVG plots in the page's text colour, for light and dark pages.

The only module that imports matplotlib.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evals.figures import Figure
from evals.measures import risk_coverage

# A placeholder for the page's text colour: _svg replaces it by currentColor.
_INK = "#010203"
_BAR, _LINE = "#3b7dd8", "#d9822b"


def bars(figures: Sequence[Figure], title: str) -> str:
    """Draw one bar per type with its 95 % interval."""
    drawing, axes = _axes(title, height=0.6 + 0.34 * len(figures))
    estimates = [figure.estimate for figure in figures]
    values = [estimate.value for estimate in estimates]
    errors = [
        [estimate.value - estimate.low for estimate in estimates],
        [estimate.high - estimate.value for estimate in estimates],
    ]
    rows = np.arange(len(figures))[::-1]
    axes.barh(
        rows, values, xerr=np.maximum(errors, 0), color=_BAR, ecolor=_INK, capsize=2, height=0.6
    )
    axes.set_yticks(rows, [f"{figure.type} ({figure.estimate.n})" for figure in figures])
    axes.set_xlim(0, max(1.0, *values))
    return _svg(drawing)


def risk_and_coverage(confidence: NDArray[np.float64], wrong: NDArray[np.bool_], title: str) -> str:
    """Draw the share of wrong answers when only the most confident questions are answered."""
    drawing, axes = _axes(title)
    coverage, risk = risk_coverage(confidence, wrong)
    axes.plot(coverage, risk, color=_LINE)
    axes.set(
        xlabel="share of questions answered",
        ylabel="share of answers wrong",
        xlim=(0, 1),
        ylim=(0, None),
    )
    return _svg(drawing)


def reliability(
    scores: NDArray[np.float64], labels: NDArray[np.bool_], title: str, bins: int = 10
) -> str:
    """Draw a reliability diagram: the share of true labels per bin of scores.

    The dashed line is perfect calibration. The area of a dot grows with the number of its cases.
    """
    drawing, axes = _axes(title)
    bin_of_score = np.minimum((scores * bins).astype(int), bins - 1)
    masks = [mask for mask in (bin_of_score == number for number in range(bins)) if mask.any()]
    axes.plot([0, 1], [0, 1], linestyle="--", color=_INK, linewidth=0.8)
    means = [(scores[mask].mean(), labels[mask].mean(), mask.sum()) for mask in masks]
    axes.scatter(
        *zip(*((x, y) for x, y, _ in means), strict=True),
        s=[12 + 3 * n**0.5 * 3 for *_, n in means],
        color=_BAR,
    )
    axes.set(xlabel="score", ylabel="share that was true", xlim=(0, 1), ylim=(0, 1))
    return _svg(drawing)


def latencies(milliseconds: Sequence[float], title: str) -> str:
    """Draw the cumulative distribution of latencies."""
    drawing, axes = _axes(title)
    axes.ecdf(milliseconds, color=_LINE)
    axes.set(xlabel="milliseconds", ylabel="share of answers", xlim=(0, None), ylim=(0, 1))
    return _svg(drawing)


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


def _svg(drawing: Any) -> str:
    from matplotlib import rc_context

    title = drawing.axes[0].get_title(loc="left")
    # The salt makes the ids of this drawing different from those of other drawings on the page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        buffer = io.StringIO()
        drawing.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    svg = buffer.getvalue()
    # matplotlib's style sheet is for "*", so it would change the whole page. As the style of the
    # root element it applies only inside the drawing.
    if style := re.search(r"<style[^>]*>\*\{(.*?)\}</style>", svg):
        svg = svg.replace(style[0], "").replace("<svg", f'<svg style="{style[1]}"', 1)
    return svg[svg.index("<svg") :].replace(_INK, "currentColor")
