"""The suites, one module each. A folder with papers and a questions.jsonl is also a suite."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from evals.suites import (
    abstention_suite,
    attribution,
    daily_questions,
    demo,
    pubmedqa,
    questions,
    scifact,
)
from evals.suites.suite import Context, Loaded
from rag.errors import InputError

__all__ = ["SUITES", "Context", "Loaded", "load"]

SUITES: dict[str, Callable[[Context], Loaded]] = {
    "demo": demo.load,
    "daily-papers": daily_questions.load,
    "scifact": scifact.load,
    "attribution": attribution.load,
    "abstention": abstention_suite.load,
    "pubmedqa": pubmedqa.load,
}


def load(name: str, context: Context) -> Loaded:
    """Load the suite with this name or in this folder.

    Raises InputError if there is no such suite, or if its data is missing or invalid.
    """
    if name in SUITES:
        return SUITES[name](context)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _own(folder.resolve(), context)
    raise InputError(
        f"there is no suite {name!r}; name one of {', '.join(SUITES)}, "
        "or a folder with a questions.jsonl"
    )


def _own(folder: Path, context: Context) -> Loaded:
    """Load a user's suite from a folder.

    The folder `papers` has the papers, questions.jsonl the cases, and papers.jsonl (optional) the
    keys of the papers.
    """
    if not (folder / "questions.jsonl").is_file() or not (folder / "papers").is_dir():
        raise InputError(
            f"{folder} is not a suite: it needs a folder papers and a file questions.jsonl"
        )
    keys = folder / "papers.jsonl"
    # The hash of the path gives two folders with the same name two different libraries.
    name = f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:6]}"
    return questions.load(
        name,
        context,
        [folder / "papers"],
        folder / "questions.jsonl",
        keys if keys.is_file() else None,
    )
