"""Turn what a model wrote into statements: one sentence each, with its evidence and its doubts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rag.answer.abstention import declines
from rag.answer.extractive.sentence_selection import says_the_same
from rag.answer.generated.context import Excerpt
from rag.answer.support import Support, SupportScorer
from rag.llm import MOST_WORDS, Draft
from rag.records import Citation, Notice, Sentence, Statement, TextSpan
from rag.text.wording import split

_SHARE = 0.5  # an excerpt with less than this share of the best excerpt's support is no evidence
_LEAST_SHARE = 0.5  # a sentence with less than this share of `supported` is left out
_ATTRIBUTED = 2  # at most this many excerpts are attributed to a sentence without citation numbers


def sentences_of(draft: Draft) -> Iterator[Draft]:
    """Split a draft into its sentences; the last sentence gets the draft's citation numbers."""
    *earlier, last = split(draft.text) or [draft.text]
    yield from (Draft(text, ()) for text in earlier)
    yield Draft(last, draft.excerpts)


@dataclass(slots=True)
class Checker:
    """Checks the sentences of one request against the excerpts that its model was given.

    `marks` yields the citation numbers. A sentence with at least `supported` as its support is not
    in doubt. `by_paper` sets the paper's title on a sentence that cites one paper. `bound` means
    that a grammar limited the number of words. `earlier` holds the answer's sentences so far.
    `lenient` keeps doubtful and repeated sentences, because a revision decides about them.
    The other fields count what became of the sentences; `cited` has the ids of the cited papers.
    """

    scorer: SupportScorer
    excerpts: Sequence[Excerpt]
    marks: Iterator[int]
    supported: float
    by_paper: bool = False
    bound: bool = True
    earlier: list[str] = field(default_factory=list)
    lenient: bool = False
    accepted: int = 0
    cited: set[str] = field(default_factory=set)
    refused: bool = False
    cut: int = 0
    unsupported: int = 0
    quoted: int = 0

    def statements(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statements of a draft, sentence by sentence."""
        for sentence in sentences_of(draft):
            yield from self.statement(sentence)

    def statement(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statement of one sentence, or nothing.

        Nothing is yielded for a refusal and for a sentence that was cut off at the word limit.
        A sentence without citation numbers is attributed to the excerpts that support it best, if
        they support it enough. Unless `lenient` is set, there are three more rules:

        - A sentence that repeats an earlier one is left out.
        - In an answer by paper, a sentence that is in doubt or repeats a title is replaced by the
          paper's own sentences.
        - In other answers, a sentence with very low support is left out.
        """
        if declines(draft.text):
            self.refused = True
        elif self.bound and len(draft.text.split()) >= MOST_WORDS:
            self.cut += 1
        elif statement := self._kept(draft, self._checked(draft)):
            yield self._accept(statement)

    def missing(self) -> Iterator[Statement]:
        """Yield the sentences of each paper of a list that is not cited yet, to complete the list.

        With a revision, nothing is added: the revision decides what is left of the list.
        """
        for excerpt in self.excerpts if self.by_paper and not self.lenient else ():
            quotation = self._quotation(excerpt)
            if excerpt.hit.paper.id not in self.cited and not _repeats(
                quotation.text, self.earlier
            ):
                self.quoted += 1
                yield self._accept(quotation)

    def closing(self) -> Iterator[Notice]:
        """Yield notices of how many sentences were withheld, left out or replaced."""
        if self.cut:
            yield Notice(
                f"{_were(self.cut)} withheld: longer than {MOST_WORDS} words, possibly incomplete."
            )
        if self.unsupported:
            yield Notice(
                f"{_were(self.unsupported)} left out, because the papers do not support what the"
                " model wrote."
            )
        if self.quoted:
            yield Notice(
                f"{_were(self.quoted)} replaced by the paper's own text: the model's text was"
                " missing, repeated or not supported."
            )

    def _accept(self, statement: Statement) -> Statement:
        """Record a statement as part of the answer, and return it with its citation numbers."""
        self.accepted += 1
        self.earlier.append(statement.text)
        self.cited |= {citation.paper_id for citation in statement.citations}
        return replace(
            statement,
            citations=tuple(
                replace(citation, mark=next(self.marks)) for citation in statement.citations
            ),
        )

    def _kept(self, draft: Draft, statement: Statement) -> Statement | None:
        if self.lenient:
            return statement
        if self.by_paper and draft.excerpts:
            titles = [excerpt.hit.paper.title for excerpt in self.excerpts]
            if statement.doubts or _repeats(statement.text, (*self.earlier, *titles)):
                self.quoted += 1
                statement = self._quotation(self.excerpts[draft.excerpts[0] - 1])
        elif statement.citations and _support(statement) < _LEAST_SHARE * self.supported:
            self.unsupported += 1
            return None
        return None if _repeats(statement.text, self.earlier) else statement

    def _quotation(self, excerpt: Excerpt) -> Statement:
        paper = excerpt.hit.paper
        spans = tuple(_span(paper.text, sentence) for sentence in excerpt.sentences)
        # The number 0 is replaced when the statement is accepted.
        return Statement(
            excerpt.text, (Citation(0, paper.id, paper.title, spans, support=1.0),), paper.title
        )

    def _checked(self, draft: Draft) -> Statement:
        named = self._evidence(draft)
        by_paper: dict[str, list[int]] = {}
        for number in sorted(named):
            by_paper.setdefault(self.excerpts[number - 1].hit.paper.id, []).append(number)
        # The evidence may be spread over the paper, so the sentence is also compared with the
        # abstract as a whole.
        papers = [self.excerpts[numbers[0] - 1].whole_paper for numbers in by_paper.values()]
        by_abstract = [self.scorer.score(draft.text, paper.texts, paper.known) for paper in papers]
        citations = tuple(
            self._citation(
                [(self.excerpts[number - 1], named[number]) for number in numbers], paper, support
            )
            for numbers, paper, support in zip(by_paper.values(), papers, by_abstract, strict=True)
        )
        title = citations[0].title if self.by_paper and len(citations) == 1 else None
        return Statement(draft.text, citations, title, tuple(self._doubts(citations, by_abstract)))

    def _evidence(self, draft: Draft) -> dict[int, Support]:
        """Return the excerpts that are evidence for the sentence: their numbers and support.

        If the excerpts that the model cited do not support the sentence, and others do, the others
        are returned: small models often cite the neighbour of the sentence that they mean.
        """
        named = self._scored(draft.text, draft.excerpts)
        best = max((support.score for support in named.values()), default=0.0)
        if best < self.supported and (found := self._attributed(draft.text)):
            return found
        return {
            number: support for number, support in named.items() if support.score >= _SHARE * best
        }

    def _attributed(self, text: str) -> dict[int, Support]:
        """Return the excerpts that support a sentence best; empty if none supports it enough."""
        scores = self._scored(text, range(1, len(self.excerpts) + 1))
        best = sorted(scores, key=lambda number: -scores[number].score)[:_ATTRIBUTED]
        least = max(self.supported, _SHARE * scores[best[0]].score) if best else 0.0
        return {number: scores[number] for number in best if scores[number].score >= least}

    def _scored(self, text: str, numbers: Iterable[int]) -> dict[int, Support]:
        # Only the model's sentence is embedded; the library has the vectors of the excerpts.
        cited = {number: self.excerpts[number - 1] for number in numbers}
        return {
            number: self.scorer.score(text, excerpt.texts, excerpt.known)
            for number, excerpt in cited.items()
        }

    def _citation(
        self, cited: Sequence[tuple[Excerpt, Support]], paper: Excerpt, support: Support
    ) -> Citation:
        """Return the citation of one paper, with the best sentence of each cited excerpt.

        If no excerpt supports the statement but the whole paper does, it has the best sentence of
        the whole paper.
        """
        best = max(excerpt_support.score for _, excerpt_support in cited)
        if best < self.supported <= support.score:
            cited = [(paper, support)]
        # Without a best sentence the excerpt's last one is meant: a sentence before it is only its
        # antecedent.
        chosen = {
            excerpt.sentences[-1 if excerpt_support.best is None else excerpt_support.best]
            for excerpt, excerpt_support in cited
        }
        text, hit = paper.hit.paper.text, paper.hit.paper
        spans = tuple(_span(text, sentence) for sentence in sorted(chosen, key=_start))
        return Citation(0, hit.id, hit.title, spans, round(max(best, support.score), 4))

    def _doubts(self, citations: Sequence[Citation], scores: Sequence[Support]) -> Iterator[str]:
        if not citations:
            yield "it cites no paper"
            return
        best = max(citation.support or 0.0 for citation in citations)
        if best < self.supported:
            yield f"weak support, {best:.2f}"
        missing = [set(support.missing_numbers) for support in scores]
        if nowhere := [
            number
            for number in scores[0].missing_numbers
            if all(number in numbers for numbers in missing)
        ]:
            yield f"{', '.join(nowhere)} in no cited paper"


def _span(text: str, sentence: Sentence) -> TextSpan:
    return TextSpan(sentence.start, sentence.end, text[sentence.start : sentence.end])


def _start(sentence: Sentence) -> int:
    return sentence.start


def _support(statement: Statement) -> float:
    return max(citation.support or 0.0 for citation in statement.citations)


def _repeats(text: str, others: Iterable[str]) -> bool:
    """Check whether another text says the same, or differs in punctuation and case only."""
    return any(_plain(text) == _plain(other) or says_the_same(text, other) for other in others)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _were(number: int) -> str:
    return "1 sentence was" if number == 1 else f"{number} sentences were"
