"""Turns of a conversation, their sources, and the list of conversations, as HTML."""

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

# The search stages in the reader's words.
_STAGES = {
    "lexical": "same words",
    "letters": "similar spelling",
    "dense": "similar passages",
    "sentence": "similar sentences",
    "rerank": "reranker",
    "catalog": "metadata",
}
_MAX_OPEN = 3  # abstracts are open only if at most this many papers are cited


@dataclass(frozen=True, slots=True)
class TurnView:
    """The current state of a turn, as the page shows it.

    `stage` says what is being done, "" when the turn is finished. `preview` is the best quotation,
    shown until a language model has written its first sentence. `good` is the reader's rating,
    `word` the reader's comment.
    """

    number: int
    question: str
    stage: str = ""
    looked_at: int = 0
    hits: tuple[Hit, ...] = ()
    preview: Statement | None = None
    statements: tuple[Statement, ...] = ()
    notices: tuple[str, ...] = ()
    answer: Answer | None = None
    error: str = ""
    follow_ups: tuple[str, ...] = ()
    good: bool | None = None
    word: str = ""

    @classmethod
    def from_answer(
        cls, number: int, answer: Answer, good: bool | None = None, word: str = ""
    ) -> TurnView:
        """Make the view of a finished turn."""
        return cls(
            number=number,
            question=answer.question,
            looked_at=answer.looked_at,
            hits=answer.hits,
            statements=answer.statements,
            notices=answer.notices,
            answer=answer,
            good=good,
            word=word,
        )


@dataclass(frozen=True, slots=True)
class _Card:
    """A paper with its citations; none for a paper that was found but not cited."""

    hit: Hit
    citations: tuple[Citation, ...]
    opened: bool

    @property
    def paper(self) -> Paper:
        return self.hit.paper

    @property
    def marks(self) -> tuple[int, ...]:
        return tuple(citation.mark for citation in self.citations)

    @property
    def title(self) -> Markup:
        return highlighted(self.paper.text, 0, len(self.paper.title), self._highlights())

    @property
    def abstract(self) -> Markup:
        text = self.paper.text
        # In `paper.text`, an empty line is between title and abstract: two characters.
        return highlighted(text, len(self.paper.title) + 2, len(text), self._highlights())

    @property
    def facts(self) -> list[tuple[str, CatalogFact, str]]:
        """The cited metadata: name of the field, the fact, and the citation numbers."""
        cited: dict[CatalogFact, list[str]] = {}
        for citation in self.citations:
            for fact in citation.evidence:
                if isinstance(fact, CatalogFact):
                    cited.setdefault(fact, []).append(str(citation.mark))
        return [(fact.name, fact, " ".join(marks)) for fact, marks in cited.items()]

    @property
    def found_by(self) -> str:
        return ", ".join(_STAGES[found.stage] for found in self.hit.found_by)

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
        # The paper may have changed since the answer: highlight only text that is still the same.
        return [
            Highlight(span.start, span.end, (citation.mark,))
            for citation in self.citations
            for span in citation.evidence
            if isinstance(span, TextSpan) and self.paper.text[span.start : span.end] == span.text
        ]


def parts(turn: TurnView) -> dict[str, Any]:
    """Return a turn for the page's scripts: number, parts as HTML, and whether it is finished."""
    return {
        "number": turn.number,
        "body": draw(
            "turn",
            {
                "turn": turn,
                "statements": _statements(turn),
                "markdown": markdown([turn.answer]) if turn.answer else "",
                "made_by": turn.answer and made_by(turn.answer),
            },
        ),
        "follow": draw("follow", {"questions": turn.follow_ups}),
        "sources": draw("sources", {"turn": turn, **_cards(turn)}),
        "over": not turn.stage,
    }


def made_by(answer: Answer) -> str:
    """Return the model that wrote an answer, and its speed; "" for quotations."""
    tokens, milliseconds = (
        answer.usage.get(name, 0.0) for name in ("completion_tokens", "writing_ms")
    )
    speed = f" · {1000 * tokens / milliseconds:.0f} tokens/s" if tokens and milliseconds else ""
    return answer.made_by + speed if answer.made_by else ""


def conversation_list(
    conversations: Sequence[Conversation], matching: str, problem: str = ""
) -> str:
    """Return the list of conversations as HTML, or the problem with reading them."""
    return draw(
        "conversations", {"conversations": conversations, "matching": matching, "problem": problem}
    )


def support_of(statement: Statement) -> tuple[str, str]:
    """Return how well the evidence supports a statement: a level (a CSS class) and its text."""
    scores = [citation.support for citation in statement.citations if citation.support is not None]
    if statement.doubts:
        return "weak", f"check: {'; '.join(statement.doubts)}"
    if not scores:
        return "unknown", "not checked"
    if min(scores) >= 1:
        return "quoted", "quoted word for word"
    return "good", f"supported by its evidence (score {min(scores):.2f} of 1)"


def _statements(turn: TurnView) -> list[tuple[Statement, str, str]]:
    return [(statement, *support_of(statement)) for statement in turn.statements]


def _cards(turn: TurnView) -> dict[str, list[_Card]]:
    """Return the cited papers in the order of their first citation, and the other papers found."""
    cited: dict[str, list[Citation]] = {}
    for citation in turn.answer.citations if turn.answer else citations_of(turn.statements):
        cited.setdefault(citation.paper_id, []).append(citation)
    hits = {hit.paper.id: hit for hit in turn.hits}
    opened = len(cited) <= _MAX_OPEN
    return {
        "cited": [
            _Card(hits[paper_id], tuple(citations), opened)
            for paper_id, citations in cited.items()
            if paper_id in hits
        ],
        "found": [_Card(hit, (), False) for paper_id, hit in hits.items() if paper_id not in cited],
    }
