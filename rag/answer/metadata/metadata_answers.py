"""Questions about the papers themselves: filtered, ordered and counted by the catalog, within a topic if any."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from rag.answer.metadata import facts
from rag.answer.metadata.selection import first, meeting
from rag.answer.relevance import AskedFor, assess, coverage
from rag.answer.reply import Reply
from rag.answer.synthesizer import Synthesizer
from rag.config import Config
from rag.errors import NotFound
from rag.library import Library, PaperFacts
from rag.query import called
from rag.records import (
    CatalogFact,
    CatalogQuery,
    Citation,
    Found,
    Hit,
    Paper,
    Said,
    Statement,
    TextSpan,
)
from rag.search import Searcher, SearchResult

# Words that name a thing: with a capital or digit inside, or hyphens around a single letter (f-DPG).
_NAME = re.compile(
    r"\b(?=[\w-]*[A-Z\d])(?:[\w-]*[a-z\d-][A-Z\d][\w-]*|[A-Z][A-Z\d][\w-]*|[A-Z]\w+(?: [A-Z\d]\w*)*)"
)
_MOST_NAMED = 4
_RELEVANT = 0.3  # the relevance that the best paper on a topic must have
_MOST_OF_A_TITLE = 0.7  # of the topic's term weights that a title must hold to be meant by it


def catalog_reply(
    searcher: Searcher,
    synthesizer: Synthesizer,
    query: CatalogQuery,
    config: Config,
    among: Collection[str] | None = None,
    *,
    whole: str,
    pointed: bool = False,
) -> Reply:
    """The answer to a catalog query over all papers, or over those in `among`; `pointed` says that those are meant.

    `whole` is the question that the query was read from.
    A refusal where no paper meets it or no source tells what was asked.
    """
    library = searcher.library
    everything = [one for one in library.catalog.facts() if among is None or one.id in among]
    try:
        met = _meeting(library, everything, query)
    except NotFound as error:
        return Reply(
            (), len(everything), refusal=str(error), answerability=0.0, filters=query.filters
        )
    if not met:
        return _none(query, len(everything))
    if not query.topic or (pointed and query.asked):
        return _without_topic(library, query, met, len(everything), named=pointed)
    if query.conditions or query.without or among is not None:
        among = {paper.id for paper in met}
    result = searcher.search(query.topic, config.answer.considered, among)
    assessment = assess(library, query.topic, result, config.answer)
    if query.asked and not query.filters and not query.counted:
        return _of_named(library, query, result, assessment.asked)
    # A topic is too short for the model of what the papers tell; whether its best paper is relevant says enough.
    answerability = float(assessment.relevance.max(initial=0.0))
    if answerability < _RELEVANT:
        reason = f"none of the {result.looked_at} papers is on “{query.topic}”"
        return Reply(
            result.hits,
            result.looked_at,
            refusal=reason,
            answerability=answerability,
            filters=query.filters,
        )
    relevant = [result.hits[row] for row in assessment.listed(config.answer)]
    if query.order or query.counted or query.tally or query.averaged:
        return _on_topic(query, met, relevant, result, answerability)
    said = synthesizer.statements(
        query.topic, result, replace(assessment, answerability=answerability), whole
    )
    said = _with_dates(said, {hit.paper.id: hit.paper for hit in result.hits}, query)
    return Reply(
        result.hits, result.looked_at, said, answerability=answerability, filters=query.filters
    )


def _meeting(
    library: Library, papers: Sequence[PaperFacts], query: CatalogQuery
) -> list[PaperFacts]:
    """The papers that meet the query. Raises NotFound where it names a paper that there is not, or that has no date."""
    left_out = {_called(library, name).id for name in query.without}
    conditions = tuple(
        replace(one, value=_date_of(library, one.value[1:])) if one.value.startswith("@") else one
        for one in query.conditions
    )
    return [
        one
        for one in meeting(papers, replace(query, conditions=conditions))
        if one.id not in left_out
    ]


def _date_of(library: Library, name: str) -> str:
    paper = _called(library, name)
    if paper.published is None:
        raise NotFound(f"no source tells the date of “{paper.title}”")
    return str(paper.published)


def _called(library: Library, name: str) -> Paper:
    if identity := called(library, name):
        return library.catalog.paper(identity)
    raise NotFound(f"no one paper is called “{name}”")


def _on_topic(
    query: CatalogQuery,
    met: Sequence[PaperFacts],
    relevant: Sequence[Hit],
    result: SearchResult,
    answerability: float,
) -> Reply:
    """The papers on a topic: all of them to be counted, or those that come first."""
    if query.order is None:
        return _listing(query, relevant, result.hits, result.looked_at, answerability=answerability)
    by_id = {hit.paper.id: hit for hit in relevant}
    foremost = [one.id for one in first([one for one in met if one.id in by_id], query.order)]
    chosen = [by_id[paper] for paper in foremost]
    return _listing(
        query,
        chosen,
        _foremost(result.hits, foremost),
        result.looked_at,
        answerability=answerability,
    )


def _without_topic(
    library: Library, query: CatalogQuery, met: Sequence[PaperFacts], looked_at: int, *, named: bool
) -> Reply:
    if query.asked and not query.filters and not named:
        return Reply(
            (),
            looked_at,
            refusal="the question names no paper; say which one is meant",
            answerability=0.0,
        )
    if query.order and named:  # all of the papers that are meant, in their order
        chosen = first(met, replace(query.order, number=None, place=1))
        query = replace(query, order=None, asked=(query.order.field, *query.asked))
    elif query.order:
        chosen = first(met, query.order)
    else:
        chosen = sorted(met, key=lambda one: one.published, reverse=True)
    with library.catalog.snapshot():
        papers = list(library.catalog.papers(one.id for one in chosen).values())
        parts = library.catalog.parts(paper.id for paper in papers)
    if not papers:
        return _none(query, looked_at)
    if named and query.asked and (reason := facts.unknown(papers, query.asked)):
        return Reply((), looked_at, refusal=reason, answerability=0.0)
    hits = tuple(
        Hit(paper, parts[paper.id].passages[0], 1.0, rank, (Found("catalog", 1.0),))
        for rank, paper in enumerate(papers, start=1)
        if paper.id in parts
    )
    return _listing(query, hits, hits, looked_at, answerability=1.0)


def _of_named(
    library: Library, query: CatalogQuery, result: SearchResult, asked: AskedFor
) -> Reply:
    """The facts of the paper that the topic names, or of each where it names several."""
    named = _named(library, query.topic, result.hits, asked)
    papers = [hit.paper for hit in named]
    hits = _foremost(result.hits, {paper.id for paper in papers})
    if not papers:
        return Reply(
            hits, result.looked_at, refusal=f"no paper is called “{query.topic}”", answerability=0.0
        )
    if reason := facts.unknown(papers, query.asked):
        return Reply(hits, result.looked_at, refusal=reason, answerability=0.0)
    return Reply(
        hits, result.looked_at, facts.statements(papers, query, result.looked_at), answerability=1.0
    )


def _named(library: Library, topic: str, hits: Sequence[Hit], asked: AskedFor) -> list[Hit]:
    """The papers that a topic names: by a name in their title, or by most of their title's words."""
    found: dict[str, Hit] = {}
    for name in list(dict.fromkeys(match[0] for match in _NAME.finditer(topic)))[:_MOST_NAMED]:
        rule = re.compile(rf"(?<!\w){re.escape(_folded(name))}(?!\w)")
        # A name in a title is the paper's own; in an abstract it may be anyone's, unless the paper introduces it.
        meant = [hit for hit in hits if rule.search(_folded(hit.paper.title))]
        meant = meant or [hit for hit in hits if _introduces(hit.paper, name)]
        for hit in (meant or [hit for hit in hits if hit.paper.id == called(library, name)])[:1]:
            found.setdefault(hit.paper.id, hit)
    # One common word is no title.
    if not found and len(asked.weights) > 1:
        best = max(hits, key=lambda hit: coverage(hit.paper.title, asked), default=None)
        if best and coverage(best.paper.title, asked) >= _MOST_OF_A_TITLE:
            found[best.paper.id] = best
    return list(found.values())


