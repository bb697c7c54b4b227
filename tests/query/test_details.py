"""Details that abstracts seldom state: which are asked for, and refusals where none is stated."""

import pytest

from rag.assistant import Assistant
from rag.query.details import details


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Under what licence is the data set released?", ["licence", "released"]),
        ("What learning rate and batch size was it trained with?", ["batch size", "learning rate"]),
        ("Where's the GitHub link?", ["GitHub"]),
        ("What PSNR does it reach?", ["PSNR"]),
        ("How do density ratios help exploration?", []),
        ("Which papers treat seeded region growing and coding theory?", []),
    ],
)
def test_what_is_asked_for(question, asked) -> None:
    assert list(details(question)) == asked


@pytest.mark.parametrize(
    ("question", "text", "stated"),
    [
        ("licence?", "It is licensed under CC BY.", True),
        ("Is there a repository?", "Code: https://example.org", True),
        ("What dropout?", "It drops samples.", False),
        ("How accurate is it?", "The accuracy doubles.", True),
    ],
)
def test_any_word_of_a_detail_counts_as_stating_it(question, text, stated) -> None:
    [rule] = details(question).values()
    assert (rule.search(text) is not None) == stated


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Under what licence is GLOW published?", "licence"),
        ("How many GPUs does DistillSpec train on?", "GPUs"),
        ("What dropout does Barlow Twins use?", "dropout"),
    ],
)
def test_a_detail_that_its_paper_does_not_state_is_declined(demo, question, word) -> None:
    answer = demo.ask(question)
    assert answer.refusal is not None
    assert word in answer.refusal
    assert answer.citations == ()


def test_a_library_of_one_paper_answers(model_cache, tmp_path, write_papers) -> None:
    row = {
        "title": "GLOW",
        "abstract": "GLOW explores mazes by density ratios. It needs 40 episodes to find the exit.",
    }
    with Assistant.open(home=tmp_path / "home") as assistant:
        assistant.ingest([write_papers("one.jsonl", row)])
        assert (
            "40 episodes"
            in assistant.ask("How many episodes does GLOW need to find the exit?").text
        )
        assert assistant.ask("What is the price of bananas in Paris?").refusal is not None


def test_a_detail_that_is_stated_is_answered(demo) -> None:
    assert demo.ask("By how much does DistillSpec speed up decoding?").refusal is None
    assert demo.ask("What AUROC does PALM reach on CIFAR-100?").refusal is None


def test_what_every_paper_is_about_can_be_asked_for(fake, write_papers) -> None:
    rows = [
        {"title": f"Grokking, part {n}", "abstract": f"Grokking is late in net {n}."}
        for n in range(20)
    ]
    fake.ingest(write_papers("a.jsonl", *rows))
    answer = fake.ask("Which papers study grokking?")
    assert answer.refusal is None
    assert len(answer.sources) > 1
