"""The text of a peer's answer is read and measured like our own."""

import pytest

from evals.outcomes import Case
from evals.peer_answers import Judge, cited_sentences, declines
from rag.answer.support import SupportScorer
from tests.fakes import WordEmbedder

TEXTS = {
    "p-cats": "Cats\n\nCats sleep in the sun all day. They purr at night.",
    "p-dogs": "Dogs\n\nDogs bark at the moon every night.",
}
CASE = Case(
    "c", "fact", "Where do cats sleep?", relevant={"p-cats": 2}, points=("Cats sleep in the sun",)
)


def test_each_sentence_has_the_papers_of_its_markers() -> None:
    said = "Cats sleep in the sun. They purr [1][2]. Dogs bark [2]. And that is all."
    assert cited_sentences(said, ["p-cats", "p-dogs", "p-cats"]) == [
        ("Cats sleep in the sun.", ()),
        ("They purr.", ("p-cats", "p-dogs")),
        ("Dogs bark.", ("p-dogs",)),
        ("And that is all.", ()),
    ]


def test_two_sources_of_one_paper_are_one_citation() -> None:
    assert cited_sentences("They purr [1][2].", ["p-cats", "p-cats"]) == [
        ("They purr.", ("p-cats",))
    ]


@pytest.mark.parametrize(
    ("said", "is_refusal"),
    [
        ("", True),
        ("I cannot answer this question due to insufficient information.", True),
        (
            "The provided sources do not mention any FID on CIFAR-10. They report one on ImageNet.",
            True,
        ),
        ("There is no information on this in the sources.", True),
        ("None of the sources specify the number of authors.", True),
        ("Cats sleep in the sun. It is not known why.", False),
        ("The method does not need exemplars.", False),
        ("NoPE outperforms ALiBi, which has no explicit encoding.", False),
    ],
)
def test_what_counts_as_declining(said, is_refusal) -> None:
    assert declines(said) is is_refusal


def measured(case: Case, text: str, *sources: str) -> dict[str, float]:
    judge = Judge(SupportScorer(WordEmbedder()), TEXTS, supported=0.5)
    return judge.measures(case, {"text": text, "sources": sources, "seconds": 2.0})


def test_an_answer_is_measured_by_its_sentences() -> None:
    found = measured(
        CASE, "Cats sleep in the sun all day [1]. Dogs bark at the moon every night [1].", *TEXTS
    )
    assert found["answer points"] == 1
    assert found["cited-paper precision"] == 1
    assert found["citation precision"] == found["citation recall"] == 0.5
    assert found["declined wrongly"] == 0
    assert found["answer seconds"] == 2.0


def test_a_citation_of_an_irrelevant_paper_costs_precision() -> None:
    found = measured(CASE, "Cats sleep in the sun all day [1][2].", *TEXTS)
    assert (
        found["cited-paper precision"],
        found["citation precision"],
        found["citation recall"],
    ) == (0.5, 0.5, 1.0)


def test_a_refusal_makes_no_point() -> None:
    found = measured(CASE, "I cannot answer.", *TEXTS)
    assert (found["declined wrongly"], found["answer points"]) == (1, 0)
    assert "citation precision" not in found


def test_what_no_paper_answers_should_be_declined() -> None:
    nothing = Case("c", "unanswerable", "Where do whales sleep?")
    assert measured(nothing, "Whales sleep in the sun [1].", *TEXTS)["answered wrongly"] == 1
    assert measured(nothing, "The sources do not provide that.", *TEXTS)["answered wrongly"] == 0
