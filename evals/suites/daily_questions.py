"""115 questions over five saved Daily Papers pages, judged by one annotator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from evals.outcomes import Case, Gold
from evals.suites import questions
from evals.suites.suite import Context, Loaded

# What a page prints below an abstract; the annotator quotes it as evidence for facts of the catalog.
_FOOTER = re.compile(
    r"\s*(?:• (?P<authors>\d+) authors?|(?P<organisation>.+))\n·\n(?P<date>[^\n]+?)(?: (?P<comments>\d+))?"
)


def load(context: Context) -> Loaded:
    """Ready to run. Raises InputError where the data is not here."""
    folder = context.needed("daily-papers", "daily_papers_qa")
    pages = context.needed("daily-papers", "..", "corpus", "daily_papers")
    loaded = questions.load(
        "daily-papers", context, [pages], folder / "dev.jsonl", folder / "papers.jsonl"
    )
    return replace(
        loaded, cases=[_with_facts(case) for case in loaded.cases if isinstance(case, Case)]
    )


def _with_facts(case: Case) -> Case:
    return replace(case, evidence=tuple(one for piece in case.evidence for one in _facts(piece)))


def _facts(piece: Gold) -> Iterator[Gold]:
    """The catalog facts that a quoted footer prints, any one of which covers its point; other evidence as it is."""
    match = _FOOTER.fullmatch(piece.quote or "")
    if match is None:
        yield piece
        return
    named = {
        "author_count": match["authors"],
        "organisation": match["organisation"],
        "published": match["date"],
    }
    for field, value in {**named, "comments": match["comments"]}.items():
        if value:
            yield replace(piece, quote=None, field=field, value=value)
