"""The revision round: a sentence that its evidence does not support is written again from it, or left out."""

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
_MARK = re.compile(r"\s*\[[\d,\s]*\]")


@dataclass(slots=True)
class Reviser:
    """Revises the sentences of one answer, and counts what became of them.

    A revised sentence takes the place of the one in doubt only if nothing is in doubt any more; else the first wording
    stays, with its doubts.
    """

    llm: LLM
    question: str
    checker: Checker
    kept: int = 0
    revisions: int = 0
    dropped: list[str] = field(default_factory=list)
    failed: str = ""

    def statements(self, draft: Draft) -> Iterator[Statement]:
        """Yield the statements of a draft, revised where need be; none where the evidence says nothing of the kind."""
        for one in sentences_of(draft):
            for statement in self.checker.statement(one):
                if revised := self._revised(one, statement):
                    self.kept += 1
                    yield revised

    def closing(self) -> Iterator[Notice | Declined]:
        """Yield what became of the sentences."""
        if self.revisions:
            yield Notice(
                f"{_sentences(self.revisions)} written again, since the evidence did not support the first wording."
            )
        if self.dropped:
            said = " ".join(f"“{text}”" for text in self.dropped)
            yield Notice(
                f"{_sentences(len(self.dropped))} left out, since the evidence says nothing of the kind: {said}"
            )
            if not self.kept:
                yield Declined("the evidence supports nothing of what the language model wrote")
        if self.failed:
            yield Notice(f"The revision of what is in doubt broke off: {self.failed}.")

    def _revised(self, draft: Draft, statement: Statement) -> Statement | None:
        # A server that has failed once is not waited for at every sentence.
        if not statement.doubts or not draft.excerpts or self.failed:
            return statement
        try:
            said = self._asked(
                draft, [self.checker.excerpts[number - 1] for number in draft.excerpts]
            )
        except LLMError as error:
            log.warning("%s", error)
            self.failed = str(error)
            return statement
        if declines(said):
            self.dropped.append(draft.text)
            return None
        second = (
            next(self.checker.statement(Draft(said, draft.excerpts)), statement)
            if said
            else statement
        )
        if second.doubts:
            return statement
        self.revisions += 1
        return second

    def _asked(self, draft: Draft, cited: Sequence[Excerpt]) -> str:
        """Ask for another wording, "" where the model comes to no end. Raises LLMError."""
        evidence = "\n".join(one.text for one in cited)
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
