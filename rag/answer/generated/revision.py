"""The revision round: rewrite an unsupported sentence from its evidence, or leave it out."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag.answer.abstention import declines
from rag.answer.generated.checking import Checker, sentences_of
from rag.answer.generated.context import Excerpt
from rag.errors import LLMError
from rag.llm import LLM, Draft, Message, complete, line_form
from rag.prompts import fill
from rag.records import Declined, Notice, Statement

log = logging.getLogger(__name__)

_TOKENS = 160
_CHARACTERS = 400
_MARK = re.compile(r"\s*\[[\d,\s]*\]")  # citation numbers, such as "[1, 2]"


@dataclass(slots=True)
class Reviser:
    """Revises the sentences of one answer, and counts the outcomes.

    A revised sentence replaces the doubtful one only if it has no doubts itself; otherwise the
    first wording stays, with its doubts.
    """

    llm: LLM
    question: str
    checker: Checker
    kept: int = 0
    revisions: int = 0
    dropped: list[str] = field(default_factory=list)
    failed: str = ""

    def statements(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statements of a draft, revised if they are in doubt.

        A sentence is dropped if the model answers that its evidence does not state it.
        """
        for sentence in sentences_of(draft):
            for statement in self.checker.statement(sentence):
                if revised := self._revised(sentence, statement):
                    self.kept += 1
                    yield revised

    def closing(self) -> Iterator[Notice | Declined]:
        """Yield notices of the revised and dropped sentences, and of a failed revision."""
        if self.revisions:
            yield Notice(
                f"{_sentences(self.revisions)} rewritten, because the evidence did not support the"
                " first wording."
            )
        if self.dropped:
            quoted = " ".join(f"“{text}”" for text in self.dropped)
            yield Notice(
                f"{_sentences(len(self.dropped))} left out, because the evidence does not state"
                f" this: {quoted}"
            )
            if not self.kept:
                yield Declined("the evidence supports nothing that the language model wrote")
        if self.failed:
            yield Notice(f"The revision of doubtful sentences failed: {self.failed}.")

    def _revised(self, draft: Draft, statement: Statement) -> Statement | None:
        # After one failure the server is not asked again: each request may wait for a time-out.
        if not statement.doubts or not draft.excerpts or self.failed:
            return statement
        try:
            reply = self._asked(
                draft, [self.checker.excerpts[number - 1] for number in draft.excerpts]
            )
        except LLMError as error:
            log.warning("%s", error)
            self.failed = str(error)
            return statement
        if declines(reply):
            self.dropped.append(draft.text)
            return None
        second = (
            next(self.checker.statement(Draft(reply, draft.excerpts)), statement)
            if reply
            else statement
        )
        if second.doubts:
            return statement
        self.revisions += 1
        return second

    def _asked(self, draft: Draft, cited: Sequence[Excerpt]) -> str:
        """Ask the model for another wording; "" if the reply was truncated. Raises LLMError."""
        evidence = "\n".join(excerpt.text for excerpt in cited)
        gaps = {"evidence": evidence, "question": self.question, "sentence": draft.text}
        prompt = [Message("user", fill("revise", refusal=fill("refusal"), **gaps))]
        written = complete(self.llm, prompt, line_form(_CHARACTERS), _TOKENS)
        return (
            ""
            if written.ended.finish == "length"
            else " ".join(_MARK.sub("", written.text).split())
        )


def _sentences(number: int) -> str:
    return "1 sentence was" if number == 1 else f"{number} sentences were"
