"""Questions on the papers themselves: filtered, ordered and counted by metadata, within a topic if there is one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from rag.answer.metadata import facts
from rag.answer.metadata.selection import meeting, top
from rag.answer.relevance import AskedFor, assess, coverage
from rag.answer.reply import Pipeline, Reply
from rag.errors import NotFound
from rag.library import Library, PaperFacts
from rag.query import called, fold
from rag.records import (
    ByAuthor,
    CatalogFact,
    Citation,
    Condition,
    DatedLike,
    DateRange,
    Filter,
    Found,
    Hit,
    MetadataQuery,
    NotAbout,
    NotPaper,
    Paper,
    Query,
    Said,
    Statement,
    TextSpan,
    in_words,
)
from rag.search import SearchResult
from rag.text.analysis import analyse

# Words that name a thing: with a capital or digit inside, or hyphens around a single letter (f-DPG).
_NAME = re.compile(
    r"\b(?=[\w-]*[A-Z\d])"
    r"(?:[\w-]*[a-z\d-][A-Z\d][\w-]*|[A-Z][A-Z\d][\w-]*|[A-Z]\w+(?: [A-Z\d]\w*)*)"
)
_MOST_NAMED = 4
_RELEVANT = 0.3  # the relevance that the best paper on a topic must have
_MOST_OF_A_TITLE = 0.7  # of the topic's term weights that a title must hold to be meant by it


def metadata_reply(
    pipeline: Pipeline, query: Query, candidate_ids: Collection[str] | None = None
) -> Reply:
    """Answer a metadata query over all papers, or over those in `candidate_ids`.

    A refusal where no paper meets it or no source gives what was asked.
    """
    asked, library = query.metadata, pipeline.library
    candidates = [
        paper
        for paper in library.catalog.facts()
        if candidate_ids is None or paper.id in candidate_ids
    ]
    looked_at = len(candidates)
    try:
        met = _meeting(library, candidates, asked)
    except NotFound as error:
        return _refused(asked, str(error), looked_at)
    if not met:
        return _refused(asked, _why_none(asked, candidates), looked_at)
    if not asked.topic or (query.pointed and asked.asked):
        return _without_topic(library, asked, met, looked_at, pointed=query.pointed)
    narrowed = bool(asked.conditions) or candidate_ids is not None
    return _within_topic(pipeline, query, met, narrowed=narrowed)


def filters_of(query: MetadataQuery) -> tuple[Filter, ...]:
    """Return what narrows the papers, with its words."""
    return tuple(Filter(item.id, in_words(item)) for item in query.filters)


def _within_topic(
    pipeline: Pipeline, query: Query, met: Sequence[PaperFacts], *, narrowed: bool
) -> Reply:
    """Search for the topic among the papers that meet the conditions."""
    asked, config = query.metadata, pipeline.config.answer
    candidate_ids = {paper.id for paper in met} if narrowed else None
    result = pipeline.searcher.search(asked.topic, config.considered, candidate_ids)
    assessment = assess(pipeline.library, asked.topic, result, config)
    if asked.asked and not asked.filters and not asked.counted:
        return _of_named(pipeline.library, asked, result, assessment.asked)
    # A topic is too short for the answerability model; the best paper's relevance says enough.
    answerability = float(assessment.relevance.max(initial=0.0))
    filters = filters_of(asked)
    if answerability < _RELEVANT:
        reason = f"none of the {result.looked_at} papers is on “{asked.topic}”"
        return Reply(
            result.hits,
            result.looked_at,
            refusal=reason,
            answerability=answerability,
            filters=filters,
        )
    relevant = [result.hits[row] for row in assessment.listed(config)]
    if asked.order or asked.counted or asked.tally or asked.averaged:
        return _on_topic(asked, met, relevant, result, answerability)
    said = pipeline.synthesizer.statements(
        replace(query, search_text=asked.topic),
        result,
        replace(assessment, answerability=answerability),
    )
    said = _with_facts(said, {hit.paper.id: hit.paper for hit in result.hits}, asked)
    return Reply(result.hits, result.looked_at, said, answerability=answerability, filters=filters)


def _meeting(
    library: Library, papers: Sequence[PaperFacts], query: MetadataQuery
) -> list[PaperFacts]:
    """Return the papers that meet the query.

    Raises NotFound where it names a paper that there is not, or that has no date.
    """
    plain: list[Condition] = []
    excluded: set[str] = set()
    for condition in query.conditions:
        match condition:
            case NotPaper(name):
                excluded.add(_called(library, name).id)
            case NotAbout(topic):
                excluded |= _about(library, topic)
            case DatedLike(name, relation):
                plain.append(_dated_like(_called(library, name), relation))
            case _:
                plain.append(condition)
    return [paper for paper in meeting(papers, plain) if paper.id not in excluded]


def _about(library: Library, topic: str) -> set[str]:
    """Return the ids of the papers that have all words of a topic in title and abstract."""
    terms = set(analyse(topic))
    found = library.matching(topic, library.catalog.count())
    papers = library.catalog.papers(paper_id for paper_id, _ in found)
    return {paper.id for paper in papers.values() if terms <= set(analyse(paper.text))}


def _dated_like(paper: Paper, relation: str) -> DateRange:
    """Return the dates before or after that of a paper. Raises NotFound where it has none."""
    if paper.published is None:
        raise NotFound(f"no source gives the date of “{paper.title}”")
    parts = (paper.published.year, paper.published.month, paper.published.day)
    date = tuple(part for part in parts if part is not None)
    if relation == ">":
        return DateRange(last=date, outside=True)
    return DateRange(first=date, outside=True)


def _called(library: Library, name: str) -> Paper:
    if paper_id := called(library, name):
        return library.catalog.paper(paper_id)
    raise NotFound(f"there is not exactly one paper called “{name}” in this library")


def _on_topic(
    query: MetadataQuery,
    met: Sequence[PaperFacts],
    relevant: Sequence[Hit],
    result: SearchResult,
    answerability: float,
) -> Reply:
    """Return the papers on a topic: all of them to be counted, or those that come first."""
    if query.order is None:
        return _listing(query, relevant, result.hits, result.looked_at, answerability=answerability)
    by_id = {hit.paper.id: hit for hit in relevant}
    first = [paper.id for paper in top([one for one in met if one.id in by_id], query.order)]
    chosen = [by_id[paper_id] for paper_id in first]
    hits = _ranked_first(result.hits, first)
    return _listing(query, chosen, hits, result.looked_at, answerability=answerability)


def _without_topic(
    library: Library,
    query: MetadataQuery,
    met: Sequence[PaperFacts],
    looked_at: int,
    *,
    pointed: bool,
) -> Reply:
    if query.asked and not query.filters and not pointed:
        unnamed = "the question names no paper; say which one is meant"
        return Reply((), looked_at, refusal=unnamed, answerability=0.0)
    if query.order and pointed:  # all of the papers that are meant, in their order
        chosen = top(met, replace(query.order, number=None, place=1))
        query = replace(query, order=None, asked=(query.order.field, *query.asked))
    elif query.order:
        chosen = top(met, query.order)
    else:
        chosen = sorted(met, key=lambda paper: paper.published, reverse=True)
    with library.catalog.snapshot():
        papers = list(library.catalog.papers(paper.id for paper in chosen).values())
        parts = library.catalog.parts(paper.id for paper in papers)
    if not papers:
        return _refused(query, _why_none(query, met), looked_at)
    if pointed and query.asked and (reason := facts.unknown(papers, query.asked)):
        return Reply((), looked_at, refusal=reason, answerability=0.0)
    hits = tuple(
        Hit(paper, parts[paper.id].passages[0], 1.0, rank, (Found("catalog", 1.0),))
        for rank, paper in enumerate(papers, start=1)
        if paper.id in parts
    )
    return _listing(query, hits, hits, looked_at, answerability=1.0)


def _of_named(
    library: Library, query: MetadataQuery, result: SearchResult, asked: AskedFor
) -> Reply:
    """State the facts of the paper that the topic names, or of each where it names several."""
    named = _named(library, query.topic, result.hits, asked)
    papers = [hit.paper for hit in named]
    hits = _ranked_first(result.hits, {paper.id for paper in papers})
    reason = facts.unknown(papers, query.asked) if papers else None
    if not papers:
        reason = f"no paper of this library is called “{query.topic}”"
    if reason:
        return Reply(hits, result.looked_at, refusal=reason, answerability=0.0)
    said = facts.statements(papers, query, result.looked_at)
    return Reply(hits, result.looked_at, said, answerability=1.0)


def _named(library: Library, topic: str, hits: Sequence[Hit], asked: AskedFor) -> list[Hit]:
    """Return the papers that a topic names: by a name in their title, or by most of their title's words."""
    found: dict[str, Hit] = {}
    names = list(dict.fromkeys(match[0] for match in _NAME.finditer(topic)))
    for name in names[:_MOST_NAMED]:
        whole = re.compile(rf"(?<!\w){re.escape(fold(name))}(?!\w)")
        # A name in a title is the paper's own; in an abstract it may be anyone's, unless the paper introduces it.
        meant = [hit for hit in hits if whole.search(fold(hit.paper.title))]
        meant = meant or [hit for hit in hits if _introduces(hit.paper, name)]
        meant = meant or [hit for hit in hits if hit.paper.id == called(library, name)]
        for hit in meant[:1]:
            found.setdefault(hit.paper.id, hit)
    # One common word is no title.
    if not found and len(asked.weights) > 1:
        best = max(hits, key=lambda hit: coverage(hit.paper.title, asked), default=None)
        if best and coverage(best.paper.title, asked) >= _MOST_OF_A_TITLE:
            found[best.paper.id] = best
    return list(found.values())


