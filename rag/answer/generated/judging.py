"""A served language model as the judge of a claim: supported by evidence, contradicted, or not stated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rag.llm import LLM, Counters, Message, choice_form, complete_fitting
from rag.prompts import fill
from rag.text.wording import split

Verdict = Literal["supported", "contradicted", "not stated"]

_VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks for one verdict a claim."""

    llm: LLM
    counters: Counters

    def verdict(self, claim: str, evidence: Sequence[str]) -> Verdict | None:
        """Whether texts together say a claim, None where the model gives no verdict. Raises LLMError.

        Of evidence that is longer than the model's context its first sentences are read.
        """
        sentences = [sentence for text in evidence for sentence in split(text)]
        if not sentences:
            return "not stated"

        def build(most: int) -> list[Message]:
            return [
                Message(
                    "user", fill("judge_claim", evidence=" ".join(sentences[:most]), claim=claim)
                )
            ]

        counter, form = self.counters.best(), choice_form(_VERDICTS)
        said = complete_fitting(
            self.llm, counter, build, len(sentences), form, _TOKENS
        ).text.casefold()
        return next((one for one in _VERDICTS if re.match(rf"\W*{one}\b", said)), None)
