"""Answers that quote the papers' own sentences: no model writes, so nothing can be invented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer.extractive.contradiction import contradicting
from rag.answer.extractive.sentence_selection import chosen, says_the_same
from rag.answer.relevance import Assessment
from rag.answer.sentence_scores import sentence_scores
from rag.answer.shape import FEW, shape_of
from rag.config import AnswerConfig
from rag.records import Citation, Hit, Notice, Query, Sentence, Statement, TextSpan
from rag.search import SearchResult

_FIRST = 0.01  # added to the best score, to put another sentence first


@dataclass(frozen=True, slots=True)
class Extractive:
    """Quotes the sentences that answer, in the order of their papers' relevance."""

    config: AnswerConfig

    @property
    def least_answerability(self) -> float:
        """See `Synthesizer`."""
        return self.config.answerability

    def statements(
        self, query: Query, result: SearchResult, assessment: Assessment
    ) -> Iterator[Notice | Statement]:
        """Yield one statement per quotation, with citation numbers from 1.

        A question for papers gets every relevant paper, with one sentence under its title. A
        comparison gets two sentences of each paper. Other questions get the few sentences that
        answer best, the best one first. If the best paper contradicts an assumption of the
        question, a notice comes before the statements.
        """
        shares, with_title = self._shares(query, assessment)
        question = query.search_text
        quoted: list[Statement] = []
        for row, most in shares:
            hit = result.hits[row]
            scores = sentence_scores(hit, result.evidence[row], assessment, number=query.quantity)
            if not quoted and (denial := _contradicting(question, hit, list(scores), assessment)):
                yield Notice(
                    f"“{hit.paper.title}” seems to contradict an assumption of the question."
                )
                scores[denial] = max(scores.values()) + _FIRST
            for sentences in chosen(hit.paper.text, scores, most):
                quote = _quotation(hit, sentences, len(quoted) + 1, with_title=with_title)
                quoted.append(_without_repeat(quote, quoted))
                yield quoted[-1]

    def _shares(self, query: Query, assessment: Assessment) -> tuple[list[tuple[int, int]], bool]:
        """Return (hit's row, number of sentences) pairs, and whether titles are shown."""
        shape, most = shape_of(query, assessment, self.config), self.config.sentences
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


def _contradicting(
    question: str, hit: Hit, sentences: Sequence[Sentence], assessment: Assessment
) -> Sentence | None:
    """Return the paper's sentence that contradicts an assumption of the question, or None."""
    texts = [hit.paper.text[sentence.start : sentence.end] for sentence in sentences]
    number = contradicting(question, texts, assessment.asked)
    return None if number is None else sentences[number]


def _quotation(
    hit: Hit, sentences: Sequence[Sentence], mark: int, *, with_title: bool
) -> Statement:
    paper = hit.paper
    spans = tuple(
        TextSpan(sentence.start, sentence.end, paper.text[sentence.start : sentence.end])
        for sentence in sentences
    )
    # A sentence that is quoted word for word supports itself.
    citation = Citation(mark, paper.id, paper.title, spans, support=1.0)
    text = " ".join(word for span in spans for word in span.text.split())
    return Statement(text, (citation,), paper.title if with_title else None)


def _without_repeat(quote: Statement, quoted: Sequence[Statement]) -> Statement:
    """Return the quotation; if an earlier one says the same, its text only refers to that paper."""
    earlier = next((other for other in quoted if says_the_same(other.text, quote.text)), None)
    if earlier is None:
        return quote
    return replace(quote, text=f"It says the same as “{earlier.citations[0].title}”.")
