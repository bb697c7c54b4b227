"""Answers that a language model writes from the sentences nearest to a question."""

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
from rag.records import Declined, Judged, Notice, Preview, Query, Said, Stage, Statement, Written
from rag.search import SearchResult

log = logging.getLogger(__name__)

_BATCH = 5  # papers of a list in one request
_OF_EACH = 2  # sentences that the model reads of each paper of a list, to write one
_COMPARED = 3  # sentences of each paper of a comparison; each is summarised (docs/LOG.md)
COMPARISON = Layout("list", "comparison_rules")
LIST = Layout("list", "list_rules")
# Thresholds of the calibrated answerability. From _SURE on the model may not refuse: 2 of 53
# unanswerable questions reach it, and 179 of 261 others (docs/LOG.md). Below _FLOOR no language
# model is asked.
_SURE = 0.75
_FLOOR = 0.1


@dataclass(frozen=True, slots=True)
class Generated:
    """Answers with a served model.

    If the model fails, `extractive` takes over, unless `answer.on_llm_failure` is "error".
    """

    llm: LLM
    counters: Counters
    scorer: SupportScorer
    extractive: Extractive
    config: AnswerConfig

    @property
    def least_answerability(self) -> float:
        """The calibrated answerability, 0 to 1, below which the question is declined unasked.

        It is lower for a measured model, which then judges the answerability itself.
        """
        return (
            min(_FLOOR, self.config.answerability)
            if measured(self.llm.config.model)
            else self.config.answerability
        )

    def statements(
        self, query: Query, result: SearchResult, assessment: Assessment
    ) -> Iterator[Said]:
        """Yield the model's sentences, each with its evidence and doubts.

        The best quotation comes first, as a preview, because a model needs time to read its
        context. Raises LLMError if the model fails and `answer.on_llm_failure` is "error".
        """
        for quotation in self.extractive.statements(query, result, assessment):
            # A notice reports a false assumption of the question, which the model may not notice.
            yield Preview(quotation) if isinstance(quotation, Statement) else quotation
            if isinstance(quotation, Statement):
                break
        marks, answered = 0, False
        try:
            for event in self._answered(query, result, assessment):
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
        quotations = _renumbered(self.extractive.statements(query, result, assessment), marks)
        yield Notice("What follows are the papers' own sentences.")
        # Their notices were shown before the preview.
        yield from (quotation for quotation in quotations if isinstance(quotation, Statement))

    def _answered(
        self, query: Query, result: SearchResult, assessment: Assessment
    ) -> Iterator[Said]:
        """Yield the model's events. Raises LLMError.

        The first request is also used to judge whether the papers answer. The other requests
        follow only if they do.
        """
        if self.llm.endpoint.starting:
            yield Stage("the language model is loading")
        writer = Writer(self.llm, self.counters.best(), self.scorer, self.config)
        if not writer.counter.exact:
            yield Notice(
                "The prompt's length is estimated, because neither a tokenizer (llm.tokenizer) nor"
                " the server can count its tokens."
            )
        question, shape = query.question, shape_of(query, assessment, self.config)
        if self.llm.config.screened and shape.kind == "list":
            rows = yield from self._screened(question, result, assessment, writer)
            shape = replace(shape, rows=tuple(rows))
        refusal, marks, earlier = "", count(1), list[str]()
        for number, (excerpts, layout) in enumerate(
            self._contexts(question, result, assessment, shape)
        ):
            request = writer.request(question, excerpts, layout)
            if (
                left := len(_papers(excerpts) - _papers(request.excerpts))
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
        """Yield the excerpts of each request, best first, and the layout of its answer.

        A small model that compares freely writes about the beginnings of the abstracts. So a
        comparison is a list: one line for each of the nearest sentences, paper by paper.
        Findings of several papers have an answer from the best sentences of all papers first, and
        then a list with one line for each paper.
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
        """Screen the best `llm.screened` hits; return the rows of the included ones."""
        candidates = assessment.order[: self.llm.config.screened]
        screened = yield from screen(
            question, whole_papers(result, candidates), self.llm, writer.counter
        )
        yield Written(self.llm.name, LIST.fingerprint, self.llm.dialect, *screened.tokens)
        if not screened.included:
            yield Declined(
                "the language model finds that none of the papers that it screened answers the"
                " question"
            )
        return [candidates[number] for number in screened.included]

    def _judged(
        self, request: Request, result: SearchResult, assessment: Assessment
    ) -> Generator[Said, None, str | None]:
        """Judge whether the papers answer; if they do not, yield the refusal and return None.

        Otherwise return the refusal that the model may write, or "" if it must not refuse.
        """
        # A paper with every word of the question counts as an answer for the search.
        answerability = (
            max(assessment.answerability, self.config.answerability)
            if assessment.covered
            else assessment.answerability
        )
        model = measured(self.llm.config.model)
        yes = certainty(self.llm, request.prompt) if model else None
        if model is None or yes is None:
            # Small models refuse questions that they could answer. So they may refuse only if the
            # search is not sure.
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
        """Check whether the papers answer, by the search alone.

        Without a measured model the caller has already decided it (for a few chosen papers, by
        their relevance).
        """
        settled = measured(self.llm.config.model) is None
        return (
            settled or assessment.covered or assessment.answerability >= self.config.answerability
        )


def _papers(excerpts: Sequence[Excerpt]) -> set[str]:
    return {excerpt.hit.paper.id for excerpt in excerpts}


def _declined(assessment: Assessment, looked_at: int) -> Declined:
    """Build the refusal, with what is missing if that is known."""
    # A threshold above 1 asks for the reason in any case.
    reason = reason_to_decline(replace(assessment, covered=False), looked_at, threshold=1.1)
    return Declined(reason or "the nearest papers do not answer it")


def _renumbered(events: Iterator[Notice | Statement], after: int) -> Iterator[Said]:
    """Shift the citation numbers, which count from 1, to follow the number `after`."""
    for event in events:
        if isinstance(event, Notice):
            yield event
            continue
        citations = tuple(
            replace(citation, mark=citation.mark + after) for citation in event.citations
        )
        yield replace(event, citations=citations)
