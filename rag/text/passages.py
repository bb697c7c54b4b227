"""Split a paper's text into sentences and passages with exact offsets.

Punkt (Kiss and Strunk 2006) finds the sentences, with the English model that llama-index bundles.
Punkt reports exact spans. llama-index's own splitter locates its chunks by searching for their
text, which fails for repeated text.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rag.errors import ModelError
from rag.records import Paper, Passage, Sentence

log = logging.getLogger(__name__)

Count = Callable[[str], int]
"""A function that counts the embedder's tokens of a text, special tokens included."""

# Abbreviations of papers, unknown to Punkt, which was trained on newspapers.
_ABBREVIATION_LIST = """
    al e.g i.e cf vs viz approx resp w.r.t w.l.o.g i.i.d a.k.a fig figs eq eqs sec secs
    tab ref refs app thm prop lem def dept univ no vol pp ed eds
    """
_ABBREVIATIONS = frozenset(_ABBREVIATION_LIST.split())

# No sentence starts like this: Punkt split at a full stop inside brackets or at extraction debris.
_CONTINUES = re.compile(r"[)\],;]|(?:and|or|by|with|of|which)\b")


@cache
def _punkt() -> Any:
    import nltk
    from nltk.tokenize.punkt import PunktTokenizer

    package = importlib.util.find_spec("llama_index.core")
    if package is None or not package.submodule_search_locations:
        raise ModelError(
            "splitting into sentences needs llama-index-core: pip install llama-index-core"
        )
    bundled = str(Path(package.submodule_search_locations[0]) / "_static" / "nltk_cache")
    if bundled not in nltk.data.path:
        nltk.data.path.insert(0, bundled)
    tokenizer = PunktTokenizer("english")
    tokenizer._params.abbrev_types.update(_ABBREVIATIONS)
    return tokenizer


def sentences(paper: Paper) -> tuple[Sentence, ...]:
    """Return the title, then the sentences of the abstract in order.

    They do not overlap, and only white space separates them.
    """
    spans = [(0, len(paper.title))]
    # In Paper.text two newlines separate title and abstract.
    offset = len(paper.title) + 2
    for start, end in _punkt().span_tokenize(paper.abstract):
        if len(spans) > 1 and _CONTINUES.match(paper.abstract, start):
            spans[-1] = (spans[-1][0], offset + end)
        else:
            spans.append((offset + start, offset + end))
    return tuple(
        Sentence(paper.id, start, end) for start, end in spans if paper.text[start:end].strip()
    )


def passages(
    paper: Paper, units: Sequence[Sentence], count: Count, limit: int
) -> tuple[Passage, ...]:
    """Pack whole sentences of the abstract into passages.

    Title and passage together have at most `limit` tokens. A sentence that is longer than a passage
    is split between words. A paper without an abstract has one passage, its title. `units` are the
    result of `sentences`.
    """
    prefix = shortened_title(paper.title, count, limit)

    def fits(start: int, end: int) -> bool:
        return count(_headed(prefix, paper.text[start:end])) <= limit

    packed: list[tuple[int, int]] = []
    spans = (span for unit in units[1:] for span in _pieces(paper.text, unit.start, unit.end, fits))
    for start, end in spans:
        if packed and fits(packed[-1][0], end):
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    packed = packed or [
        _longest_fitting(
            0, len(paper.title), lambda start, end: count(paper.text[start:end]) <= limit
        )
    ]
    return tuple(
        Passage(f"{paper.id}:{n}", paper.id, start, end) for n, (start, end) in enumerate(packed)
    )


def passage_text(paper: Paper, passage: Passage, count: Count, limit: int) -> str:
    """Return the text to embed for a passage: the title, a newline, the passage.

    The title gives the context that the passage lacks.
    """
    text = paper.text[passage.start : passage.end]
    return text if passage.start == 0 else _headed(shortened_title(paper.title, count, limit), text)


def pieces(text: str, count: Count, limit: int) -> list[str]:
    """Split a text between words into pieces of at most `limit` tokens.

    A text that fits is a single piece. The list is never empty.
    """

    def fits(start: int, end: int) -> bool:
        return count(text[start:end]) <= limit

    return [text[start:end] for start, end in _pieces(text, 0, len(text), fits)] or [text]


def shortened_title(title: str, count: Count, limit: int) -> str:
    """Return the title, cut to at most half of the `limit` tokens, possibly inside a word."""
    half = limit // 2
    if count(title) <= half:
        return title
    end = _longest_fitting(0, len(title), lambda _, end: count(title[:end]) <= half)[1]
    log.info("title shortened for embedding to %d of %d characters: %s", end, len(title), title)
    return title[:end].rstrip()


def _headed(title: str, text: str) -> str:
    return f"{title}\n{text}"


Fits = Callable[[int, int], bool]


def _pieces(text: str, start: int, stop: int, fits: Fits) -> Iterator[tuple[int, int]]:
    """Yield the span itself if it fits, else spans that fit, split at white space."""
    while start < stop:
        end = _longest_fitting(start, stop, fits, text)[1]
        if end < stop:
            log.info(
                "a text is longer than the embedder's input; it is split after %r",
                text[max(start, end - 30) : end],
            )
        yield start, end
        start = end
        while start < stop and text[start].isspace():
            start += 1


def _longest_fitting(start: int, end: int, fits: Fits, text: str = "") -> tuple[int, int]:
    """Return the longest span from `start` that fits, never empty.

    It ends between words of `text` if possible, else inside a word.
    """
    if fits(start, end):
        return start, end
    # Longer texts do not have fewer tokens, so bisection finds the last end that fits.
    last = start + bisect_right(
        range(start + 1, end), False, key=lambda stop: not fits(start, stop)
    )
    gap = max((text.rfind(space, start + 1, last + 1) for space in " \n\t"), default=-1)
    return start, gap if gap > start else max(last, start + 1)
