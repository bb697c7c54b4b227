"""Parse questions with a served language model, and suggest next questions.

Without a model, or when it fails, rules do the same: follow_up, metadata.parse, and
rag.explore.suggestions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, get_args

from pydantic import BaseModel, Field, ValidationError

from rag.llm import (
    LLM,
    Counters,
    Form,
    Message,
    complete_fitting,
    line_form,
    query_form,
    questions_form,
)
from rag.prompts import fill
from rag.records import (
    ByOrganisation,
    Condition,
    DateRange,
    MetadataQuery,
    Order,
    Paper,
    Turn,
)
from rag.records import Field as Fact

_TOKENS = 256  # maximum of the output
_HISTORY_TOKENS = 2000  # maximum of a prompt with earlier turns; the oldest are left out
_PASSAGE_TOKENS = 4000  # maximum of a prompt with papers
_LONGEST = 400  # characters of a question
_ORDERS = {
    "newest": Order("published", descending=True),
    "oldest": Order("published", descending=False),
    "most authors": Order("author_count", descending=True),
    "fewest authors": Order("author_count", descending=False),
    "most comments": Order("comments", descending=True),
}
# Most questions ask nothing about metadata; only those with such a word are worth a request.
_CUE = re.compile(
    r"\b(?:19|20)\d\d\b|\b(?:newest|latest|recent(?:ly)?|oldest|earliest|authors?|authored"
    r"|wrote|written|writers?|people|published|posted|appeared|dates?|dated|years?|months?"
    r"|organi[sz]ations?|universit(?:y|ies)|institutes?"
    r"|compan(?:y|ies)|labs?|comments?|discussed|how many papers)\b",
    re.IGNORECASE,
)


class _Read(BaseModel):
    """The output that prompts/read_question.md asks for."""

    topic: str
    since: Annotated[int | None, Field(alias="from", ge=1900, le=2200)]
    until: Annotated[int | None, Field(alias="to", ge=1900, le=2200)]
    organisation: str | None
    order: str | None
    number: Annotated[int, Field(ge=1)]
    asked: list[Fact]
    counted: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks a served model; each method raises LLMError if the model fails."""

    llm: LLM
    counters: Counters

    def standalone(self, question: str, history: Sequence[Turn]) -> str | None:
        """Rewrite a follow-up as a standalone question, with the most recent turns that fit.

        Return None if the output was cut off.
        """
        lines = [line for turn in history for line in _lines_of(turn)]
        build = partial(_with_turns, question, lines)
        output = self._written(build, len(lines), _HISTORY_TOKENS, line_form(_LONGEST))
        return output and " ".join(output.split())

    def query(self, question: str, organisations: Callable[[], Iterable[str]]) -> MetadataQuery:
        """Parse what a question asks about metadata.

        The query is empty if there is nothing, or if the output is not valid.
        """
        nothing = MetadataQuery(question)
        if not _CUE.search(question):
            return nothing
        prompt = [Message("user", fill("read_question", question=question))]
        output = self._written(
            lambda _: prompt, 1, _HISTORY_TOKENS, query_form(_ORDERS, get_args(Fact))
        )
        try:
            return _query(_Read.model_validate_json(output or ""), list(organisations())) or nothing
        except (ValidationError, KeyError):
            return nothing

    def next_questions(self, question: str, papers: Sequence[Paper], number: int) -> list[str]:
        """Suggest at most `number` next questions; whether papers answer them is not checked."""
        build = partial(_with_papers, question, papers, number)
        output = self._written(build, len(papers), _PASSAGE_TOKENS, questions_form(number))
        # Models number the questions or put bullets before them: "1. ", "- ".
        lines = (
            re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line).strip()
            for line in (output or "").splitlines()
        )
        return [line for line in lines if line.endswith("?") and len(line) <= _LONGEST][:number]

    def _written(
        self, build: Callable[[int], Sequence[Message]], most: int, longest: int, form: Form
    ) -> str | None:
        """Return the output for the longest prompt of `build` that fits; None if it was cut off."""
        written = complete_fitting(
            self.llm, self.counters.best(), build, most, form, _TOKENS, longest
        )
        return written.text if written.ended.finish == "stop" else None


def _lines_of(turn: Turn) -> Iterator[str]:
    """Yield the lines of an earlier turn; a long history is cut between lines."""
    first, *rest = turn.text.splitlines() or [""]
    yield f"{'Reader' if turn.role == 'user' else 'Answer'}: {first}"
    yield from rest


def _with_turns(question: str, lines: Sequence[str], most: int) -> list[Message]:
    turns = "\n".join(lines[len(lines) - most :])
    return [Message("user", fill("standalone", conversation=turns, question=question))]


def _with_papers(question: str, papers: Sequence[Paper], number: int, most: int) -> list[Message]:
    passages = "\n\n".join(
        f"{paper.title}\n{' '.join(paper.abstract.split())}" for paper in papers[:most]
    )
    return [
        Message("user", fill("next_questions", passages=passages, question=question, number=number))
    ]


def _query(read: _Read, organisations: Collection[str]) -> MetadataQuery:
    """Build the query. Raises KeyError for an unknown order or organisation."""
    order = _ORDERS[read.order] if read.order else None
    if order:
        order = Order(order.field, order.descending, read.number)
    conditions: list[Condition] = []
    if read.since or read.until:
        first, last = ((year,) if year else None for year in (read.since, read.until))
        conditions.append(DateRange(first, last))
    if read.organisation:
        known = {name.casefold(): name for name in organisations}
        conditions.append(ByOrganisation(known[read.organisation.casefold()]))
    asked = tuple(dict.fromkeys(read.asked))
    return MetadataQuery(read.topic.strip(), tuple(conditions), order, asked, read.counted)
