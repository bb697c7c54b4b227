"""The ask path: question and history -> query -> hits -> answer, as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answer import Pipeline, Synthesizer, assembled, in_a_foreign_language, reply_to
from rag.config import Config
from rag.conversations.numbering import Numbering
from rag.library import Library
from rag.query import QuestionReader, Reader, checked_question
from rag.query.named_papers import unmentioned
from rag.records import (
    Answer,
    Event,
    Finished,
    Notice,
    Progress,
    Query,
    Scope,
    SourcesFound,
    Stage,
    Statement,
    Turn,
)
from rag.search import Searcher, within

_EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Asker:
    """The wired parts that answer questions."""

    searcher: Searcher
    synthesizer: Synthesizer
    config: Config
    reader: Reader | None = None  # a language model that reads questions; without it rules do

    @property
    def library(self) -> Library:
        """The library that is asked."""
        return self.searcher.library

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        *,
        filters: bool = True,
        scope: Scope = _EVERYTHING,
    ) -> Iterator[Event]:
        """Answer as events; the last one is `Finished`.

        `filters` lets the question narrow the papers ("from 2023"); without, all its words are
        searched for. `scope` narrows them further. Raises InputError, LibraryError, ModelError.
        """
        started = time.perf_counter()
        asked = checked_question(question, self.config.answer.max_question_characters)
        if self.reader and history:
            yield Stage("reading the question")
        reader = QuestionReader(self.library, self.searcher.embedder, self.config, self.reader)
        query = reader.read(asked, history, scope, filters=filters)
        candidate_ids = self._candidates(query, scope)
        number = self.library.catalog.count() if candidate_ids is None else len(candidate_ids)
        yield Stage(f"searching {number} papers")
        pipeline = Pipeline(self.searcher, self.synthesizer, self.config)
        reply = reply_to(pipeline, query, scope, candidate_ids)
        notices = [*query.notices]
        if query.language and query.metadata.topic:  # else no text was searched
            reply, notice = in_a_foreign_language(reply, query.language)
            notices += notice
        if reply.refusal is None:
            topic = query.metadata.topic
            notices += [f"No paper mentions “{name}”." for name in unmentioned(self.library, topic)]
        yield from map(Notice, notices)
        found = time.perf_counter()
        yield SourcesFound(reply.hits[: self.config.search.hits], reply.looked_at)
        if reply.refusal is None:
            yield Stage("reading")
        progress = Progress(notices, reply.refusal, reply.answerability)
        numbering = Numbering(history)
        for event in reply.said:
            numbered = numbering.numbered(event) if isinstance(event, Statement) else event
            progress.add(numbered)
            yield numbered
        timings = _timings(started, found)
        yield Finished(assembled(pipeline, query, scope, reply, progress, timings))

    def _candidates(self, query: Query, scope: Scope) -> frozenset[str] | None:
        """Return the papers that question and scope leave; None where they restrict nothing."""
        candidates = within(self.library.catalog, scope)
        if not query.papers:
            return candidates
        # A paper of an earlier answer may have left the library since.
        meant = frozenset(self.library.catalog.papers(query.paper_ids))
        return meant if candidates is None else candidates & meant


def ask(
    asker: Asker,
    question: str,
    history: Sequence[Turn] = (),
    *,
    filters: bool = True,
    scope: Scope = _EVERYTHING,
) -> Answer:
    """Return the answer at the end of the stream."""
    for event in asker.stream(question, history, filters=filters, scope=scope):
        if isinstance(event, Finished):
            return event.answer
    raise AssertionError("the stream ends with Finished")


def _timings(started: float, found: float) -> dict[str, float]:
    """Return milliseconds of the search, of the answer, and of both."""
    now = time.perf_counter()
    laps = {"search_ms": found - started, "answer_ms": now - found, "total_ms": now - started}
    return {name: round(1000 * seconds, 1) for name, seconds in laps.items()}
