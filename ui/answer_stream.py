"""Answer a question of the page: views of the turn as it grows, then storage in the journal."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.errors import RagError
from rag.records import (
    Answer,
    Event,
    Finished,
    Notice,
    Preview,
    Scope,
    SourcesFound,
    Stage,
    Statement,
    citations_of,
)
from ui.service import Service
from ui.turns import TurnView

_LOG = logging.getLogger(__name__)
_STOPPED = "Stopped before the answer was finished."
_LEFT = "The page was closed before the answer was finished."
_HISTORY = 20  # the most recent turns that a question may refer to


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A question as the page sends it.

    `conversation` is "" for a new one, `number` the turn's position on the page. `again` is true
    if the question replaces that turn and all later ones. `run` is the page's id of this request,
    by which it can be stopped. `quotes` asks for quotations, without a language model.
    """

    user: str
    conversation: str
    number: int
    again: bool
    run: str
    question: str
    scope: Scope
    quotes: bool = False


def answering(service: Service, request: AskRequest) -> Iterator[tuple[str, TurnView]]:
    """Answer a question; yield the conversation's id and the turn each time that the turn changes.

    Errors are not raised; they become part of the turn.
    """
    view = TurnView(request.number, request.question, stage="asking")
    conversation = request.conversation
    try:
        service.limiter.take(request.user)
        earlier = _earlier(service, request)
        with (
            service.runs.running(request.user, request.run) as stop,
            service.queue.ticket() as ticket,
        ):
            for ahead in ticket.positions():
                if stop.is_set():
                    yield conversation, replace(view, stage="", notices=(_STOPPED,))
                    return
                yield conversation, replace(view, stage=_position(ahead))
            for state in _views(service, request, earlier, view, stop):
                view = state
                # The finished turn is shown only after it has been stored.
                if view.answer is None:
                    yield conversation, view
        conversation, view = _stored(service, request, view)
        yield conversation, view
        # Follow-up questions may need the language model: skip them if the reader stopped it.
        if view.answer and not stop.is_set() and (questions := follow_ups(service, view.answer)):
            yield conversation, replace(view, follow_ups=questions)
    except RagError as error:
        yield conversation, replace(view, stage="", error=str(error))
    except Exception as error:  # noqa: BLE001 (the page must report any error)
        _LOG.exception("a question could not be answered")
        message = f"internal error ({type(error).__name__}); see the server's log for details"
        yield conversation, replace(view, stage="", error=message)


def follow_ups(service: Service, answer: Answer, *, by_model: bool = True) -> tuple[str, ...]:
    """Return follow-up questions to an answer.

    None for a refusal, and none if they can't be made: that is logged, and the answer stays valid.
    """
    if answer.refusal:
        return ()
    try:
        return service.assistant.follow_ups(answer, by_model=by_model)
    except RagError as error:
        _LOG.warning("no follow-up questions can be offered: %s", error)
        return ()


def _earlier(service: Service, request: AskRequest) -> list[Answer]:
    """Return the latest answers before the question, oldest first."""
    if not request.conversation:
        return []
    turns = service.journal.turns(request.user, request.conversation)
    return [turn.answer for turn in turns if turn.number < request.number or not request.again][
        -_HISTORY:
    ]


def _views(
    service: Service,
    request: AskRequest,
    earlier: Sequence[Answer],
    view: TurnView,
    stop: threading.Event,
) -> Iterator[TurnView]:
    """Yield the turn after each event. The last view has an answer, even if it was stopped."""
    events = service.assistant.ask_stream(
        request.question, earlier, scope=request.scope, quotes=request.quotes
    )
    try:
        for event in events:
            if stop.is_set() and not isinstance(event, Finished):
                yield _unfinished(view, request, _STOPPED)
                return
            view = _after(event, view)
            yield view
    except GeneratorExit:
        # The page was closed: Gradio closes the generator. Store what was already written.
        if view.statements and view.answer is None:
            _stored(service, request, _unfinished(view, request, _LEFT))
        raise
    except RagError as error:
        # Sentences that were shown before the failure are kept.
        if not view.statements:
            raise
        yield _unfinished(view, request, f"The answer was interrupted: {error}")


def _after(event: Event, view: TurnView) -> TurnView:
    match event:
        case Stage(text):
            searched = f"searched {view.looked_at} papers, " if view.looked_at else ""
            return replace(view, stage=searched + text)
        case SourcesFound(hits, looked_at):
            return replace(
                view, hits=hits, looked_at=looked_at, stage=f"searched {looked_at} papers"
            )
        case Notice(text):
            return replace(view, notices=(*view.notices, text))
        case Preview(statement):
            return replace(view, preview=statement)
        case Statement():
            return replace(view, statements=(*view.statements, event), stage="writing and checking")
        case Finished(answer):
            return TurnView.from_answer(view.number, answer)
    return view


def _unfinished(view: TurnView, request: AskRequest, reason: str) -> TurnView:
    """Return the turn with an answer made of the sentences so far and a notice with the reason."""
    return TurnView.from_answer(
        view.number,
        Answer(
            question=request.question,
            standalone_question=request.question,
            text="\n".join(statement.marked for statement in view.statements),
            citations=citations_of(view.statements),
            hits=view.hits,
            looked_at=view.looked_at,
            notices=(*view.notices, reason),
            statements=view.statements,
            scope=request.scope,
        ),
    )


def _stored(service: Service, request: AskRequest, view: TurnView) -> tuple[str, TurnView]:
    """Store a finished turn in the journal; return the conversation's id and the turn.

    If it can't be stored, the turn gets a notice that says so.
    """
    if view.answer is None:
        return request.conversation, view
    try:
        conversation = request.conversation or service.journal.start(
            request.user, request.question[:120]
        )
        if request.again and request.conversation:
            service.journal.cut(request.user, conversation, request.number)
        number = service.journal.add(request.user, conversation, view.answer)
    except RagError as error:
        _LOG.warning("an answer was not saved: %s", error)
        return request.conversation, replace(
            view, notices=(*view.notices, f"This turn was not saved: {error}")
        )
    return conversation, replace(view, number=number)


def _position(ahead: int) -> str:
    questions = "1 question is" if ahead == 1 else f"{ahead} questions are"
    return f"{questions} ahead of yours in the queue"