def _introduces(paper: Paper, name: str) -> bool:
    """Whether the abstract gives the name to what it is about: "(GLOW)", "called GLOW", "We propose GLOW"."""
    named = re.escape(_folded(name))
    rule = rf"\({named}\)|\b(?:called|named|dubbed|termed|propose|introduce|present|develop)\s+{named}(?!\w)"
    return re.search(rule, _folded(paper.abstract)) is not None


def _folded(text: str) -> str:
    """Without case and accents."""
    return "".join(
        one
        for one in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(one)
    )


def _listing(
    query: CatalogQuery,
    chosen: Sequence[Hit],
    hits: Sequence[Hit],
    looked_at: int,
    *,
    answerability: float,
) -> Reply:
    papers: list[Paper] = [hit.paper for hit in chosen]
    if not papers:
        return _none(query, looked_at)
    said: Iterator[Statement] = facts.statements(papers, query, looked_at)
    if query.tally:
        said = facts.tallied(papers, query.tally)
    elif query.averaged:
        said = facts.averaged(papers, query.averaged)
    return Reply(tuple(hits), looked_at, said, answerability=answerability, filters=query.filters)


def _none(query: CatalogQuery, looked_at: int) -> Reply:
    wanted = ", ".join(query.filters) or query.topic
    return Reply(
        (),
        looked_at,
        refusal=f"none of the {looked_at} papers has {wanted}",
        answerability=0.0,
        filters=query.filters,
    )


def _foremost(hits: Sequence[Hit], ids: Collection[str]) -> tuple[Hit, ...]:
    """The hits with those of these papers first, ranked anew."""
    order = sorted(hits, key=lambda hit: (hit.paper.id not in ids, hit.rank))
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(order, start=1))


def _with_dates(
    said: Iterator[Said], papers: dict[str, Paper], query: CatalogQuery
) -> Iterator[Said]:
    """Each listed sentence with the facts that let its paper through the filter."""
    fields = [field for field in facts.shown_fields(query) if field != "authors"]
    for statement in said:
        if not isinstance(statement, Statement) or not statement.title:
            yield statement
            continue
        [citation] = statement.citations
        known = [one for field in fields if (one := facts.fact(papers[citation.paper_id], field))]
        words = "; ".join(facts.in_words(one) for one in known)
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
