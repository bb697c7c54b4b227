"""The context of a language model: the best sentences, numbered below their papers' titles."""

import pytest

from rag.answer.generated.context import (
    arranged,
    best_of_each,
    numbered,
    one_by_one,
    ranked,
    whole_papers,
)
from tests.answer.made import assessed, excerpt, found, paper

GLOW = paper(
    "GLOW",
    "GLOW explores with density ratios.",
    "It truncates them at a bound.",
    "Costs are rather low here.",
)
CDR = paper("CDR", "CDR labels pairs of preferences.", "Its reward is a log ratio.")
ASKED = "How are density ratios used?"


def rows(excerpts) -> list[tuple[str, tuple[int, ...]]]:
    return [(excerpt.hit.paper.title, excerpt.rows) for excerpt in excerpts]


def test_sentences_are_ranked_by_their_own_score_and_their_papers_relevance() -> None:
    """0.7 of a paper of a tenth of the relevance is 0.7 + 0.2 ln 0.1 = 0.24."""
    result = found([GLOW, CDR], [[0.9, 0.5, 0.2, 0.3], [0.9, 0.7, 0.6]])
    alike = ranked(ASKED, result, assessed(0.8, 0.8))
    assert rows(alike) == [
        ("CDR", (1,)),
        ("CDR", (2,)),
        ("GLOW", (1,)),
        ("GLOW", (3,)),
        ("GLOW", (2,)),
    ]
    apart = ranked(ASKED, result, assessed(0.8, 0.08))
    assert rows(apart) == [
        ("GLOW", (1,)),
        ("GLOW", (3,)),
        ("CDR", (1,)),
        ("GLOW", (2,)),
        ("CDR", (2,)),
    ]


def test_a_title_is_given_only_where_there_is_no_abstract() -> None:
    bare = paper("Only a title of a paper")
    assert rows(ranked(ASKED, found([bare], [[0.9]]), assessed(1.0))) == [(bare.title, (0,))]
    assert rows(whole_papers(found([bare, CDR], [[0.9], [0.9, 0.7, 0.6]]), [1, 0])) == [
        ("CDR", (1, 2)),
        (bare.title, (0,)),
    ]


def test_of_each_paper_of_a_list_the_best_sentences_are_one_excerpt_in_the_papers_order() -> None:
    result = found([GLOW, CDR], [[0.9, 0.1, 0.2, 0.3], [0.9, 0.7, 0.6]])
    assert rows(best_of_each(ASKED, result, assessed(0.8, 0.8), [1, 0], 2)) == [
        ("CDR", (1, 2)),
        ("GLOW", (2, 3)),
    ]


def test_in_a_comparison_each_sentence_has_a_number_of_its_own() -> None:
    given = [excerpt(CDR, 1, 2), excerpt(GLOW, 3)]
    assert rows(one_by_one(given)) == [("CDR", (1,)), ("CDR", (2,)), ("GLOW", (3,))]


def test_papers_are_arranged_by_their_best_sentence_and_sentences_in_their_order() -> None:
    given = [excerpt(CDR, 1), excerpt(GLOW, 3), excerpt(GLOW, 1)]
    assert rows(arranged(given)) == [("CDR", (1,)), ("GLOW", (1,)), ("GLOW", (3,))]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([2], [(1, 2)]),  # "It truncates ..." is joined to the sentence that says what "it" is
        ([2, 1], [(1,), (2,)]),  # unless that sentence is given separately
        ([3], [(3,)]),
    ],
)
def test_a_sentence_that_points_back_is_joined_to_the_one_before_unless_that_is_given(
    given, wanted
) -> None:
    assert [chosen.rows for chosen in arranged([excerpt(GLOW, row) for row in given])] == wanted


def test_the_title_is_nothing_to_point_back_to() -> None:
    referring = paper("GLOW", "It explores with density ratios.", "Costs are rather low here.")
    assert [chosen.rows for chosen in arranged([excerpt(referring, 1)])] == [(1,)]


def test_excerpts_are_numbered_below_their_papers_titles() -> None:
    assert numbered([excerpt(CDR, 2), excerpt(GLOW, 1, 2), excerpt(GLOW, 3)]) == (
        "CDR\n"
        "[1] Its reward is a log ratio.\n"
        "GLOW\n"
        "[2] GLOW explores with density ratios. It truncates them at a bound.\n"
        "[3] Costs are rather low here."
    )


def test_line_breaks_of_a_paper_are_no_lines_of_the_context() -> None:
    broken = paper("A title\nof two lines", "GLOW explores\nwith ratios.")
    assert numbered([excerpt(broken, 1)]) == "A title of two lines\n[1] GLOW explores with ratios."
