"""The ask path: question and history -> standalone question -> hits -> answer, as a stream of events."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from rag.answer import (
    Reply,
    Synthesizer,
    beside_reply,
    catalog_reply,
    refusal_text,
    text_reply,
    without_names,
)
from rag.config import Config
from rag.conversations.numbering import Numbering
from rag.errors import InputError, LLMError
from rag.library import Library
from rag.query import (
    asks_for_papers,
    asks_to_compare,
    asks_which,
    foreign,
    misspelt,
    named,
    side_by_side,
    understand_after,
    unmentioned,
    without_instructions,
)
from rag.query.by_model import Reader
from rag.query.follow_up import Standalone, stand_alone
from rag.records import (
    Answer,
    CatalogQuery,
    Declined,
    Event,
    Excluded,
    Finished,
    Hit,
    Judged,
    Notice,
    Said,
    Scope,
    SourcesFound,
    Stage,
    Statement,
    Turn,
    Written,
    citations_of,
)
from rag.search import Searcher, within

log = logging.getLogger(__name__)

_EVERYTHING = Scope()


@dataclass(slots=True)
class _SoFar:
    """What has been said so far."""

    notices: list[str]
    refusal: str | None
    answerability: float
    said: list[Statement] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    made_by: str = ""
    counts: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "\n".join(one.marked for one in self.said)

    def take(self, event: Said) -> None:
        match event:
            case Statement():
                self.said.append(event)
            case Notice(text):
                self.notices.append(text)
            case Excluded():
                self.excluded.append(event)
            case Declined(reason):
                self.refusal = reason
            case Judged(answerability, calibrated, yes):
                self.answerability = answerability
                self.counts |= {"calibrated_answerability": calibrated, "model_yes": yes}
            case Written():
                self.made_by = f"{event.model}, prompts {event.prompts}, form {event.form}"
                for name, number in _counts(event).items():
                    # The time to the first token is that of the first request.
                    first = name == "first_token_ms" and name in self.counts
                    self.counts[name] = (
                        self.counts[name] if first else self.counts.get(name, 0) + number
                    )


@dataclass(frozen=True, slots=True)
class Asker:
    """The wired parts that answer questions."""

    searcher: Searcher
    synthesizer: Synthesizer
    config: Config
    reader: Reader | None = (
        None  # a language model that reads questions; rules do where there is none
    )

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

        `filters` lets the question narrow the papers ("from 2023"); without, all its words are searched for. `scope`
        narrows them further. Raises InputError, LibraryError, ModelError.
        """
        started = time.perf_counter()
        asked = checked_question(question, self.config.answer.max_question_characters)
        sought, notices = _without_orders(asked)
        if self.reader and history:
            yield Stage("reading the question")
        standalone, degraded = self._standing_alone(sought, history)
        notices += degraded
        standalone = self._side_by_side(standalone)
        if not filters or standalone.scope in scope.without:
            standalone = standalone.unrestricted()
        among = self._among(standalone, scope)
        yield Stage(
            f"searching {self.library.catalog.count() if among is None else len(among)} papers"
        )
        language = foreign(self.library, sought) if self.config.embedder.english_only else None
        if language is None:
            standalone, corrected = self._spelt(standalone)
            notices += corrected
        query, degraded = (
            self._understood(standalone) if filters else (CatalogQuery(standalone.asked), [])
        )
        notices += degraded
        reply = self._reply(standalone, query, scope, among)
        if language:
            reply, about = _in_a_foreign_language(reply, language)
            notices += about
        if reply.refusal is None:
            notices += [
                f"No paper mentions “{name}”." for name in unmentioned(self.library, query.topic)
            ]
        yield from map(Notice, notices)
        found = time.perf_counter()
        yield SourcesFound(reply.hits[: self.config.search.hits], reply.looked_at)
        if reply.refusal is None:
            yield Stage("reading")
        so_far, numbering = _SoFar(notices, reply.refusal, reply.answerability), Numbering(history)
        for event in reply.said:
            said = numbering.numbered(event) if isinstance(event, Statement) else event
            so_far.take(said)
            yield said
        usage = _timings(started, found) | so_far.counts
        yield Finished(self._answer(asked, standalone, scope, reply, so_far, usage))

    def _answer(
        self,
        asked: str,
        standalone: Standalone,
        scope: Scope,
        reply: Reply,
        so_far: _SoFar,
        usage: Mapping[str, float],
    ) -> Answer:
        """All that was said, as one record."""
        citations = citations_of(so_far.said)
        cited = {one.paper_id for one in citations}
        settled = cited | {one.paper_id for one in so_far.excluded}
        return Answer(
            question=asked,
            standalone_question=standalone.shown,
            text=refusal_text(so_far.refusal, reply.hits) if so_far.refusal else so_far.text,
            citations=citations,
            hits=_kept(reply.hits, cited, self.config.search.hits),
            filters=(*([standalone.scope] if standalone.scope else []), *reply.filters),
            refusal=so_far.refusal,
            answerability=so_far.answerability,
            looked_at=reply.looked_at,
            notices=tuple(so_far.notices),
            near_misses=()
            if so_far.refusal
            else tuple(hit for hit in reply.near_misses if hit.paper.id not in settled),
            usage=usage,
            config=self.config.fingerprint,
            made_by=so_far.made_by,
            statements=() if so_far.refusal else tuple(so_far.said),
            scope=scope,
            # Where the model failed after its screening, the papers' own sentences may come from any of them.
            excluded=tuple(one for one in so_far.excluded if one.paper_id not in cited),
        )

    def _standing_alone(
        self, question: str, history: Sequence[Turn]
    ) -> tuple[Standalone, list[str]]:
        """What a question means after the turns before it, and the notices about it."""
        by_rules = stand_alone(question, history, self.config.answer.max_question_characters)
        # A paper that is pointed to needs no other words.
        if (
            self.reader is None
            or by_rules.papers
            or not any(turn.role == "user" for turn in history)
        ):
            return by_rules, []
        try:
            meant = self.reader.standalone(question, history)
        except LLMError as error:
            return by_rules, self._read_by_rules(error)
        if not meant:
            return by_rules, ["The language model came to no end; the question was read by rules."]
        return Standalone(meant, meant), []

    def _read_by_rules(self, error: LLMError) -> list[str]:
        """The notice that rules take over from a language model. Raises the error where the configuration says so."""
        if self.config.answer.on_llm_failure == "error":
            raise error
        log.warning("%s", error)
        return [f"The language model failed: {error}. The question was read by rules."]

    def _spelt(self, standalone: Standalone) -> tuple[Standalone, list[str]]:
        """The question with misspelt words corrected, and which."""
        notices = []
        for word, meant in misspelt(self.library, self.searcher.embedder, standalone.asked):
            standalone = standalone.corrected(word, meant)
            notices.append(f"“{word}” is in no paper and was read as “{meant}”.")
        return standalone, notices

    def _side_by_side(self, standalone: Standalone) -> Standalone:
        """A question that sets named papers side by side is about these alone."""
        comparing = asks_to_compare(standalone.asked) or asks_which(standalone.asked)
        if standalone.papers and comparing:
            papers = self._beside_it(standalone)
        elif standalone.papers or asks_for_papers(standalone.asked):
            papers = {}
        else:
            papers = side_by_side(self.library, standalone.asked, comparing=comparing)
        if not papers:
            return standalone
        called = {
            paper: name for name, paper in sorted(papers.items(), key=lambda one: len(one[0]))
        }
        if "it" in papers and standalone.scope:
            called[papers["it"]] = standalone.scope.removeprefix("only ")
        *names, last = (called[paper] for paper in dict.fromkeys(papers.values()))
        pairs, scope = tuple(papers.items()), f"only {', '.join(names)} and {last}"
        return replace(
            standalone, papers=tuple(dict.fromkeys(papers.values())), scope=scope, names=pairs
        )

    def _beside_it(self, standalone: Standalone) -> dict[str, str]:
        """Names and ids of the paper that is pointed to and of those beside it: "how does it differ from GLOW?"."""
        others = named(self.library, standalone.asked) if len(standalone.papers) == 1 else {}
        others = {name: paper for name, paper in others.items() if paper not in standalone.papers}
        return {"it": standalone.papers[0], **others} if others else {}

    def _among(self, standalone: Standalone, scope: Scope) -> frozenset[str] | None:
        """The papers that the conversation and the scope leave; None where they restrict nothing."""
        among = within(self.library.catalog, scope)
        if not standalone.papers:
            return among
        # A paper of an earlier answer may have left the library since.
        pointed = frozenset(self.library.catalog.papers(standalone.papers))
        return pointed if among is None else among & pointed

    def _reply(
        self,
        standalone: Standalone,
        query: CatalogQuery,
        scope: Scope,
        among: frozenset[str] | None,
    ) -> Reply:
        if among is not None and not among:
            met = ", ".join([*scope.filters, *([standalone.scope] if standalone.scope else [])])
            return Reply(
                (),
                0,
                refusal=f"no paper of the library is within the scope ({met})",
                answerability=0.0,
            )
        if query:
            # A scope of chosen papers says which are meant where the question names none.
            pointed = bool(standalone.papers or (scope.papers and not query.topic))
            left = query.less(scope.without)
            parts = self.searcher, self.synthesizer
            return catalog_reply(
                *parts, left, self.config, among, whole=standalone.asked, pointed=pointed
            )
        beside = {name: paper for name, paper in standalone.names if among and paper in among}
        if len(set(beside.values())) > 1:
            return beside_reply(
                self.searcher, self.synthesizer, standalone.asked, beside, self.config
            )
        return text_reply(self.searcher, self.synthesizer, standalone.asked, self.config, among)

    def _understood(self, standalone: Standalone) -> tuple[CatalogQuery, list[str]]:
        """What a question asks of the catalog, and the notices about it."""
        organisations = self.library.catalog.organisations
        # The names of papers set side by side say which are meant, not what is asked of them.
        asked = without_names(standalone.asked, (name for name, _ in standalone.names))
        own = asked.removeprefix(standalone.topic)
        query = understand_after(standalone.topic, own, organisations)
        # "And when was it published?" asks for a fact of what the earlier turns were about.
        if query.asked and not query.topic and not query.filters and standalone.topic:
            return replace(query, topic=standalone.topic), []
        if query or self.reader is None:
            return query, []  # the rules are measured; the model reads what none of them knows
        try:
            return self.reader.query(standalone.asked, organisations), []
        except LLMError as error:
            return query, self._read_by_rules(error)


