"""Answers, hits and papers as a person reads them in a terminal."""

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

_WIDEST = 100
MOST_LISTED = 20
"""Papers that an answer lists in a terminal unless all are asked for."""
MOST_EXCLUDED = 5
"""Papers that a language model excluded, as many as are named."""
_MOST_MARKS = 10


def statement_lines(statement: Statement) -> Iterator[str]:
    """One sentence of an answer, under its paper's title where it has one."""
    if statement.title:
        yield from _wrapped(statement.title + ":")
        yield from _wrapped(statement.marked.removeprefix(statement.title + ": "), indent="  ")
    elif len(statement.citations) > _MOST_MARKS:
        yield from _wrapped(f"{statement.text} {_runs([one.mark for one in statement.citations])}")
    else:
        yield from _wrapped(statement.marked)


def preview_lines(statement: Statement) -> Iterator[str]:
    """The best quotation, which is there before a language model has read anything."""
    title = statement.citations[0].title if statement.citations else statement.title
    yield "The nearest sentences, while the model reads:"
    yield from _wrapped(f"“{statement.text}” ({title})", indent="  ")


def _runs(marks: Sequence[int]) -> str:
    """Marks in their order, those that follow each other as a range."""
    runs: list[list[int]] = []
    for mark in sorted(marks):
        if runs and mark == runs[-1][-1] + 1:
            runs[-1].append(mark)
        else:
            runs.append([mark])
    return ", ".join(
        f"[{run[0]}]" if len(run) == 1 else f"[{run[0]}] to [{run[-1]}]" for run in runs
    )


def notice_lines(notice: Notice) -> Iterator[str]:
    """What the reader must know besides the answer."""
    yield from _wrapped(f"Note: {notice.text}", hang="  ")


def source_lines(answer: Answer, most: int | None = None) -> Iterator[str]:
    """The sources of an answer, or so many of them, each with the very sentences that its marks point to."""
    by_paper: dict[str, list[Citation]] = {}
    for citation in answer.citations:
        by_paper.setdefault(citation.paper_id, []).append(citation)
    if by_paper:
        yield "Sources"
    for hit in answer.sources[:most]:
        citations = by_paper[hit.paper.id]
        yield from _wrapped(f"{_marks(citations)} {hit.paper.title}", hang="    ")
        yield from _wrapped(facts(hit.paper), indent="    ")
        for citation in citations:
            for evidence in citation.evidence:
                yield from _wrapped(
                    f"[{citation.mark}] {_evidence(evidence)}", indent="    ", hang="    "
                )


def rest_line(papers: int) -> str:
    """How many papers of the answer were not printed."""
    return f"... and {papers} more; --all prints them"


def near_miss_lines(answer: Answer) -> Iterator[str]:
    """The papers just below the line, where there are any."""
    if answer.near_misses:
        yield f"Possibly related, of {answer.looked_at} papers"
    for hit in answer.near_misses:
        yield from _wrapped(f"- {hit.paper.title}", hang="  ")


def excluded_lines(answer: Answer, most: int | None = None) -> Iterator[str]:
    """The papers that a language model's screening left out, or so many of them, each with the reason."""
    if answer.excluded:
        yield f"Excluded by the language model ({len(answer.excluded)} papers)"
    for one in answer.excluded[:most]:
        yield from _wrapped(f"- {one.title}: {one.reason}", hang="  ")
    if most is not None and len(answer.excluded) > most:
        yield rest_line(len(answer.excluded) - most)


def closing_line(answer: Answer) -> str:
    """How much was searched, in what time, for which question."""
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
    """A hit with its passage and the stages that found it."""
    yield from _wrapped(f"{hit.rank}. {hit.paper.title}", hang="   ")
    found = ", ".join(f"{one.stage} {one.score:.2f}" for one in hit.found_by)
    yield from _wrapped(
        f"{facts(hit.paper)} · {hit.paper.id} · score {hit.score:.2f} ({found})", indent="   "
    )
    yield from _wrapped(textwrap.shorten(hit.text, 240, placeholder=" …"), indent="   ")


def paper_lines(paper: Paper) -> Iterator[str]:
    """A paper with all that the library knows of it."""
    yield from _wrapped(paper.title)
    yield from _wrapped(f"{paper.id} · {facts(paper)}")
    if paper.authors:
        yield from _wrapped(", ".join(paper.authors))
    for name in [
        *(f"{one.kind}:{one.value}" for one in paper.external_ids),
        paper.url,
        ", ".join(paper.categories),
    ]:
        if name:
            yield name
    yield ""
    yield from _wrapped(paper.abstract or "(no abstract)")
    yield ""
    for sighting in paper.sightings:
        printed = f", printed date {sighting.printed_date}" if sighting.printed_date else ""
        yield f"seen in {sighting.source}, line {sighting.line}{printed}"


def facts(paper: Paper) -> str:
    """Date, authors or their number, organisation and where from, in one line."""
    return " · ".join(
        part for part in (_date(paper), _people(paper), paper.organisation, _where(paper)) if part
    )


def failure_line(entry: LedgerEntry) -> str:
    """What failed, where and why."""
    where = entry.source if entry.line is None else f"{entry.source}, line {entry.line}"
    return f"{where}: {entry.reason}"


def refusal_lines(answer: Answer) -> Iterator[str]:
    """That the papers don't tell, why, and the nearest papers."""
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


def _marks(citations: Sequence[Citation]) -> str:
    return "".join(f"[{citation.mark}]" for citation in citations)


def _evidence(evidence: Evidence) -> str:
    if isinstance(evidence, CatalogFact):
        return f"{evidence.name}: {evidence.printed}"
    return f"“{' '.join(evidence.text.split())}”"


def _wrapped(text: str, indent: str = "", hang: str = "") -> list[str]:
    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    wrapper = textwrap.TextWrapper(
        max(width, 40),
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return wrapper.wrap(text) or [""]
