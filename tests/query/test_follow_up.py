"""What follow-up questions refer to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.query.follow_up import is_follow_up, rewrite
from rag.records import Citation, Turn

GLOW, DICE, CDR = ("p-1", "GLOW: An Example"), ("p-2", "DICE"), ("p-3", "CDR")


def answered(*papers: tuple[str, str]) -> list[Turn]:
    citations = tuple(
        Citation(mark, identity, title, ())
        for mark, (identity, title) in enumerate(papers, start=1)
    )
    return [
        Turn("user", "Which papers study density ratios?"),
        Turn("assistant", "An answer.", citations),
    ]


@pytest.mark.parametrize(
    ("question", "paper"),
    [
        ("How does the second one explore?", "p-2"),
        ("what data does [3] use?", "p-3"),
        ("Is paper 2 about images?", "p-2"),
        ("who wrote the last one?", "p-3"),
        ("how many authors has the 1st?", "p-1"),
        ("Does the first paper prove a bound?", "p-1"),
        ("and the third of them?", "p-3"),
    ],
)
def test_a_place_in_the_list_means_that_paper(question, paper) -> None:
    meant = rewrite(question, answered(GLOW, DICE, CDR), 4000)
    assert [named.paper_id for named in meant.papers] == [paper]
    title = dict([GLOW, DICE, CDR])[paper]
    assert f"“{title}”" in meant.shown
    assert meant.papers_in_words == f"only “{title}”"


@pytest.mark.parametrize(
    "question", ["How is it trained?", "what are its limits?", "When was this paper published?"]
)
def test_it_means_the_only_paper(question) -> None:
    meant = rewrite(question, answered(GLOW), 4000)
    assert [named.paper_id for named in meant.papers] == ["p-1"]
    assert "“GLOW: An Example”" in meant.shown


def test_it_owns(demo) -> None:
    assert (
        rewrite("what are its limits?", answered(GLOW), 4000).shown
        == "what are “GLOW: An Example”’s limits?"
    )


@pytest.mark.parametrize(
    "question",
    [
        "which of them have 3 authors?",
        "do any of these use images?",
        "compare both",
        "the oldest of them?",
        "how many authors do they have?",
        "and when were they published?",
    ],
)
def test_them_means_all_papers_of_the_answer(question) -> None:
    meant = rewrite(question, answered(GLOW, DICE), 4000)
    assert [named.paper_id for named in meant.papers] == ["p-1", "p-2"]


@pytest.mark.parametrize("question", ["the fourth one?", "what of [9]?"])
def test_a_place_beyond_the_list_means_no_paper(question) -> None:
    assert rewrite(question, answered(GLOW, DICE), 4000).papers == ()


@pytest.mark.parametrize(
    "question",
    [
        "What about offline RL?",
        "and for images?",
        "How do they repair the slow rates?",
        "does a scratchpad help there?",
        "Would more data help then, or more variety?",
    ],
)
def test_a_dependent_follow_up_keeps_the_topic(question) -> None:
    meant = rewrite(question, answered(GLOW, DICE), 4000)
    assert meant.shown == f"density ratios: {question}"
    assert meant.search_text == f"density ratios {question}"
    assert meant.earlier == ("Which papers study density ratios?",)


@pytest.mark.parametrize(
    "question",
    [
        "Which papers quantise diffusion models?",
        "How does Barlow Twins avoid collapse?",
        "Is it possible to prune a language model without retraining?",
        "What is the first paper on grokking?",
        "In which paper are adapters merged?",
        "Why does label smoothing hurt distillation?",
        "What is GLOW?",
        "Does Barlow Twins need large batches, or does it work without them?",
        "How does f-DPO choose its divergence?",
        "Why does label smoothing hurt distillation and when does it help?",
        "New topic: how do they balance gradient stability in binary networks?",
        "Something else: who forecasts the weather?",
    ],
)
def test_a_question_of_its_own_changes_the_topic(question) -> None:
    assert not is_follow_up(question)
    assert rewrite(question, answered(GLOW, DICE), 4000).shown == question


def test_the_topic_goes_back_to_the_question_that_began_it() -> None:
    asked = ["Which papers prune?", "What is NeRF good for?", "and indoors?"]
    meant = rewrite("how fast is it?", [Turn("user", text) for text in asked], 4000)
    assert meant.shown == "NeRF good indoors: how fast is it?"


def test_the_topic_does_not_grow_with_the_conversation() -> None:
    asked = ["Which papers prune?", "and quantise?", "or distill?", "and for images?"]
    meant = rewrite("how fast are they?", [Turn("user", text) for text in asked], 4000)
    assert meant.shown == "prune images: how fast are they?"


def test_a_chosen_paper_is_what_its_means() -> None:
    question = "What are its main findings, limitations and datasets?"
    assert rewrite(question, answered(GLOW, DICE), 4000, chosen=True).shown == question


def test_what_to_read_first_is_asked_of_the_last_answer() -> None:
    meant = rewrite("what should I read first?", answered(GLOW, DICE), 4000)
    assert [named.paper_id for named in meant.papers] == ["p-1", "p-2"]


@given(question=st.text(max_size=80), titles=st.lists(st.text(max_size=20), max_size=4))
def test_any_question_can_follow(question, titles) -> None:
    history = answered(*((f"p-{n}", title) for n, title in enumerate(titles)))
    meant = rewrite(question, history, 4000)
    found = {named.paper_id for named in meant.papers}
    assert found <= {f"p-{n}" for n in range(len(titles))}
    assert bool(meant.papers) == bool(meant.papers_in_words)


def test_only_the_papers_meant_are_searched(demo) -> None:
    first = demo.ask("which papers study density ratios in RL?")
    cited = [hit.paper.id for hit in first.sources]
    answer = demo.ask("How does the second one explore?", [first])
    assert {hit.paper.id for hit in answer.hits} == {cited[1]}
    assert answer.filters[0].startswith("only “")
    counted = demo.ask("which of them have 5 authors?", [first])
    assert set(citation.paper_id for citation in counted.citations) <= set(cited)
    assert all(demo.paper(citation.paper_id).author_count == 5 for citation in counted.citations)
    free = demo.ask("How does the second one explore?", [first], filters=False)
    assert len(free.hits) > 1


def test_facts_of_the_paper_meant(demo) -> None:
    first = demo.ask("What does the GLOW paper do?")
    [paper] = {citation.paper_id for citation in first.citations}
    answer = demo.ask("How many authors does it have?", [first])
    assert str(demo.paper(paper).author_count) in answer.text
    assert {citation.paper_id for citation in answer.citations} == {paper}


def test_a_refused_follow_up_is_nothing_to_refer_to() -> None:
    history = [
        *answered(("p-1", "One"), ("p-2", "Two"), ("p-3", "Three")),
        Turn("user", "compare the two"),
        Turn("assistant", "Not found in your papers.", refused=True),
    ]
    standalone = rewrite("how many authors has the second one?", history, 1000)
    assert [named.paper_id for named in standalone.papers] == ["p-2"]
    assert "compare" not in standalone.shown


def test_the_topic_leaves_out_conditions_and_thanks() -> None:
    asked = ["the 4 newest papers on hallucination", "thanks! and for images?"]
    meant = rewrite("how fast is it?", [Turn("user", text) for text in asked], 4000)
    assert meant.shown == "hallucination images: how fast is it?"


@pytest.mark.parametrize(
    "question", ["sorted by date", "with one author", "newest first", "no, I meant 2022"]
)
def test_a_condition_alone_is_a_follow_up(question) -> None:
    assert is_follow_up(question)


@pytest.mark.parametrize("question", ["papers with one author", "is there anything from 2022?"])
def test_a_condition_on_papers_is_a_question_of_its_own(question) -> None:
    assert not is_follow_up(question)
