"""Answers, hits and papers as text for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rag.records import (
    Answer,
    CatalogFact,
    Citation,
    Evidence,
    Hit,
    LedgerEntry,
    Notice,
    Paper,
    Statement,
)

_MAX_WIDTH = 100  # columns
MAX_LISTED = 20
"""The number of papers that an answer lists in a terminal, unless all are requested."""
MAX_EXCLUDED = 5
"""The number of papers excluded by a language model that are listed, unless all are requested."""
_MAX_MARKERS = 10  # citation markers of a sentence; more are shortened to ranges


def statement_lines(statement: Statement) -> Iterator[str]:
    """Yield the lines of a sentence of an answer, under its paper's title if it has one."""
    if statement.title:
        yield from _wrapped(statement.title + ":")
        yield from _wrapped(statement.marked.removeprefix(statement.title + ": "), indent="  ")
    elif len(statement.citations) > _MAX_MARKERS:
        ranges = _ranges([citation.mark for citation in statement.citations])
        yield from _wrapped(f"{statement.text} {ranges}")
    else:
        yield from _wrapped(statement.marked)


def preview_lines(statement: Statement) -> Iterator[str]:
    """Yield the lines of the best quotation, shown while a language model still reads."""
    title = statement.citations[0].title if statement.citations else statement.title
    yield "The nearest sentences, while the model reads:"
    yield from _wrapped(f"“{statement.text}” ({title})", indent="  ")


def _ranges(markers: Sequence[int]) -> str:
    """Return citation markers in ascending order, with consecutive numbers as "[1] to [4]"."""
    runs: list[list[int]] = []
    for number in sorted(markers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"[{run[0]}]" if len(run) == 1 else f"[{run[0]}] to [{run[-1]}]" for run in runs
    )


def notice_lines(notice: Notice) -> Iterator[str]:
    """Yield the lines of a notice."""
    yield from _wrapped(f"Note: {notice.text}", hang="  ")


def source_lines(answer: Answer, limit: int | None = None) -> Iterator[str]:
    """Yield the lines of an answer's sources (at most `limit`), each with the cited evidence."""
    by_paper: dict[str, list[Citation]] = {}
    for citation in answer.citations:
        by_paper.setdefault(citation.paper_id, []).append(citation)
    if by_paper:
        yield "Sources"
    for hit in answer.sources[:limit]:
        citations = by_paper[hit.paper.id]
        yield from _wrapped(f"{_markers(citations)} {hit.paper.title}", hang="    ")
        yield from _wrapped(facts(hit.paper), indent="    ")
        for citation in citations:
            for evidence in citation.evidence:
                yield from _wrapped(
                    f"[{citation.mark}] {_evidence(evidence)}", indent="    ", hang="    "
                )


def rest_line(papers: int) -> str:
    """Return the line that says how many papers were not printed."""
    return f"... and {papers} more; --all prints them"


def near_miss_lines(answer: Answer) -> Iterator[str]:
    """Yield the lines of the papers just below the relevance threshold, if any."""
    if answer.near_misses:
        yield f"Possibly related, of {answer.looked_at} papers"
    for hit in answer.near_misses:
        yield from _wrapped(f"- {hit.paper.title}", hang="  ")


def excluded_lines(answer: Answer, limit: int | None = None) -> Iterator[str]:
    """Yield the lines of the papers (at most `limit`) that screening excluded, with the reasons."""
    if answer.excluded:
        yield f"Excluded by the language model ({len(answer.excluded)} papers)"
    for paper in answer.excluded[:limit]:
        yield from _wrapped(f"- {paper.title}: {paper.reason}", hang="  ")
    if limit is not None and len(answer.excluded) > limit:
        yield rest_line(len(answer.excluded) - limit)


