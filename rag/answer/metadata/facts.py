"""Write statements about metadata; their evidence is facts as the sources printed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from statistics import fmean, median

from rag.records import (
    FIELD_NAMES,
    AnyOf,
    ByAuthor,
    ByOrganisation,
    CatalogFact,
    Citation,
    Condition,
    CountField,
    CountRange,
    DatedLike,
    DateRange,
    Field,
    InCategory,
    MetadataQuery,
    Paper,
    Presence,
    PublishedDate,
    Statement,
    Tally,
    in_words,
)
from rag.records.in_words import COUNTED, counted

_EXAMPLES = 5  # papers shown with a count, if all papers of the library are counted
_SOME_CITED = f" ({_EXAMPLES} of them are cited)"


def fact(paper: Paper, field: str) -> CatalogFact | None:
    """Return a fact of the paper, or None if no source gives it."""
    match field:
        case "published" if paper.published:
            return CatalogFact(field, str(paper.published), _printed(paper, paper.published))
        case "published" if paper.printed_date:
            return CatalogFact(field, paper.printed_date, paper.printed_date)
        case "author_count" if paper.author_count:
            return CatalogFact(
                field, str(paper.author_count), counted(paper.author_count, "author")
            )
        case "authors" if paper.authors:
            return CatalogFact(field, ", ".join(paper.authors), ", ".join(paper.authors))
        case "organisation" if paper.organisation:
            return CatalogFact(field, paper.organisation, paper.organisation)
        case "comments" if paper.comments is not None:
            return CatalogFact(field, str(paper.comments), counted(paper.comments, "comment"))
        case "upvotes" if paper.upvotes is not None:
            return CatalogFact(field, str(paper.upvotes), counted(paper.upvotes, "upvote"))
        case "categories" if paper.categories:
            return CatalogFact(field, ", ".join(paper.categories), ", ".join(paper.categories))
    return None


def _printed(paper: Paper, date: PublishedDate) -> str:
    """Return the longest printed form of the date that agrees with it."""
    printed = [sighting.printed_date for sighting in paper.sightings if sighting.printed_date]
    if not date.inferred:
        printed = [form for form in printed if str(date.year) in form]
    return max(printed, key=len, default=str(date))


def statements(
    papers: Sequence[Paper], query: MetadataQuery, looked_at: int
) -> Iterator[Statement]:
    """State the number of papers, if asked for or if several; then each paper with its facts."""
    fields = shown_fields(query)
    listed = [_listed(paper, fields, mark) for paper, mark in zip(papers, count(1), strict=False)]
    if query.counted or (len(papers) > 1 and query.filters):
        shown = listed if query.filters or query.topic else listed[:_EXAMPLES]
        citations = tuple(citation for statement in shown for citation in statement.citations)
        yield Statement(f"{_how_many(query, len(papers), looked_at)}.", citations)
        listed = shown
    yield from listed


def tallied(papers: Sequence[Paper], tally: Tally) -> Iterator[Statement]:
    """State the number of papers per year or month, latest first, and cite papers of each.

    All papers are cited for the extreme periods, at most 5 if all periods are shown.
    """
    by_period = _by_period(papers, tally)
    dated = sum(map(len, by_period.values()))
    if tally.shown != "all" and by_period:
        extreme = (max if tally.shown == "most" else min)(map(len, by_period.values()))
        by_period = {
            period: members for period, members in by_period.items() if len(members) == extreme
        }
    marks = count(1)
    for period, members in by_period.items():
        cut = tally.shown == "all" and len(members) > _EXAMPLES
        shown = members[:_EXAMPLES] if cut else members
        listed = [_listed(paper, ["published"], next(marks)) for paper in shown]
        citations = tuple(citation for statement in listed for citation in statement.citations)
        remark = f" of the {dated} dated ones" if tally.shown != "all" else _SOME_CITED * cut
        yield Statement(f"{period}: {counted(len(members), 'paper')}{remark}.", citations)


def _by_period(papers: Sequence[Paper], tally: Tally) -> dict[str, list[Paper]]:
    length = 4 if tally.period == "year" else 7  # of YYYY, YYYY-MM
    dates = [(str(paper.published), paper) for paper in papers if paper.published]
    by_period: dict[str, list[Paper]] = {}
    for date, paper in sorted(dates, key=lambda pair: pair[0], reverse=True):
        if len(date) >= length:
            by_period.setdefault(date[:length], []).append(paper)
    return by_period


def averaged(papers: Sequence[Paper], field: CountField) -> Iterator[Statement]:
    """State the mean and median of a field; cite the papers with the lowest and highest value."""
    known = sorted(
        ((int(known_fact.value), paper) for paper in papers if (known_fact := fact(paper, field))),
        key=lambda pair: pair[0],
    )
    if not known:
        return
    numbers = [number for number, _ in known]
    ends = [known[0][1], known[-1][1]]
    citations = tuple(
        citation
        for mark, paper in enumerate(ends, 1)
        for citation in _listed(paper, [field], mark).citations
    )
    mean = f"On average {fmean(numbers):.1f} {COUNTED[field]}s, median {median(numbers):g}"
    yield Statement(
        f"{mean}, from {numbers[0]} to {numbers[-1]}, over the {len(known)} papers that give it.",
        citations,
    )


def unknown(papers: Sequence[Paper], asked: Sequence[Field]) -> str | None:
    """Return why no paper has any of the fields asked for, or None if a paper has one."""
    missing = [field for field in asked if not any(fact(paper, field) for paper in papers)]
    if len(missing) < len(asked):
        return None
    names = " or ".join(FIELD_NAMES[field] for field in missing)
    return f"no source gives the {names} of “{papers[0].title}”"


def shown_fields(query: MetadataQuery) -> tuple[str, ...]:
    """Return the fields that an answer shows: asked for, filtered or ordered by, and the date."""
    fields: list[str] = [*query.asked]
    fields += [field for condition in query.conditions for field in fields_of(condition)]
    fields += [query.order.field] if query.order else []
    return tuple(dict.fromkeys([*fields, "published"]))


def fields_of(condition: Condition) -> list[str]:
    """Return the fields that a condition is on and that an answer can show."""
    match condition:
        case DateRange() | DatedLike():
            return ["published"]
        case CountRange(field):
            return [field]
        case Presence(field, known):
            return [field] if known else []
        case ByOrganisation():
            return ["organisation"]
        case ByAuthor():
            return ["authors"]
        case InCategory():
            return ["categories"]
        case AnyOf(conditions):
            return [field for condition in conditions for field in fields_of(condition)]
    return []


def fact_in_words(shown: CatalogFact) -> str:
    """Write a fact as part of a sentence."""
    if shown.field == "published" and shown.printed != shown.value:
        # A year that is not in the printed date was inferred from its page.
        inferred = ", year inferred" if shown.value[:4] not in shown.printed else ""
        return f"{shown.printed} ({shown.value}{inferred})"
    return shown.printed


def _listed(paper: Paper, fields: Sequence[str], mark: int) -> Statement:
    known = [known_fact for field in fields if (known_fact := fact(paper, field))]
    # A paper without such a fact still needs evidence for its citation: its title.
    evidence = tuple(known) or (CatalogFact("title", paper.title, paper.title),)
    text = "; ".join(map(fact_in_words, known)) or "neither date nor authors are known"
    citation = Citation(mark, paper.id, paper.title, evidence, support=1.0)
    return Statement(f"{text}.", (citation,), paper.title)


def _how_many(query: MetadataQuery, number: int, looked_at: int) -> str:
    if not query.filters and not query.topic:
        return f"The library holds {looked_at} papers{_SOME_CITED if looked_at > _EXAMPLES else ''}"
    filters = ", ".join(map(in_words, query.filters))
    share = f"{number} of the {looked_at} papers"
    if not query.topic:
        return f"{share} ({filters})"
    return f"{share} on {query.topic}" + (f" ({filters})" if filters else "")
