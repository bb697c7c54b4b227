"""Answers that a language model writes from the sentences that come nearest to a question."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from rag.answer.abstention import reason_to_decline
from rag.answer.extractive.quotations import Extractive
from rag.answer.generated.context import Excerpt, best_of_each, one_by_one, ranked, whole_papers
from rag.answer.generated.model_answerability import certainty, measured
from rag.answer.generated.screening import screen
from rag.answer.generated.writing import Layout, Request, Writer
from rag.answer.relevance import Assessment
from rag.answer.shape import Shape, shape_of
from rag.answer.support import SupportScorer
from rag.config import AnswerConfig
from rag.errors import LLMError
from rag.llm import LLM, Counters
from rag.prompts import fill
from rag.records import Declined, Judged, Notice, Preview, Said, Stage, Statement, Written
from rag.search import SearchResult

log = logging.getLogger(__name__)

_BATCH = 5  # papers of a list that are written about in one request
_OF_EACH = 2  # sentences of each paper of a list, about which one is written
_COMPARED = (
    3  # sentences of each paper of a comparison, each of which is said shortly (docs/LOG.md)
)
COMPARISON = Layout("list", "comparison_rules")
LIST = Layout("list", "list_rules")
_SURE = 0.75  # of the calibrated answerability: 2 of 53 unanswerable questions reach it, 179 of 261 others (docs/LOG.md)
_FLOOR = 0.1  # of the calibrated answerability: below it no language model is asked


@dataclass(frozen=True, slots=True)
class Generated:
    """Lets a served model answer; `extractive` takes over where it fails, if the configuration says so."""

    llm: LLM
    counters: Counters
    scorer: SupportScorer
    extractive: Extractive
    config: AnswerConfig

    @property
    def least_answerability(self) -> float:
        """The calibrated answerability below which this need not be asked; above, a measured model has a say."""
        return (
            min(_FLOOR, self.config.answerability)
            if measured(self.llm.config.model)
            else self.config.answerability
        )

    def statements(
        self, question: str, result: SearchResult, assessment: Assessment, whole: str | None = None
    ) -> Iterator[Said]:
        """Yield the model's sentences, each with its evidence and doubts. Raises LLMError where that ends the answer.

        The best quotation comes before them as a preview, since a model takes a while to read its context.
        """
        for one in self.extractive.statements(question, result, assessment):
            # A notice says where the question got something wrong, which the model may not see.
            yield Preview(one) if isinstance(one, Statement) else one
            if isinstance(one, Statement):
                break
        marks, answered = 0, False
        try:
            for event in self._answered(whole or question, result, assessment):
                marks += len(event.citations) if isinstance(event, Statement) else 0
                answered |= isinstance(event, Statement | Declined)
                yield event
        except LLMError as error:
            if self.config.on_llm_failure == "error":
                raise
            log.warning("%s", error)
            yield Notice(f"The language model failed: {error}.")
            if not answered and not self._answerable(assessment):
                yield _declined(assessment, result.looked_at)
                return
        else:
            if answered:
                return
            yield Notice("The language model wrote nothing that could be shown.")
        quotations = _renumbered(self.extractive.statements(question, result, assessment), marks)
        yield Notice("What follows are the papers' own sentences.")
        yield from (one for one in quotations if isinstance(one, Statement))

    def _answered(
        self, question: str, result: SearchResult, assessment: Assessment
    ) -> Iterator[Said]:
        """Whether the papers answer is judged over the first request; the others follow only if they do."""
        if self.llm.endpoint.starting:
            yield Stage("the language model is loading")
        writer = Writer(self.llm, self.counters.best(), self.scorer, self.config)
        if not writer.counter.exact:
            yield Notice(
                "The prompt's length is estimated, since neither tokenizer nor server is there to count it."
            )
        shape = shape_of(question, assessment, self.config)
        if self.llm.config.screened and shape.kind == "list":
            rows = yield from self._screened(question, result, assessment, writer)
            shape = replace(shape, rows=tuple(rows))
        refusal, marks, earlier = "", count(1), list[str]()
        for number, (excerpts, layout) in enumerate(
            self._contexts(question, result, assessment, shape)
        ):
            request = writer.request(question, excerpts, layout)
            if (
                left := len(_papers(excerpts) - _papers(request.given))
                if layout.shape == "list"
                else 0
            ):
                papers = "1 paper was" if left == 1 else f"{left} papers were"
                yield Notice(f"{papers} left out, to fit the model's context (llm.context).")
            if not number:
                judged = yield from self._judged(request, result, assessment)
                if judged is None:
                    return
                refusal = judged
            yield from writer.written(request, marks, earlier, refusal)

    def _contexts(
        self, question: str, result: SearchResult, assessment: Assessment, shape: Shape
    ) -> Iterator[tuple[list[Excerpt], Layout]]:
        """The excerpts of each request, the best ones first, and how its answer is laid out.

        A small model that compares freely writes of what an abstract begins with; so it sums up each of the nearest
        sentences in a line of its own, paper by paper. Findings of several papers have the best sentences of all of
        them first, and then a line for each.
        """
        if shape.kind == "comparison" and not shape.alone:
            yield (
                one_by_one(best_of_each(question, result, assessment, shape.rows, _COMPARED)),
                COMPARISON,
            )
            return
        if shape.kind != "list":
            excerpts = ranked(question, result, assessment)
            yield excerpts, Layout("answer", "answer_rules", self.llm.config.sentences)
        if shape.kind in ("list", "findings"):
            papers = best_of_each(question, result, assessment, shape.rows, _OF_EACH)
            for start in range(0, len(papers), _BATCH):
                yield papers[start : start + _BATCH], LIST

    def _screened(
        self, question: str, result: SearchResult, assessment: Assessment, writer: Writer
    ) -> Generator[Said, None, list[int]]:
        """The rows of the hits that the model includes, of the first `llm.screened`."""
        candidates = assessment.order[: self.llm.config.screened]
        screened = yield from screen(
            question, whole_papers(result, candidates), self.llm, writer.counter
        )
        yield Written(self.llm.name, LIST.fingerprint, self.llm.dialect, *screened.tokens)
        if not screened.included:
            yield Declined(
                "the language model finds that none of the papers that it screened answers the question"
            )
        return [candidates[number] for number in screened.included]

    def _judged(
        self, request: Request, result: SearchResult, assessment: Assessment
    ) -> Generator[Said, None, str | None]:
        """The refusal that the model may write, "" where the papers were found to answer; None where they do not."""
        # A paper with every word of the question is an answer as far as the search can see.
        answerability = (
            max(assessment.answerability, self.config.answerability)
            if assessment.covered
            else assessment.answerability
        )
        model = measured(self.llm.config.model)
        yes = certainty(self.llm, request.prompt) if model else None
        if model is None or yes is None:
            # Small models refuse what they could answer, so that a refusal counts only where the search is not sure.
            answers, refusal = (
                self._answerable(assessment),
                "" if answerability >= _SURE else fill("refusal"),
            )
        else:
            probability = model.probability(answerability, yes)
            answers, refusal = probability >= model.threshold, ""
            yield Judged(probability, answerability, yes)
        if answers:
            return refusal
        yield _declined(assessment, result.looked_at)
        return None

    def _answerable(self, assessment: Assessment) -> bool:
        """Whether the papers answer as far as the search can see.

        Where no measured model has a say, whoever asks has settled that; of a few chosen papers by another measure.
        """
        settled = measured(self.llm.config.model) is None
        return (
            settled or assessment.covered or assessment.answerability >= self.config.answerability
        )


def _papers(excerpts: Sequence[Excerpt]) -> set[str]:
    return {excerpt.hit.paper.id for excerpt in excerpts}


def _declined(assessment: Assessment, looked_at: int) -> Declined:
    """The refusal, with what is missing where that is known."""
    reason = reason_to_decline(replace(assessment, covered=False), looked_at, threshold=1.1)
    return Declined(reason or "the papers that come nearest do not answer it")


def _renumbered(said: Iterator[Notice | Statement], after: int) -> Iterator[Said]:
    for one in said:
        if isinstance(one, Notice):
            yield one
            continue
        citations = tuple(
            replace(citation, mark=citation.mark + after) for citation in one.citations
        )
        yield replace(one, citations=citations)
