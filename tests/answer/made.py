"""Papers, hits and searches made by hand, for tests of selection and writing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.answer.generated.context import Excerpt
from rag.answer.relevance import AskedFor, Assessment
from rag.library import PaperParts
from rag.query.intent import asks_for_number, asks_for_papers, intent_of
from rag.records import Hit, MetadataQuery, Paper, Passage, Query, paper_id
from rag.search import Evidence, SearchResult
from rag.text.passages import sentences
from tests.fakes import WordEmbedder

NOTHING_ASKED = AskedFor({}, frozenset(), (), (), {}, number=False)


def paper(title: str, *said: str) -> Paper:
    """A paper whose abstract has these sentences."""
    return Paper(paper_id(title), title, " ".join(said))


def parts_of(source: Paper) -> PaperParts:
    """Its title and its sentences, with vectors."""
    spans = sentences(source)
    vectors = WordEmbedder().embed([source.text[span.start : span.end] for span in spans])
    return PaperParts((), np.zeros((0, vectors.shape[1]), np.float32), spans, vectors)


def hit(source: Paper) -> Hit:
    """The paper as a search found it."""
    return Hit(source, Passage("", source.id, 0, len(source.text)), 1.0, 1, ())


def excerpt(source: Paper, *rows: int) -> Excerpt:
    """Sentences of a paper; row 0 is its title."""
    return Excerpt(hit(source), parts_of(source), rows)


def found(papers: Sequence[Paper], cosines: Sequence[Sequence[float]]) -> SearchResult:
    """A search that found these papers, with each sentence's cosine, the title's first."""
    evidence = [
        Evidence(parts_of(paper), np.array(row, np.float32))
        for paper, row in zip(papers, cosines, strict=True)
    ]
    return SearchResult(tuple(map(hit, papers)), tuple(evidence), len(papers))


def assessed(*relevance: float, answerability: float = 1.0, covered: bool = False) -> Assessment:
    """Return an assessment of a search's hits."""
    return Assessment(np.array(relevance), answerability, NOTHING_ASKED, covered=covered)


def asked(question: str, *, search_text: str = "") -> Query:
    """Return the query of a question that is no follow-up and has no metadata filter."""
    metadata = MetadataQuery(question)
    return Query(
        text=question,
        shown=question,
        question=question,
        search_text=search_text or question,
        intent=intent_of(question, metadata),
        metadata=metadata,
        papers_wanted=asks_for_papers(question),
        quantity=asks_for_number(question),
    )
