"""Do the papers answer the question? What a language model says of that, joined with the calibrated answerability.

The model is given the question and the sentences that come nearest to it, and asked for a yes or a no; how sure it is
comes from the probabilities of its first token (as P(True) of Kadavath et al. 2022, arXiv 2207.05221). A logistic model
joins this with what the search knows. Its weights differ between language models, so the question is put only to those
that evals/fit_answerability.py has measured: rag/_data/model_answerability.json.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from rag.answer.relevance import Logistic
from rag.llm import LLM, Message
from rag.prompts import fill
from rag.resources import shipped

ANSWERABILITY_FEATURES = ("calibrated answerability", "the model's yes")

_LEAST = 1e-4  # of a probability whose logarithm is taken


@dataclass(frozen=True, slots=True)
class Answerability:
    """The logistic model over `ANSWERABILITY_FEATURES` of one language model, and its threshold, 0 to 1."""

    joined: Logistic
    threshold: float

    def probability(self, answerability: float, yes: float) -> float:
        """Join the calibrated answerability (0 to 1) with the model's certainty of its yes, a natural logarithm."""
        return float(self.joined(np.array([[logit(answerability), yes]]))[0])


def measured(model: str) -> Answerability | None:
    """Return what was measured of a served model, found by its name; None where nothing was."""
    return next((found for name, found in _measured().items() if name in model.casefold()), None)


def certainty(llm: LLM, prompt: Sequence[Message]) -> float | None:
    """Return how sure the model is that the sentences of a prompt answer its question; see `yes_over_no`."""
    *rules, asked = prompt
    return yes_over_no(
        llm, [*rules, Message(asked.role, f"{asked.content}\n\n{fill('answerable')}")]
    )


def yes_over_no(llm: LLM, messages: Sequence[Message]) -> float | None:
    """Return how much likelier a model begins with yes than with no, as a natural logarithm.

    None where its server gives no probabilities. Raises LLMError.
    """
    likeliest = llm.first_token(messages)
    return _sum(likeliest, "yes") - _sum(likeliest, "no") if likeliest else None


def logit(probability: float) -> float:
    """Return the logarithm of the odds, kept finite."""
    kept = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(kept / (1 - kept))


def _sum(likeliest: Mapping[str, float], word: str) -> float:
    """The logarithm of the probability of all spellings of a word; a little where none is among the likeliest."""
    mass = sum(
        math.exp(one) for token, one in likeliest.items() if token.strip().casefold() == word
    )
    return math.log(max(mass, _LEAST))


@cache
def _measured() -> Mapping[str, Answerability]:
    fitted = json.loads(shipped("model_answerability.json").read_text(encoding="utf-8"))
    return {
        name: Answerability(Logistic(tuple(one["weights"]), one["bias"]), one["threshold"])
        for name, one in fitted["models"].items()
    }