def _introduces(paper: Paper, name: str) -> bool:
    """Tell whether an abstract names its own subject so: "(GLOW)", "called GLOW", "We propose GLOW"."""
    named = re.escape(fold(name))
    verbs = "called|named|dubbed|termed|propose|introduce|present|develop"
    rule = rf"\({named}\)|\b(?:{verbs})\s+{named}(?!\w)"
    return re.search(rule, fold(paper.abstract)) is not None


def _listing(
    query: MetadataQuery,
    chosen: Sequence[Hit],
    hits: Sequence[Hit],
    looked_at: int,
    *,
    answerability: float,
) -> Reply:
    papers: list[Paper] = [hit.paper for hit in chosen]
    if not papers:
        return _refused(query, _why_none(query, ()), looked_at)
    said: Iterator[Statement] = facts.statements(papers, query, looked_at)
    if query.tally:
        said = facts.tallied(papers, query.tally)
    elif query.averaged:
        said = facts.averaged(papers, query.averaged)
    return Reply(
        tuple(hits), looked_at, said, answerability=answerability, filters=filters_of(query)
    )


def _refused(query: MetadataQuery, reason: str, looked_at: int) -> Reply:
    return Reply((), looked_at, refusal=reason, answerability=0.0, filters=filters_of(query))


def _why_none(query: MetadataQuery, papers: Sequence[PaperFacts]) -> str:
    """Say where was looked for papers that there are not."""
    for condition in query.conditions:
        if isinstance(condition, ByAuthor) and not condition.known:
            if papers and not any(paper.authors for paper in papers):
                return "no paper of this library lists the names of its authors"
            return f"no paper of this library has an author named {condition.name}"
    wanted = ", ".join(map(in_words, query.filters)) or query.topic
    return f"no paper meets “{wanted}”, of {len(papers)} looked at"


