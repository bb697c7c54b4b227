"""A paper's text becomes sentences and passages with exact offsets.

Sentences come from Punkt (Kiss and Strunk 2006) with the English model that llama-index bundles. llama-index's own
splitter finds its chunks again by searching for them, which goes wrong for repeated text; Punkt's spans are exact.
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
"""The tokens that the embedder reads for a text, special tokens included."""

# What Punkt's newspaper training does not know of papers.
_ABBREVIATIONS = frozenset(
    [
        *(
            "al",
            "e.g",
            "i.e",
            "cf",
            "vs",
            "viz",
            "approx",
            "resp",
            "w.r.t",
            "w.l.o.g",
            "i.i.d",
            "a.k.a",
        ),
        *(
            "fig",
            "figs",
            "eq",
            "eqs",
            "sec",
            "secs",
            "tab",
            "ref",
            "refs",
            "app",
            "thm",
            "prop",
            "lem",
            "def",
        ),
        *("dept", "univ", "no", "vol", "pp", "ed", "eds"),
    ]
)

# A sentence never starts like this; Punkt was misled by a full stop in brackets or by debris before it.
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
    """The title, then the sentences of the abstract, in order, without overlap; gaps are white space only."""
    spans = [(0, len(paper.title))]
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
    paper: Paper, parts: Sequence[Sentence], count: Count, limit: int
) -> tuple[Passage, ...]:
    """Whole sentences of the abstract, packed so that title and passage stay within `limit` tokens together.

    A sentence that is longer than a passage is split between words. A paper without an abstract is one passage:
    its title.
    """
    prefix = shortened_title(paper.title, count, limit)

    def fits(start: int, end: int) -> bool:
        return count(_headed(prefix, paper.text[start:end])) <= limit

    packed: list[tuple[int, int]] = []
    spans = (span for part in parts[1:] for span in _pieces(paper.text, part.start, part.end, fits))
    for start, end in spans:
        if packed and fits(packed[-1][0], end):
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    packed = packed or [
        _within(0, len(paper.title), lambda start, end: count(paper.text[start:end]) <= limit)
    ]
    return tuple(
        Passage(f"{paper.id}:{n}", paper.id, start, end) for n, (start, end) in enumerate(packed)
    )


def passage_text(paper: Paper, passage: Passage, count: Count, limit: int) -> str:
    """What is embedded for a passage: the title above it, so that it can be understood alone."""
    text = paper.text[passage.start : passage.end]
    return text if passage.start == 0 else _headed(shortened_title(paper.title, count, limit), text)


def pieces(text: str, count: Count, limit: int) -> list[str]:
    """The text itself, or its pieces between words where it is longer than the model reads; never empty."""

    def fits(start: int, end: int) -> bool:
        return count(text[start:end]) <= limit

    return [text[start:end] for start, end in _pieces(text, 0, len(text), fits)] or [text]


def shortened_title(title: str, count: Count, limit: int) -> str:
    """The title, cut between words where it would leave a passage less than half of the tokens."""
    half = limit // 2
    if count(title) <= half:
        return title
    end = _within(0, len(title), lambda _, end: count(title[:end]) <= half)[1]
    log.info("title shortened for embedding to %d of %d characters: %s", end, len(title), title)
    return title[:end].rstrip()


def _headed(title: str, text: str) -> str:
    return f"{title}\n{text}"


Fits = Callable[[int, int], bool]


def _pieces(text: str, start: int, stop: int, fits: Fits) -> Iterator[tuple[int, int]]:
    """The span itself, or spans that fit, parted by the white space between words."""
    while start < stop:
        end = _within(start, stop, fits, text)[1]
        if end < stop:
            log.info(
                "a text is longer than the embedder reads; split after %r",
                text[max(start, end - 30) : end],
            )
        yield start, end
        start = end
        while start < stop and text[start].isspace():
            start += 1


def _within(start: int, end: int, fits: Fits, text: str = "") -> tuple[int, int]:
    """The longest span from `start` that fits, ended between words of `text` where there are any; never empty."""
    if fits(start, end):
        return start, end
    # Longer texts have no fewer tokens, so the longest fitting end is found by bisection.
    last = start + bisect_right(
        range(start + 1, end), False, key=lambda stop: not fits(start, stop)
    )
    gap = max((text.rfind(space, start + 1, last + 1) for space in " \n\t"), default=-1)
    return start, gap if gap > start else max(last, start + 1)
