"""Hits, evidence, answers, and the events by which an answer arrives."""

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
    """One stage's word on a paper.

    `lexical` is BM25 over words, `letters` over their letters, `dense` the best passage's cosine, `sentence` that of
    the best sentences, `catalog` 1 for a paper that meets what was asked of the catalog, `rerank` a reranker's score.
    """

    stage: Literal["lexical", "letters", "dense", "sentence", "catalog", "rerank"]
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A paper that a search found, with its best passage.

    `score` is the fused score of this search (higher is better, comparable within one search only); `rank`
    counts from 1; `found_by` lists the stages that found the paper, each with its own score.
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
        """The score that the stage of this name gave, or None where it did not find the paper."""
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
    """What a mark such as `[1]` points to, in the whole conversation.

    `support` says how well the evidence supports the marked sentence, 0 to 1; None where it was not checked
    (a sentence quoted word for word needs no check: it is 1.0).
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

    `sources` are names of files without their folders, `organisations` as printed, `papers` ids; `without` holds the ids
    of filters that the question itself implies (`Filter.id`) and that the reader has taken away.
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
        return tuple(said for said, restricts in words.items() if restricts)


@dataclass(frozen=True, slots=True)
class Statement:
    """An event: one finished sentence of the answer, and what its marks point to.

    `title` names the paper it is about where the answer goes through several papers; `doubts` says why a sentence that
    a model wrote may not hold.
    """

    text: str
    citations: tuple[Citation, ...]
    title: str | None = None
    doubts: tuple[str, ...] = ()

    @property
    def marked(self) -> str:
        """The sentence as it stands in the answer, with its marks."""
        # A space after every few lets a long row of marks be wrapped.
        marks = "".join(
            f"[{one.mark}]" + (" " if n % 5 == 0 else "")
            for n, one in enumerate(self.citations, start=1)
        )
        said = f"{self.text} {marks}".rstrip()
        if self.doubts:
            said += f" (check: {'; '.join(self.doubts)})"
        return f"{self.title}: {said}" if self.title else said


@dataclass(frozen=True, slots=True)
class Excluded:
    """An event: a language model that screened this paper finds that it does not answer, and why."""

    paper_id: str
    title: str
    reason: str


def citations_of(statements: Iterable[Statement]) -> tuple[Citation, ...]:
    """What the marks of statements point to, in the order of the answer; the first statement with a mark tells."""
    first: dict[int, Citation] = {}
    for statement in statements:
        for one in statement.citations:
            first.setdefault(one.mark, one)
    return tuple(first.values())


@dataclass(frozen=True, slots=True)
class Filter:
    """A restriction that a question itself implies; `text` says it, `id` stays the same whatever the words."""

    id: str
    text: str


NAMED_PAPERS = "named-papers"
"""The id of the filter that only papers count which the question names or points at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with everything needed to check it.

    `statements` are the sentences of `text` one by one, none in a refusal. `refusal` is None, or the reason why the
    papers don't tell; `answerability` is how likely it is (0 to 1) that they do.
    `looked_at` is the number of papers searched, `usage` holds timings in milliseconds, `config` is the fingerprint
    of the configuration that answered, `notices` what the reader must know besides the answer, `near_misses` papers
    just below the line where papers were asked for, `made_by` the model and the prompts that wrote it, "" where no
    model did, `scope` what the reader had restricted it to, `excluded` the papers that a language model's screening
    left out, `intent` what the question wants (`Intent`).
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
        """The hits that the answer cites, in the order of their first mark."""
        by_id = {hit.paper.id: hit for hit in self.hits}
        cited = dict.fromkeys(citation.paper_id for citation in self.citations)
        return tuple(by_id[paper] for paper in cited if paper in by_id)


@dataclass(frozen=True, slots=True)
class Stage:
    """An event: what is being done now, in words."""

    text: str


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """An event: the search is done; `looked_at` is the number of papers searched."""

    hits: tuple[Hit, ...]
    looked_at: int


@dataclass(frozen=True, slots=True)
class Notice:
    """An event: something the reader must know besides the answer, such as a degraded mode."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event: the whole answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Declined:
    """An event: whoever reads the sentences finds that they do not answer, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """An event: how likely it is (0 to 1) that the papers answer, now that a language model has been asked too.

    It joins `calibrated`, what the search says of that (0 to 1), with `yes`, how much likelier the model's yes is than
    its no, as a natural logarithm.
    """

    answerability: float
    calibrated: float
    yes: float


@dataclass(frozen=True, slots=True)
class Preview:
    """An event: the best quotation, to be shown until a language model has written its first sentence."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class Written:
    """An event: a request to a language model is over; there may be several to an answer.

    `prompts` is the fingerprint of its prompts, `form` how the server was given the answer's form. Tokens are the
    server's own counts, None where it gives none; `first_ms` is the time to the first token, `writing_ms` the time from
    there to the last one, in milliseconds.
    """

    model: str
    prompts: str
    form: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_ms: float | None = None
    writing_ms: float | None = None


Said = Statement | Notice | Stage | Judged | Preview | Excluded | Declined | Written
"""What comes while an answer is made."""
Event = Said | SourcesFound | Finished
