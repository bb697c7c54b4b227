"""A question from the page becomes a turn that is drawn while it is answered, and kept in the journal."""

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
from ui.turns import Drawn

_LOG = logging.getLogger(__name__)
_STOPPED = "Stopped before the answer was finished."
_LEFT = "The page was left before the answer was finished."
_HISTORY = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the page sends it.

    `conversation` is "" for a new one; `number` is the turn's place on the page; `again` says that it is asked anew, in
    place of that turn and those after it; `run` names this asking, so that it can be stopped.
    """

    user: str
    conversation: str
    number: int
    again: bool
    run: str
    question: str
    scope: Scope
    quotes: bool = False


def answering(service: Service, asked: Asked) -> Iterator[tuple[str, Drawn]]:
    """The conversation and the turn, each time that there is more to see; errors are shown in the turn."""
    drawn = Drawn(asked.number, asked.question, stage="asking")
    conversation = asked.conversation
    try:
        service.pace.take(asked.user)
        earlier = _earlier(service, asked)
        with service.runs.going(asked.user, asked.run) as stop, service.line.ticket() as ticket:
            for before in ticket.places():
                if stop.is_set():
                    yield conversation, replace(drawn, stage="", notices=(_STOPPED,))
                    return
                yield conversation, replace(drawn, stage=_place(before))
            for state in _drawing(service, asked, earlier, drawn, stop):
                drawn = state
                if drawn.answer is None:
                    yield conversation, drawn
        conversation, drawn = _kept(service, asked, drawn)
        yield conversation, drawn
        # Who has stopped an answer wants no more of it, and a language model may be asked for what follows.
        if drawn.answer and not stop.is_set() and (questions := follow_ups(service, drawn.answer)):
            yield conversation, replace(drawn, follow_ups=questions)
    except RagError as error:
        yield conversation, replace(drawn, stage="", error=str(error))
    except Exception as error:  # noqa: BLE001 (the page must say so, whatever it is)
        _LOG.exception("a question could not be answered")
        words = (
            f"something went wrong here ({type(error).__name__}); the server's log has the details"
        )
        yield conversation, replace(drawn, stage="", error=words)


def follow_ups(service: Service, answer: Answer, *, by_model: bool = True) -> tuple[str, ...]:
    """Questions that go on from an answer; none where they can't be had, which is no fault of the answer's."""
    if answer.refusal:
        return ()
    try:
        return service.assistant.follow_ups(answer, by_model=by_model)
    except RagError as error:
        _LOG.warning("no questions can be offered that go on from an answer: %s", error)
        return ()


def _earlier(service: Service, asked: Asked) -> list[Answer]:
    if not asked.conversation:
        return []
    turns = service.journal.turns(asked.user, asked.conversation)
    return [turn.answer for turn in turns if turn.number < asked.number or not asked.again][
        -_HISTORY:
    ]


def _drawing(
    service: Service, asked: Asked, earlier: Sequence[Answer], drawn: Drawn, stop: threading.Event
) -> Iterator[Drawn]:
    """The turn after each event; the last one has an answer, if only what was said until it was stopped."""
    events = service.assistant.ask_stream(
        asked.question, earlier, scope=asked.scope, quotes=asked.quotes
    )
    try:
        for event in events:
            if stop.is_set() and not isinstance(event, Finished):
                yield _broken_off(drawn, asked, _STOPPED)
                return
            drawn = _after(event, drawn)
            yield drawn
    except GeneratorExit:
        if drawn.said and drawn.answer is None:
            _kept(service, asked, _broken_off(drawn, asked, _LEFT))
        raise
    except RagError as error:
        # What was said before the failure stays.
        if not drawn.said:
            raise
        yield _broken_off(drawn, asked, f"The answer broke off: {error}")


def _after(event: Event, drawn: Drawn) -> Drawn:
    match event:
        case Stage(text):
            looked = f"searched {drawn.looked_at} papers, " if drawn.looked_at else ""
            return replace(drawn, stage=looked + text)
        case SourcesFound(hits, looked_at):
            return replace(
                drawn, hits=hits, looked_at=looked_at, stage=f"searched {looked_at} papers"
            )
        case Notice(text):
            return replace(drawn, notices=(*drawn.notices, text))
        case Preview(statement):
            return replace(drawn, preview=statement)
        case Statement():
            return replace(drawn, said=(*drawn.said, event), stage="writing and checking")
        case Finished(answer):
            return Drawn.of(drawn.number, answer)
    return drawn


def _broken_off(drawn: Drawn, asked: Asked, why: str) -> Drawn:
    return Drawn.of(
        drawn.number,
        Answer(
            question=asked.question,
            standalone_question=asked.question,
            text="\n".join(one.marked for one in drawn.said),
            citations=citations_of(drawn.said),
            hits=drawn.hits,
            looked_at=drawn.looked_at,
            notices=(*drawn.notices, why),
            statements=drawn.said,
            scope=asked.scope,
        ),
    )


def _kept(service: Service, asked: Asked, drawn: Drawn) -> tuple[str, Drawn]:
    """The answer is in the journal before it is shown as finished; where that fails, the turn says so."""
    if drawn.answer is None:
        return asked.conversation, drawn
    try:
        conversation = asked.conversation or service.journal.start(asked.user, asked.question[:120])
        if asked.again and asked.conversation:
            service.journal.cut(asked.user, conversation, asked.number)
        number = service.journal.add(asked.user, conversation, drawn.answer)
    except RagError as error:
        _LOG.warning("an answer was not kept: %s", error)
        return asked.conversation, replace(
            drawn, notices=(*drawn.notices, f"This turn is not kept: {error}")
        )
    return conversation, replace(drawn, number=number)


def _place(before: int) -> str:
    return "1 question is before yours" if before == 1 else f"{before} questions are before yours"
