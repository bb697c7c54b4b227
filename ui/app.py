"""The pages and their events: each event of the Ask page returns what has changed, which static/ask_page/ puts in."""

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
from ui.answer_stream import Asked, answering, follow_ups
from ui.drawing import draw, script
from ui.evaluation import evaluation_page
from ui.event_data import Sent, reader
from ui.library_page import library_page
from ui.map import map_page
from ui.page_layout import QUIET
from ui.service import Service
from ui.texts import shown
from ui.turns import Drawn, conversation_list, parts

HERE = Path(__file__).parent
_TOKEN = "ask-the-papers-reader"
_SCRIPTS = ("page", "scope", "evidence", "conversations", "turns", "events")
_Act = Callable[[Service, str, Sent], dict[str, Any] | None]


def ask_page() -> gr.HTML:
    """The Ask page. Its value is what the page shall take up next, by name; its template never changes."""
    return gr.HTML(
        value={},
        html_template=(HERE / "templates" / "desk.html").read_text(encoding="utf-8"),
        js_on_load=script(*(f"ask_page/{part}" for part in _SCRIPTS)),
        apply_default_css=False,
        elem_id="desk",
    )


def build(service: Service, *, local: bool) -> gr.Blocks:
    """The pages of one server; `local` says that only readers at its own machine reach it."""
    blocks = gr.Blocks(title="Ask the papers", analytics_enabled=False, fill_width=True)
    with blocks:
        # A fixed key and secret: a reader is known again after the server has been restarted.
        token = gr.BrowserState(None, storage_key=_TOKEN, secret=_TOKEN)
        with gr.Tabs(elem_id="pages"):
            with gr.Tab("Ask"):
                desk = ask_page()
            with gr.Tab("Library") as tab:
                library_page(service, local=local).opened_by(tab)
            with gr.Tab("Map") as tab:
                map_page(service).opened_by(tab)
            with gr.Tab("Evaluation") as tab:
                evaluation_page().opened_by(tab)
        _wire(service, blocks, desk, token)
    return blocks


def _wire(service: Service, blocks: gr.Blocks, desk: gr.HTML, token: gr.BrowserState) -> None:
    def hello(given: str | None, request: gr.Request) -> tuple[str, dict[str, Any]]:
        known = given if isinstance(given, str) and len(given) >= 16 else secrets.token_urlsafe(24)
        return known, {
            "hello": _hello(service, request.username),
            "talks": _talks(service, reader(known, request)),
        }

    # A reader may stop a question, or judge an earlier answer, while one is answered.
    quiet = QUIET | {"trigger_mode": "multiple", "concurrency_limit": None}
    blocks.load(hello, [token], [token, desk], **quiet)

    def on(name: str, act: _Act) -> None:
        def handle(given: str | None, request: gr.Request, event: gr.EventData) -> dict[str, Any]:
            try:
                return act(service, reader(given, request), Sent.by(event)) or {}
            except RagError as error:
                return {"tell": str(error)}

        getattr(desk, name)(handle, [token], [desk], **quiet)

    def ask(
        given: str | None, request: gr.Request, event: gr.EventData
    ) -> Iterator[dict[str, Any]]:
        user, sent = reader(given, request), Sent.by(event)
        matching = sent.text("matching")
        asked = Asked(
            user=user,
            conversation=sent.text("conversation"),
            number=sent.number,
            again=sent.flag("again") is True,
            run=sent.text("run"),
            question=sent.text("question"),
            scope=sent.scope,
            quotes=sent.flag("quotes") is True,
        )
        for conversation, drawn in answering(service, asked):
            turn = parts(drawn) | {"conversation": conversation, "run": asked.run}
            yield {"turn": turn} | (
                {} if drawn.stage else {"talks": _talks(service, user, matching)}
            )

    desk.ask(ask, [token], [desk], **quiet)
    for name, act in _ACTS.items():
        on(name, act)


# --- what the page asks for


def _stop(service: Service, user: str, sent: Sent) -> None:
    service.runs.stop(user, sent.text("run"))


def _open(service: Service, user: str, sent: Sent) -> dict[str, Any]:
    conversation = sent.text("conversation")
    turns = service.journal.turns(user, conversation)
    title = _title(service, user, conversation)
    drawn = [parts(_drawn(turn)) for turn in turns[:-1]]
    drawn += [
        parts(replace(_drawn(turn), follow_ups=follow_ups(service, turn.answer, by_model=False)))
        for turn in turns[-1:]
    ]
    opened = {"conversation": conversation, "title": title, "turns": drawn}
    return {"open": opened, "talks": _talks(service, user, sent.text("matching"))}


def _rename(service: Service, user: str, sent: Sent) -> dict[str, Any]:
    service.journal.rename(user, sent.text("conversation"), sent.text("title")[:200])
    return {"talks": _talks(service, user, sent.text("matching"))}


def _delete(service: Service, user: str, sent: Sent) -> dict[str, Any]:
    service.journal.delete(user, sent.text("conversation"))
    return {"talks": _talks(service, user, sent.text("matching"))}


def _find(service: Service, user: str, sent: Sent) -> dict[str, Any]:
    return {"talks": _talks(service, user, sent.text("matching"))}


def _judge(service: Service, user: str, sent: Sent) -> None:
    judged = sent.flag("good"), sent.text("word")[:500]
    service.journal.judge(user, sent.text("conversation"), sent.number, *judged)


def _export(service: Service, user: str, sent: Sent) -> dict[str, Any]:
    conversation = sent.text("conversation")
    turns = service.journal.turns(user, conversation)
    name = "conversation"
    if sent.values.get("number") is not None:
        turns = tuple(turn for turn in turns if turn.number == sent.number)
        name = "answer"
    if not turns:
        raise InputError("there is no answer to export yet")
    match kind := sent.text("kind"):
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
            raise InputError(f"the format {kind!r} is none of md, bib and json")
    return {"download": {"name": f"{name}.{kind}", "text": text}}


def _similar(service: Service, _user: str, sent: Sent) -> dict[str, Any]:
    paper = sent.text("paper")
    return {
        "similar": {
            "paper": paper,
            "html": draw("similar", {"hits": service.assistant.similar(paper)}),
        }
    }


def _titles(service: Service, _user: str, sent: Sent) -> dict[str, Any]:
    """The titles of papers as HTML, None for those that have left the library."""
    return {"titles": {paper: _title_of(service, paper) for paper in sent.texts("papers")}}


_ACTS: dict[str, _Act] = {
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


# --- what it is answered with


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
            f"Profile {config.profile}: answers are the papers' own sentences, chosen without a language model. "
            "Nothing leaves this machine."
        )
    where = "on this machine" if config.llm.engine == "llama.cpp" else "by a server"
    return (
        f"Profile {config.profile}: answers are written by {config.llm.model}, {where}, "
        "and each sentence is checked against the papers."
    )


def _title_of(service: Service, paper: str) -> str | None:
    try:
        return str(shown(service.assistant.paper(paper).title))
    except NotFound:
        return None


def _title(service: Service, user: str, conversation: str) -> str:
    return next(
        (one.title for one in service.journal.conversations(user) if one.id == conversation), ""
    )


def _talks(service: Service, user: str, matching: str = "") -> str:
    try:
        return conversation_list(service.journal.conversations(user, matching), matching)
    except RagError as error:
        return conversation_list((), matching, problem=str(error))


def _drawn(turn: KeptTurn) -> Drawn:
    return Drawn.of(turn.number, turn.answer, turn.good, turn.word)
