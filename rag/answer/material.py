"""What a language model is given to read: papers sentence by sentence, cut to whole sentences where they don't fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rag.models.base import Vectors
from rag.records import Hit, Sentence
from rag.search import SearchResult


@dataclass(frozen=True, slots=True)
class Source:
    """A paper that the model is given, and its sentences, the title first."""

    hit: Hit
    sentences: tuple[Sentence, ...]
    vectors: Vectors

    @property
    def known(self) -> dict[str, Vectors]:
        """The library's vectors of the sentences, by their texts; those of sentences that did not fit are left over."""
        return dict(zip(map(self.text, self.sentences), self.vectors, strict=False))

    @property
    def length(self) -> int:
        """Its sentences, the title not counted; a paper of a title only counts as one."""
        return max(1, len(self.sentences) - 1)

    @property
    def passage(self) -> str:
        """Title and date, and below them the other sentences."""
        title, *rest = map(self.text, self.sentences)
        date = f" ({self.hit.paper.published})" if self.hit.paper.published else ""
        return f"{title}{date}\n{' '.join(rest)}".rstrip()

    def text(self, sentence: Sentence) -> str:
        """A sentence as the paper has it, on one line."""
        return " ".join(self.hit.paper.text[sentence.start : sentence.end].split())


def sources(result: SearchResult, rows: Iterable[int]) -> list[Source]:
    """The papers in these rows of a search's hits."""
    parts = [(row, result.evidence[row].parts) for row in rows]
    return [Source(result.hits[row], own.sentences, own.sentence_vectors) for row, own in parts]


def first(given: Sequence[Source], sentences: int) -> list[Source]:
    """The sources cut to so many sentences; those for which none is left are out."""
    cut: list[Source] = []
    for source in given:
        if sentences > 0:
            cut.append(replace(source, sentences=source.sentences[: 1 + min(source.length, sentences)]))
        sentences -= source.length
    return cut
