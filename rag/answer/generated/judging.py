"""A served language model as a judge: a claim is supported, contradicted or not stated."""

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
    """Asks a language model for one verdict per claim."""

    llm: LLM
    counters: Counters

    def verdict(self, claim: str, evidence: Sequence[str]) -> Verdict | None:
        """Judge a claim by texts read together; None if the model's reply is no verdict.

        If the evidence does not fit the model's context, only its first sentences are read.
        Raises LLMError.
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
        reply = complete_fitting(
            self.llm, counter, build, len(sentences), form, _TOKENS
        ).text.casefold()
        # A server without a grammar may put a quote or an asterisk before the verdict.
        return next((verdict for verdict in _VERDICTS if re.match(rf"\W*{verdict}\b", reply)), None)
