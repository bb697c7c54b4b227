"""Answers made of the papers' own sentences: no model writes anything, so nothing can be made up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer.extractive.contradiction import contradicting
from rag.answer.extractive.sentence_selection import chosen, says_the_same
from rag.answer.relevance import Assessment
from rag.answer.sentence_scores import sentence_scores
from rag.answer.shape import FEW, shape_of
from rag.config import AnswerConfig
from rag.query.intent import asks_for_number
from rag.records import Citation, Hit, Notice, Sentence, Statement, TextSpan
from rag.search import SearchResult

_FIRST = 0.01  # what puts a sentence before the best one


@dataclass(frozen=True, slots=True)
class Extractive:
    """Quotes the sentences that answer, in the order of their papers' relevance."""

    config: AnswerConfig

    @property
    def least_answerability(self) -> float:
        """See `Synthesizer`."""
        return self.config.answerability

    def statements(
        self, question: str, result: SearchResult, assessment: Assessment, whole: str | None = None
    ) -> Iterator[Notice | Statement]:
        """One statement a quote, marks counting from 1; before them a notice where the question got something wrong.

        A question for papers gets every relevant paper, one sentence each under its title; a comparison gets two of
        each paper; any other the few sentences that answer best, the best one first.
        """
        shares, with_title = self._shares(whole or question, assessment)
        number = asks_for_number(question)
        said: list[Statement] = []
        for row, most in shares:
            hit = result.hits[row]
            scores = sentence_scores(hit, result.evidence[row], assessment, number=number)
            if not said and (denying := _denying(question, hit, list(scores), assessment)):
                yield Notice(
                    f"“{hit.paper.title}” seems to say otherwise than the question takes for granted."
                )
                scores[denying] = max(scores.values()) + _FIRST
            for sentences in chosen(hit.paper.text, scores, most):
                quote = _quoted(hit, sentences, len(said) + 1, with_title=with_title)
                said.append(_unless_said(quote, said))
                yield said[-1]

    def _shares(self, question: str, assessment: Assessment) -> tuple[list[tuple[int, int]], bool]:
        """How many sentences to quote of which hit, and whether papers are named before their sentences."""
        shape, most = shape_of(question, assessment, self.config), self.config.sentences
        match shape.kind:
            case "comparison":
                return [(row, 2) for row in shape.rows], True
            case "list":
                return [(row, 1) for row in shape.rows], True
            case "findings" if len(shape.rows) > FEW:
                return [(row, 1) for row in shape.rows], True
        if len(shape.rows) == 1:
            return [(shape.rows[0], most)], False
        return [(shape.rows[0], max(1, most - 1)), (shape.rows[1], 1)], True


def _denying(
    question: str, hit: Hit, sentences: Sequence[Sentence], assessment: Assessment
) -> Sentence | None:
    """The sentence of the best paper that denies what the question takes for granted."""
    texts = [hit.paper.text[one.start : one.end] for one in sentences]
    number = contradicting(question, texts, assessment.asked)
    return None if number is None else sentences[number]


def _quoted(hit: Hit, sentences: Sequence[Sentence], mark: int, *, with_title: bool) -> Statement:
    paper = hit.paper
    spans = tuple(
        TextSpan(one.start, one.end, paper.text[one.start : one.end]) for one in sentences
    )
    # A sentence quoted word for word is supported by itself.
    citation = Citation(mark, paper.id, paper.title, spans, support=1.0)
    text = " ".join(word for span in spans for word in span.text.split())
    return Statement(text, (citation,), paper.title if with_title else None)


def _unless_said(quote: Statement, said: Sequence[Statement]) -> Statement:
    """The quote, or a word that it says what another paper's quote has said."""
    earlier = next((one for one in said if says_the_same(one.text, quote.text)), None)
    if earlier is None:
        return quote
    return replace(quote, text=f"It says the same as “{earlier.citations[0].title}”.")
