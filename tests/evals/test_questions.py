"""The bundled questions are complete, and every paper that they name is in its library."""

from collections import Counter
from pathlib import Path

import pytest

import evals
from evals.cases import Names, read_cases

FOLDER = Path(evals.__file__).parent


@pytest.mark.parametrize(
    ("library", "file", "answerable", "unanswerable"),
    [
        ("demo", "answerability/demo.jsonl", 80, 80),
        ("daily", "answerability/daily-papers.jsonl", 266, 160),
        ("daily", "fresh/daily-papers.jsonl", 110, 30),
    ],
)
def test_they_are_read(request, library, file, answerable, unanswerable) -> None:
    papers = request.getfixturevalue(library).papers()
    cases = read_cases(FOLDER / file, Names(papers))
    assert Counter(case.answerable for case in cases) == {True: answerable, False: unanswerable}
    assert len({case.question for case in cases if not case.turns}) == sum(
        not case.turns for case in cases
    )
