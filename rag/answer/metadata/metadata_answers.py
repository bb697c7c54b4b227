"""Answer questions about papers: filter, order and count by metadata, within a topic if given."""

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
    FIELD_NAMES,
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

# Words that look like names: "GPT-4", "t-SNE", "SparsePO", "Barlow Twins".
_NAME = re.compile(
    r"\b(?=[\w-]*[A-Z\d])"
    r"(?:[\w-]*[a-z\d-][A-Z\d][\w-]*|[A-Z][A-Z\d][\w-]*|[A-Z]\w+(?: [A-Z\d]\w*)*)"
)
_MOST_NAMED = 4  # names of a topic that are looked up
_RELEVANT = 0.3  # the minimum relevance of the best paper on a topic
_MOST_OF_A_TITLE = 0.7  # share of the topic's term weights in a title that the topic means


def metadata_reply(
    pipeline: Pipeline, query: Query, candidate_ids: Collection[str] | None = None
) -> Reply:
    """Answer a metadata query over all papers, or over those in `candidate_ids`.

    The reply is a refusal if no paper meets it, or no source gives what was asked.
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
    """Return the query's filters with their texts."""
    return tuple(Filter(item.id, in_words(item)) for item in query.filters)


def _within_topic(
    pipeline: Pipeline, query: Query, met: Sequence[PaperFacts], *, narrowed: bool
) -> Reply:
    """Search for the topic in the papers that meet the conditions."""
    asked, config = query.metadata, pipeline.config.answer
    candidate_ids = {paper.id for paper in met} if narrowed else None
    result = pipeline.searcher.search(asked.topic, config.considered, candidate_ids)
    assessment = assess(pipeline.library, asked.topic, result, config)
    if asked.asked and not asked.filters and not asked.counted:
        return _of_named(pipeline.library, asked, result, assessment.asked)
    # A topic is too short for the answerability model, so the best paper's relevance is used.
    answerability = float(assessment.relevance.max(initial=0.0))
    filters = filters_of(asked)
    if answerability < _RELEVANT:
        papers = f"none of the {result.looked_at} papers is"
        if result.looked_at == 1:
            papers = "the one paper that was searched is not"
        reason = f"{papers} on “{asked.topic}”"
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
    events = pipeline.synthesizer.statements(
        replace(query, search_text=asked.topic),
        result,
        replace(assessment, answerability=answerability),
    )
    events = _with_facts(events, {hit.paper.id: hit.paper for hit in result.hits}, asked)
    return Reply(
        result.hits, result.looked_at, events, answerability=answerability, filters=filters
    )


def _meeting(
    library: Library, papers: Sequence[PaperFacts], query: MetadataQuery
) -> list[PaperFacts]:
    """Return the papers that meet the query.

    Raises NotFound if it names an unknown paper, or compares with a paper that has no date.
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
    """Return the papers on a topic: all of them, or the first ones of the order."""
    if query.order is None:
        return _listing(query, relevant, result.hits, result.looked_at, answerability=answerability)
    by_id = {hit.paper.id: hit for hit in relevant}
    first = [paper.id for paper in top([paper for paper in met if paper.id in by_id], query.order)]
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
    if query.order and pointed:  # show all of the chosen papers, sorted
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
    """State the facts of each paper that the topic names."""
    named = _named(library, query.topic, result.hits, asked)
    papers = [hit.paper for hit in named]
    hits = _ranked_first(result.hits, {paper.id for paper in papers})
    reason = facts.unknown(papers, query.asked) if papers else None
    if not papers:
        reason = f"no paper of this library is called “{query.topic}”"
    if reason:
        return Reply(hits, result.looked_at, refusal=reason, answerability=0.0)
    events = facts.statements(papers, query, result.looked_at)
    return Reply(hits, result.looked_at, events, answerability=1.0)


def _named(library: Library, topic: str, hits: Sequence[Hit], asked: AskedFor) -> list[Hit]:
    """Return the papers that a topic means, by a name or by most words of the topic."""
    found: dict[str, Hit] = {}
    names = list(dict.fromkeys(match[0] for match in _NAME.finditer(topic)))
    for name in names[:_MOST_NAMED]:
        pattern = re.compile(rf"(?<!\w){re.escape(fold(name))}(?!\w)")
        # A name in a title is the paper's own name. An abstract may also mention other papers'
        # names, so there only a name that the paper introduces counts.
        meant = [hit for hit in hits if pattern.search(fold(hit.paper.title))]
        meant = meant or [hit for hit in hits if _introduces(hit.paper, name)]
        meant = meant or [hit for hit in hits if hit.paper.id == called(library, name)]
        for hit in meant[:1]:
            found.setdefault(hit.paper.id, hit)
    # A single common word can't identify a title.
    if not found and len(asked.weights) > 1:
        best = max(hits, key=lambda hit: coverage(hit.paper.title, asked), default=None)
        if best and coverage(best.paper.title, asked) >= _MOST_OF_A_TITLE:
            found[best.paper.id] = best
    return list(found.values())


def _introduces(paper: Paper, name: str) -> bool:
    """Check whether an abstract introduces a name: "(GLOW)", "called GLOW", "We propose GLOW"."""
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
    events: Iterator[Statement] = facts.statements(papers, query, looked_at)
    if query.tally:
        events = facts.tallied(papers, query.tally)
    elif query.averaged:
        events = facts.averaged(papers, query.averaged)
    return Reply(
        tuple(hits), looked_at, events, answerability=answerability, filters=filters_of(query)
    )


def _refused(query: MetadataQuery, reason: str, looked_at: int) -> Reply:
    return Reply((), looked_at, refusal=reason, answerability=0.0, filters=filters_of(query))


def _why_none(query: MetadataQuery, papers: Sequence[PaperFacts]) -> str:
    """Return the reason why no paper was found."""
    for condition in query.conditions:
        if isinstance(condition, ByAuthor) and not condition.known:
            if papers and not any(paper.authors for paper in papers):
                return "no paper of this library lists the names of its authors"
            return f"no paper of this library has an author named {condition.name}"
    fields = [field for condition in query.conditions for field in facts.fields_of(condition)]
    for field in [*fields, *([query.order.field] if query.order else [])]:
        if papers and not any(getattr(paper, field, None) for paper in papers):
            return f"no source gives the {FIELD_NAMES[field]} of any paper"
    wanted = ", ".join(map(in_words, query.filters)) or query.topic
    return f"no paper meets “{wanted}”, of {len(papers)} looked at"


def _ranked_first(hits: Sequence[Hit], paper_ids: Collection[str]) -> tuple[Hit, ...]:
    """Put the hits of these papers first, and renumber the ranks."""
    order = sorted(hits, key=lambda hit: (hit.paper.id not in paper_ids, hit.rank))
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(order, start=1))


def _with_facts(
    events: Iterator[Said], papers: dict[str, Paper], query: MetadataQuery
) -> Iterator[Said]:
    """Put before each listed sentence the facts that the query filters by or asks for."""
    fields = [field for field in facts.shown_fields(query) if field != "authors"]
    for statement in events:
        if not isinstance(statement, Statement) or not statement.title:
            yield statement
            continue
        [citation] = statement.citations
        paper = papers[citation.paper_id]
        known = [fact for field in fields if (fact := facts.fact(paper, field))]
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
