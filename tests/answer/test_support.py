"""How well evidence supports a sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.support import Support, SupportScorer
from rag.assistant import Assistant
from rag.errors import ModelError
from rag.text.wording import directions, negated, numbers, split
from tests.fakes import WordCrossEncoder, WordEmbedder

EVIDENCE = (
    "Statins and memory. We followed 1,204 patients for two years. "
    "Statins did not impair memory in older adults. "
    "The drug lowered cholesterol by 25 % in most patients.",
    "Vitamin D in trials. Vitamin D lowered mortality in none of 14 trials.",
)
TEXT = st.text("abc no 5%.\nA", max_size=60)

words = SupportScorer(WordEmbedder())


@pytest.fixture
def real(model_cache: Path, tmp_path: Path) -> Assistant:
    """The shipped model with the embedder that it was fitted with; there is no library."""
    return Assistant.open(home=tmp_path / "none")


@given(TEXT, st.lists(TEXT, max_size=4))
def test_a_score_of_any_texts_is_from_0_to_1(sentence: str, evidence: list[str]) -> None:
    support = words.score(sentence, evidence)
    assert 0.0 <= support.score <= 1.0
    assert support.best is None or 0 <= support.best < len(evidence)
    assert all(number in sentence for number in support.missing_numbers)


@given(
    st.lists(TEXT, max_size=5).flatmap(
        lambda texts: st.tuples(st.just(texts), st.permutations(texts))
    )
)
def test_the_order_of_the_evidence_does_not_matter(orders: tuple[list[str], list[str]]) -> None:
    support, other = (words.score("A cab lowers no 5% cab.", texts) for texts in orders)
    assert support.score == other.score
    assert (support.best is None) == (other.best is None)
    assert support.missing_numbers == other.missing_numbers


@pytest.mark.parametrize("text", EVIDENCE)
def test_every_sentence_supports_itself(text: str) -> None:
    for sentence in split(text):
        assert words.score(sentence, EVIDENCE) == Support(1.0, EVIDENCE.index(text), ())


def test_a_quote_may_be_broken_into_other_lines() -> None:
    assert words.score("Statins did not impair\n  memory in older adults.", EVIDENCE).score == 1.0
    assert words.score("Statins help the old.", ["Statins help\nthe old."]).score == 1.0


def test_part_of_a_sentence_is_no_quote() -> None:
    assert words.score("Aspirin helps.", ["It is wrong that Aspirin helps."]).score < 1.0
    assert words.score("Aspirin helps", ["Aspirin helps nobody."]).score < 1.0


def test_nothing_supports_nothing() -> None:
    assert words.score("Statins lower 3 risks.", []) == Support(0.0, None, ("3",))
    assert words.score("", EVIDENCE) == Support(0.0, None, ())
    assert words.score("Statins lower risks.", ["", " . "]) == Support(0.0, None, ())


def test_texts_longer_than_the_embedder_reads_are_scored() -> None:
    long = " ".join(f"word{number}" for number in range(200))
    assert (
        words.score(f"{long} more", [long]).score
        > words.score(f"{long} more", ["Statins lower risks."]).score
    )


def test_only_the_sentences_that_share_most_terms_are_embedded() -> None:
    scorer = SupportScorer(embedder := WordEmbedder())
    padding = [f"Sentence {number} is on nothing of that kind." for number in range(100)]
    assert scorer.score("Statins impaired memory.", [*padding, *EVIDENCE]).best == 100
    assert embedder.embedded <= 13


def test_a_changed_number_lowers_the_score_and_is_named(real: Assistant) -> None:
    right = real.support("The drug lowers cholesterol by 25% in patients.", EVIDENCE)
    wrong = real.support("The drug lowers cholesterol by 52% in patients.", EVIDENCE)
    assert right.missing_numbers == ()
    assert wrong.missing_numbers == ("52%",)
    assert wrong.score < right.score - 0.05


def test_a_flipped_negation_lowers_the_score(real: Assistant) -> None:
    right = real.support("Statins do not impair the memory of older adults.", EVIDENCE)
    wrong = real.support("Statins impair the memory of older adults.", EVIDENCE)
    assert right.best == wrong.best == 0
    assert wrong.score < right.score - 0.05


def test_a_flipped_direction_lowers_the_score(real: Assistant) -> None:
    right = real.support("The drug lowers cholesterol in most patients.", EVIDENCE)
    wrong = real.support("The drug raises cholesterol in most patients.", EVIDENCE)
    assert wrong.score < right.score - 0.1


def test_other_evidence_supports_less_and_the_best_is_found(real: Assistant) -> None:
    claim = "Vitamin D does not lower mortality."
    assert real.support(claim, EVIDENCE).best == 1
    assert (
        real.support(claim, EVIDENCE[1]).score
        > 0.5
        > real.support(claim, "Bananas are cheap in May.").score
    )


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5 % of 1,204", {"5 %": {5.0, 0.05}, "1,204": {1204.0}}),
        ("p < .05 and 12 percent", {".05": {0.05}, "12 percent": {12.0, 0.12}}),
        ("BRCA1, GPT4 and v2.1", {}),
        ("7 Percentiles, 3mg", {"7": {7.0}, "3": {3.0}}),
    ],
)
def test_numbers(text: str, values: dict[str, set[float]]) -> None:
    assert numbers(text) == values


@pytest.mark.parametrize(
    ("text", "is_negated"),
    [
        ("It doesn't help.", True),
        ("It is non-linear.", True),
        ("Without drugs it fails.", True),
        ("A notable, known note.", False),
        ("None died.", True),
        ("Increases risk.", False),
    ],
)
def test_negation(text: str, is_negated: bool) -> None:
    assert negated(text) == is_negated


def test_directions() -> None:
    assert directions("Down-regulated genes lower risk; higher activity.") == (1, 2)


def test_split_minds_abbreviations_and_lines() -> None:
    text = "As Smith et al. Show, e.g. Figure 3 of J. Doe is right. 12 mice lived!\nThe end"
    assert split(text) == [
        "As Smith et al. Show, e.g. Figure 3 of J. Doe is right.",
        "12 mice lived!",
        "The end",
    ]


def test_a_cross_encoder_takes_the_best_of_each_text_and_of_all_together() -> None:
    crossed = SupportScorer(WordEmbedder(), WordCrossEncoder())
    evidence = ["statins help nobody", "aspirin helps the old", "bananas"]
    assert crossed.score("aspirin helps", evidence) == Support(1.0, 1, ())
    assert crossed.score("bananas and aspirin", evidence).score == pytest.approx(2 / 3)
    assert crossed.score("Statins help nobody", ["Statins help nobody"]) == Support(1.0, 0, ())
    assert crossed.score("12 cats", evidence) == Support(0.0, 0, ("12",))
    assert (
        crossed.score("", evidence) == crossed.score("cats", [" ", "."]) == Support(0.0, None, ())
    )


def test_a_cross_encoder_reads_long_evidence_in_pieces() -> None:
    crossed = SupportScorer(WordEmbedder(), WordCrossEncoder(max_tokens=32))
    long = " ".join(f"word{number}" for number in range(200))
    assert crossed.score("word199 word198", ["nothing", long]) == Support(1.0, 1, ())
    with pytest.raises(
        ModelError,
        match=r"^a sentence of 203 tokens leaves too few of 32 tokens for its evidence",
    ):
        crossed.score(long, ["nothing"])


def test_known_vectors_change_nothing_and_are_not_made_again(demo) -> None:
    papers = list(demo.papers())[:3]
    parts = demo.library.catalog.parts([paper.id for paper in papers])

    class Counting:
        """An embedder that records the texts that it was given."""

        def __init__(self) -> None:
            self.given: list[str] = []

        def __getattr__(self, name):
            return getattr(demo.embedder, name)

        def embed(self, texts):
            self.given += texts
            return demo.embedder.embed(texts)

    for paper in papers:
        own = parts[paper.id]
        texts = [" ".join(paper.text[span.start : span.end].split()) for span in own.sentences]
        known = dict(zip(texts, own.sentence_vectors, strict=True))
        embedder = Counting()
        said = "Density ratios make online learning need fewer samples."
        with_known = SupportScorer(embedder).score(said, texts, known)
        assert embedder.given == [said]
        assert with_known.score == pytest.approx(
            SupportScorer(demo.embedder).score(said, texts).score, abs=1e-3
        )
