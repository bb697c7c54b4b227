"""What a question wants, and how its answer is laid out."""

import pytest

from rag.query.intent import (
    asks_for_number,
    asks_for_papers,
    asks_to_compare,
    intent_of,
    without_courtesy,
)
from rag.records import Intent, MetadataQuery


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("which papers study density ratios in RL?", "papers"),
        ("anything on weather?", "papers"),
        ("papers that explain in-context learning", "papers"),
        ("How many samples did it need?", "number"),
        ("By how much does it lower perplexity?", "number"),
        ("What accuracy does GRU-SVM reach?", "number"),
        ("How does FeTrIL differ from MEMO?", "compare"),
        ("What is coverability?", ""),
    ],
)
def test_intents(question, kinds) -> None:
    found = [
        name
        for name, asks in (
            ("papers", asks_for_papers),
            ("number", asks_for_number),
            ("compare", asks_to_compare),
        )
        if asks(question)
    ]
    assert found == ([kinds] if kinds else [])


def test_a_comparison_goes_through_the_papers_under_their_titles(demo) -> None:
    answer = demo.ask("How do FeTrIL and G-ACIL differ in handling old classes?")
    titles = [citation.title.partition(":")[0] for citation in answer.citations]
    assert {"FeTrIL", "G-ACIL"} <= set(titles)
    assert titles.count("FeTrIL") == 2


def test_a_fact_is_answered_with_its_figure(demo) -> None:
    answer = demo.ask("What accuracy did the GRU-SVM reach on intrusion detection?")
    assert "GRU" in answer.citations[0].title
    assert any(character.isdigit() for character in answer.text)
    assert len(answer.citations) <= 3


def test_a_question_that_one_paper_answers_far_better_is_answered_from_it_alone(demo) -> None:
    asked = "What divergences does f-DPO work with, and how is the normalizing constant handled?"
    answer = demo.ask(asked)
    assert len(answer.hits) > 1
    assert len({citation.title for citation in answer.citations}) == 1
    listed = demo.ask("f-divergences in place of reverse KL for alignment")
    assert len({citation.title for citation in listed.citations}) > 1


@pytest.mark.parametrize(
    ("question", "intent"),
    [
        ("What does it reach against X?", Intent.FACT),
        ("DMD2 against distillation: which is faster?", Intent.COMPARISON),
        ("How do GLOW and MEMO differ?", Intent.COMPARISON),
        ("which papers study density ratios?", Intent.LIST),
        ("Who defends chatbots against jailbreaks?", Intent.FACT),
        ("hello!", Intent.GREETING),
        ("Thanks a lot!", Intent.GREETING),
        ("what can you do?", Intent.GREETING),
        ("What is in my library?", Intent.OVERVIEW),
        ("what are the main topics in this collection?", Intent.OVERVIEW),
        ("give me an overview", Intent.OVERVIEW),
        ("What is a library good for?", Intent.FACT),
    ],
)
def test_what_a_question_wants(question, intent) -> None:
    assert intent_of(question, MetadataQuery(question)) is intent


def test_thanks_before_a_question_are_no_part_of_it() -> None:
    assert without_courtesy("thanks! what should I read first?") == "what should I read first?"
    assert without_courtesy("thanks!") == "thanks!"
