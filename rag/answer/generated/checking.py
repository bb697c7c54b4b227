"""What a model wrote becomes statements: one sentence each, with its evidence and what is in doubt about it."""

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

_SHARE = 0.5  # of the best excerpt's support: one with less is no evidence for the sentence
_HARDLY = 0.5  # of the least support: a sentence with less is left out
_ATTRIBUTED = 2  # excerpts at most, to a sentence without marks


def sentences_of(draft: Draft) -> Iterator[Draft]:
    """Split a draft into its sentences; where it has several, its marks are the last one's."""
    *earlier, last = split(draft.text) or [draft.text]
    yield from (Draft(text, ()) for text in earlier)
    yield Draft(last, draft.excerpts)


@dataclass(slots=True)
class Checker:
    """Checks the sentences of one request against the excerpts that its model was given.

    `marks` gives the numbers of citations, `supported` is the least support of a sentence that is not in doubt,
    `by_paper` puts the title of its paper before a sentence that cites one paper, `bound` says that a grammar counted
    the words, `earlier` holds what the answer has said before, and `lenient` leaves what is in doubt to a revision.
    `cited` and the counts say what became of the sentences.
    """

    scorer: SupportScorer
    excerpts: Sequence[Excerpt]
    marks: Iterator[int]
    supported: float
    by_paper: bool = False
    bound: bool = True
    earlier: list[str] = field(default_factory=list)
    lenient: bool = False
    said: int = 0
    cited: set[str] = field(default_factory=set)
    refused: bool = False
    cut: int = 0
    unsupported: int = 0
    quoted: int = 0

    def statements(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statements of a draft, sentence by sentence."""
        for one in sentences_of(draft):
            yield from self.statement(one)

    def statement(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statement of one sentence, or none.

        There is none where it is a refusal, was ended by its form, or repeats what was said. A sentence without marks
        is attributed to the excerpts that support it best, if they do. A line on a paper that is in doubt, or repeats a
        title, gives way to the paper's own sentences; elsewhere a sentence with hardly any support is left out.
        """
        if declines(draft.text):
            self.refused = True
        elif self.bound and len(draft.text.split()) >= MOST_WORDS:
            self.cut += 1
        elif statement := self._kept(draft, self._checked(draft)):
            yield self._said(statement)

    def missing(self) -> Iterator[Statement]:
        """Yield the own sentences of each paper of a list that no statement cites, so that the list is complete.

        A revision decides for itself what is left of a list.
        """
        for excerpt in self.excerpts if self.by_paper and not self.lenient else ():
            quotation = self._quotation(excerpt)
            if excerpt.hit.paper.id not in self.cited and not _among(quotation.text, self.earlier):
                self.quoted += 1
                yield self._said(quotation)

    def closing(self) -> Iterator[Notice]:
        """Yield what was withheld or replaced."""
        if self.cut:
            yield Notice(
                f"{_were(self.cut)} withheld: longer than {MOST_WORDS} words, and so perhaps not complete."
            )
        if self.unsupported:
            yield Notice(
                f"{_were(self.unsupported)} left out, since the papers do not support what the model wrote."
            )
        if self.quoted:
            yield Notice(
                f"{_were(self.quoted)} replaced by the paper's own, which the model's did not follow."
            )

    def _said(self, statement: Statement) -> Statement:
        """The statement with the numbers of its citations; the counts take it in."""
        self.said += 1
        self.earlier.append(statement.text)
        self.cited |= {one.paper_id for one in statement.citations}
        return replace(
            statement,
            citations=tuple(replace(one, mark=next(self.marks)) for one in statement.citations),
        )

    def _kept(self, draft: Draft, statement: Statement) -> Statement | None:
        if self.lenient:
            return statement
        if self.by_paper and draft.excerpts:
            titles = [one.hit.paper.title for one in self.excerpts]
            if statement.doubts or _among(statement.text, (*self.earlier, *titles)):
                self.quoted += 1
                statement = self._quotation(self.excerpts[draft.excerpts[0] - 1])
        elif statement.citations and _support(statement) < _HARDLY * self.supported:
            self.unsupported += 1
            return None
        return None if _among(statement.text, self.earlier) else statement

    def _quotation(self, excerpt: Excerpt) -> Statement:
        paper = excerpt.hit.paper
        spans = tuple(
            TextSpan(one.start, one.end, paper.text[one.start : one.end])
            for one in excerpt.sentences
        )
        return Statement(
            excerpt.text, (Citation(0, paper.id, paper.title, spans, support=1.0),), paper.title
        )

    def _checked(self, draft: Draft) -> Statement:
        named = self._evidence(draft)
        by_paper: dict[str, list[int]] = {}
        for number in sorted(named):
            by_paper.setdefault(self.excerpts[number - 1].hit.paper.id, []).append(number)
        # What a sentence says may be spread over its paper; the abstract as a whole supports it then.
        papers = [self.excerpts[numbers[0] - 1].whole for numbers in by_paper.values()]
        whole = [self.scorer.score(draft.text, paper.texts, paper.known) for paper in papers]
        citations = tuple(
            self._citation(
                [(self.excerpts[number - 1], named[number]) for number in numbers], paper, support
            )
            for numbers, paper, support in zip(by_paper.values(), papers, whole, strict=True)
        )
        title = citations[0].title if self.by_paper and len(citations) == 1 else None
        return Statement(draft.text, citations, title, tuple(self._doubts(citations, whole)))

    def _evidence(self, draft: Draft) -> dict[int, Support]:
        """The support by each excerpt that is evidence for the sentence, by its number.

        Where the excerpts that the model named do not support it, and others do, it is the others: small models often
        name the neighbour of the sentence that they mean.
        """
        named = self._scored(draft.text, draft.excerpts)
        best = max((one.score for one in named.values()), default=0.0)
        if best < self.supported and (found := self._attributed(draft.text)):
            return found
        return {number: one for number, one in named.items() if one.score >= _SHARE * best}

    def _attributed(self, text: str) -> dict[int, Support]:
        """The excerpts that support a sentence best, if they do."""
        scores = self._scored(text, range(1, len(self.excerpts) + 1))
        best = sorted(scores, key=lambda number: -scores[number].score)[:_ATTRIBUTED]
        least = max(self.supported, _SHARE * scores[best[0]].score) if best else 0.0
        return {number: scores[number] for number in best if scores[number].score >= least}

    def _scored(self, text: str, numbers: Iterable[int]) -> dict[int, Support]:
        # Only what the model writes is embedded; the library has the rest.
        given = {number: self.excerpts[number - 1] for number in numbers}
        return {
            number: self.scorer.score(text, one.texts, one.known) for number, one in given.items()
        }

    def _citation(
        self, cited: Sequence[tuple[Excerpt, Support]], paper: Excerpt, support: Support
    ) -> Citation:
        """The citation of one paper: of each excerpt the sentence that says it, or else the paper's best sentence."""
        best = max(one.score for _, one in cited)
        if best < self.supported <= support.score:
            cited = [(paper, support)]
        # Where no sentence comes near, the last one is meant; those before it are there to explain it.
        chosen = {excerpt.sentences[-1 if one.best is None else one.best] for excerpt, one in cited}
        text, hit = paper.hit.paper.text, paper.hit.paper
        spans = tuple(
            TextSpan(one.start, one.end, text[one.start : one.end])
            for one in sorted(chosen, key=_start)
        )
        return Citation(0, hit.id, hit.title, spans, round(max(best, support.score), 4))

    def _doubts(self, citations: Sequence[Citation], scores: Sequence[Support]) -> Iterator[str]:
        if not citations:
            yield "it names no source"
            return
        best = max(one.support or 0.0 for one in citations)
        if best < self.supported:
            yield f"weak support, {best:.2f}"
        missing = [set(one.missing_numbers) for one in scores]
        if stray := [
            number for number in scores[0].missing_numbers if all(number in one for one in missing)
        ]:
            yield f"{', '.join(stray)} in no cited paper"


def _start(sentence: Sentence) -> int:
    return sentence.start


def _support(statement: Statement) -> float:
    return max(one.support or 0.0 for one in statement.citations)


def _among(text: str, others: Iterable[str]) -> bool:
    """Whether one of the others says the same, or is the same but for punctuation and case."""
    return any(_plain(text) == _plain(one) or says_the_same(text, one) for one in others)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _were(number: int) -> str:
    return "1 sentence was" if number == 1 else f"{number} sentences were"