def closing_line(answer: Answer) -> str:
    """Return the last line: papers searched, time, the question as understood, and filters."""
    papers = "1 paper" if answer.looked_at == 1 else f"{answer.looked_at} papers"
    line = f"{papers} searched in {answer.usage.get('total_ms', 0):.0f} ms"
    if answer.standalone_question != answer.question:
        line += f"; understood as: {answer.standalone_question}"
    if answer.scope.filters:
        line += f"; only papers {', '.join(answer.scope.filters)}"
    if answer.filters:
        line += f"; filtered by: {', '.join(answer.filters)} (--no-filters searches for all words)"
    return line


def hit_lines(hit: Hit) -> Iterator[str]:
    """Yield the lines of a hit, with its passage and the search stages that found it."""
    yield from _wrapped(f"{hit.rank}. {hit.paper.title}", hang="   ")
    stages = ", ".join(f"{found.stage} {found.score:.2f}" for found in hit.found_by)
    yield from _wrapped(
        f"{facts(hit.paper)} · {hit.paper.id} · score {hit.score:.2f} ({stages})", indent="   "
    )
    yield from _wrapped(textwrap.shorten(hit.text, 240, placeholder=" …"), indent="   ")


def paper_lines(paper: Paper) -> Iterator[str]:
    """Yield the lines of a paper with everything that the library stores about it."""
    yield from _wrapped(paper.title)
    yield from _wrapped(f"{paper.id} · {facts(paper)}")
    if paper.authors:
        yield from _wrapped(", ".join(paper.authors))
    for line in [
        *(f"{external.kind}:{external.value}" for external in paper.external_ids),
        paper.url,
        ", ".join(paper.categories),
    ]:
        if line:
            yield line
    yield ""
    yield from _wrapped(paper.abstract or "(no abstract)")
    yield ""
    for sighting in paper.sightings:
        printed = f", printed date {sighting.printed_date}" if sighting.printed_date else ""
        yield f"seen in {sighting.source}, line {sighting.line}{printed}"


def facts(paper: Paper) -> str:
    """Return date, authors or their number, organisation and first file of a paper, in one line."""
    return " · ".join(
        part for part in (_date(paper), _people(paper), paper.organisation, _where(paper)) if part
    )


def failure_line(entry: LedgerEntry) -> str:
    """Return the line of a failed entry: file, line and reason."""
    where = entry.source if entry.line is None else f"{entry.source}, line {entry.line}"
    return f"{where}: {entry.reason}"


def refusal_lines(answer: Answer) -> Iterator[str]:
    """Yield the lines of a refusal: the reason and the nearest papers."""
    for line in answer.text.splitlines():
        yield from _wrapped(line, hang="  ")


def _date(paper: Paper) -> str:
    if paper.published is None:
        return paper.printed_date or "no date"
    return (
        f"{paper.published} (year inferred)" if paper.published.inferred else str(paper.published)
    )


def _people(paper: Paper) -> str:
    if paper.authors:
        return ", ".join(paper.authors[:3]) + (
            f" and {len(paper.authors) - 3} more" if len(paper.authors) > 3 else ""
        )
    if paper.author_count is None:
        return ""
    return f"{paper.author_count} author{'s' if paper.author_count != 1 else ''}"


def _where(paper: Paper) -> str:
    places = [f"{Path(sighting.source).name}:{sighting.line}" for sighting in paper.sightings]
    return places[0] + (f" and {len(places) - 1} more" if len(places) > 1 else "") if places else ""


def _markers(citations: Sequence[Citation]) -> str:
    return "".join(f"[{citation.mark}]" for citation in citations)


def _evidence(evidence: Evidence) -> str:
    if isinstance(evidence, CatalogFact):
        return f"{evidence.name}: {evidence.printed}"
    return f"“{' '.join(evidence.text.split())}”"


def _wrapped(text: str, indent: str = "", hang: str = "") -> list[str]:
    width = min(shutil.get_terminal_size((_MAX_WIDTH, 24)).columns, _MAX_WIDTH)
    wrapper = textwrap.TextWrapper(
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return wrapper.wrap(text) or [""]
