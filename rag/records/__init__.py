"""The records that pass between the rooms: frozen, comparable, and free of any library of others.

All character offsets in this project are code points into `Paper.text`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from rag.resources import renamed

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def normalise_title(title: str) -> str:
    """Fold a title to what identifies it: NFKC, case-folded, runs of non-alphanumerics to one space."""
    return _NOT_ALPHANUMERIC.sub(" ", unicodedata.normalize("NFKC", title).casefold()).strip()


def paper_id(title: str) -> str:
    """Name a paper by its title: `p-` and 16 hex digits of the SHA-256 of the normalised title."""
    return "p-" + hashlib.sha256(normalise_title(title).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PublishedDate:
    """A date as finely as its source tells it: a year, a month of it, or a day.

    `inferred` says that the year was not printed but concluded from the page.
    """

    year: int
    month: int | None = None
    day: int | None = None
    inferred: bool = False

    @property
    def precision(self) -> Literal["year", "month", "day"]:
        """How much of the date is known."""
        if self.month is None:
            return "year"
        return "month" if self.day is None else "day"

    def __str__(self) -> str:
        parts = [f"{self.year:04d}"]
        parts += [f"{part:02d}" for part in (self.month, self.day) if part is not None]
        return "-".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class ExternalId:
    """A name that others gave the paper: kind `arxiv` or `doi`, and its normalised value."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where a paper was seen.

    `source` is the file's absolute path, `line` the 1-based line of the title there, `fingerprint` the
    SHA-256 of everything that was read there.
    """

    source: str
    line: int
    printed_date: str | None = None
    comments: int | None = None
    upvotes: int | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper as the library knows it, merged from all its sightings."""

    id: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    author_count: int | None = None
    organisation: str | None = None
    published: PublishedDate | None = None
    external_ids: tuple[ExternalId, ...] = ()
    url: str | None = None
    categories: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()

    @property
    def text(self) -> str:
        """Title, two newlines, abstract: the text that all offsets refer to."""
        return f"{self.title}\n\n{self.abstract}"

    @property
    def printed_date(self) -> str | None:
        """The date as a source printed it: the latest one that printed any."""
        return next((s.printed_date for s in reversed(self.sightings) if s.printed_date), None)

    @property
    def comments(self) -> int | None:
        """The number of comments at the newest sighting that gave one."""
        return next((s.comments for s in reversed(self.sightings) if s.comments is not None), None)

    @property
    def upvotes(self) -> int | None:
        """The number of upvotes at the newest sighting that gave one."""
        return next((s.upvotes for s in reversed(self.sightings) if s.upvotes is not None), None)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of whole sentences that fits the embedder; `paper.text[start:end]` is the passage."""

    id: str
    paper_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """The unit of evidence; `paper.text[start:end]` is the sentence."""

    paper_id: str
    start: int
    end: int


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

    `sources` are names of files without their folders, `organisations` as printed, `papers` ids; `without` holds
    filters that the question itself implies, as `Answer.filters` prints them, and that the reader has taken away.
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
class Answer:
    """An answer with everything needed to check it.

    `statements` are the sentences of `text` one by one, none in a refusal. `refusal` is None, or the reason why the
    papers don't tell; `answerability` is how likely it is (0 to 1) that they do.
    `looked_at` is the number of papers searched, `usage` holds timings in milliseconds, `config` is the fingerprint
    of the configuration that answered, `notices` what the reader must know besides the answer, `near_misses` papers
    just below the line where papers were asked for, `made_by` the model and the prompts that wrote it, "" where no
    model did, `scope` what the reader had restricted it to, `excluded` the papers that a language model's screening
    left out.
    """

    question: str
    standalone_question: str
    text: str
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    filters: tuple[str, ...] = ()
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


Field = Literal["published", "author_count", "authors", "organisation", "comments"]
"""A fact that the catalog may know of a paper."""
Relation = Literal["=", "!=", "<", "<=", ">", ">=", "missing", "known"]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a paper's fact must be; `value` is a number, a name, or a date.

    A date is as fine as given: "2024", "2024-12", "2024-12-05", in any year "--12" or "--12-25", and of several years
    "2018 or 2020"; "@GLOW" is that of the paper so called. `missing` and `known` need no value.
    """

    field: Field
    relation: Relation
    value: str = ""

    def __str__(self) -> str:
        if self.relation == "missing":
            return f"no {FIELD_NAMES[self.field]}"
        if self.relation == "known":
            return f"{FIELD_NAMES[self.field]} known"
        value = f"that of {self.value[1:]}" if self.value.startswith("@") else self.value
        return f"{FIELD_NAMES[self.field]} {self.relation} {value}"


@dataclass(frozen=True, slots=True)
class Order:
    """Which papers come first: the highest of a field, or the lowest, how many of them, and from which place on.

    Without a number, all papers that tell the field are put in order.
    """

    field: Field
    descending: bool
    number: int | None = 1
    place: int = 1

    def __str__(self) -> str:
        if self.number is None:
            return f"{replace(self, number=1)} first"
        many = f"{self.number} with the " if self.number > 1 else ""
        place = f"{_PLACES[self.place]} " if self.place > 1 else ""
        if self.field == "published":
            return (
                many.removesuffix("with the ") + place + ("newest" if self.descending else "oldest")
            )
        name = FIELD_NAMES[self.field].removeprefix("number of ")
        return f"{many}{place}{'most' if self.descending else 'fewest'} {name}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many papers each year or month has: of all of them, or only of those with the most or the fewest."""

    period: Literal["year", "month"]
    shown: Literal["all", "most", "fewest"] = "all"


_PLACES = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}


FIELD_NAMES = {
    "published": "date",
    "author_count": "number of authors",
    "authors": "author names",
    "organisation": "organisation",
    "comments": "number of comments",
}


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """What a question asks of the catalog, and the topic that is left to search for.

    `order` asks for the first papers by a field only, `asked` for the values of fields, `counted` for how many
    papers there are, `tally` for how many in each year or month, `averaged` for the mean of a field. `without` names
    papers that don't count.
    """

    topic: str
    conditions: tuple[Condition, ...] = ()
    order: Order | None = None
    asked: tuple[Field, ...] = ()
    counted: bool = False
    tally: Tally | None = None
    averaged: Field | None = None
    without: tuple[str, ...] = ()

    @property
    def filters(self) -> tuple[str, ...]:
        """What narrows the papers, in words."""
        return (
            *map(str, self.conditions),
            *map(_not, self.without),
            *([str(self.order)] if self.order else []),
        )

    def less(self, filters: Collection[str]) -> CatalogQuery:
        """Without the filters of these words; what asked for nothing else then asks for the papers there are."""
        order = None if self.order and str(self.order) in filters else self.order
        conditions = tuple(one for one in self.conditions if str(one) not in filters)
        without = tuple(one for one in self.without if _not(one) not in filters)
        left = replace(self, conditions=conditions, order=order, without=without)
        return left if left or left.topic or left == self else replace(left, counted=True)

    def __bool__(self) -> bool:
        return bool(
            self.conditions
            or self.order
            or self.asked
            or self.counted
            or self.tally
            or self.averaged
        )


def _not(name: str) -> str:
    return f"not {name}"


class Outcome(StrEnum):
    """What became of a paper, or of a file, in an ingest."""

    ADDED = "added"
    CHANGED = "changed"
    MERGED = "merged"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger: what became of the entry at `source`, `line`, and why where it failed."""

    source: str
    line: int | None
    outcome: Outcome
    paper_id: str | None = None
    title: str | None = None
    reason: str | None = None


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
