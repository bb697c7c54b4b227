"""The revision round: a sentence that its evidence does not bear out is written anew from it, or left out."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from rag.answer.material import Source, first
from rag.answer.refusal import declines
from rag.errors import LLMError
from rag.llm import LLM, Counter, Draft, Message, complete_fitting, line_grammar
from rag.prompts import fill
from rag.records import Declined, Notice, Statement

log = logging.getLogger(__name__)

_TOKENS = 160
_CHARACTERS = 400
_MARK = re.compile(r"\s*\[[\d,\s]*\]")


@dataclass(slots=True)
class Reviser:
    """Mends the sentences of one answer, and counts what became of them.

    `check` makes a statement of a draft. A mended sentence takes the place of the flagged one only if nothing is in
    doubt any more; a flagged one that can't be mended stays, with its doubts.
    """

    llm: LLM
    counter: Counter
    question: str
    check: Callable[[Draft], Statement]
    given: Sequence[Source]
    kept: int = 0
    mended: int = 0
    dropped: list[str] = field(default_factory=list)
    failed: str = ""

    def revised(self, draft: Draft) -> Statement | None:
        """The statement of a draft, mended where need be; None where the passages say nothing of the kind."""
        statement = self._mended(draft)
        self.kept += statement is not None
        return statement

    def _mended(self, draft: Draft) -> Statement | None:
        statement = self.check(draft)
        # A server that has failed once is not waited for at every sentence.
        if not statement.doubts or not draft.passages or self.failed:
            return statement
        try:
            said = self._asked(draft, [self.given[number - 1] for number in draft.passages])
        except LLMError as error:
            log.warning("%s", error)
            self.failed = str(error)
            return statement
        if declines(said):
            self.dropped.append(draft.text)
            return None
        anew = self.check(Draft(said, draft.passages)) if said else statement
        if anew.doubts:
            return statement
        self.mended += 1
        return anew

    def closing(self) -> Iterator[Notice | Declined]:
        """What became of the sentences."""
        if self.mended:
            yield Notice(
                f"{_sentences(self.mended)} written anew, since the evidence did not bear out the first wording."
            )
        if self.dropped:
            said = " ".join(f"“{text}”" for text in self.dropped)
            yield Notice(
                f"{_sentences(len(self.dropped))} left out, since the evidence says nothing of the kind: {said}"
            )
            if not self.kept:
                yield Declined("the passages bear out nothing of what the language model wrote")
        if self.failed:
            yield Notice(f"The revision of what is in doubt broke off: {self.failed}.")

    def _asked(self, draft: Draft, cited: Sequence[Source]) -> str:
        """Raises LLMError."""
        build = partial(_prompt, self.question, draft.text, cited)
        whole = sum(source.length for source in cited)
        written = complete_fitting(self.llm, self.counter, build, whole, line_grammar(_CHARACTERS), _TOKENS)
        return "" if written.ended.finish == "length" else " ".join(_MARK.sub("", written.text).split())


def _prompt(question: str, sentence: str, cited: Sequence[Source], sentences: int) -> list[Message]:
    passages = "\n\n".join(source.passage for source in first(cited, sentences))
    gaps = {"passages": passages, "question": question, "sentence": sentence}
    return [Message("user", fill("revise", refusal=fill("dont_tell"), **gaps))]


def _sentences(number: int) -> str:
    return "1 sentence was" if number == 1 else f"{number} sentences were"
