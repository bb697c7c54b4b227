"""Hits, evidence, answers, and the events that deliver an answer piece by piece."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rag.records.in_words import FIELD_NAMES
from rag.records.papers import Paper, Passage
from rag.resources import renamed


@dataclass(frozen=True, slots=True)
class Found:
    """The score that one stage of the search gave a paper.

    `lexical` is BM25 over words, `letters` BM25 over character n-grams, `dense` the cosine of the
    best passage, `sentence` the cosine of the best sentences, `rerank` a reranker's score.
    `catalog` is 1 for a paper that meets the conditions on metadata.
    """

    stage: Literal["lexical", "letters", "dense", "sentence", "catalog", "rerank"]
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A paper that a search found, with its best passage.

    `score` is the fused score of this search (higher is better, comparable within one search only);
    `rank` counts from 1; `found_by` lists the stages that found the paper, each with its own score.
    """

    paper: Paper
    passage: Passage
    score: float
    rank: int
    found_by: tuple[Found, ...]

    @property
    def text(self) -> str:
        """The passage's text."""
        return self.paper.text[self.passage.start : self.passage.end]

    def stage(self, name: str) -> float | None:
        """Return the score that a stage gave, or None if that stage did not find the paper."""
        return next((found.score for found in self.found_by if found.stage == name), None)


