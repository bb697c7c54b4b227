"""Suggested questions that the library answers: first questions, and follow-ups to an answer.

Rules make them from the papers' titles. A language model, if there is one, also suggests
follow-ups. Each question is tried before it is suggested, with quotations as answers.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, zip_longest

from rag.answer import Extractive
from rag.ask import Asker, ask
from rag.errors import InputError, LLMError
from rag.records import Answer, Hit, Paper, Scope
from rag.records.json_format import turns_from
from rag.text.analysis import analyse
from rag.text.subjects import Subject, spread, subjects_of

log = logging.getLogger(__name__)

# Punctuation, where a title is split: a subject never spans a colon or a comma.
# The name of a method or data set: one word of 3 to 25 characters that begins with a capital.
_NAME = re.compile(r"(?=[\w-]*[a-z\d-]?[A-Z\d])[A-Z][\w-]{2,24}")
_MIN_PAPERS = 2  # papers that share a good subject
_TRIES = 4  # candidates that are tried for each question wanted


def suggestions(asker: Asker, k: int) -> tuple[str, ...]:
    """Return at most `k` questions that the library answers, first one of each question type.

    The same library gives the same questions.
    """
    asker = _without_model(asker)
    library = asker.library
    papers = list(library.catalog.papers(library.catalog.paper_ids()).values())
    subjects = spread(subjects_of(papers))
    studied = [f"Which papers study {subject.words}?" for subject in subjects]
    compared = (
        f"How do the papers on {subject.words} compare?" for subject in subjects[3:] + subjects[:3]
    )
    counted = (
        f"How many authors has {name}?"
        for name, paper in islice(_named(papers), 1, None)
        if paper.author_count
    )
    # Each question type starts at another subject, so that the questions differ. The number is how
    # many papers its answer has to cite.
    question_types: Sequence[tuple[Iterator[str], int]] = (
        (iter(studied), 1),
        (_on_catalog(papers, subjects[1:] + subjects[:1]), 1),
        ((f"How does {name} work?" for name, _ in _named(papers)), 1),
        (compared, _MIN_PAPERS),
        (_in_a_year(papers, subjects[2:] + subjects[:2]), 1),
        (counted, 1),
    )
    found = [
        question
        for candidates, min_papers in question_types
        for question in _answered(asker, candidates, 1, min_papers=min_papers)
    ]
    rest = _answered(asker, iter(studied), k) if len(found) < k else []
    return tuple(dict.fromkeys([*found, *rest]))[:k]


def follow_ups(asker: Asker, answer: Answer, k: int) -> tuple[str, ...]:
    """Return at most `k` follow-up questions that are answered with the answer as history.

    They come from a language model if the asker has one that reads questions, then from rules.
    """
    cited = answer.sources
    shown = cited or answer.hits[:5]
    question_types = (
        _on_cited_papers(cited),
        _on_names(shown, answer),
        _on_subjects(asker, shown, answer),
    )
    # Take one question of each type in turn.
    by_rules = (
        question for questions in zip_longest(*question_types) for question in questions if question
    )
    candidates = chain(_by_model(asker, answer, shown, k), by_rules)
    try:
        return tuple(_answered(_without_model(asker), candidates, k, answer))
    except InputError:
        # The answer's scope names a paper that was removed: no question can be answered within it.
        return ()


def _by_model(asker: Asker, answer: Answer, hits: Sequence[Hit], k: int) -> list[str]:
    """Return the follow-ups of a language model; none if there is no model or it fails."""
    if asker.reader is None or not hits:
        return []
    try:
        return asker.reader.next_questions(
            answer.standalone_question, [hit.paper for hit in hits], k
        )
    except LLMError as error:
        log.warning("%s", error)
        return []


def _without_model(asker: Asker) -> Asker:
    return replace(asker, synthesizer=Extractive(asker.config.answer), reader=None)


def _answered(
    asker: Asker,
    candidates: Iterator[str],
    k: int,
    before: Answer | None = None,
    min_papers: int = 1,
) -> list[str]:
    """Return the first `k` candidates that are answered well.

    Such an answer has no notice, cites at least `min_papers` papers and differs from `before`.
    """
    scope = before.scope if before else Scope()
    history = turns_from([before] if before else [])
    found: list[str] = []
    for question in islice(dict.fromkeys(candidates), _TRIES * k):
        if len(found) == k:
            break
        if before and question.casefold() == before.question.casefold():
            continue
        answer = ask(asker, question, history, scope=scope)
        answered = answer.refusal is None and len(answer.sources) >= min_papers
        if answered and not answer.notices and (before is None or answer.text != before.text):
            found.append(question)
    return found


# -- Candidate questions --


def _on_catalog(papers: Sequence[Paper], subjects: Sequence[Subject]) -> Iterator[str]:
    dated = {paper.id for paper in papers if paper.published}
    for subject in subjects:
        if len(subject.paper_ids & dated) >= _MIN_PAPERS:
            yield f"What is the newest paper on {subject.words}?"
    if dated:
        yield "What is the newest paper?"
    yield "How many papers are there?"


def _in_a_year(papers: Sequence[Paper], subjects: Sequence[Subject]) -> Iterator[str]:
    """Yield questions on each subject in the latest year that has papers on it."""
    years = {paper.id: paper.published.year for paper in papers if paper.published}
    for subject in subjects:
        if dated := [years[paper_id] for paper_id in subject.paper_ids if paper_id in years]:
            yield f"Which papers from {max(dated)} study {subject.words}?"


def _named(papers: Sequence[Paper]) -> Iterator[tuple[str, Paper]]:
    """Yield the names that papers introduce: the single word before the colon of a title.

    Papers with the longest abstracts come first, as they say most about what they name. A name that
    begins several titles is left out.
    """
    heads = Counter(paper.title.partition(":")[0].strip() for paper in papers if ":" in paper.title)
    described = sorted(
        (paper for paper in papers if paper.abstract),
        key=lambda paper: (-len(paper.abstract), paper.id),
    )
    for paper in described:
        head = paper.title.partition(":")[0].strip()
        if heads[head] == 1 and _NAME.fullmatch(head):
            yield head, paper


def _on_cited_papers(cited: Sequence[Hit]) -> Iterator[str]:
    """Yield questions on the papers that an answer cites."""
    dated = [hit for hit in cited if hit.paper.published]
    if len(cited) > 1 and len(dated) > 1:
        yield "Which of them is the newest?"
    if len(cited) > 1:
        yield "How does the first one work?"
    if len(cited) == 1:
        yield "How does it work?"
        yield "How is it evaluated?"
        if dated:
            yield "When was it published?"


def _on_names(hits: Sequence[Hit], answer: Answer) -> Iterator[str]:
    for name, _ in _named([hit.paper for hit in hits]):
        if name.casefold() not in answer.question.casefold():
            yield f"What does {name} do?"


def _on_subjects(asker: Asker, hits: Sequence[Hit], answer: Answer) -> Iterator[str]:
    """Yield questions on subjects that an answer's papers share with others, unless just asked."""
    catalog = asker.library.catalog
    shown_ids = {hit.paper.id for hit in hits}
    asked = set(analyse(answer.standalone_question))
    for subject in subjects_of(list(catalog.papers(catalog.paper_ids()).values())):
        if subject.paper_ids & shown_ids and not asked.issuperset(analyse(subject.words)):
            yield f"Which papers study {subject.words}?"
