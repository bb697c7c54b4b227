"""Suite demo: our own questions over the bundled sample library. It needs no other data."""

from __future__ import annotations

from pathlib import Path

from evals.suites import questions
from evals.suites.suite import Context, Loaded
from rag.resources import shipped

QUESTIONS = Path(__file__).resolve().parents[1] / "demo" / "questions.jsonl"


def load(context: Context) -> Loaded:
    """Load the suite."""
    return questions.load("demo", context, [shipped("sample.jsonl")], QUESTIONS)
