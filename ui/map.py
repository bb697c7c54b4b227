"""The map of the library: every paper a dot, near those that it is like; hover tells which, click asks about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from rag.assistant import Assistant
from rag.errors import RagError
from rag.records import Paper
from ui.drawing import draw, problem, script
from ui.page_layout import QUIET, Page

if TYPE_CHECKING:
    from ui.service import Service

_MARGIN = 3.0  # percent of the map that stays free at each side
_FOUND = 12


@dataclass(frozen=True, slots=True)
class Dot:
    """A paper on the map: percent from the left and the top, and how new it is (percent; None without a date)."""

    paper: Paper
    x: float
    y: float
    newness: int | None
    found: bool


def map_page(service: Service) -> Page:
    """Build the page inside a tab."""
    atlas = Atlas(service.assistant)
    with gr.Column(elem_classes="map-page"):
        words = gr.Textbox("", label="Highlight", placeholder="What are you looking for?")
        drawing = gr.HTML(js_on_load=script("map"), apply_default_css=False)
    page = Page(atlas.draw, [words], [drawing])
    words.change(page.refresh, words, drawing, trigger_mode="always_last", **QUIET)
    return page


class Atlas:
    """What the page's events do."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def draw(self, words: str) -> str:
        """The map; the papers nearest to the words stand out and are listed."""
        try:
            papers = {paper.id: paper for paper in self._assistant.papers()}
            positions = self._assistant.positions() if papers else {}
            hits = self._assistant.search(words, _FOUND) if papers and words.strip() else ()
        except RagError as error:
            return problem(str(error))
        return map_of(
            dots(papers, positions, {hit.paper.id for hit in hits}), [hit.paper for hit in hits]
        )


def dots(
    papers: Mapping[str, Paper], positions: Mapping[str, tuple[float, float]], found: set[str]
) -> list[Dot]:
    """The papers that have a position, stretched over the whole map; oldest first, so that newer ones lie on top."""
    placed = sorted(
        (papers[one] for one in positions if one in papers),
        key=lambda paper: (_year(paper) or 0, paper.id),
    )
    xs, ys = (_stretched([positions[paper.id][axis] for paper in placed]) for axis in (0, 1))
    years = [year for paper in placed if (year := _year(paper))]
    return [
        Dot(paper, x, y, _newness(_year(paper), years), paper.id in found)
        for paper, x, y in zip(placed, xs, ys, strict=True)
    ]


def map_of(made: Sequence[Dot], found: Sequence[Paper]) -> str:
    """Dots as HTML with their legend; `found` is listed below."""
    years = sorted({year for dot in made if (year := _year(dot.paper))})
    undated = any(dot.newness is None for dot in made)
    values = {"dots": made, "found": found, "years": years, "undated": undated}
    return draw("map", values)


def _stretched(values: Sequence[float]) -> list[float]:
    """Values moved and scaled to percent of the map, one decimal."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    room = 100 - 2 * _MARGIN
    return [
        round(_MARGIN + room * (value - low) / (high - low), 1) if high > low else 50.0
        for value in values
    ]


def _newness(year: int | None, years: Sequence[int]) -> int | None:
    if year is None:
        return None
    oldest, newest = min(years), max(years)
    return round(100 * (year - oldest) / (newest - oldest)) if newest > oldest else 100


def _year(paper: Paper) -> int | None:
    return paper.published.year if paper.published else None
