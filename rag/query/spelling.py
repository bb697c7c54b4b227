"""Misspelt words of a question, corrected by the library's own vocabulary.

A word is corrected only where no paper has it, neither the embedder nor a list of English words knows it, and a paper
has one that is a slip of the keyboard away (Damerau 1964): one letter changed, left out, put in, or swapped with its
neighbour; two in long words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache

from rag.library import Library
from rag.models import Embedder
from rag.text.analysis import analyse

_WORD = re.compile(r"(?<![\w-])[^\W\d_]{5,}(?![\w-])")
_LONG = 9  # letters from which two slips are likely
_LIKE = 0.75  # of the letters, in order, that a correction must share
_LOOKED_AT = 50  # papers that may hold the word meant


def misspelt(library: Library, embedder: Embedder, question: str) -> Iterator[tuple[str, str]]:
    """Words of the question and what was probably meant, in the question's order."""
    words = {word: analyse(word) for word in dict.fromkeys(_WORD.findall(question))}
    counts = library.frequencies(sorted({term for terms in words.values() for term in terms}))
    for word, terms in words.items():
        if len(terms) != 1 or counts[terms[0]] or _known(embedder, word):
            continue
        if meant := _nearest(library, word.lower(), terms[0]):
            yield word, meant.capitalize() if word[0].isupper() else meant


def correct(question: str, word: str, meant: str) -> str:
    """The question with a word replaced wherever it stands by itself."""
    return re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", lambda _: meant, question)


def _known(embedder: Embedder, word: str) -> bool:
    """Whether the embedder has the word in one piece, as it has those of everyday language, or it is in the list."""
    return embedder.count(word) - embedder.count("") <= 1 or any(
        form in _english() for form in _forms(word.lower())
    )


def _forms(word: str) -> Iterator[str]:
    """The word, and what it may be made of: "embed" of "embedder"."""
    yield word
    yield re.sub(r"([^aeiou])\1(?:er|ed|ing)s?$", r"\1", word)


@cache
def _english() -> frozenset[str]:
    """160,000 English words. They are read, in 0.1 s, only for a question that has a word that nothing else knows."""
    from spellchecker import SpellChecker

    return frozenset(SpellChecker(language="en").word_frequency.words())


def _nearest(library: Library, word: str, term: str) -> str | None:
    """The word that shares most letters; of several, the one in most papers."""
    distance = 2 if len(word) >= _LONG else 1
    papers = library.catalog.papers(library.similar(term, distance, _LOOKED_AT))
    found: Counter[str] = Counter()
    for paper in papers.values():
        found.update(
            {
                one
                for one in _WORD.findall(paper.text.lower())
                if abs(len(one) - len(word)) <= distance
            }
        )
    likeness = {
        one: SequenceMatcher(None, word, one, autojunk=False).ratio()
        for one in found
        if one[0] == word[0]
    }
    close = [one for one, ratio in likeness.items() if ratio >= _LIKE and analyse(one) != [term]]
    return max(close, key=lambda one: (round(likeness[one], 2), found[one], one), default=None)
