"""One request to a language model: excerpts become a prompt, and what it writes becomes checked statements."""

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

_SILENCE = 0.4  # seconds without an event while the model writes
_LINE_TOKENS = 80  # that a paper takes in a list
_READING = ("standalone", "read_question")  # the prompts by which the question was understood

_Stream = Generator[str | Reading | Ended, None, None]


@dataclass(frozen=True, slots=True)
class Layout:
    """How an answer is laid out: a few sentences, or a list with a line for each excerpt.

    `rules` is the prompt that describes it, `sentences` the most that an answer of this shape has.
    """

    shape: Literal["answer", "list"]
    rules: str
    sentences: int = 0

    def form(self, given: Sequence[Excerpt], refusal: str) -> Form:
        """The form of an answer from these excerpts; `refusal` "" allows none, and lists have none."""
        if self.shape == "list":
            return list_form(len(given))
        return answer_form(len(given), refusal, self.sentences, end=fill("refusal"))

    def tokens(self, excerpts: int, most: int) -> int:
        """How many tokens an answer may have, `most` of them where its length does not depend on the excerpts."""
        return _LINE_TOKENS * excerpts if self.shape == "list" else most

    @property
    def by_paper(self) -> bool:
        """Whether each sentence is about one paper, whose title goes before it."""
        return self.shape != "answer"

    @property
    def fingerprint(self) -> str:
        """Name the wording of all prompts behind such an answer."""
        return fingerprint(
            "screen", self.rules, "answer_question", "answerable", "refusal", "revise", *_READING
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is given: the excerpts as they are numbered in the prompt."""

    question: str
    given: Sequence[Excerpt]
    layout: Layout

    @property
    def prompt(self) -> list[Message]:
        """The rules, then the excerpts, then the question: what stays the same comes first, for the prompt cache."""
        refusal = {"refusal": fill("refusal")} if self.layout.shape == "answer" else {}
        rules = fill(self.layout.rules, **refusal)
        asked = fill("answer_question", sentences=numbered(self.given), question=self.question)
        return [Message("system", rules), Message("user", asked)]


@dataclass(frozen=True, slots=True)
class Writer:
    """Lets a served model write; what it writes is checked sentence by sentence, and revised if configured."""

    llm: LLM
    counter: Counter
    scorer: SupportScorer
    config: AnswerConfig

    def request(self, question: str, excerpts: Sequence[Excerpt], layout: Layout) -> Request:
        """Make a request of as many excerpts, the best ones first, as fit `llm.prompt_tokens` and the context.

        Of a list all papers are written about, so that only the context limits it. Raises LLMError where none fits.
        """
        config = self.llm.config
        room = prompt_room(config, layout.tokens(len(excerpts), config.max_tokens))
        longest = room if layout.shape == "list" else min(room, config.prompt_tokens)

        def of(most: int) -> Request:
            return Request(question, arranged(excerpts[:most]), layout)

        return of(fit(self.counter, lambda most: of(most).prompt, len(excerpts), longest))

    def written(
        self, request: Request, marks: Iterator[int], earlier: list[str], refusal: str
    ) -> Iterator[Said]:
        """Yield what the model writes, as statements whose marks `marks` counts; `refusal` "" allows none.

        `earlier` holds what the answer has said, and is added to. Raises LLMError.
        """
        layout, excerpts = request.layout, len(request.given)
        bound = self.llm.dialect in ("structured_outputs", "grammar")
        checker = Checker(
            self.scorer,
            request.given,
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
            self.llm.stream(request.prompt, layout.form(request.given, refusal), tokens)
        )
        ended = yield from _streamed(stream, drafts, (reviser or checker).statements)
        yield from checker.missing()
        yield from reviser.closing() if reviser else ()
        yield from checker.closing()
        yield from _closing(drafts, checker, ended)
        # Where the papers were found to answer, a model that says otherwise only has nothing to say.
        if refusal and checker.refused and not checker.said:
            yield Declined("the language model finds no answer in the sentences that come nearest")
        counts, times = (
            (ended.prompt_tokens, ended.completion_tokens),
            (timer.first_ms, timer.writing_ms),
        )
        yield Written(self.llm.name, layout.fingerprint, self.llm.dialect, *counts, *times)


class _Timer:
    """Takes the times of a stream: to its first text, and from there to its end, in milliseconds."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._first: float | None = None
        self._last = self._started

    @property
    def first_ms(self) -> float | None:
        """None where no text has come."""
        return None if self._first is None else round(1000 * (self._first - self._started), 1)

    @property
    def writing_ms(self) -> float | None:
        """None where no text has come."""
        return None if self._first is None else round(1000 * (self._last - self._first), 1)

    def timed(self, stream: _Stream) -> _Stream:
        """Pass the items on; closing this closes the stream."""
        with closing(stream):
            for item in stream:
                self._last = time.perf_counter()
                if isinstance(item, str) and self._first is None:
                    self._first = self._last
                yield item


def _streamed(
    stream: _Stream, drafts: Drafts, say: Callable[[Draft], Iterator[Statement]]
) -> Generator[Said, None, Ended]:
    """Yield the statements of each draft as soon as it is complete, and how far the server is with the prompt."""
    ended: Ended | None = None
    heard = time.perf_counter()
    with closing(stream):
        for item in stream:
            if isinstance(item, Ended):
                ended = item
            elif isinstance(item, Reading):
                yield Stage(f"the model is reading, {item.done / max(1, item.total):.0%}")
            else:
                for draft in drafts.feed(item):
                    yield from say(draft)
                # A long sentence must not keep whoever wants to stop from being heard.
                if time.perf_counter() - heard > _SILENCE:
                    yield Stage("the model is writing")
                    heard = time.perf_counter()
    for draft in drafts.end():
        yield from say(draft)
    assert ended is not None, "a stream that ends without a failure says so"
    return ended


def _closing(drafts: Drafts, checker: Checker, ended: Ended) -> Iterator[Said]:
    """Yield what is to be said of the end: text without marks or cut off, marks that were dropped."""
    if drafts.dropped:
        one = drafts.dropped == 1
        said = (
            "1 mark that named no sentence was"
            if one
            else f"{drafts.dropped} marks that named no sentence were"
        )
        yield Notice(f"{said} dropped.")
    if drafts.tail and ended.finish == "length":
        yield Notice(
            "The answer was cut off (llm.max_tokens); its last, unfinished sentence is withheld."
        )
    elif drafts.tail:
        yield from checker.statements(Draft(drafts.tail, ()))
