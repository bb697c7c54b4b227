"""Answers that a language model writes from numbered passages; each sentence is checked as soon as it is complete."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from rag.answer.extractive import Extractive
from rag.answer.relevance import Assessment
from rag.answer.support import SupportScorer
from rag.config import AnswerConfig
from rag.errors import LLMError
from rag.llm import LLM, Counters, Draft, Drafts, Ended, Message, answer_grammar, fit
from rag.models.base import Vectors
from rag.prompts import fill, fingerprint
from rag.records import Citation, Declined, Hit, Notice, Said, Sentence, Statement, TextSpan, Written
from rag.search import SearchResult

log = logging.getLogger(__name__)

_PROMPTS = ("answer_rules", "answer_question", "dont_tell")
_ROOM = 16  # tokens that no count foresees, such as those of a server's own template


@dataclass(frozen=True, slots=True)
class Source:
    """A paper that the model is given, and its sentences, the title first."""

    hit: Hit
    sentences: tuple[Sentence, ...]
    vectors: Vectors

    @property
    def known(self) -> dict[str, Vectors]:
        """The library's vectors of the sentences, by their texts; those of sentences that did not fit are left over."""
        return dict(zip(map(self.text, self.sentences), self.vectors, strict=False))

    def text(self, sentence: Sentence) -> str:
        """A sentence as the paper has it, on one line."""
        return " ".join(self.hit.paper.text[sentence.start : sentence.end].split())


@dataclass(frozen=True, slots=True)
class Generated:
    """Lets a served model answer; `extractive` takes over where it fails, if the configuration says so."""

    llm: LLM
    counters: Counters
    checker: SupportScorer
    extractive: Extractive
    config: AnswerConfig

    def statements(self, question: str, result: SearchResult, assessment: Assessment) -> Iterator[Said]:
        """The model's sentences, each with its evidence and doubts. Raises LLMError where that ends the answer."""
        said = 0
        try:
            for one in self._written(question, _sources(result, assessment, self.config)):
                said += len(one.citations) if isinstance(one, Statement) else 0
                yield one
        except LLMError as error:
            if self.config.on_llm_failure == "error":
                raise
            log.warning("%s", error)
            yield Notice(f"The language model failed: {error}. What follows are the papers' own sentences.")
            yield from _renumbered(self.extractive.statements(question, result, assessment), said)

    def _written(self, question: str, sources: Sequence[Source]) -> Iterator[Said]:
        refusal = fill("dont_tell")
        whole = sum(len(source.sentences) - 1 or 1 for source in sources)
        build = partial(_messages, question, sources)
        config = self.llm.config
        counter = self.counters.best()
        fits = fit(counter, build, whole, config.context - config.max_tokens - _ROOM)
        given = _first(sources, fits)
        if fits < whole:
            left = f"{whole - fits} of {whole} sentences of the {len(sources)} relevant papers"
            yield Notice(f"{left} were left out, since they don't fit the model's context.")
        if not counter.exact:
            yield Notice("The prompt's length is estimated, since neither tokenizer nor server is there to count it.")
        drafts, marks = Drafts(len(given)), count(1)
        grammar = answer_grammar(len(given), refusal) if config.structured else None
        ended: Ended | None = None
        stream = self.llm.stream(build(fits), grammar)
        try:
            for piece in stream:
                if isinstance(piece, Ended):
                    ended = piece
                    continue
                for draft in drafts.feed(piece):
                    yield self._checked(draft, given, marks)
        finally:
            stream.close()  # type: ignore[attr-defined]
        for draft in drafts.end():
            yield self._checked(draft, given, marks)
        assert ended is not None, "a stream that ends without a failure says so"
        yield from self._closing(drafts, ended, refusal)
        yield Written(config.model, fingerprint(*_PROMPTS), ended.prompt_tokens, ended.completion_tokens)

    def _closing(self, drafts: Drafts, ended: Ended, refusal: str) -> Iterator[Said]:
        """What is to be said of the end: a refusal, a sentence without marks or cut off, marks that were dropped."""
        if drafts.dropped:
            yield Notice(f"{drafts.dropped} marks that named no passage were dropped.")
        if not drafts.tail:
            return
        if _plain(drafts.tail) == _plain(refusal):
            yield Declined("the model finds no answer in the passages it was given")
        elif ended.finish == "length":
            yield Notice("The answer was cut off (llm.max_tokens); its last, unfinished sentence is withheld.")
        else:
            yield Statement(drafts.tail, (), doubts=("it names no source",))

    def _checked(self, draft: Draft, given: Sequence[Source], marks: Iterator[int]) -> Statement:
        citations, strays = [], []
        for number in draft.passages:
            source = given[number - 1]
            # Only what the model writes is embedded; the library has the rest.
            checked = self.checker.score(draft.text, [source.text(one) for one in source.sentences], source.known)
            best = source.sentences[checked.best or 0]
            span = TextSpan(best.start, best.end, source.hit.paper.text[best.start : best.end])
            paper = source.hit.paper
            citations.append(Citation(next(marks), paper.id, paper.title, (span,), round(checked.score, 4)))
            strays.append(checked.missing_numbers)
        return Statement(draft.text, tuple(citations), doubts=tuple(self._doubts(citations, strays)))

    def _doubts(self, citations: Sequence[Citation], strays: Sequence[Sequence[str]]) -> Iterator[str]:
        if not citations:
            yield "it names no source"
            return
        best = max(one.support or 0.0 for one in citations)
        if best < self.config.supported:
            yield f"weak support, {best:.2f}"
        if stray := [number for number in strays[0] if all(number in others for others in strays)]:
            yield f"{', '.join(stray)} in no cited paper"


def _sources(result: SearchResult, assessment: Assessment, config: AnswerConfig) -> list[Source]:
    """The relevant papers, the most relevant first."""
    rows = assessment.answering(config)
    parts = {row: result.evidence[row].parts for row in rows}
    return [Source(result.hits[row], parts[row].sentences, parts[row].sentence_vectors) for row in rows]


def _first(sources: Sequence[Source], sentences: int) -> list[Source]:
    """The sources cut to so many sentences, titles not counted; a paper of a title only counts as one."""
    given: list[Source] = []
    for source in sources:
        own = max(1, len(source.sentences) - 1)
        if sentences > 0:
            given.append(replace(source, sentences=source.sentences[: 1 + min(own, sentences)]))
        sentences -= own
    return given


def _messages(question: str, sources: Sequence[Source], sentences: int) -> list[Message]:
    """The prompt with so many sentences; what stays the same comes first, for the server's prefix cache."""
    passages = []
    for number, source in enumerate(_first(sources, sentences), start=1):
        title, *rest = (source.text(one) for one in source.sentences)
        date = f" ({source.hit.paper.published})" if source.hit.paper.published else ""
        passages.append(f"[{number}] {title}{date}\n{' '.join(rest)}".rstrip())
    rules = fill("answer_rules", refusal=fill("dont_tell"))
    asked = fill("answer_question", passages="\n\n".join(passages), question=question)
    return [Message("system", rules), Message("user", asked)]


def _renumbered(said: Iterator[Notice | Statement], after: int) -> Iterator[Said]:
    for one in said:
        if isinstance(one, Notice):
            yield one
            continue
        citations = tuple(replace(citation, mark=citation.mark + after) for citation in one.citations)
        yield replace(one, citations=citations)


def _plain(text: str) -> str:
    """For comparing: models write either apostrophe."""
    return text.replace("’", "'").strip(" .").casefold()
