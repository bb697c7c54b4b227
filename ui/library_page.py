"""The library page: browse, search and filter papers; read, remove and add them."""

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
from ui.paper_list import Group, PaperQuery, Sort, choices, filtered, grouped, head, matching

if TYPE_CHECKING:
    from ui.service import Service

PAGE = 30
"""The number of papers shown at first, and added by each "Show more"."""
_NEAREST = 30
_SIMILAR = 5
_READ_ONLY = (
    "The library is read-only, because this page is open to everyone. "
    "To allow changes, start it with a login: rag ui --auth FILE."
)


def library_page(service: Service, *, local: bool) -> Page:
    """Build the page inside a tab; `local` means that server and reader share a machine."""
    browser = LibraryBrowser(service.assistant, local, service.editable)
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
    # Not `input`: Gradio's text box does not send that event for pasted text.
    words.change(
        browser.browse, controls, [cards, count, sort], trigger_mode="always_last", **QUIET
    )
    for menu in (sort, *filters):
        menu.input(browser.browse, controls, [cards, count, sort], **QUIET)
    cards.more(browser.more, [count, *controls], [cards, count], **QUIET)
    cards.open(browser.open, None, pane, **QUIET)
    pane.open(browser.open, None, pane, **QUIET)
    page = Page(browser.refresh, [count, *controls], [cards, *filters])
    for changed in (*changes, pane.remove(browser.remove, None, pane, **QUIET)):
        changed.then(page.refresh, list(page.inputs), list(page.outputs), **QUIET)
    return page


class LibraryBrowser:
    """The page's event handlers.

    With `local`, source files are shown with their folders; with `editable`, papers can be removed.
    """

    def __init__(self, assistant: Assistant, local: bool, editable: bool = True) -> None:
        self._assistant, self._local, self._editable = assistant, local, editable

    def browse(self, *controls: Any) -> tuple[str, int, Any]:
        """Return the first page of papers; the order can be chosen only without a search."""
        return self._feed(PAGE, controls), PAGE, gr.update(visible=not controls[0].strip())

    def more(self, count: int, *controls: Any) -> tuple[str, int]:
        """Return the papers with one more page."""
        return self._feed(count + PAGE, controls), count + PAGE

    def refresh(self, count: int, *controls: Any) -> tuple[Any, ...]:
        """Return the current papers and updates of the filters.

        A filter whose value is no longer in the library is cleared.
        """
        words, sort, *selected = controls
        try:
            known = choices(self._assistant.papers())
        except RagError as error:
            return problem(str(error)), *(gr.skip() for _ in selected)
        options = (known.years, known.sources, known.organisations)
        kept = [
            value if value in known_values else ""
            for value, known_values in zip(selected, options, strict=True)
        ]
        menus = [
            gr.update(choices=[("All", ""), *((name, name) for name in names)], value=value)
            for value, names in zip(kept, options, strict=True)
        ]
        return self._feed(count, (words, sort, *kept)), *menus

    def open(self, event: gr.EventData) -> str:
        """Return the dialog with the details of a paper."""
        return _or_message(lambda: self._sheet(str(event.id)))

    def remove(self, event: gr.EventData) -> str:
        """Remove a paper from the library; return a message."""
        if not self._editable:
            return draw("said", {"heading": "That did not work", "text": _READ_ONLY})
        return _or_message(lambda: removed(self._assistant.remove(str(event.id))))

    def _feed(self, count: int, controls: Sequence[Any]) -> str:
        words, sort, *filters = controls
        query = PaperQuery(words.strip(), Sort(sort), *filters)
        try:
            papers = list(self._assistant.papers())
            groups = self._found(papers, query) if query.words else grouped(papers, query)
        except RagError as error:
            return problem(str(error))
        return feed(groups, len(papers), count, searched=bool(query.words))

    def _found(self, papers: Sequence[Paper], query: PaperQuery) -> list[Group]:
        exact = matching(papers, query.words)
        near = [hit.paper for hit in self._assistant.search(query.words, _NEAREST)]
        near = [paper for paper in near if paper not in exact]
        headings = {"In the title or the authors": exact, "Nearest in meaning": near}
        groups = [
            Group(heading, tuple(filtered(found, query))) for heading, found in headings.items()
        ]
        return [group for group in groups if group.papers]

    def _sheet(self, paper_id: str) -> str:
        paper = self._assistant.paper(paper_id)
        similar = [hit.paper for hit in self._assistant.similar(paper.id, _SIMILAR)]
        return sheet(paper, similar, self._file, editable=self._editable)

    def _file(self, sighting: Sighting) -> str:
        # Remote readers must not learn the folders of the server.
        return sighting.source if self._local else Path(sighting.source).name


def feed(groups: Sequence[Group], papers: int, count: int, *, searched: bool = False) -> str:
    """Return the first `count` papers as cards; `papers` is the number in the library."""
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
    values = {"groups": head(groups, count), "papers": papers, "summary": summary}
    return draw("feed", {**values, "left": max(found - count, 0), "page": PAGE})


def sheet(
    paper: Paper,
    similar: Sequence[Paper],
    file_of: Callable[[Sighting], str],
    *,
    editable: bool = True,
) -> str:
    """Return the details of a paper; `file_of` returns the file name of a sighting."""
    seen = [(file_of(sighting), sighting) for sighting in paper.sightings]
    values = {
        "paper": paper,
        "similar": similar,
        "seen": seen,
        "links": links(paper),
        "bibtex": bibtex([paper]),
    }
    return draw("sheet", {**values, "editable": editable})


def removed(paper: Paper) -> str:
    """Return the message that a paper was removed."""
    return draw(
        "said", {"heading": "Removed", "text": f"“{paper.title}” is no longer in the library."}
    )


def links(paper: Paper) -> list[tuple[str, str, str]]:
    """Return a paper's external ids and address: name, text, and a safe URL or ""."""
    names = [
        ({"arxiv": "arXiv", "doi": "DOI"}.get(external.kind, external.kind), external.value, "")
        for external in paper.external_ids
    ]
    address = link(paper)
    # `link` accepts http and https only; other addresses are shown as plain text.
    if address:
        return [*names, ("Link", address, address)]
    return [*names, *([("Link", paper.url, "")] if paper.url else [])]


def _or_message(make: Callable[[], str]) -> str:
    """Return the HTML that `make` returns, or a message with its error."""
    try:
        return make()
    except RagError as error:
        return draw("said", {"heading": "That did not work", "text": str(error)})
