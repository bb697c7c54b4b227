"""Whether the papers answer the question: a language model's yes, combined with calibration.

The model gets the question and the sentences nearest to it, and is asked for a yes or a no. Its
certainty comes from the probabilities of its first token (like P(True) of Kadavath et al. 2022,
arXiv 2207.05221). A logistic model combines it with the answerability that the search's scores
give. The weights differ between language models, so only models that evals/fit_answerability.py
has measured are asked: rag/_data/model_answerability.json.
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

_LEAST = 1e-4  # smaller probabilities are raised to this, because their logarithm is taken


@dataclass(frozen=True, slots=True)
class Answerability:
    """One language model's logistic model over `ANSWERABILITY_FEATURES`, and its threshold, 0-1."""

    joined: Logistic
    threshold: float

    def probability(self, answerability: float, yes: float) -> float:
        """Combine the calibrated answerability (0 to 1) with the log odds of the model's yes."""
        return float(self.joined(np.array([[logit(answerability), yes]]))[0])


def measured(model: str) -> Answerability | None:
    """Return the figures of the measured model whose name occurs in this name, or None."""
    return next((found for name, found in _measured().items() if name in model.casefold()), None)


def certainty(llm: LLM, prompt: Sequence[Message]) -> float | None:
    """Return how sure the model is that a prompt's sentences answer its question.

    The scale and the exceptions are those of `yes_over_no`.
    """
    *rules, asked = prompt
    return yes_over_no(
        llm, [*rules, Message(asked.role, f"{asked.content}\n\n{fill('answerable')}")]
    )


def yes_over_no(llm: LLM, messages: Sequence[Message]) -> float | None:
    """Return ln(P(yes) / P(no)) of a model's first token.

    None if its server gives no probabilities. Raises LLMError.
    """
    likeliest = llm.first_token(messages)
    return _sum(likeliest, "yes") - _sum(likeliest, "no") if likeliest else None


def logit(probability: float) -> float:
    """Return the logarithm of the odds, limited so that it is finite."""
    limited = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(limited / (1 - limited))


def _sum(likeliest: Mapping[str, float], word: str) -> float:
    """Return the logarithm of the probability of all spellings of a word, at least log(1e-4)."""
    mass = sum(
        math.exp(logprob)
        for token, logprob in likeliest.items()
        if token.strip().casefold() == word
    )
    return math.log(max(mass, _LEAST))


@cache
def _measured() -> Mapping[str, Answerability]:
    fitted = json.loads(shipped("model_answerability.json").read_text(encoding="utf-8"))
    return {
        name: Answerability(Logistic(tuple(model["weights"]), model["bias"]), model["threshold"])
        for name, model in fitted["models"].items()
    }
