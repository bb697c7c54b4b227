"""One request to a language model: build its prompt, stream its text, check its sentences."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from rag.answer.generated.checking import Checker
from rag.answer.generated.context import Excerpt, arranged, numbered
from rag.answer.generated.revision import Reviser
from rag.answer.support import SupportScorer
from rag.config import AnswerConfig
from rag.llm import (
    LLM,
    Counter,
    Draft,
    Drafts,
    Ended,
    Form,
    Message,
    Reading,
    answer_form,
    fit,
    list_form,
    prompt_room,
)
from rag.prompts import fill, fingerprint
from rag.records import Declined, Notice, Said, Stage, Statement, Written

_SILENCE = 0.4  # seconds without an event, at most, while the model writes
_LINE_TOKENS = 80  # for each line of a list
_READING = ("standalone", "read_question")  # the prompts that may have parsed the question

_Stream = Generator[str | Reading | Ended, None, None]


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of an answer: a few sentences, or a list with a line for each excerpt.

    `rules` is the name of the prompt that describes it; `sentences` limits an answer that is no
    list.
    """

    shape: Literal["answer", "list"]
    rules: str
    sentences: int = 0

    def form(self, given: Sequence[Excerpt], refusal: str) -> Form:
        """Return the form of an answer from these excerpts.

        With `refusal` "" the model can't refuse; in a list it never can.
        """
        if self.shape == "list":
            return list_form(len(given))
        return answer_form(len(given), refusal, self.sentences, end=fill("refusal"))

    def tokens(self, excerpts: int, most: int) -> int:
        """Return the token limit of an answer: per line in a list, otherwise `most`."""
        return _LINE_TOKENS * excerpts if self.shape == "list" else most

    @property
    def by_paper(self) -> bool:
        """Whether each sentence is about one paper and follows its title."""
        return self.shape != "answer"

    @property
    def fingerprint(self) -> str:
        """A hash of all prompts that such an answer may use."""
        return fingerprint(
            "screen", self.rules, "answer_question", "answerable", "refusal", "revise", *_READING
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A question and the excerpts that the model reads, in the order of their numbers."""

    question: str
    excerpts: Sequence[Excerpt]
    layout: Layout

    @property
    def prompt(self) -> list[Message]:
        """The rules, excerpts and question: constant parts come first, for the prompt cache."""
        refusal = {"refusal": fill("refusal")} if self.layout.shape == "answer" else {}
        rules = fill(self.layout.rules, **refusal)
        asked = fill("answer_question", sentences=numbered(self.excerpts), question=self.question)
        return [Message("system", rules), Message("user", asked)]


@dataclass(frozen=True, slots=True)
class Writer:
    """Lets a served model write, and checks each sentence; `answer.revise` adds the revision."""

    llm: LLM
    counter: Counter
    scorer: SupportScorer
    config: AnswerConfig

    def request(self, question: str, excerpts: Sequence[Excerpt], layout: Layout) -> Request:
        """Build a request with as many of the excerpts, best first, as fit the prompt.

        The prompt is limited by the context and by `llm.prompt_tokens`; for a list by the context
        alone, because a list should have all its papers. Raises LLMError if no excerpt fits.
        """
        config = self.llm.config
        budget = prompt_room(config, layout.tokens(len(excerpts), config.max_tokens))
        longest = budget if layout.shape == "list" else min(budget, config.prompt_tokens)

        def first(most: int) -> Request:
            return Request(question, arranged(excerpts[:most]), layout)

        return first(fit(self.counter, lambda most: first(most).prompt, len(excerpts), longest))

    def written(
        self, request: Request, marks: Iterator[int], earlier: list[str], refusal: str
    ) -> Iterator[Said]:
        """Yield the model's sentences as statements, then notices and the token counts.

        `marks` yields the citation numbers. `earlier` holds the sentences of the answer so far; new
        ones are appended to it. With `refusal` "" the model can't refuse. Raises LLMError.
        """
        layout, excerpts = request.layout, len(request.excerpts)
        bound = self.llm.dialect in ("structured_outputs", "grammar")
        checker = Checker(
            self.scorer,
            request.excerpts,
            marks,
            self.config.supported,
            by_paper=layout.by_paper,
            bound=bound,
            earlier=earlier,
            lenient=self.config.revise,
        )
        reviser = Reviser(self.llm, request.question, checker) if self.config.revise else None
        drafts, timer = Drafts(excerpts), _Timer()
        tokens = layout.tokens(excerpts, self.llm.config.max_tokens)
        stream = timer.timed(
            self.llm.stream(request.prompt, layout.form(request.excerpts, refusal), tokens)
        )
        ended = yield from _streamed(stream, drafts, (reviser or checker).statements)
        yield from checker.missing()
        yield from reviser.closing() if reviser else ()
        yield from checker.closing()
        yield from _closing(drafts, checker, ended)
        # With `refusal` "" the papers were found to answer: a refusal is then ignored, and the
        # caller quotes the papers.
        if refusal and checker.refused and not checker.accepted:
            yield Declined("the language model finds no answer in the nearest sentences")
        counts, times = (
            (ended.prompt_tokens, ended.completion_tokens),
            (timer.first_ms, timer.writing_ms),
        )
        yield Written(self.llm.name, layout.fingerprint, self.llm.dialect, *counts, *times)


class _Timer:
    """Measures a stream, in milliseconds: to its first text, and from there to its end."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._first: float | None = None
        self._last = self._started

    @property
    def first_ms(self) -> float | None:
        """The time to the first text; None if there was no text."""
        return None if self._first is None else round(1000 * (self._first - self._started), 1)

    @property
    def writing_ms(self) -> float | None:
        """The time from the first text to the last item; None if there was no text."""
        return None if self._first is None else round(1000 * (self._last - self._first), 1)

    def timed(self, stream: _Stream) -> _Stream:
        """Yield the stream's items; closing this iterator closes the stream."""
        with closing(stream):
            for item in stream:
                self._last = time.perf_counter()
                if isinstance(item, str) and self._first is None:
                    self._first = self._last
                yield item


def _streamed(
    stream: _Stream, drafts: Drafts, check: Callable[[Draft], Iterator[Statement]]
) -> Generator[Said, None, Ended]:
    """Yield the statements of each draft as soon as it is complete, and the server's progress.

    `check` makes a draft's statements. Returns the end of the stream, with the token counts.
    """
    ended: Ended | None = None
    last_event = time.perf_counter()
    with closing(stream):
        for item in stream:
            if isinstance(item, Ended):
                ended = item
            elif isinstance(item, Reading):
                yield Stage(f"the model is reading, {item.done / max(1, item.total):.0%}")
            else:
                for draft in drafts.feed(item):
                    yield from check(draft)
                # An answer can be stopped only at an event, so a long sentence has events too.
                if time.perf_counter() - last_event > _SILENCE:
                    yield Stage("the model is writing")
                    last_event = time.perf_counter()
    for draft in drafts.end():
        yield from check(draft)
    assert ended is not None, "a stream without a failure ends with Ended"
    return ended


def _closing(drafts: Drafts, checker: Checker, ended: Ended) -> Iterator[Said]:
    """Yield notices of dropped citation numbers and of a truncated answer.

    Text after the last citation number is checked as a sentence without one, unless it was cut off.
    """
    if drafts.dropped:
        numbers = (
            "1 citation number that matched no sentence was"
            if drafts.dropped == 1
            else f"{drafts.dropped} citation numbers that matched no sentence were"
        )
        yield Notice(f"{numbers} dropped.")
    if drafts.tail and ended.finish == "length":
        yield Notice(
            "The answer was cut off (llm.max_tokens). Its unfinished last sentence is not shown."
        )
    elif drafts.tail:
        yield from checker.statements(Draft(drafts.tail, ()))
