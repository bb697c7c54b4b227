"""The shape of an answer follows from what is asked and from how many papers answer."""

from __future__ import annotations

import pytest

from rag.answer.shape import Shape, shape_of
from rag.config import load_config
from tests.answer.made import asked, assessed

CONFIG = load_config().answer.model_copy(
    update={"relevance": 0.5, "share_of_best": 0.2, "odds_of_best": 0.05}
)
HOW = "How do agents explore?"
LIST = "Which papers study exploration?"
COMPARISON = "How do GLOW and MEMO differ?"
NUMBER = "How many samples does it need?"


def shape(question: str, *relevance: float) -> Shape:
    return shape_of(asked(question), assessed(*relevance), CONFIG)


@pytest.mark.parametrize(
    ("question", "relevance", "kind", "rows"),
    [
        # Hit 1 is the best one; hit 2 is below the line of 0.5.
        (HOW, (0.7, 0.8, 0.4), "findings", (1, 0)),
        (NUMBER, (0.7, 0.8, 0.4), "answer", (1, 0)),
        (HOW, (0.7, 0.8, 0.6), "findings", (1, 0, 2)),
        (LIST, (0.7, 0.8, 0.6), "list", (1, 0, 2)),
        (COMPARISON, (0.7, 0.8, 0.4), "comparison", (1, 0)),
    ],
)
def test_the_papers_above_the_line_make_the_shape(question, relevance, kind, rows) -> None:
    assert shape(question, *relevance) == Shape(kind, rows, alone=False)


def test_a_single_hit_is_alone() -> None:
    assert shape(LIST, 0.8) == Shape("list", (0,), alone=True)


def test_a_comparison_has_three_papers_at_most() -> None:
    assert shape(COMPARISON, 0.6, 0.7, 0.8, 0.9) == Shape("comparison", (3, 2, 1), alone=False)


def test_a_comparison_of_which_one_paper_answers_is_answered_from_that_paper() -> None:
    assert shape(COMPARISON, 0.8, 0.4) == Shape("answer", (0,), alone=False)


def test_a_number_is_answered_shortly_however_many_papers_answer() -> None:
    assert shape(NUMBER, 0.8, 0.7, 0.6).kind == "answer"


def test_where_no_paper_is_above_the_line_the_best_one_is_taken() -> None:
    assert shape(HOW, 0.2, 0.3) == Shape("answer", (1,), alone=False)


# Odds of 999, 4 and 1.5: below a twentieth of the best paper's.
ALONE = (0.999, 0.8, 0.6)


def test_a_question_that_one_paper_answers_far_better_than_others_is_about_it_alone() -> None:
    assert shape(HOW, *ALONE) == Shape("answer", (0,), alone=True)


def test_what_is_no_question_keeps_the_other_papers() -> None:
    assert shape(HOW.rstrip("?"), *ALONE).kind == "findings"


def test_a_list_has_no_paper_that_is_far_less_likely_than_the_best_one() -> None:
    """Odds of 999 are reached by 0.99 (99) at a share of 0.05, and not by 0.8 (4)."""
    assert shape(LIST, 0.999, 0.99, 0.8).rows == (0, 1)


def test_a_comparison_keeps_its_papers_where_one_is_far_better_and_reports_it() -> None:
    assert shape(COMPARISON, *ALONE) == Shape("comparison", (0, 1, 2), alone=True)
