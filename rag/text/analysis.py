"""Analyse a text into the terms that the lexical index, the search and the scores compare."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tantivy


def analyse(text: str) -> list[str]:
    """Return the text's terms as indexed: lower case, no accents, no stop words, English stems."""
    return list(_terms(text))


# Consecutive questions often score the same sentences.
@lru_cache(maxsize=8192)
def _terms(text: str) -> tuple[str, ...]:
    return tuple(analyzer().analyze(text))


@cache
def analyzer() -> tantivy.TextAnalyzer:
    """Build the analyzer that `analyse` and the lexical index use."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    builder = TextAnalyzerBuilder(Tokenizer.simple())
    for step in (
        Filter.remove_long(60),
        Filter.lowercase(),
        Filter.ascii_fold(),
        Filter.stopword("english"),
    ):
        builder = builder.filter(step)
    return builder.filter(Filter.stemmer("english")).build()
