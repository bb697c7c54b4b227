"""The pages and their events.

Each event of the Ask page returns the parts that changed, by name. The scripts in static/ask_page/
insert them into the page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from rag.conversations.journal import KeptTurn
from rag.errors import InputError, NotFound, RagError
from rag.explore.overview import Overview
from rag.output.export import as_json, bibtex, markdown
from ui.answer_stream import AskRequest, answering, follow_ups
from ui.drawing import draw, script
from ui.evaluation import evaluation_page
from ui.event_data import EventValues, reader_id
from ui.library_page import library_page
from ui.map import map_page
from ui.page_layout import QUIET
from ui.service import Service
from ui.texts import shown
from ui.turns import TurnView, conversation_list, parts

HERE = Path(__file__).parent
_TOKEN = "ask-the-papers-reader"  # storage key and secret of the browser state
_SCRIPTS = ("page", "scope", "evidence", "conversations", "turns", "events")
_Handler = Callable[[Service, str, EventValues], dict[str, Any] | None]


def ask_page() -> gr.HTML:
    """Build the Ask page.

    The template never changes. The component's value holds the page's latest changes, by name.
    """
    return gr.HTML(
        value={},
        html_template=(HERE / "templates" / "ask_page.html").read_text(encoding="utf-8"),
        js_on_load=script(*(f"ask_page/{part}" for part in _SCRIPTS)),
        apply_default_css=False,
        elem_id="ask-page",
    )


def build(service: Service, *, local: bool) -> gr.Blocks:
    """Build the pages of one server; `local` means that it is reachable from its machine only."""
    blocks = gr.Blocks(title="Ask the papers", analytics_enabled=False, fill_width=True)
    with blocks:
        # By default, key and secret change at each start of the server. With fixed ones, readers
        # keep their conversations after a restart.
        token = gr.BrowserState(None, storage_key=_TOKEN, secret=_TOKEN)
        with gr.Tabs(elem_id="pages"):
            with gr.Tab("Ask"):
                page = ask_page()
            with gr.Tab("Library") as tab:
                library_page(service, local=local).opened_by(tab)
            with gr.Tab("Map") as tab:
                map_page(service).opened_by(tab)
            with gr.Tab("Evaluation") as tab:
                evaluation_page().opened_by(tab)
        _connect(service, blocks, page, token)
    return blocks


def _connect(service: Service, blocks: gr.Blocks, page: gr.HTML, token: gr.BrowserState) -> None:
    """Connect the Ask page's events with their handlers."""

    def hello(stored: str | None, request: gr.Request) -> tuple[str, dict[str, Any]]:
        # A short token could be guessed; it can only come from a request made by hand.
        if not isinstance(stored, str) or len(stored) < 16:
            stored = secrets.token_urlsafe(24)
        return stored, {
            "hello": _hello(service, request.username),
            "talks": _talks(service, reader_id(stored, request)),
        }

    # No limit: a reader can stop or rate an answer while a question is being answered.
    quiet = QUIET | {"trigger_mode": "multiple", "concurrency_limit": None}
    blocks.load(hello, [token], [token, page], **quiet)

    def on(name: str, handler: _Handler) -> None:
        def handle(stored: str | None, request: gr.Request, event: gr.EventData) -> dict[str, Any]:
            try:
                values = EventValues.from_event(event)
                return handler(service, reader_id(stored, request), values) or {}
            except RagError as error:
                return {"announce": str(error)}

        getattr(page, name)(handle, [token], [page], **quiet)

    def ask(
        stored: str | None, request: gr.Request, event: gr.EventData
    ) -> Iterator[dict[str, Any]]:
        user, values = reader_id(stored, request), EventValues.from_event(event)
        matching = values.text("matching")
        question = AskRequest(
            user=user,
            conversation=values.text("conversation"),
            number=values.number,
            again=values.flag("again") is True,
            run=values.text("run"),
            question=values.text("question"),
            scope=values.scope,
            quotes=values.flag("quotes") is True,
        )
        for conversation, view in answering(service, question):
            turn = parts(view) | {"conversation": conversation, "run": question.run}
            yield {"turn": turn} | (
                {} if view.stage else {"talks": _talks(service, user, matching)}
            )

    page.ask(ask, [token], [page], **quiet)
    for name, handler in _HANDLERS.items():
        on(name, handler)


# --- handlers of the page's events


def _stop(service: Service, user: str, values: EventValues) -> None:
    service.runs.stop(user, values.text("run"))


