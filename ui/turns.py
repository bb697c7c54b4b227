"""Turns of a conversation, and what stands around them, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from rag.conversations.journal import Conversation
from rag.output.export import bibtex, link, markdown
from rag.output.plain_text import facts
from rag.records import Answer, CatalogFact, Citation, Hit, Paper, Statement, TextSpan, citations_of
from ui.drawing import draw
from ui.texts import Highlight, highlighted

_STAGES = {
    "lexical": "words",
    "letters": "letters",
    "dense": "passages",
    "sentence": "sentences",
    "catalog": "catalog",
}
_FEW_CARDS = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """A turn as it is to be seen now; `stage` is what is being done, "" when the turn is over.

    `preview` is the best quotation, which is seen until a language model has written its first sentence.
    """

    number: int
    question: str
    stage: str = ""
    looked_at: int = 0
    hits: tuple[Hit, ...] = ()
    preview: Statement | None = None
    said: tuple[Statement, ...] = ()
    notices: tuple[str, ...] = ()
    answer: Answer | None = None
    error: str = ""
    follow_ups: tuple[str, ...] = ()
    good: bool | None = None
    word: str = ""

    @classmethod
    def of(cls, number: int, answer: Answer, good: bool | None = None, word: str = "") -> Drawn:
        """A finished turn."""
        return cls(
            number=number,
            question=answer.question,
            looked_at=answer.looked_at,
            hits=answer.hits,
            said=answer.statements,
            notices=answer.notices,
            answer=answer,
            good=good,
            word=word,
        )


@dataclass(frozen=True, slots=True)
class _Card:
    """A source with what cites it; `marks` are empty for a paper that was only found."""

    hit: Hit
    citations: tuple[Citation, ...]
    opened: bool

    @property
    def paper(self) -> Paper:
        return self.hit.paper

    @property
    def marks(self) -> tuple[int, ...]:
        return tuple(one.mark for one in self.citations)

    @property
    def title(self) -> Markup:
        return highlighted(self.paper.text, 0, len(self.paper.title), self._highlights())

    @property
    def abstract(self) -> Markup:
        text = self.paper.text
        return highlighted(text, len(self.paper.title) + 2, len(text), self._highlights())

    @property
    def facts(self) -> list[tuple[str, CatalogFact, str]]:
        """The facts that are cited: what of, the fact, and the marks that cite it."""
        cited: dict[CatalogFact, list[str]] = {}
        for one in self.citations:
            for fact in one.evidence:
                if isinstance(fact, CatalogFact):
                    cited.setdefault(fact, []).append(str(one.mark))
        return [(fact.name, fact, " ".join(marks)) for fact, marks in cited.items()]

    @property
    def found_by(self) -> str:
        return ", ".join(_STAGES[one.stage] for one in self.hit.found_by)

    @property
    def bibtex(self) -> str:
        return bibtex([self.paper])

    @property
    def link(self) -> str | None:
        return link(self.paper)

    @property
    def about(self) -> str:
        return facts(self.paper)

    def _highlights(self) -> list[Highlight]:
        return [
            Highlight(span.start, span.end, (one.mark,))
            for one in self.citations
            for span in one.evidence
            if isinstance(span, TextSpan) and self.paper.text[span.start : span.end] == span.text
        ]


def parts(turn: Drawn) -> dict[str, Any]:
    """A turn as the page takes it: its number, its parts as HTML, and whether it is over."""
    return {
        "number": turn.number,
        "body": draw(
            "turn",
            {
                "turn": turn,
                "said": _said(turn),
                "copied": _copied(turn),
                "made_by": turn.answer and made_by(turn.answer),
            },
        ),
        "follow": draw("follow", {"questions": turn.follow_ups}),
        "sources": draw("sources", {"turn": turn, **_cards(turn)}),
        "over": not turn.stage,
    }


def made_by(answer: Answer) -> str:
    """What wrote an answer, and how fast, in words; "" where it is quotations."""
    tokens, milliseconds = (
        answer.usage.get(name, 0.0) for name in ("completion_tokens", "writing_ms")
    )
    speed = f" · {1000 * tokens / milliseconds:.0f} tokens/s" if tokens and milliseconds else ""
    return answer.made_by + speed if answer.made_by else ""


def conversation_list(
    conversations: Sequence[Conversation], matching: str, problem: str = ""
) -> str:
    """The reader's conversations, the newest first; or why there are none to be seen."""
    return draw(
        "conversations", {"conversations": conversations, "matching": matching, "problem": problem}
    )


def support_of(statement: Statement) -> tuple[str, str]:
    """How well a statement's evidence supports it: a level, and that in words."""
    scores = [one.support for one in statement.citations if one.support is not None]
    if statement.doubts:
        return "weak", f"check: {'; '.join(statement.doubts)}"
    if not scores:
        return "unknown", "not checked"
    if min(scores) >= 1:
        return "quoted", "quoted word for word"
    return "good", f"supported by its evidence: {min(scores):.2f} of 1"


def _said(turn: Drawn) -> list[tuple[Statement, str, str]]:
    return [(statement, *support_of(statement)) for statement in turn.said]


def _cards(turn: Drawn) -> dict[str, list[_Card]]:
    """The cited papers in the order of their marks, and the others that were found."""
    cited: dict[str, list[Citation]] = {}
    for one in turn.answer.citations if turn.answer else citations_of(turn.said):
        cited.setdefault(one.paper_id, []).append(one)
    hits = {hit.paper.id: hit for hit in turn.hits}
    few = len(cited) <= _FEW_CARDS
    return {
        "cited": [
            _Card(hits[paper], tuple(those), few) for paper, those in cited.items() if paper in hits
        ],
        "found": [_Card(hit, (), False) for paper, hit in hits.items() if paper not in cited],
    }


def _copied(turn: Drawn) -> str:
    return markdown([turn.answer]) if turn.answer else ""
