"""The map of the library: one dot per paper, similar papers close together.

Hovering over a dot shows the paper's title; a click adds the paper to the next question's scope.
"""

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

_MARGIN = 3.0  # percent of the map that stay free on each side
_FOUND = 12


@dataclass(frozen=True, slots=True)
class Dot:
    """A paper on the map.

    `x` and `y` are percent of the map from the left and the top. `newness` is 0 for the oldest
    year, 100 for the newest, None without a date. `found` marks a result of the search.
    """

    paper: Paper
    x: float
    y: float
    newness: int | None
    found: bool


def map_page(service: Service) -> Page:
    """Build the page inside a tab."""
    library_map = LibraryMap(service.assistant)
    with gr.Column(elem_classes="map-page"):
        words = gr.Textbox("", label="Highlight", placeholder="What are you looking for?")
        drawing = gr.HTML(js_on_load=script("map"), apply_default_css=False)
    page = Page(library_map.draw, [words], [drawing])
    words.change(page.refresh, words, drawing, trigger_mode="always_last", **QUIET)
    return page


class LibraryMap:
    """The page's event handlers."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def draw(self, words: str) -> str:
        """Return the map as HTML; the best papers for the words are highlighted and listed."""
        try:
            papers = {paper.id: paper for paper in self._assistant.papers()}
            positions = self._assistant.positions() if papers else {}
            hits = self._assistant.search(words, _FOUND) if papers and words.strip() else ()
        except RagError as error:
            return problem(str(error))
        return map_html(
            dots(papers, positions, {hit.paper.id for hit in hits}), [hit.paper for hit in hits]
        )


def dots(
    papers: Mapping[str, Paper], positions: Mapping[str, tuple[float, float]], found: set[str]
) -> list[Dot]:
    """Return the dots of the papers that have a position, scaled to the whole map.

    The oldest come first, so that newer papers are drawn above them.
    """
    placed = sorted(
        (papers[paper_id] for paper_id in positions if paper_id in papers),
        key=lambda paper: (_year(paper) or 0, paper.id),
    )
    xs, ys = (_stretched([positions[paper.id][axis] for paper in placed]) for axis in (0, 1))
    years = [year for paper in placed if (year := _year(paper))]
    return [
        Dot(paper, x, y, _newness(_year(paper), years), paper.id in found)
        for paper, x, y in zip(placed, xs, ys, strict=True)
    ]


def map_html(dots: Sequence[Dot], found: Sequence[Paper]) -> str:
    """Return the map of dots as HTML, with its legend; the papers `found` are listed below."""
    years = sorted({year for dot in dots if (year := _year(dot.paper))})
    undated = any(dot.newness is None for dot in dots)
    values = {"dots": dots, "found": found, "years": years, "undated": undated}
    return draw("map", values)


def _stretched(values: Sequence[float]) -> list[float]:
    """Return values shifted and scaled to percent of the map, rounded to one decimal."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    width = 100 - 2 * _MARGIN
    return [
        round(_MARGIN + width * (value - low) / (high - low), 1) if high > low else 50.0
        for value in values
    ]


def _newness(year: int | None, years: Sequence[int]) -> int | None:
    if year is None:
        return None
    oldest, newest = min(years), max(years)
    return round(100 * (year - oldest) / (newest - oldest)) if newest > oldest else 100


def _year(paper: Paper) -> int | None:
    return paper.published.year if paper.published else None