def _ranked_first(hits: Sequence[Hit], paper_ids: Collection[str]) -> tuple[Hit, ...]:
    """Return the hits with those of these papers first, and new ranks."""
    order = sorted(hits, key=lambda hit: (hit.paper.id not in paper_ids, hit.rank))
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(order, start=1))


def _with_facts(
    said: Iterator[Said], papers: dict[str, Paper], query: MetadataQuery
) -> Iterator[Said]:
    """Put before each listed sentence the facts that let its paper through the filter."""
    fields = [field for field in facts.shown_fields(query) if field != "authors"]
    for statement in said:
        if not isinstance(statement, Statement) or not statement.title:
            yield statement
            continue
        [citation] = statement.citations
        paper = papers[citation.paper_id]
        known = [own for field in fields if (own := facts.fact(paper, field))]
        words = "; ".join(map(facts.fact_in_words, known))
        yield _supported(statement, citation, words, known) if known else statement


def _supported(
    statement: Statement, citation: Citation, words: str, known: Sequence[CatalogFact]
) -> Statement:
    evidence: tuple[TextSpan | CatalogFact, ...] = (*citation.evidence, *known)
    return replace(
        statement,
        text=f"{words}. {statement.text}",
        citations=(replace(citation, evidence=evidence),),
    )
