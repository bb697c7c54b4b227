"""The ask path: question and history -> query -> hits -> answer, as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

from rag.answer import (
    Pipeline,
    Reply,
    Synthesizer,
    abstracts_reply,
    comparison_reply,
    metadata_reply,
    overview_reply,
    refusal_text,
)
from rag.config import Config
from rag.conversations.numbering import Numbering
from rag.library import Library
from rag.prompts import fill
from rag.query import QuestionReader, Reader, checked_question
from rag.query.named_papers import unmentioned
from rag.records import (
    NAMED_PAPERS,
    Answer,
    Event,
    Filter,
    Finished,
    Hit,
    Intent,
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
        reply = self._reply(query, scope, candidate_ids)
        notices = [*query.notices]
        if query.language and query.metadata.topic:  # else no text was searched
            reply, notice = _in_a_foreign_language(reply, query.language)
            notices += notice
        if reply.refusal is None:
            topic = query.metadata.topic
            notices += [f"No paper mentions “{name}”." for name in unmentioned(self.library, topic)]
        yield from map(Notice, notices)
        found = time.perf_counter()
        yield SourcesFound(reply.hits[: self.config.search.hits], reply.looked_at)
        if reply.refusal is None:
            yield Stage("reading")
        progress, numbering = (
            Progress(notices, reply.refusal, reply.answerability),
            Numbering(history),
        )
        for event in reply.said:
            numbered = numbering.numbered(event) if isinstance(event, Statement) else event
            progress.add(numbered)
            yield numbered
        yield Finished(self._answer(query, scope, reply, progress, _timings(started, found)))

    def _candidates(self, query: Query, scope: Scope) -> frozenset[str] | None:
        """Return the papers that question and scope leave; None where they restrict nothing."""
        candidates = within(self.library.catalog, scope)
        if not query.papers:
            return candidates
        # A paper of an earlier answer may have left the library since.
        meant = frozenset(self.library.catalog.papers(query.paper_ids))
        return meant if candidates is None else candidates & meant

    def _reply(self, query: Query, scope: Scope, candidate_ids: frozenset[str] | None) -> Reply:
        pipeline = Pipeline(self.searcher, self.synthesizer, self.config)
        if query.intent is Intent.GREETING:
            return Reply((), 0, refusal="no question was asked", answerability=0.0)
        if query.missing:
            reason = f"no paper of this library has the id {query.missing}"
            return Reply((), self.library.catalog.count(), refusal=reason, answerability=0.0)
        if candidate_ids is not None and not candidate_ids:
            limits = ", ".join([*scope.filters, *filter(None, [query.papers_in_words])])
            reason = f"no paper of the library is within the scope ({limits})"
            return Reply((), 0, refusal=reason, answerability=0.0)
        if query.intent is Intent.OVERVIEW:
            return overview_reply(pipeline, candidate_ids)
        if query.intent is Intent.METADATA:
            return metadata_reply(pipeline, query, candidate_ids)
        named = set(query.paper_ids) & (candidate_ids or frozenset())
        if len(named) > 1 and query.compared:
            return comparison_reply(pipeline, query, named)
        return abstracts_reply(pipeline, query, candidate_ids)

    def _answer(
        self,
        query: Query,
        scope: Scope,
        reply: Reply,
        progress: Progress,
        timings: dict[str, float],
    ) -> Answer:
        """Return all that was said, as one record."""
        citations = progress.citations
        cited = {citation.paper_id for citation in citations}
        settled = cited | {paper.paper_id for paper in progress.excluded}
        refusal, text = progress.refusal, progress.text
        if refusal:
            text = refusal_text(refusal, reply.hits)
        if query.intent is Intent.GREETING:
            text = fill("greeting", papers=self.library.catalog.count())
        named = [Filter(NAMED_PAPERS, query.papers_in_words)] if query.papers_in_words else []
        return Answer(
            question=query.text,
            standalone_question=query.shown,
            text=text,
            citations=citations,
            hits=_kept(reply.hits, cited, self.config.search.hits),
            applied_filters=(*named, *reply.filters),
            refusal=refusal,
            answerability=progress.answerability,
            looked_at=reply.looked_at,
            notices=tuple(progress.notices),
            near_misses=()
            if refusal
            else tuple(hit for hit in reply.near_misses if hit.paper.id not in settled),
            usage=timings | progress.counts,
            config=self.config.fingerprint,
            made_by=progress.made_by,
            statements=() if refusal else tuple(progress.statements),
            scope=scope,
            # If the model failed after its screening, quotations may come from any paper.
            excluded=tuple(paper for paper in progress.excluded if paper.paper_id not in cited),
            intent=query.intent,
        )


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


def _in_a_foreign_language(reply: Reply, code: str) -> tuple[Reply, list[str]]:
    """Return an answer with a warning, or a refusal that gives the true reason."""
    unread = f"the question seems to be in another language ({code})"
    unread += ", and the embedder reads English only"
    if reply.refusal is None:
        found = "papers were found by names and words that they share with it."
        return reply, [f"{unread[0].upper()}{unread[1:]}: {found}"]
    fix = "ask in English, or set embedder.kind to a model that reads the language"
    return replace(reply, refusal=f"{unread}; {fix}"), []


def _timings(started: float, found: float) -> dict[str, float]:
    """Return milliseconds of the search, of the answer, and of both."""
    now = time.perf_counter()
    laps = {"search_ms": found - started, "answer_ms": now - found, "total_ms": now - started}
    return {name: round(1000 * seconds, 1) for name, seconds in laps.items()}


def _kept(hits: Sequence[Hit], cited: Set[str], k: int) -> tuple[Hit, ...]:
    """Return the first `k` hits and, beyond them, those that the answer cites."""
    return tuple(hit for hit in hits if hit.rank <= k or hit.paper.id in cited)
