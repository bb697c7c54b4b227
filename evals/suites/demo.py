"""The bundled sample library with questions of our own: needs no data from elsewhere."""

from __future__ import annotations

from pathlib import Path

from evals.suites import questions
from evals.suites.suite import Context, Loaded
from rag.resources import shipped

QUESTIONS = Path(__file__).resolve().parents[1] / "demo" / "questions.jsonl"


def load(context: Context) -> Loaded:
    """Ready to run."""
    return questions.load("demo", context, [shipped("sample.jsonl")], QUESTIONS)