@dataclass(frozen=True, slots=True)
class TextSpan:
    """Evidence in a paper's text: `paper.text[start:end] == text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class CatalogFact:
    """Evidence in the catalog: a field of the paper, its value, and how the source printed it."""

    field: str
    value: str
    printed: str

    @property
    def name(self) -> str:
        """The field in words."""
        return FIELD_NAMES.get(self.field, self.field)


Evidence = TextSpan | CatalogFact


@dataclass(frozen=True, slots=True)
class Citation:
    """What a citation marker such as `[1]` refers to, in the whole conversation.

    `mark` is the citation number. `support` is how well the evidence supports the cited sentence,
    0 to 1, or None if it was not checked. A verbatim quotation has support 1.0.
    """

    mark: int
    paper_id: str
    title: str
    evidence: tuple[Evidence, ...]
    support: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier turn of a conversation; `refused` says that the assistant found no answer."""

    role: Literal["user", "assistant"]
    text: str
    citations: tuple[Citation, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """What the reader restricts a question to; empty fields restrict nothing.

    `sources` are names of files without their folders, `organisations` are names as printed,
    `papers` are ids. `without` holds the ids (`Filter.id`) of filters that the question itself
    implies and that the reader has removed.
    """

    first_year: int | None = None
    last_year: int | None = None
    sources: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    papers: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def filters(self) -> tuple[str, ...]:
        """What narrows the papers, in words."""
        papers = f"{len(self.papers)} chosen paper{'' if len(self.papers) == 1 else 's'}"
        words = {
            f"since {self.first_year}": self.first_year is not None,
            f"until {self.last_year}": self.last_year is not None,
            f"from {' or '.join(self.sources)}": self.sources,
            f"by {' or '.join(self.organisations)}": self.organisations,
            papers: self.papers,
        }
        return tuple(text for text, restricts in words.items() if restricts)


@dataclass(frozen=True, slots=True)
class Statement:
    """An event: one finished sentence of the answer, with its citations.

    `title` names the sentence's paper if the answer covers several papers. `doubts` are the reasons
    why a sentence that a model wrote may be wrong.
    """

    text: str
    citations: tuple[Citation, ...]
    title: str | None = None
    doubts: tuple[str, ...] = ()

    @property
    def marked(self) -> str:
        """The sentence as the answer shows it, with its citation markers."""
        # A space after every fifth marker allows a line break in a long row of markers.
        marks = "".join(
            f"[{citation.mark}]" + (" " if n % 5 == 0 else "")
            for n, citation in enumerate(self.citations, start=1)
        )
        sentence = f"{self.text} {marks}".rstrip()
        if self.doubts:
            sentence += f" (check: {'; '.join(self.doubts)})"
        return f"{self.title}: {sentence}" if self.title else sentence


@dataclass(frozen=True, slots=True)
class Excluded:
    """An event: a language model screened this paper and excluded it; `reason` says why."""

    paper_id: str
    title: str
    reason: str


def citations_of(statements: Iterable[Statement]) -> tuple[Citation, ...]:
    """Collect the citations in order of appearance; the first occurrence of a number wins."""
    first: dict[int, Citation] = {}
    for statement in statements:
        for citation in statement.citations:
            first.setdefault(citation.mark, citation)
    return tuple(first.values())


@dataclass(frozen=True, slots=True)
class Filter:
    """A restriction that a question itself implies.

    `text` describes it to the reader. `id` does not depend on the wording.
    """

    id: str
    text: str


NAMED_PAPERS = "named-papers"
"""The id of the filter that keeps only the papers that the question names or refers to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with everything needed to check it.

    - `statements`: the sentences of `text`; none in a refusal.
    - `refusal`: the reason why the papers do not answer, or None.
    - `answerability`: the probability that the papers answer, 0 to 1.
    - `looked_at`: the number of papers searched.
    - `usage`: timings in milliseconds.
    - `config`: the fingerprint of the configuration.
    - `notices`: what the reader must know in addition to the answer.
    - `near_misses`: papers just below the threshold, if the question asks for papers.
    - `made_by`: the model and the prompts that wrote the text, "" if no model did.
    - `scope`: what the reader restricted the question to.
    - `excluded`: papers that the screening by a language model left out.
    - `intent`: what the question wants, a value of `Intent`.
    """

    question: str
    standalone_question: str
    text: str
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    applied_filters: tuple[Filter, ...] = ()
    refusal: str | None = None
    answerability: float = 1.0
    looked_at: int = 0
    notices: tuple[str, ...] = ()
    near_misses: tuple[Hit, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    config: str = ""
    made_by: str = ""
    statements: tuple[Statement, ...] = ()
    scope: Scope = Scope()
    excluded: tuple[Excluded, ...] = ()
    intent: str = "fact"

    @property
    def filters(self) -> tuple[str, ...]:
        """The restrictions that the question implies, in words."""
        return tuple(filter.text for filter in self.applied_filters)

    def __getattr__(self, name: str) -> object:
        """Return a field by the name that it had in an earlier version, with a warning."""
        if new := renamed("answer").get(name):
            warnings.warn(
                f"Answer.{name} is now called Answer.{new}", DeprecationWarning, stacklevel=2
            )
            return getattr(self, new)
        raise AttributeError(f"an Answer has no attribute {name!r}")

    @property
    def sources(self) -> tuple[Hit, ...]:
        """The hits that the answer cites, in the order of their first citation."""
        by_id = {hit.paper.id: hit for hit in self.hits}
        cited = dict.fromkeys(citation.paper_id for citation in self.citations)
        return tuple(by_id[paper_id] for paper_id in cited if paper_id in by_id)


@dataclass(frozen=True, slots=True)
class Stage:
    """An event: the current step, in words."""

    text: str


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """An event: the search is done; `looked_at` is the number of papers searched."""

    hits: tuple[Hit, ...]
    looked_at: int


@dataclass(frozen=True, slots=True)
class Notice:
    """An event: something the reader must know, such as a degraded mode."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event: the whole answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Declined:
    """An event: a check of the sentences found that they do not answer; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """An event: the answerability (0 to 1) after a language model has judged it too.

    It combines `calibrated`, the answerability by the search's scores (0 to 1), with `yes`, the
    natural logarithm of the odds of the model's "yes" against its "no".
    """

    answerability: float
    calibrated: float
    yes: float


@dataclass(frozen=True, slots=True)
class Preview:
    """An event: the best quotation, to show until a language model's first sentence is there."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class Written:
    """An event: a request to a language model has finished; an answer may need several.

    `prompts` is the fingerprint of the prompts, `form` how the server was given the answer's form.
    Tokens are the server's own counts, None if it reports none. `first_ms` is the time to the first
    token, `writing_ms` the time from the first token to the last one, both in milliseconds.
    """

    model: str
    prompts: str
    form: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_ms: float | None = None
    writing_ms: float | None = None


Said = Statement | Notice | Stage | Judged | Preview | Excluded | Declined | Written
"""The events while an answer is generated."""
Event = Said | SourcesFound | Finished
