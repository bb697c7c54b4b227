"""The library page: browse, search and filter papers, read one, remove it, add others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.assistant import Assistant
from rag.errors import RagError
from rag.output.export import bibtex, link
from rag.records import Paper, Sighting
from ui.add_panel import add_panel
from ui.drawing import counted, draw, problem, script
from ui.page_layout import QUIET, Page
from ui.paper_list import Group, Sort, Wanted, choices, filtered, first, named, shelved

if TYPE_CHECKING:
    from ui.service import Service

PAGE = 30
"""Papers shown at once, and how many more each time."""
_NEAREST = 30
_SIMILAR = 5
_READ_ONLY = "This page is open to everybody, so nobody may change the library; rag ui --auth FILE lets readers log in."


def library_page(service: Service, *, local: bool) -> Page:
    """Build the page inside a tab; `local` says that server and reader share a machine and its paths."""
    shelf = Shelf(service.assistant, local, service.editable)
    with gr.Column(elem_classes="lib-page"):
        changes = [add_panel(service, local=local)] if service.editable else []
        with gr.Row(elem_classes="lib-controls"):
            words = gr.Textbox(
                "", label="Search", placeholder="Title, author, or subject", scale=4, min_width=240
            )
            sort = gr.Dropdown(
                list(Sort), value=Sort.NEWEST, label="Order", min_width=130, filterable=False
            )
            filters = [
                gr.Dropdown([("All", "")], value="", label=name, min_width=130)
                for name in ("Year", "File", "Organisation")
            ]
        cards, pane = (
            gr.HTML(js_on_load=script("library"), apply_default_css=False) for _ in range(2)
        )
        count = gr.State(PAGE)
    controls = [words, sort, *filters]
    # Not `input`: Gradio's text box tells of keys by that, but not of what is pasted.
    words.change(shelf.browse, controls, [cards, count, sort], trigger_mode="always_last", **QUIET)
    for menu in (sort, *filters):
        menu.input(shelf.browse, controls, [cards, count, sort], **QUIET)
    cards.more(shelf.more, [count, *controls], [cards, count], **QUIET)
    cards.open(shelf.open, None, pane, **QUIET)
    pane.open(shelf.open, None, pane, **QUIET)
    page = Page(shelf.refresh, [count, *controls], [cards, *filters])
    for changed in (*changes, pane.remove(shelf.remove, None, pane, **QUIET)):
        changed.then(page.refresh, list(page.inputs), list(page.outputs), **QUIET)
    return page


class Shelf:
    """What the page's events do; `local` shows files with their folders, `editable` lets papers be removed."""

    def __init__(self, assistant: Assistant, local: bool, editable: bool = True) -> None:
        self._assistant, self._local, self._editable = assistant, local, editable

    def browse(self, *controls: Any) -> tuple[str, int, Any]:
        """The feed from its beginning; its order can be chosen where nothing is searched for."""
        return self._feed(PAGE, controls), PAGE, gr.update(visible=not controls[0].strip())

    def more(self, count: int, *controls: Any) -> tuple[str, int]:
        """The feed with one page more."""
        return self._feed(count + PAGE, controls), count + PAGE

    def refresh(self, count: int, *controls: Any) -> tuple[Any, ...]:
        """The feed as it is now, and what it can be filtered by; a filter for what is gone is dropped."""
        words, sort, *chosen = controls
        try:
            known = choices(self._assistant.papers())
        except RagError as error:
            return problem(str(error)), *(gr.skip() for _ in chosen)
        options = (known.years, known.sources, known.organisations)
        kept = [
            value if value in there else "" for value, there in zip(chosen, options, strict=True)
        ]
        menus = [
            gr.update(choices=[("All", ""), *((one, one) for one in there)], value=value)
            for value, there in zip(kept, options, strict=True)
        ]
        return self._feed(count, (words, sort, *kept)), *menus

    def open(self, event: gr.EventData) -> str:
        """One paper's sheet."""
        return _in_words(lambda: self._sheet(str(event.id)))

    def remove(self, event: gr.EventData) -> str:
        """Take a paper out of the library and say so."""
        if not self._editable:
            return draw("said", {"heading": "That did not work", "text": _READ_ONLY})
        return _in_words(lambda: removed(self._assistant.remove(str(event.id))))

    def _feed(self, count: int, controls: Sequence[Any]) -> str:
        words, sort, *filters = controls
        wanted = Wanted(words.strip(), Sort(sort), *filters)
        try:
            papers = list(self._assistant.papers())
            groups = self._found(papers, wanted) if wanted.words else shelved(papers, wanted)
        except RagError as error:
            return problem(str(error))
        return feed(groups, len(papers), count, searched=bool(wanted.words))

    def _found(self, papers: Sequence[Paper], wanted: Wanted) -> list[Group]:
        exact = named(papers, wanted.words)
        near = [hit.paper for hit in self._assistant.search(wanted.words, _NEAREST)]
        near = [paper for paper in near if paper not in exact]
        headings = {"In the title or among the authors": exact, "Nearest in meaning": near}
        groups = [
            Group(heading, tuple(filtered(found, wanted))) for heading, found in headings.items()
        ]
        return [group for group in groups if group.papers]

    def _sheet(self, identity: str) -> str:
        paper = self._assistant.paper(identity)
        similar = [hit.paper for hit in self._assistant.similar(paper.id, _SIMILAR)]
        return sheet(paper, similar, self._place, editable=self._editable)

    def _place(self, sighting: Sighting) -> str:
        return sighting.source if self._local else Path(sighting.source).name


def feed(groups: Sequence[Group], papers: int, count: int, *, searched: bool = False) -> str:
    """The first `count` papers of groups as cards; `papers` is how many the library has."""
    found = sum(len(group.papers) for group in groups)
    if searched:
        summary = ", ".join(
            f"{len(group.papers)} {group.heading[:1].lower()}{group.heading[1:]}"
            for group in groups
        )
    else:
        summary = (
            counted(papers, "paper")
            if found == papers
            else f"{found:,} of {counted(papers, 'paper')}"
        )
    values = {"groups": first(groups, count), "papers": papers, "summary": summary}
    return draw("feed", {**values, "left": max(found - count, 0), "page": PAGE})


def sheet(
    paper: Paper,
    similar: Sequence[Paper],
    place: Callable[[Sighting], str],
    *,
    editable: bool = True,
) -> str:
    """Everything about a paper; `place` names the file of a sighting."""
    seen = [(place(sighting), sighting) for sighting in paper.sightings]
    values = {
        "paper": paper,
        "similar": similar,
        "seen": seen,
        "links": links(paper),
        "bibtex": bibtex([paper]),
    }
    return draw("sheet", {**values, "editable": editable})


def removed(paper: Paper) -> str:
    """That a paper is gone."""
    return draw(
        "said", {"heading": "Removed", "text": f"“{paper.title}” is no longer in the library."}
    )


def links(paper: Paper) -> list[tuple[str, str, str]]:
    """Names that others gave the paper: what it is, its text, and an address that may be followed, or ""."""
    names = [
        ({"arxiv": "arXiv", "doi": "DOI"}.get(one.kind, one.kind), one.value, "")
        for one in paper.external_ids
    ]
    address = link(paper)
    if address:
        return [*names, ("Link", address, address)]
    return [*names, *([("Link", paper.url, "")] if paper.url else [])]


def _in_words(drawn: Callable[[], str]) -> str:
    """What is drawn, or in words why it can't be."""
    try:
        return drawn()
    except RagError as error:
        return draw("said", {"heading": "That did not work", "text": str(error)})
