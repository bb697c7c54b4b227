"""A sentence is complete once its markers are closed, for any chunking."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.llm import Drafts


def read(chunks, excerpts=3):
    drafts = Drafts(excerpts)
    return [draft for chunk in chunks for draft in drafts.feed(chunk)] + list(drafts.end()), drafts


ANSWER = "Ratios of 0.891 help (Li et al. say). [1][3] They are bounded [2]. And last. [12][2]"
WANTED = [
    ("Ratios of 0.891 help (Li et al. say).", (1, 3)),
    ("They are bounded.", (2,)),
    ("And last.", (2,)),
]


@given(st.lists(st.integers(0, len(ANSWER)), max_size=30))
def test_the_chunks_make_no_difference(cuts) -> None:
    edges = [0, *sorted(cuts), len(ANSWER)]
    said, drafts = read([ANSWER[a:b] for a, b in pairwise(edges)])
    assert [(draft.text, draft.excerpts) for draft in said] == WANTED
    assert (drafts.dropped, drafts.tail) == (1, "")


@pytest.mark.parametrize(
    "tail", ["A half sentence", "A half mark. [", "A half mark. [1", "Marks to come. "]
)
def test_an_unfinished_tail_is_withheld(tail) -> None:
    said, drafts = read(["Whole. [1] ", tail])
    assert [draft.text for draft in said] == ["Whole."]
    assert drafts.tail == tail.strip()


def test_lists_in_one_marker_and_bullets() -> None:
    said, _ = read(["- First one [1, 2]\n- Second one [0]\n"])
    assert [(draft.text, draft.excerpts) for draft in said] == [
        ("First one.", (1, 2)),
        ("Second one.", ()),
    ]


def test_other_brackets_are_text() -> None:
    said, _ = read(["It masks. [1] [MASK] tokens stay [2]"])
    assert [(draft.text, draft.excerpts) for draft in said] == [
        ("It masks.", (1,)),
        ("[MASK] tokens stay.", (2,)),
    ]


def test_clauses_with_markers_of_their_own_are_one_sentence() -> None:
    said, drafts = read(["It explores by truncation [1] and by optimism [2][1]. Next [3", "]"])
    assert [(draft.text, draft.excerpts) for draft in said] == [
        ("It explores by truncation and by optimism.", (1, 2)),
        ("Next.", (3,)),
    ]
    assert drafts.tail == ""


def test_a_clause_that_is_cut_off_is_part_of_the_tail() -> None:
    said, drafts = read(["Whole. [1] It explores by truncation [2] and by"])
    assert [draft.text for draft in said] == ["Whole."]
    assert drafts.tail == "It explores by truncation and by"
