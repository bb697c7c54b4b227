"""Questions that are misspelt or in another language."""

import pytest

from rag.query.language import foreign
from rag.query.spelling import correct, misspelt


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("which papers study densty ratios in RL?", "which papers study density ratios in RL?"),
        ("difusion disstillation to a singel step", "diffusion distillation to a single step"),
        ("Barlow Twinns without collaps", "Barlow Twins without collapse"),
        ("knowledge of langauge models", "knowledge of language models"),
    ],
)
def test_a_misspelt_word_is_corrected(demo, question, read) -> None:
    for word, meant in misspelt(demo.library, demo.embedder, question):
        question = correct(question, word, meant)
    assert question == read


@pytest.mark.parametrize(
    "question",
    [
        "the price of bananas in Paris",
        "GLOW and f-DPO",
        "transformers",
        "kubernetes pods",
        "which copes better when it has to multiply?",
        "a text embedder",
    ],
)
def test_words_of_their_own_stay(demo, question) -> None:
    assert list(misspelt(demo.library, demo.embedder, question)) == []


def test_a_misspelt_question_finds_its_paper_and_says_how_it_was_read(demo) -> None:
    answer = demo.ask("which papers study densty ratois in RL?")
    assert answer.hits[0].paper.title.startswith("Harnessing Density Ratios")
    assert answer.refusal is None
    assert answer.standalone_question == "which papers study density ratios in RL?"
    assert answer.notices == (
        "“densty” is in no paper and was read as “density”.",
        "“ratois” is in no paper and was read as “ratios”.",
    )


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("Was sind Dichteverhältnisse beim verstärkenden Lernen?", "de"),
        ("密度比 是什么？", "zh"),
        ("Quels articles étudient l'apprentissage par renforcement hors ligne?", "fr"),
        ("which papers study density ratios in RL?", None),
        ("hw does teh barlwo twinz metod avoid collaps in self supervisd lerning??", None),
        ("How did Erdős and Rényi define random graphs?", None),
        ("the price of bananas", None),
    ],
)
def test_the_language_of_a_question(demo, question, code) -> None:
    assert foreign(demo.library, question) == code


def test_a_language_that_the_embedder_cannot_read_is_named(demo) -> None:
    declined = demo.ask("Was sind die besten Rezepte für Apfelkuchen mit Zimt?")
    assert declined.refusal is not None
    assert "another language (de)" in declined.refusal
    assert "ask in English" in declined.refusal
    found = demo.ask(
        "Wie vermeidet Barlow Twins den Kollaps, und was leistet die Methode auf ImageNet?"
    )
    assert found.sources[0].paper.title.startswith("Barlow Twins")
    assert "another language (de)" in found.notices[0]
