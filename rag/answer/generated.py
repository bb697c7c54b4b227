"""Answers that a language model writes from numbered passages; each sentence is checked as soon as it is complete."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from rag.answer.extractive import Extractive
from rag.answer.kinds import asks_for_papers
from rag.answer.material import Source, first, sources
from rag.answer.refusal import declines
from rag.answer.relevance import Assessment
from rag.answer.revising import Reviser
from rag.answer.screening import screen
from rag.answer.support import SupportScorer
from rag.config import AnswerConfig
from rag.errors import LLMError
from rag.llm import (
    LLM,
    Counter,
    Counters,
    Draft,
    Drafts,
    Ended,
    Message,
    answer_grammar,
    fit,
    list_grammar,
    prompt_room,
)
from rag.prompts import fill, fingerprint
from rag.records import Citation, Declined, Notice, Said, Statement, TextSpan, Written
from rag.search import SearchResult

log = logging.getLogger(__name__)

_LINE = 80  # tokens that a paper takes in a list
_READING = ("standalone", "read_question")  # the prompts by which the question was understood


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is laid out: the prompt with its rules, its grammar, and whether it goes paper by paper."""

    rules: str
    grammar: Callable[[int, str], str]
    by_paper: bool

    @property
    def fingerprint(self) -> str:
        """Names the wording of all prompts behind such an answer."""
        screening = ["screen"] if self.by_paper else []
        return fingerprint(*screening, self.rules, "answer_question", "dont_tell", "revise", *_READING)


PARAGRAPH = Form("answer_rules", answer_grammar, by_paper=False)
LIST = Form("list_rules", list_grammar, by_paper=True)


@dataclass(frozen=True, slots=True)
class Generated:
    """Lets a served model answer; `extractive` takes over where it fails, if the configuration says so."""

    llm: LLM
    counters: Counters
    checker: SupportScorer
    extractive: Extractive
    config: AnswerConfig

    def statements(
        self, question: str, result: SearchResult, assessment: Assessment, whole: str | None = None
    ) -> Iterator[Said]:
        """The model's sentences, each with its evidence and doubts. Raises LLMError where that ends the answer."""
        said = 0
        try:
            for one in self._answered(whole or question, result, assessment):
                said += len(one.citations) if isinstance(one, Statement) else 0
                yield one
        except LLMError as error:
            if self.config.on_llm_failure == "error":
                raise
            log.warning("%s", error)
            yield Notice(f"The language model failed: {error}. What follows are the papers' own sentences.")
            yield from _renumbered(self.extractive.statements(question, result, assessment), said)

    def _answered(self, question: str, result: SearchResult, assessment: Assessment) -> Iterator[Said]:
        """Paragraphs; or, where papers are asked for, a list of those that the model includes one by one."""
        counter = self.counters.best()
        if not counter.exact:
            yield Notice("The prompt's length is estimated, since neither tokenizer nor server is there to count it.")
        most = self.llm.config.screened
        if not (most and asks_for_papers(question)):
            yield from self._written(question, sources(result, assessment.answering(self.config)), PARAGRAPH, counter)
            return
        candidates = sources(result, assessment.order[:most])
        screened = yield from screen(question, candidates, self.llm, counter)
        if not screened.included:
            yield Declined("the language model finds that none of the papers that it screened answers the question")
            yield screened.counted(Written(self.llm.config.model, LIST.fingerprint, None, None))
            return
        for one in self._written(question, screened.included, LIST, counter):
            yield screened.counted(one) if isinstance(one, Written) else one

    def _written(self, question: str, relevant: Sequence[Source], form: Form, counter: Counter) -> Iterator[Said]:
        whole = sum(source.length for source in relevant)
        build = partial(_messages, question, relevant, form)
        config = self.llm.config
        # A list is as long as its papers are many.
        tokens = max(config.max_tokens, min(_LINE * len(relevant), config.context // 2) if form.by_paper else 0)
        fits = fit(counter, build, whole, prompt_room(config, tokens))
        given = first(relevant, fits)
        if fits < whole:
            left = f"{whole - fits} of {whole} sentences of the {len(relevant)} relevant papers"
            yield Notice(f"{left} were left out, since they don't fit the model's context.")
        check = partial(self._checked, given=given, marks=count(1), form=form)
        reviser = Reviser(self.llm, counter, question, check, given) if self.config.revise else None
        drafts = Drafts(len(given))
        grammar = form.grammar(len(given), fill("dont_tell"))
        stream = self.llm.stream(build(fits), grammar, tokens)
        ended = yield from _streamed(stream, drafts, reviser.revised if reviser else check)
        if reviser:
            yield from reviser.closing()
        yield from _closing(drafts, ended)
        yield Written(config.model, form.fingerprint, ended.prompt_tokens, ended.completion_tokens)

    def _checked(self, draft: Draft, given: Sequence[Source], marks: Iterator[int], form: Form) -> Statement:
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
        title = citations[0].title if form.by_paper and len(citations) == 1 else None
        return Statement(draft.text, tuple(citations), title, tuple(self._doubts(citations, strays)))

    def _doubts(self, citations: Sequence[Citation], strays: Sequence[Sequence[str]]) -> Iterator[str]:
        if not citations:
            yield "it names no source"
            return
        best = max(one.support or 0.0 for one in citations)
        if best < self.config.supported:
            yield f"weak support, {best:.2f}"
        if stray := [number for number in strays[0] if all(number in others for others in strays)]:
            yield f"{', '.join(stray)} in no cited paper"


def _streamed(
    stream: Generator[str | Ended, None, None], drafts: Drafts, say: Callable[[Draft], Statement | None]
) -> Generator[Statement, None, Ended]:
    """What is said of each draft as soon as it is complete."""
    ended: Ended | None = None
    with closing(stream):
        for piece in stream:
            if isinstance(piece, Ended):
                ended = piece
            else:
                yield from filter(None, map(say, drafts.feed(piece)))
    yield from filter(None, map(say, drafts.end()))
    assert ended is not None, "a stream that ends without a failure says so"
    return ended


def _closing(drafts: Drafts, ended: Ended) -> Iterator[Said]:
    """What is to be said of the end: a refusal, a sentence without marks or cut off, marks that were dropped."""
    if drafts.dropped:
        yield Notice(f"{drafts.dropped} marks that named no passage were dropped.")
    if not drafts.tail:
        return
    if declines(drafts.tail):
        yield Declined("the model finds no answer in the passages it was given")
    elif ended.finish == "length":
        yield Notice("The answer was cut off (llm.max_tokens); its last, unfinished sentence is withheld.")
    else:
        yield Statement(drafts.tail, (), doubts=("it names no source",))


def _messages(question: str, relevant: Sequence[Source], form: Form, sentences: int) -> list[Message]:
    """The prompt with so many sentences; what stays the same comes first, for the server's prefix cache."""
    given = first(relevant, sentences)
    passages = "\n\n".join(f"[{number}] {source.passage}" for number, source in enumerate(given, start=1))
    rules = fill(form.rules, refusal=fill("dont_tell"))
    return [Message("system", rules), Message("user", fill("answer_question", passages=passages, question=question))]


def _renumbered(said: Iterator[Notice | Statement], after: int) -> Iterator[Said]:
    for one in said:
        if isinstance(one, Notice):
            yield one
            continue
        citations = tuple(replace(citation, mark=citation.mark + after) for citation in one.citations)
        yield replace(one, citations=citations)