def _open(service: Service, user: str, values: EventValues) -> dict[str, Any]:
    conversation = values.text("conversation")
    turns = service.journal.turns(user, conversation)
    title = _title(service, user, conversation)
    views = [_view(turn) for turn in turns]
    if turns:
        # Only the latest turn offers follow-up questions; no model, so that it opens fast.
        questions = follow_ups(service, turns[-1].answer, by_model=False)
        views[-1] = replace(views[-1], follow_ups=questions)
    opened = {
        "conversation": conversation,
        "title": title,
        "turns": [parts(view) for view in views],
    }
    return {"open": opened, "talks": _talks(service, user, values.text("matching"))}


def _rename(service: Service, user: str, values: EventValues) -> dict[str, Any]:
    service.journal.rename(user, values.text("conversation"), values.text("title")[:200])
    return {"talks": _talks(service, user, values.text("matching"))}


def _delete(service: Service, user: str, values: EventValues) -> dict[str, Any]:
    service.journal.delete(user, values.text("conversation"))
    return {"talks": _talks(service, user, values.text("matching"))}


def _find(service: Service, user: str, values: EventValues) -> dict[str, Any]:
    return {"talks": _talks(service, user, values.text("matching"))}


def _judge(service: Service, user: str, values: EventValues) -> None:
    rating, comment = values.flag("good"), values.text("word")[:500]
    service.journal.judge(user, values.text("conversation"), values.number, rating, comment)


def _export(service: Service, user: str, values: EventValues) -> dict[str, Any]:
    conversation = values.text("conversation")
    turns = service.journal.turns(user, conversation)
    name = "conversation"
    # Without a number, the whole conversation is exported.
    if values.values.get("number") is not None:
        turns = tuple(turn for turn in turns if turn.number == values.number)
        name = "answer"
    if not turns:
        raise InputError("there is no answer to export yet")
    match kind := values.text("kind"):
        case "md":
            text = markdown(
                [turn.answer for turn in turns],
                "" if name == "answer" else _title(service, user, conversation),
            )
        case "bib":
            cited = {hit.paper.id: hit.paper for turn in turns for hit in turn.answer.sources}
            text = bibtex(list(cited.values()))
        case "json":
            text = as_json(turns)
        case _:
            raise InputError(f"unknown format {kind!r}; use md, bib or json")
    return {"download": {"name": f"{name}.{kind}", "text": text}}


def _similar(service: Service, _user: str, values: EventValues) -> dict[str, Any]:
    paper_id = values.text("paper")
    return {
        "similar": {
            "paper": paper_id,
            "html": draw("similar", {"hits": service.assistant.similar(paper_id)}),
        }
    }


def _titles(service: Service, _user: str, values: EventValues) -> dict[str, Any]:
    """Return papers' titles as HTML, by id; None for papers that are no longer in the library."""
    ids = values.texts("papers")
    return {"titles": {paper_id: _title_of(service, paper_id) for paper_id in ids}}


_HANDLERS: dict[str, _Handler] = {
    "stop": _stop,
    "open": _open,
    "rename": _rename,
    "delete": _delete,
    "find": _find,
    "judge": _judge,
    "export": _export,
    "similar": _similar,
    "titles": _titles,
}


# --- parts of the page


def _hello(service: Service, user: str | None) -> dict[str, Any]:
    overview: Overview | None = None
    suggestions: tuple[str, ...] = ()
    problem = ""
    try:
        overview = service.assistant.overview()
        suggestions = service.assistant.suggestions() if overview.papers else ()
    except RagError as error:
        problem = str(error)
    about = {"overview": overview, "suggestions": suggestions, "problem": problem}
    html = draw("welcome", {**about, "profile": _profile(service.assistant.config)})
    return {
        "html": html,
        "user": user,
        "sources": list(overview.sources) if overview else [],
        "organisations": list(overview.organisations) if overview else [],
        "writes": service.assistant.config.writes,
    }


def _profile(config: Any) -> str:
    if not config.writes:
        return (
            f"Profile {config.profile}: answers are sentences quoted from the papers, selected "
            "without a language model. No data leaves this machine."
        )
    where = "on this machine" if config.llm.engine == "llama.cpp" else "by a server"
    return (
        f"Profile {config.profile}: answers are written by {config.llm.model}, {where}, "
        "and each sentence is checked against the papers."
    )


def _title_of(service: Service, paper_id: str) -> str | None:
    try:
        return str(shown(service.assistant.paper(paper_id).title))
    except NotFound:
        return None


def _title(service: Service, user: str, conversation: str) -> str:
    titles = {known.id: known.title for known in service.journal.conversations(user)}
    return titles.get(conversation, "")


def _talks(service: Service, user: str, matching: str = "") -> str:
    try:
        return conversation_list(service.journal.conversations(user, matching), matching)
    except RagError as error:
        return conversation_list((), matching, problem=str(error))


def _view(turn: KeptTurn) -> TurnView:
    return TurnView.from_answer(turn.number, turn.answer, turn.good, turn.word)
