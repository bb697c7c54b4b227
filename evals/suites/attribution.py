"""Suite attribution: whether evidence supports a claim, compared with human labels.

It tests the support score and, with a language model, the model's verdict. Types:
- `scifact`: SUPPORT or any other label; the evidence is the whole abstract
- `expertqa`: Complete or any other label; only the claims with passages
- `scholarqabench`: sentences with the snippets that an expert cited for them (supported), or with
  snippets cited for another sentence of the same field (not supported; drawn with a fixed seed)
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evals.outcomes import Outcome
from evals.suites.suite import Context, Item, Loaded, fingerprint
from rag.assistant import Assistant

_SEED = 20_240_117
_SETS = ("scifact_attribution", "expertqa", "scholarqabench")


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim, its evidence, and the human label."""

    id: str
    type: str
    claim: str
    evidence: tuple[str, ...]
    supported: bool


def load(context: Context) -> Loaded:
    """Load the suite. Raises InputError if its data is missing."""
    pairs = pairs_of(context)
    evaluate = partial(
        _evaluate, Assistant(context.config, endpoint=context.endpoint), judging=context.writes
    )
    data = fingerprint(*_paths(context))
    return Loaded(
        "attribution",
        pairs,
        evaluate,
        data,
        0,
        parallel=context.parallel,
        check=context.check_server,
    )


def pairs_of(context: Context) -> list[Pair]:
    """Read all pairs of the suite. Raises InputError if the data is missing."""
    scifact, expertqa, scholarqa = _paths(context)
    return [*scifact_pairs(scifact), *_expertqa(_rows(expertqa)), *_scholarqa(_rows(scholarqa))]


def scifact_pairs(path: Path) -> Iterator[Pair]:
    """Yield the pairs of a file of SciFact's claims and abstracts.

    evals/fit_support.py uses it for SciFact's training pairs.
    """
    for row in _rows(path):
        supported = row["label"] == "SUPPORT"
        yield Pair(
            f"scifact-{row['id']}", "scifact", row["claim"], tuple(row["evidence"]), supported
        )


def _paths(context: Context) -> list[Path]:
    return [context.needed("attribution", name, "examples.jsonl") for name in _SETS]


def _evaluate(assistant: Assistant, pair: Item, *, judging: bool) -> Outcome:
    assert isinstance(pair, Pair)
    support = assistant.support(pair.claim, pair.evidence)
    evidence = "\n".join(pair.evidence)[:600]
    values = {"support": support.score, "supported": float(pair.supported)}
    answer = f"support {support.score:.2f}"
    if judging:
        verdict = assistant.judged(pair.claim, pair.evidence)
        values |= {
            "judge accuracy": float((verdict == "supported") == pair.supported),
            "invalid": float(not verdict),
        }
        answer += f", judged {verdict or 'without a verdict'}"
    return Outcome(values, {"question": pair.claim, "answer": answer, "evidence": evidence})


def _expertqa(rows: list[dict[str, Any]]) -> Iterator[Pair]:
    for row in rows:
        if row["has_passage"]:
            claim = row.get("claim_clean") or row["claim"]
            supported = row["label"] == "Complete"
            yield Pair(
                f"expertqa-{row['id']}", "expertqa", claim, tuple(row["passages"]), supported
            )


def _scholarqa(rows: list[dict[str, Any]]) -> Iterator[Pair]:
    generator = random.Random(_SEED)
    fields: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        fields.setdefault(row["subject"], []).append(row)
    for row in rows:
        yield Pair(
            f"scholarqa-{row['id']}", "scholarqabench", row["claim"], tuple(row["evidence"]), True
        )
        # A snippet that was cited for both sentences may support both, so it is not a negative.
        others = [
            other
            for other in fields[row["subject"]]
            if not set(other["evidence"]) & set(row["evidence"])
        ]
        if others:
            swapped = tuple(generator.choice(others)["evidence"])
            yield Pair(
                f"scholarqa-{row['id']}-swapped", "scholarqabench", row["claim"], swapped, False
            )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()
    ]