def _without_orders(asked: str) -> tuple[str, list[str]]:
    """The question without instructions to the assistant, and what is said of them."""
    sought, orders = without_instructions(asked)
    return sought, [
        f"Instructions in the question were not followed: “{' '.join(orders)}”."
    ] if orders else []


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
    """The server's counts of tokens and the times of a request, where they are known."""
    counts = {
        "prompt_tokens": written.prompt_tokens,
        "completion_tokens": written.completion_tokens,
        "first_token_ms": written.first_ms,
        "writing_ms": written.writing_ms,
    }
    return {name: number for name, number in counts.items() if number is not None}


def ask(
    asker: Asker,
    question: str,
    history: Sequence[Turn] = (),
    *,
    filters: bool = True,
    scope: Scope = _EVERYTHING,
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
        raise InputError(
            "the question is empty; ask something such as: which papers study density ratios in RL?"
        )
    if len(asked) > longest:
        raise InputError(
            f"the question has {len(asked):,} characters; at most {longest:,} are read, so shorten it"
        )
    # A lone surrogate can be neither embedded nor printed.
    return asked.encode("utf-8", "replace").decode("utf-8")


def _kept(hits: Sequence[Hit], cited: Set[str], k: int) -> tuple[Hit, ...]:
    """The first `k` hits and, beyond them, those that the answer cites."""
    return tuple(hit for hit in hits if hit.rank <= k or hit.paper.id in cited)
