"""Papers that a question names, side by side: each is asked what the question asks of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from rag.answer.abstention import reason_to_decline
from rag.answer.relevance import assess
from rag.answer.reply import Reply
from rag.answer.synthesizer import Synthesizer
from rag.config import Config
from rag.query.intent import asks_for_the_whole, without_comparison
from rag.search import Searcher, SearchResult


def beside_reply(
    searcher: Searcher,
    synthesizer: Synthesizer,
    question: str,
    names: Mapping[str, str],
    config: Config,
) -> Reply:
    """What each of the named papers says; `names` has a question's names and the ids of their papers.

    A refusal where none of the papers is on what the question asks.
    """
    library = searcher.library
    aspect = without_comparison(without_names(question, names))
    whole = asks_for_the_whole(aspect)
    papers = library.catalog.papers(
        names.values()
    )  # one may have left the library since it was named
    asked = {
        identity: paper.title if whole else without_names(question, _others(names, identity))
        for identity, paper in papers.items()
    }
    found = {paper: searcher.search(one, 1, {paper}) for paper, one in asked.items()}
    beside = _joined(found.values())
    relevance = [
        assess(library, asked[paper], its, config.answer).relevance.max(initial=0.0)
        for paper, its in found.items()
    ]
    answerability = (
        1.0
        if whole
        else float(
            max([*relevance, assess(library, question, beside, config.answer).answerability])
        )
    )
    # The names said which papers are meant; what is left says which of their sentences, or else the names do.
    assessment = assess(library, " ".join(names) if whole else aspect, beside, config.answer)
    assessment = replace(
        assessment, relevance=np.ones(len(beside.hits)), answerability=answerability
    )
    if not whole and (
        reason := reason_to_decline(assessment, beside.looked_at, config.answer.relevance)
    ):
        return Reply(beside.hits, beside.looked_at, refusal=reason, answerability=answerability)
    said = synthesizer.statements(question, beside, assessment)
    return Reply(beside.hits, beside.looked_at, said, answerability=answerability)


def without_names(question: str, names: Iterable[str]) -> str:
    """The question without these names."""
    for name in sorted(names, key=len, reverse=True):  # "TÜLU 3" before "TÜLU"
        question = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", " ", question)
    return " ".join(question.split())


def _joined(found: Iterable[SearchResult]) -> SearchResult:
    """The hits of several searches, ranked in their order."""
    pairs = [pair for one in found for pair in zip(one.hits, one.evidence, strict=True)]
    hits = tuple(replace(hit, rank=rank) for rank, (hit, _) in enumerate(pairs, start=1))
    return SearchResult(hits, tuple(evidence for _, evidence in pairs), len(hits))


def _others(names: Mapping[str, str], identity: str) -> list[str]:
    """The names of the other papers."""
    return [name for name, paper in names.items() if paper != identity]
