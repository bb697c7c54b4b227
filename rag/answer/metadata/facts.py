"""Answers from the catalog: each statement's evidence is a fact of a paper, as its source printed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from statistics import fmean, median

from rag.records import (
    FIELD_NAMES,
    CatalogFact,
    CatalogQuery,
    Citation,
    Field,
    Paper,
    PublishedDate,
    Statement,
    Tally,
)

_EXAMPLES = 5  # papers that are shown with a bare count
_FEW_CITED = f" ({_EXAMPLES} of them are cited)"


def fact(paper: Paper, field: Field) -> CatalogFact | None:
    """A fact of the paper, or None where no source tells it."""
    match field:
        case "published" if paper.published:
            return CatalogFact(field, str(paper.published), _printed(paper, paper.published))
        case "published" if paper.printed_date:
            return CatalogFact(field, paper.printed_date, paper.printed_date)
        case "author_count" if paper.author_count:
            return CatalogFact(
                field, str(paper.author_count), _counted(paper.author_count, "author")
            )
        case "authors" if paper.authors:
            return CatalogFact(field, ", ".join(paper.authors), ", ".join(paper.authors))
        case "organisation" if paper.organisation:
            return CatalogFact(field, paper.organisation, paper.organisation)
        case "comments" if paper.comments is not None:
            return CatalogFact(field, str(paper.comments), _counted(paper.comments, "comment"))
    return None


def _printed(paper: Paper, date: PublishedDate) -> str:
    """The date as the most talkative source printed it that is not at odds with it; other sources may know less."""
    printed = [one.printed_date for one in paper.sightings if one.printed_date]
    if not date.inferred:
        printed = [one for one in printed if str(date.year) in one]
    return max(printed, key=len, default=str(date))


def statements(papers: Sequence[Paper], query: CatalogQuery, looked_at: int) -> Iterator[Statement]:
    """How many papers there are, where that was asked or there are several; then each paper with its facts."""
    fields = shown_fields(query)
    listed = [_listed(paper, fields, mark) for paper, mark in zip(papers, count(1), strict=False)]
    if query.counted or (len(papers) > 1 and query.filters):
        shown = listed if query.filters or query.topic else listed[:_EXAMPLES]
        citations = tuple(citation for one in shown for citation in one.citations)
        yield Statement(f"{_having(query, len(papers), looked_at)}.", citations)
        listed = shown
    yield from listed


def tallied(papers: Sequence[Paper], tally: Tally) -> Iterator[Statement]:
    """How many of the papers each year or month has, latest first; a few of each are cited, or all of those shown."""
    known = [
        paper
        for paper in papers
        if paper.published and (tally.period == "year" or paper.published.month)
    ]
    of: dict[str, list[Paper]] = {}
    for paper in sorted(known, key=lambda paper: str(paper.published), reverse=True):
        of.setdefault(str(paper.published)[: 4 if tally.period == "year" else 7], []).append(paper)
    if tally.shown != "all" and of:
        extreme = (max if tally.shown == "most" else min)(map(len, of.values()))
        of = {period: its for period, its in of.items() if len(its) == extreme}
    marks = count(1)
    for period, its in of.items():
        example = tally.shown == "all" and len(its) > _EXAMPLES
        listed = [
            _listed(paper, ["published"], next(marks))
            for paper in (its[:_EXAMPLES] if example else its)
        ]
        citations = tuple(citation for one in listed for citation in one.citations)
        of_all = (
            f" of the {len(known)} dated ones"
            if tally.shown != "all"
            else _FEW_CITED
            if example
            else ""
        )
        yield Statement(f"{period}: {_counted(len(its), 'paper')}{of_all}.", citations)


def averaged(papers: Sequence[Paper], field: Field) -> Iterator[Statement]:
    """The mean and the median of a field over the papers that tell it; the lowest and the highest are cited."""
    known = sorted(
        ((int(one.value), paper) for paper in papers if (one := fact(paper, field))),
        key=lambda pair: pair[0],
    )
    if not known:
        return
    numbers = [number for number, _ in known]
    ends = [known[0][1], known[-1][1]]
    citations = tuple(
        c for n, paper in enumerate(ends, 1) for c in _listed(paper, [field], n).citations
    )
    name = FIELD_NAMES[field].removeprefix("number of ")
    said = f"On average {fmean(numbers):.1f} {name}, in the median {median(numbers):g}"
    yield Statement(
        f"{said}, from {numbers[0]} to {numbers[-1]}, over the {len(known)} papers that tell.",
        citations,
    )


def unknown(papers: Sequence[Paper], asked: Sequence[Field]) -> str | None:
    """Why the catalog can't tell what was asked of these papers, or None where it can."""
    missing = [field for field in asked if not any(fact(paper, field) for paper in papers)]
    if len(missing) < len(asked):
        return None
    names = " or ".join(FIELD_NAMES[field] for field in missing)
    return f"no source tells the {names} of “{papers[0].title}”"


def shown_fields(query: CatalogQuery) -> tuple[Field, ...]:
    """The facts that an answer shows: what was asked, what was filtered or ordered by, and the date."""
    fields: list[Field] = [
        *query.asked,
        *(one.field for one in query.conditions if one.relation != "missing"),
    ]
    fields += [query.order.field] if query.order else []
    return tuple(dict.fromkeys([*fields, "published"]))


def in_words(one: CatalogFact) -> str:
    """A fact as it stands in a sentence."""
    if one.field == "published" and one.printed != one.value:
        # A year that the printed date does not hold was concluded from its page.
        inferred = ", year inferred" if one.value[:4] not in one.printed else ""
        return f"{one.printed} ({one.value}{inferred})"
    return one.printed


def _listed(paper: Paper, fields: Sequence[Field], mark: int) -> Statement:
    known = [one for field in fields if (one := fact(paper, field))]
    # A paper without any such fact is still evidence: its title says what it is.
    evidence = tuple(known) or (CatalogFact("title", paper.title, paper.title),)
    text = "; ".join(in_words(one) for one in known) or "neither date nor authors are known"
    return Statement(
        f"{text}.", (Citation(mark, paper.id, paper.title, evidence, support=1.0),), paper.title
    )


def _having(query: CatalogQuery, number: int, looked_at: int) -> str:
    if not query.filters and not query.topic:
        return f"The library holds {looked_at} papers{_FEW_CITED if looked_at > _EXAMPLES else ''}"
    met = ", ".join(query.filters)
    of_all = f"{number} of the {looked_at} papers"
    if not query.topic:
        return f"{of_all} ({met})"
    return f"{of_all} on {query.topic}" + (f" ({met})" if met else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
