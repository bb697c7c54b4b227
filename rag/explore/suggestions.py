"""Questions that the library answers: to begin with, and to go on from an answer.

They are made from the papers' own titles by rules, what to ask next also by a language model where there is one, and
each is asked before it is offered, with the papers' own sentences for an answer.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise, zip_longest

from rag.answer import Extractive
from rag.ask import Asker, ask
from rag.errors import InputError, LLMError
from rag.records import Answer, Hit, Paper, Scope
from rag.records.json_format import turns_from
from rag.text.analysis import analyse

log = logging.getLogger(__name__)

_SEGMENT = re.compile(r"[^\w\s-]+")
_WORD = re.compile(r"[A-Za-z][A-Za-z-]+[A-Za-z]")
_NAME = re.compile(r"(?=[\w-]*[a-z\d-]?[A-Z\d])[A-Z][\w-]{2,24}")
# Words that make no subject of two.
_PLAIN = """
    a an the of for in on to and or with without from by via at as is are be can do does how what when why which who
    not no it its their your all you need towards toward using use based beyond more less new novel approach method
    methods study case simple better fast efficient improving learning-based through under over into between against
    """
_NO_SUBJECT = frozenset(_PLAIN.split())
_FEW, _MANY = 2, 8  # papers that share a good subject
_CHECKED = 4  # candidates that are asked for each question wanted


@dataclass(frozen=True, slots=True)
class _Subject:
    """Words that stand side by side in several titles, and the ids of those papers."""

    words: str
    papers: frozenset[str]


def suggestions(asker: Asker, k: int) -> tuple[str, ...]:
    """At most `k` questions, first one of each kind that the library answers; always the same ones."""
    asker = _without_model(asker)
    library = asker.library
    papers = list(library.catalog.papers(library.catalog.paper_ids()).values())
    subjects = _spread(_subjects(papers))
    studied = [f"Which papers study {one.words}?" for one in subjects]
    compared = (f"How do the papers on {one.words} compare?" for one in subjects[3:] + subjects[:3])
    counted = (
        f"How many authors has {name}?"
        for name, paper in islice(_named(papers), 1, None)
        if paper.author_count
    )
    # Each kind begins at a subject of its own, and needs so many papers.
    kinds: Sequence[tuple[Iterator[str], int]] = (
        (iter(studied), 1),
        (_on_catalog(papers, subjects[1:] + subjects[:1]), 1),
        ((f"How does {name} work?" for name, _ in _named(papers)), 1),
        (compared, _FEW),
        (_in_a_year(papers, subjects[2:] + subjects[:2]), 1),
        (counted, 1),
    )
    found = [one for kind, needed in kinds for one in _answered(asker, kind, 1, papers=needed)]
    rest = _answered(asker, iter(studied), k) if len(found) < k else []
    return tuple(dict.fromkeys([*found, *rest]))[:k]


def follow_ups(asker: Asker, answer: Answer, k: int) -> tuple[str, ...]:
    """At most `k` questions that go on from an answer, and are answered within its conversation.

    A language model makes them where the asker has one that reads questions; rules fill up.
    """
    cited = answer.sources
    shown = cited or answer.hits[:5]
    kinds = (_on_them(cited), _on_names(shown, answer), _on_subjects(asker, shown, answer))
    mixed = (one for row in zip_longest(*kinds) for one in row if one)
    try:
        return tuple(
            _answered(
                _without_model(asker), chain(_by_model(asker, answer, shown, k), mixed), k, answer
            )
        )
    except InputError:
        return ()  # the answer's scope names a paper that has left the library: nothing can be asked within it


def _by_model(asker: Asker, answer: Answer, hits: Sequence[Hit], k: int) -> list[str]:
    """What a language model would ask next, if there is one; the rules go on where it says nothing of use."""
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
    asker: Asker, candidates: Iterator[str], k: int, before: Answer | None = None, papers: int = 1
) -> list[str]:
    """The first `k` candidates that get a plain answer from so many papers, and another one than `before`."""
    scope = before.scope if before else Scope()
    history = turns_from([before] if before else [])
    found: list[str] = []
    for question in islice(dict.fromkeys(candidates), _CHECKED * k):
        if len(found) == k:
            break
        if before and question.casefold() == before.question.casefold():
            continue
        answer = ask(asker, question, history, scope=scope)
        plain = answer.refusal is None and not answer.notices and len(answer.sources) >= papers
        if plain and (before is None or answer.text != before.text):
            found.append(question)
    return found


# -- What may be asked ---------------------------------------------------------------------------------------------


def _on_catalog(papers: Sequence[Paper], subjects: Sequence[_Subject]) -> Iterator[str]:
    dated = {paper.id for paper in papers if paper.published}
    for one in subjects:
        if len(one.papers & dated) >= _FEW:
            yield f"What is the newest paper on {one.words}?"
    if dated:
        yield "What is the newest paper?"
    yield "How many papers are there?"


def _in_a_year(papers: Sequence[Paper], subjects: Sequence[_Subject]) -> Iterator[str]:
    """On subjects in the last year that has papers on them."""
    years = {paper.id: paper.published.year for paper in papers if paper.published}
    for one in subjects:
        if dated := [years[paper] for paper in one.papers if paper in years]:
            yield f"Which papers from {max(dated)} study {one.words}?"


def _named(papers: Sequence[Paper]) -> Iterator[tuple[str, Paper]]:
    """Names that papers give to what they are about: what stands before the colon of a title, if it is one word."""
    heads = Counter(paper.title.partition(":")[0].strip() for paper in papers if ":" in paper.title)
    described = sorted(
        (paper for paper in papers if paper.abstract),
        key=lambda paper: (-len(paper.abstract), paper.id),
    )
    for paper in described:
        head = paper.title.partition(":")[0].strip()
        if heads[head] == 1 and _NAME.fullmatch(head):
            yield head, paper


def _on_them(cited: Sequence[Hit]) -> Iterator[str]:
    """On the papers that an answer cites."""
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
    """On what the papers of an answer share with others."""
    catalog = asker.library.catalog
    own = {hit.paper.id for hit in hits}
    asked = set(analyse(answer.standalone_question))
    for one in _subjects(list(catalog.papers(catalog.paper_ids()).values())):
        if one.papers & own and not asked.issuperset(analyse(one.words)):
            yield f"Which papers study {one.words}?"


# -- Subjects ------------------------------------------------------------------------------------------------------


def _subjects(papers: Sequence[Paper]) -> list[_Subject]:
    """Pairs of words that several titles share, those of most papers first; of many papers they say too little."""
    shared: dict[tuple[str, ...], set[str]] = {}
    printed: dict[tuple[str, ...], Counter[str]] = {}
    for paper in papers:
        for pair in _pairs(paper.title):
            key = tuple(analyse(pair))
            shared.setdefault(key, set()).add(paper.id)
            printed.setdefault(key, Counter())[_in_a_sentence(pair)] += 1
    subjects = [
        _Subject(max(printed[key], key=lambda words: (printed[key][words], words)), frozenset(ids))
        for key, ids in shared.items()
        if len(ids) >= _FEW and len(key) > 1
    ]
    return sorted(
        subjects, key=lambda one: (-min(len(one.papers), _MANY), len(one.papers), one.words)
    )


def _pairs(title: str) -> Iterator[str]:
    for segment in _SEGMENT.split(title):
        words = segment.split()
        for first, second in pairwise(words):
            if all(
                _WORD.fullmatch(word) and word.lower() not in _NO_SUBJECT
                for word in (first, second)
            ):
                yield f"{first} {second}"


def _in_a_sentence(words: str) -> str:
    """Without the capitals of a title, but with those of a name."""
    return " ".join(
        word.lower() if word.istitle() or word.islower() else word for word in words.split()
    )


def _spread(subjects: Sequence[_Subject]) -> list[_Subject]:
    """First those that share no paper with the ones before them, then the others."""
    seen: set[str] = set()
    apart: list[_Subject] = []
    rest: list[_Subject] = []
    for one in subjects:
        (rest if one.papers & seen else apart).append(one)
        seen |= one.papers
    return apart + rest
