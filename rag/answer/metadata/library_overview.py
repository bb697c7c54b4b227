"""Give an overview of a library: the number of papers, their dates, and common subjects."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import count

from rag.answer.reply import Pipeline, Reply
from rag.records import CatalogFact, Citation, Found, Hit, Paper, Statement
from rag.records.in_words import counted
from rag.text.subjects import spread, subjects_of

_SUBJECTS = 8
_CITED = 5  # papers of each subject, at most


def overview_reply(pipeline: Pipeline, candidate_ids: Collection[str] | None = None) -> Reply:
    """State the size, dates and subjects of the library, or of the papers in `candidate_ids`."""
    catalog = pipeline.library.catalog
    ids = [
        paper_id
        for paper_id in catalog.paper_ids()
        if candidate_ids is None or paper_id in candidate_ids
    ]
    with catalog.snapshot():
        papers = catalog.papers(ids)
        subjects = [
            (subject.words, [papers[paper_id] for paper_id in sorted(subject.paper_ids)])
            for subject in spread(subjects_of(list(papers.values())))[:_SUBJECTS]
        ]
        shown = {paper.id: paper for _, members in subjects for paper in members[:_CITED]}
        parts = catalog.parts(shown)
    hits = tuple(
        Hit(paper, parts[paper_id].passages[0], 1.0, rank, (Found("catalog", 1.0),))
        for rank, (paper_id, paper) in enumerate(shown.items(), start=1)
        if paper_id in parts
    )
    return Reply(hits, len(papers), _statements(list(papers.values()), subjects))


def _statements(
    papers: Sequence[Paper], subjects: Sequence[tuple[str, list[Paper]]]
) -> Iterator[Statement]:
    marks = count(1)
    yield _size(papers, marks)
    for words, members in subjects:
        text = f"{words[0].upper()}{words[1:]}: {counted(len(members), 'paper')}"
        text += f" ({_CITED} of them are cited)." if len(members) > _CITED else "."
        yield Statement(text, tuple(_by_title(paper, next(marks)) for paper in members[:_CITED]))


def _size(papers: Sequence[Paper], marks: Iterator[int]) -> Statement:
    """State the number of papers, and cite the oldest and the newest for the range of dates."""
    dated = sorted(
        ((str(paper.published), paper) for paper in papers if paper.published),
        key=lambda pair: pair[0],
    )
    if not dated:
        return Statement(f"The library holds {counted(len(papers), 'paper')}.", ())
    ends = [dated[0], dated[-1]]
    citations = tuple(
        Citation(
            next(marks),
            paper.id,
            paper.title,
            (CatalogFact("published", date, paper.printed_date or date),),
            support=1.0,
        )
        for date, paper in ends
    )
    years = f"published from {ends[0][0]} to {ends[1][0]}"
    return Statement(f"The library holds {counted(len(papers), 'paper')}, {years}.", citations)


def _by_title(paper: Paper, mark: int) -> Citation:
    evidence = (CatalogFact("title", paper.title, paper.title),)
    return Citation(mark, paper.id, paper.title, evidence, support=1.0)
