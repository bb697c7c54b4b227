"""Suite pubmedqa (Jin et al. 2019): questions with the answer yes, no or maybe. Needs an LLM.

The 500 questions of the official test split, each with its own abstract without the conclusions:
the setting that the authors call reasoning-required. There is no retrieval.
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
from rag.prompts import fingerprint as prompts_fingerprint

VERDICTS = ("yes", "no", "maybe")
INVALID = -1
_PROMPTS = ("verdict_rules", "verdict_question")
_VERDICT = re.compile(rf"\b({'|'.join(VERDICTS)})\b")


@dataclass(frozen=True, slots=True)
class PubMedQuestion:
    """A question about one abstract.

    `type` is the verdict of the experts, `conclusion` the conclusion that the abstract's authors
    wrote.
    """

    id: str
    type: str
    question: str
    abstract: str
    conclusion: str


def load(context: Context) -> Loaded:
    """Load the suite.

    Raises LacksLLM if no language model writes the answers, since quotations do not say yes or no.
    Raises InputError if the data is missing or damaged.
    """
    if not context.writes:
        raise LacksLLM(
            f"the suite pubmedqa needs an LLM, and the profile {context.config.profile} has the "
            f"synthesizer {context.config.answer.synthesizer}; skipped"
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


def _cases(queries: Path, corpus: Path) -> Iterator[PubMedQuestion]:
    abstracts = {row["id"]: row["text"] for row in _rows(corpus)}
    for row in _rows(queries):
        if row["split"] == "test":
            # index() raises ValueError for an answer that is not a verdict.
            verdict = VERDICTS[VERDICTS.index(row["answer"])]
            abstract = abstracts[row["id"].removeprefix("q")]
            yield PubMedQuestion(row["id"], verdict, row["text"], abstract, row["long_answer"])


class Evaluator:
    """Evaluator of one question: compares the model's verdict with that of the experts."""

    def __init__(self, llm: LLM) -> None:
        self._llm = llm
        self._made_by = f"{llm.config.model}, prompts {prompts_fingerprint(*_PROMPTS)}"

    def __call__(self, case: Item) -> Outcome:
        """Measure accuracy, validity, seconds and tokens. Raises LLMError."""
        assert isinstance(case, PubMedQuestion)
        started = time.perf_counter()
        answer, ended = self._answer(case)
        values = {"answer seconds": time.perf_counter() - started} | _counts(ended)
        found = verdict(answer)
        values |= {"accuracy": float(found == case.type), "invalid": float(found is None)}
        values |= {
            "said": float(VERDICTS.index(found) if found else INVALID),
            "judged": VERDICTS.index(case.type),
        }
        seen = {
            "question": case.question,
            "answer": answer,
            "evidence": case.abstract,
            "made_by": self._made_by,
        }
        return Outcome(values, {**seen, "judged": f"{case.type}: {case.conclusion}"})

    def _answer(self, case: PubMedQuestion) -> tuple[str, Ended]:
        prompt = fill("verdict_question", abstract=case.abstract, question=case.question)
        messages = [Message("system", fill("verdict_rules")), Message("user", prompt)]
        reply = complete(self._llm, messages, choice_form(VERDICTS), self._llm.config.max_tokens)
        return reply.text, reply.ended


def _counts(ended: Ended) -> dict[str, float]:
    """Return the server's token counts; a count that it does not report is left out."""
    counts = {"prompt tokens": ended.prompt_tokens, "completion tokens": ended.completion_tokens}
    return {name: float(number) for name, number in counts.items() if number is not None}


def verdict(text: str) -> str | None:
    """Return the verdict that a text begins with, or else the only one that it contains.

    None if the text contains no verdict, or several without one at the start.
    """
    found = _VERDICT.findall(text.casefold())
    begins = re.match(rf"\W*{_VERDICT.pattern}", text.casefold())
    return found[0] if begins or len(set(found)) == 1 else None


def _rows(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()
    ]
