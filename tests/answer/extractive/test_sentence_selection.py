"""Which sentences are quoted: the best first, nothing twice, none that can't be read alone."""

import pytest

from rag.answer.extractive.sentence_selection import chosen, points_back, says_the_same
from rag.records import Sentence, TextSpan

TEXT = "We propose GLOW. It explores well. Costs are low. It explores well. Other work is older."


def sentences(text: str) -> list[Sentence]:
    starts = [0, *(n + 2 for n, letter in enumerate(text[:-1]) if letter == ".")]
    ends = [*(start - 1 for start in starts[1:]), len(text)]
    return [Sentence("p-1", start, end) for start, end in zip(starts, ends, strict=True)]


def quoted(scores: list[float], most: int) -> list[list[str]]:
    known = dict(zip(sentences(TEXT), scores, strict=True))
    return [[TEXT[span.start : span.end] for span in group] for group in chosen(TEXT, known, most)]


def test_the_best_sentence_comes_first_and_the_rest_in_the_papers_order() -> None:
    assert quoted([0.7, 0.0, 0.8, 0.0, 1.0], 3) == [
        ["Other work is older."],
        ["We propose GLOW."],
        ["Costs are low."],
    ]


def test_a_sentence_that_points_back_has_the_one_before_it() -> None:
    assert quoted([0.1, 1.0, 0.7, 0.0, 0.0], 2) == [
        ["We propose GLOW.", "It explores well."],
        ["Costs are low."],
    ]


def test_a_neighbour_that_is_quoted_anyway_is_not_said_twice() -> None:
    assert quoted([0.9, 1.0, 0.0, 0.0, 0.0], 2) == [["We propose GLOW.", "It explores well."]]


def test_the_same_sentence_is_quoted_once() -> None:
    assert quoted([0.0, 1.0, 0.0, 0.9, 0.0], 2) == [["We propose GLOW.", "It explores well."]]


def test_a_sentence_far_below_the_best_is_not_worth_quoting() -> None:
    assert quoted([1.0, 0.1, 0.5, 0.1, 0.65], 3) == [["We propose GLOW."], ["Other work is older."]]


@pytest.mark.parametrize(
    ("sentence", "does"),
    [
        ("It explores well.", True),
        ("This method is fast.", True),
        ("These results hold.", True),
        ("The latter is slow.", True),
        ("This paper studies RL.", False),
        ("It is well known that RL is slow.", False),
        ("Italy is far.", False),
        ("We show this.", False),
    ],
)
def test_pointing_back(sentence: str, does: bool) -> None:
    assert points_back(sentence) == does


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("GLOW reaches  92.1 % on the ImageNet test set!", True),
        ("GLOW reaches 87.3% on the ImageNet test set.", False),
        ("GLOW never reaches 92.1% on the ImageNet test set.", False),
        ("Pruning removes weights of networks.", False),
    ],
)
def test_saying_the_same(other: str, same: bool) -> None:
    assert says_the_same("GLOW reaches 92.1% on the ImageNet test set.", other) == same


def test_two_papers_that_say_the_same_are_both_named_but_quoted_once(fake, write_papers) -> None:
    said = "Warm starts make agents learn twice as fast as before."
    rows = [
        {"title": "Warm starts", "abstract": said},
        {"title": "Warm starts revisited", "abstract": said},
    ]
    others = [
        {"title": f"On subject {n}", "abstract": f"Something else, number {n}."} for n in range(20)
    ]
    fake.ingest(write_papers("a.jsonl", *rows, *others))
    answer = fake.ask("which papers have warm starts that make agents learn twice as fast?")
    assert answer.text.count(said) == 1
    assert "It says the same as “Warm starts" in answer.text
    assert {citation.title for citation in answer.citations} == {
        "Warm starts",
        "Warm starts revisited",
    }
    assert [piece.text for citation in answer.citations for piece in citation.evidence] == [
        said,
        said,
    ]


def test_joined_sentences_are_each_a_piece_of_evidence(fake, write_papers) -> None:
    rows = [
        {
            "title": "GLOW",
            "abstract": "GLOW is an explorer of mazes. It doubles the reward of every agent.",
        }
    ]
    fake.ingest(write_papers("a.jsonl", *rows))
    [first, *_] = fake.ask("what doubles the reward of every agent?").citations
    assert [piece.text for piece in first.evidence if isinstance(piece, TextSpan)] == [
        "GLOW is an explorer of mazes.",
        "It doubles the reward of every agent.",
    ]
