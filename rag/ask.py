"""The ask path: question and history -> standalone question -> hits -> answer, as a stream of events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer import Reply, Synthesizer, catalog_reply, refusal_text, text_reply
from rag.config import Config
from rag.conversation import Standalone, stand_alone
from rag.errors import InputError
from rag.library import Library
from rag.models import Embedder
from rag.records import (
    Answer,
    CatalogQuery,
    Citation,
    Declined,
    Event,
    Finished,
    Hit,
    Notice,
    Scope,
    SourcesFound,
    Stage,
    Statement,
    Turn,
    Written,
)
from rag.search import foreign, misspelt, understand, within, without_instructions

_EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Asker:
    """The wired parts that answer questions."""

    library: Library
    embedder: Embedder
    synthesizer: Synthesizer
    config: Config

    def stream(
        self, question: str, history: Sequence[Turn] = (), *, filters: bool = True, scope: Scope = _EVERYTHING
    ) -> Iterator[Event]:
        """Answer as events; the last one is `Finished`.

        `filters` lets the question narrow the papers ("from 2023"); without, all its words are searched for. `scope`
        narrows them further. Raises InputError, LibraryError, ModelError.
        """
        started = time.perf_counter()
        asked = checked_question(question, self.config.answer.max_question_characters)
        sought, notices = _without_orders(asked)
        standalone = stand_alone(sought, history, self.config.answer.max_question_characters)
        if not filters or standalone.scope in scope.without:
            standalone = replace(standalone, papers=(), scope=None)
        among = self._among(standalone, scope)
        yield Stage(f"searching {self.library.catalog.count() if among is None else len(among)} papers")
        language = foreign(self.library, sought) if self.config.embedder.english_only else None
        if language is None:
            standalone, corrected = self._spelt(standalone)
            notices += corrected
        reply = self._reply(standalone, scope, among, filters=filters)
        if language:
            reply, told = _in_a_foreign_language(reply, language)
            notices += told
        yield from map(Notice, notices)
        found = time.perf_counter()
        yield SourcesFound(reply.hits[: self.config.search.hits], reply.looked_at)
        if reply.refusal is None:
            yield Stage("reading")
        said: list[Statement] = []
        refusal, made_by, counts = reply.refusal, "", {}
        for event in reply.said:
            match event:
                case Statement():
                    said.append(event)
                case Notice(text):
                    notices.append(text)
                case Declined(reason):
                    refusal = reason
                case Written():
                    made_by, counts = f"{event.model}, prompts {event.prompts}", _counts(event)
            yield event
        # A statement on several papers shares the marks of those on each.
        citations = {one.mark: one for statement in reversed(said) for one in statement.citations}
        yield Finished(
            Answer(
                question=asked,
                standalone_question=standalone.shown,
                text=refusal_text(refusal, reply.hits) if refusal else "\n".join(one.marked for one in said),
                citations=tuple(citations[mark] for mark in sorted(citations)),
                hits=_kept(reply.hits, citations.values(), self.config.search.hits),
                filters=(*([standalone.scope] if standalone.scope else []), *reply.filters),
                refusal=refusal,
                told=reply.told,
                looked_at=reply.looked_at,
                notices=tuple(notices),
                perhaps=() if refusal else reply.perhaps,
                usage=_timings(started, found) | counts,
                config=self.config.fingerprint,
                made_by=made_by,
                statements=() if refusal else tuple(said),
                scope=scope,
            )
        )

    def _spelt(self, standalone: Standalone) -> tuple[Standalone, list[str]]:
        """The question with misspelt words corrected, and which."""
        notices = []
        for word, meant in misspelt(self.library, self.embedder, standalone.asked):
            standalone = standalone.corrected(word, meant)
            notices.append(f"“{word}” is in no paper and was read as “{meant}”.")
        return standalone, notices

    def _among(self, standalone: Standalone, scope: Scope) -> frozenset[str] | None:
        """The papers that the conversation and the scope leave; None where they restrict nothing."""
        among = within(self.library.catalog, scope)
        if not standalone.papers:
            return among
        return frozenset(standalone.papers) if among is None else among.intersection(standalone.papers)

    def _reply(self, standalone: Standalone, scope: Scope, among: frozenset[str] | None, *, filters: bool) -> Reply:
        if among is not None and not among:
            met = ", ".join([*scope.filters, *([standalone.scope] if standalone.scope else [])])
            return Reply((), 0, refusal=f"no paper of the library is within the scope ({met})", told=0.0)
        query = self._understood(standalone) if filters else CatalogQuery(standalone.asked)
        if query:
            # A scope of chosen papers says which are meant where the question names none.
            pointed = bool(standalone.papers or (scope.papers and not query.topic))
            left = query.less(scope.without)
            return catalog_reply(
                self.library, self.embedder, self.synthesizer, left, self.config, among, pointed=pointed
            )
        return text_reply(self.library, self.embedder, self.synthesizer, standalone.asked, self.config, among)

    def _understood(self, standalone: Standalone) -> CatalogQuery:
        query = understand(standalone.asked, self.library.catalog.organisations)
        # "And when was it published?" asks for a fact of what the earlier turns were about.
        if query.asked and not query.topic and not query.filters and standalone.topic:
            return replace(query, topic=standalone.topic)
        return query


def _without_orders(asked: str) -> tuple[str, list[str]]:
    """The question without instructions to the assistant, and what is said of them."""
    sought, orders = without_instructions(asked)
    return sought, [f"Instructions in the question were not followed: “{' '.join(orders)}”."] if orders else []


def _in_a_foreign_language(reply: Reply, code: str) -> tuple[Reply, list[str]]:
    """An answer with a warning, or a refusal that tells the true reason."""
    unread = f"the question seems to be in another language ({code}), and the embedder reads English only"
    if reply.refusal is None:
        return reply, [
            f"{unread[0].upper()}{unread[1:]}: papers were found by names and words that they share with it."
        ]
    mend = "ask in English, or set embedder.kind to a model that reads the language"
    return replace(reply, refusal=f"{unread}; {mend}"), []


def _timings(started: float, found: float) -> dict[str, float]:
    """Milliseconds of the search, of the answer, and of both."""
    now = time.perf_counter()
    laps = {"search_ms": found - started, "answer_ms": now - found, "total_ms": now - started}
    return {name: round(1000 * seconds, 1) for name, seconds in laps.items()}


def _counts(written: Written) -> dict[str, float]:
    """The server's counts of tokens, where it told them."""
    counts = {"prompt_tokens": written.prompt_tokens, "completion_tokens": written.completion_tokens}
    return {name: number for name, number in counts.items() if number is not None}


def ask(
    asker: Asker, question: str, history: Sequence[Turn] = (), *, filters: bool = True, scope: Scope = _EVERYTHING
) -> Answer:
    """The answer at the end of the stream."""
    for event in asker.stream(question, history, filters=filters, scope=scope):
        if isinstance(event, Finished):
            return event.answer
    raise AssertionError("the stream ends with Finished")


def checked_question(question: str, longest: int) -> str:
    """The question without white space around it. Raises InputError for an empty or an overlong one."""
    asked = question.strip()
    if not asked:
        raise InputError("the question is empty; ask something such as: which papers study density ratios in RL?")
    if len(asked) > longest:
        raise InputError(f"the question has {len(asked):,} characters; at most {longest:,} are read, so shorten it")
    # A lone surrogate can be neither embedded nor printed.
    return asked.encode("utf-8", "replace").decode("utf-8")


def _kept(hits: Sequence[Hit], citations: Iterable[Citation], k: int) -> tuple[Hit, ...]:
    """The first `k` hits and, beyond them, those that the answer cites."""
    cited = {citation.paper_id for citation in citations}
    return tuple(hit for hit in hits if hit.rank <= k or hit.paper.id in cited)
