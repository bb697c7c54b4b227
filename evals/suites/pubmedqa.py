"""PubMedQA (Jin et al. 2019): expert questions with the answer yes, no or maybe. It needs an LLM to say which.

The 500 questions of the official test split, each with its own abstract less the conclusions: the setting that the
authors call reasoning-required. Nothing is searched for.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.outcomes import Outcome
from evals.suites.suite import Context, Item, LacksLLM, Loaded, fingerprint
from rag.errors import InputError
from rag.llm import LLM, Ended, Message, choice_form, complete
from rag.prompts import fill
from rag.prompts import fingerprint as wording

VERDICTS = ("yes", "no", "maybe")
INVALID = -1
_PROMPTS = ("verdict_rules", "verdict_question")
_VERDICT = re.compile(rf"\b({'|'.join(VERDICTS)})\b")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on one abstract; `type` is the verdict of the experts, `conclusion` the authors' own words."""

    id: str
    type: str
    question: str
    abstract: str
    conclusion: str


def load(context: Context) -> Loaded:
    """Ready to run. Raises LacksLLM without one, and InputError where the data is not here or is damaged.

    An answer made of the papers' own sentences says neither yes nor no.
    """
    if not context.writes:
        raise LacksLLM(
            f"the suite pubmedqa needs an LLM, and the profile {context.config.profile} has the synthesizer "
            f"{context.config.answer.synthesizer}; skipped"
        )
    queries = context.questions or context.needed("pubmedqa", "pubmedqa", "queries.jsonl")
    corpus = context.needed("pubmedqa", "pubmedqa", "corpus.jsonl")
    try:
        cases = list(_cases(queries, corpus))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{queries} and {corpus} are not PubMedQA's questions and abstracts: {error!r}"
        ) from None
    evaluate = Evaluator(context.llm())
    data = fingerprint(queries, corpus)
    return Loaded(
        "pubmedqa", cases, evaluate, data, 0, parallel=context.parallel, check=context.check_server
    )


def _cases(queries: Path, corpus: Path) -> Iterator[Asked]:
    abstracts = {row["id"]: row["text"] for row in _rows(corpus)}
    for row in _rows(queries):
        if row["split"] == "test":
            verdict = VERDICTS[VERDICTS.index(row["answer"])]
            abstract = abstracts[row["id"].removeprefix("q")]
            yield Asked(row["id"], verdict, row["text"], abstract, row["long_answer"])


class Evaluator:
    """Asks for one verdict and holds it against the experts'."""

    def __init__(self, llm: LLM) -> None:
        self._llm = llm
        self._made_by = f"{llm.config.model}, prompts {wording(*_PROMPTS)}"

    def __call__(self, case: Item) -> Outcome:
        """Right or wrong, valid or not, seconds and tokens. Raises LLMError."""
        assert isinstance(case, Asked)
        started = time.perf_counter()
        said, ended = self._said(case)
        values = {"answer seconds": time.perf_counter() - started} | _counts(ended)
        found = verdict(said)
        values |= {"accuracy": float(found == case.type), "invalid": float(found is None)}
        values |= {
            "said": float(VERDICTS.index(found) if found else INVALID),
            "judged": VERDICTS.index(case.type),
        }
        seen = {
            "question": case.question,
            "answer": said,
            "evidence": case.abstract,
            "made_by": self._made_by,
        }
        return Outcome(values, {**seen, "judged": f"{case.type}: {case.conclusion}"})

    def _said(self, case: Asked) -> tuple[str, Ended]:
        asked = fill("verdict_question", abstract=case.abstract, question=case.question)
        messages = [Message("system", fill("verdict_rules")), Message("user", asked)]
        said = complete(self._llm, messages, choice_form(VERDICTS), self._llm.config.max_tokens)
        return said.text, said.ended


def _counts(ended: Ended) -> dict[str, float]:
    """The server's counts of tokens, where it gives them."""
    found = {"prompt tokens": ended.prompt_tokens, "completion tokens": ended.completion_tokens}
    return {name: float(number) for name, number in found.items() if number is not None}


def verdict(said: str) -> str | None:
    """The verdict that a text begins with, or else the only one that it names; None where it names none or several."""
    named = _VERDICT.findall(said.casefold())
    begins = re.match(rf"\W*{_VERDICT.pattern}", said.casefold())
    return named[0] if begins or len(set(named)) == 1 else None


def _rows(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()
    ]
