"""Answers made of the papers' own sentences: no model writes anything, so nothing can be made up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rag.answer.kinds import asks_for_number, asks_for_papers, asks_to_compare
from rag.answer.premise import contradicting
from rag.answer.quoting import chosen, says_the_same
from rag.answer.relevance import Assessment, coverage
from rag.config import AnswerConfig
from rag.records import Citation, Hit, Notice, Sentence, Statement, TextSpan
from rag.search import Evidence, SearchResult

# What counts beside a sentence's cosine to the question: the question's words in it, and a figure where one is asked
# for. Chosen on the dev questions of the Daily Papers corpus; the bundled questions agree (docs/LOG.md).
_WORDS = 0.2
_FIGURE = 0.3
_SCRAP = 4  # words
_FIRST = 0.01  # what puts a sentence before the best one
_FEW = 2  # more relevant papers than these are listed, not quoted at length
_ALONE = 0.05  # of the best paper's odds: where the next has less, a question is about the best one (docs/LOG.md)
_COMPARED = 3  # papers that a comparison sets side by side


@dataclass(frozen=True, slots=True)
class Extractive:
    """Quotes the sentences that answer, in the order of their papers' relevance."""

    config: AnswerConfig

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
            scores = _scores(hit, result.evidence[row], assessment, number=number)
            if not said and (denying := _denying(question, hit, list(scores), assessment)):
                yield Notice(f"“{hit.paper.title}” seems to say otherwise than the question takes for granted.")
                scores[denying] = max(scores.values()) + _FIRST
            for sentences in chosen(hit.paper.text, scores, most):
                quote = _quoted(hit, sentences, len(said) + 1, with_title=with_title)
                said.append(_unless_said(quote, said))
                yield said[-1]

    def _shares(self, question: str, assessment: Assessment) -> tuple[list[tuple[int, int]], bool]:
        """How many sentences to quote of which hit, and whether papers are named before their sentences."""
        rows = assessment.answering(self.config)
        if asks_to_compare(question) and len(rows) > 1:
            return [(row, 2) for row in rows[:_COMPARED]], True
        if not asks_for_papers(question) and question.rstrip().endswith("?") and assessment.stands_alone(_ALONE):
            rows = rows[:1]
        if asks_for_papers(question) or (len(rows) > _FEW and not asks_for_number(question)):
            return [(row, 1) for row in assessment.listed(self.config)], True
        if len(rows) == 1:
            return [(rows[0], self.config.sentences)], False
        return [(rows[0], max(1, self.config.sentences - 1)), (rows[1], 1)], True


def _scores(hit: Hit, evidence: Evidence, assessment: Assessment, *, number: bool) -> dict[Sentence, float]:
    """How well each of the paper's sentences answers."""
    text, parts = hit.paper.text, evidence.parts.sentences
    return {
        sentence: float(cosine) + _bonus(text[sentence.start : sentence.end], assessment, number=number)
        for sentence, cosine in zip(parts, evidence.cosines, strict=True)
        # The title names the paper; it is quoted only where there is nothing else.
        if sentence.start > 0 or len(parts) == 1
    }


def _denying(question: str, hit: Hit, sentences: Sequence[Sentence], assessment: Assessment) -> Sentence | None:
    """The sentence of the best paper that denies what the question takes for granted."""
    texts = [hit.paper.text[one.start : one.end] for one in sentences]
    number = contradicting(question, texts, assessment.asked)
    return None if number is None else sentences[number]


def _bonus(text: str, assessment: Assessment, *, number: bool) -> float:
    figure = _FIGURE if number and re.search(r"\d", text) else 0.0
    # Where code lies, and scraps that a full stop in debris cut off, answer nothing.
    empty = -1.0 if "://" in text or len(text.split()) < _SCRAP else 0.0
    return _WORDS * coverage(text, assessment.asked) + figure + empty


def _quoted(hit: Hit, sentences: Sequence[Sentence], mark: int, *, with_title: bool) -> Statement:
    paper = hit.paper
    spans = tuple(TextSpan(one.start, one.end, paper.text[one.start : one.end]) for one in sentences)
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
