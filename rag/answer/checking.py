"""What a model wrote becomes statements: one sentence each, with its evidence and what is in doubt about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rag.answer.context import Excerpt
from rag.answer.refusal import declines
from rag.answer.support import Support, SupportScorer
from rag.answer.wording import split
from rag.llm import MOST_WORDS, Draft
from rag.records import Citation, Notice, Sentence, Statement, TextSpan

_SHARE = 0.5  # of the best excerpt's support: one with less is no evidence for the sentence
_ATTRIBUTED = 2  # excerpts at most, to a sentence without marks


def sentences_of(draft: Draft) -> Iterator[Draft]:
    """Split a draft into its sentences; where it has several, its marks are the last one's."""
    *earlier, last = split(draft.text) or [draft.text]
    yield from (Draft(text, ()) for text in earlier)
    yield Draft(last, draft.excerpts)


@dataclass(slots=True)
class Checker:
    """Checks the sentences of one answer against the excerpts that its model was given.

    `marks` gives the numbers of citations, `supported` is the least support of a sentence that is not in doubt,
    `by_paper` puts the title of its paper before a sentence that cites one paper, and `bound` says that a grammar
    counted the words. `said` counts the statements, `refused` and `cut` say what was taken out.
    """

    scorer: SupportScorer
    excerpts: Sequence[Excerpt]
    marks: Iterator[int]
    supported: float
    by_paper: bool = False
    bound: bool = True
    said: int = 0
    refused: bool = False
    cut: int = 0

    def statements(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statements of a draft, sentence by sentence."""
        for one in sentences_of(draft):
            yield from self.statement(one)

    def statement(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statement of one sentence; none where it is a refusal, or was ended by its form.

        A sentence without marks is attributed to the excerpts that support it best, if they do.
        """
        if declines(draft.text):
            self.refused = True
        elif self.bound and len(draft.text.split()) >= MOST_WORDS:
            self.cut += 1
        else:
            self.said += 1
            yield self._checked(draft)

    def closing(self) -> Iterator[Notice]:
        """Yield what was withheld."""
        if self.cut:
            said = "1 sentence was" if self.cut == 1 else f"{self.cut} sentences were"
            yield Notice(f"{said} withheld: longer than {MOST_WORDS} words, and so perhaps not complete.")

    def _checked(self, draft: Draft) -> Statement:
        named = self._evidence(draft)
        by_paper: dict[str, list[int]] = {}
        for number in sorted(named):
            by_paper.setdefault(self.excerpts[number - 1].hit.paper.id, []).append(number)
        # What a sentence says may be spread over its paper; the abstract as a whole supports it then.
        papers = [self.excerpts[numbers[0] - 1].whole for numbers in by_paper.values()]
        whole = [self.scorer.score(draft.text, paper.texts, paper.known) for paper in papers]
        citations = tuple(
            self._citation([(self.excerpts[number - 1], named[number]) for number in numbers], paper, support)
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
        return {number: self.scorer.score(text, one.texts, one.known) for number, one in given.items()}

    def _citation(self, cited: Sequence[tuple[Excerpt, Support]], paper: Excerpt, support: Support) -> Citation:
        """The citation of one paper: of each excerpt the sentence that says it, or else the paper's best sentence."""
        best = max(one.score for _, one in cited)
        if best < self.supported <= support.score:
            cited = [(paper, support)]
        # Where no sentence comes near, the last one is meant; those before it are there to explain it.
        chosen = {excerpt.sentences[-1 if one.best is None else one.best] for excerpt, one in cited}
        text, hit = paper.hit.paper.text, paper.hit.paper
        spans = tuple(TextSpan(one.start, one.end, text[one.start : one.end]) for one in sorted(chosen, key=_start))
        return Citation(next(self.marks), hit.id, hit.title, spans, round(max(best, support.score), 4))

    def _doubts(self, citations: Sequence[Citation], scores: Sequence[Support]) -> Iterator[str]:
        if not citations:
            yield "it names no source"
            return
        best = max(one.support or 0.0 for one in citations)
        if best < self.supported:
            yield f"weak support, {best:.2f}"
        missing = [set(one.missing_numbers) for one in scores]
        if stray := [number for number in scores[0].missing_numbers if all(number in one for one in missing)]:
            yield f"{', '.join(stray)} in no cited paper"


def _start(sentence: Sentence) -> int:
    return sentence.start
