"""Suite daily-papers: 115 questions over five saved Daily Papers pages, with one annotator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from evals.outcomes import Case, Gold
from evals.suites import questions
from evals.suites.suite import Context, Loaded

# The footer that a page prints below an abstract, such as "• 5 authors\n·\nApr 20, 2017 2". The
# annotator quotes it as evidence for facts of the catalog.
_FOOTER = re.compile(
    r"\s*(?:• (?P<authors>\d+) authors?|(?P<organisation>.+))"
    r"\n·\n(?P<date>[^\n]+?)(?: (?P<comments>\d+))?"
)


def load(context: Context) -> Loaded:
    """Load the suite. Raises InputError if its data is missing."""
    folder = context.needed("daily-papers", "daily_papers_qa")
    pages = context.needed("daily-papers", "..", "corpus", "daily_papers")
    loaded = questions.load(
        "daily-papers", context, [pages], folder / "dev.jsonl", folder / "papers.jsonl"
    )
    return replace(
        loaded, cases=[_with_facts(case) for case in loaded.cases if isinstance(case, Case)]
    )


def _with_facts(case: Case) -> Case:
    return replace(case, evidence=tuple(fact for piece in case.evidence for fact in _facts(piece)))


def _facts(piece: Gold) -> Iterator[Gold]:
    """Yield the catalog facts of a quoted footer, or the piece unchanged if it is not a footer.

    Any one of the facts covers the answer point.
    """
    match = _FOOTER.fullmatch(piece.quote or "")
    if match is None:
        yield piece
        return
    facts = {
        "author_count": match["authors"],
        "organisation": match["organisation"],
        "published": match["date"],
        "comments": match["comments"],
    }
    for field, value in facts.items():
        if value:
            yield replace(piece, quote=None, field=field, value=value)
