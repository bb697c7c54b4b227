"""Answers: every marker points to an exact sentence, and missing answers are reported."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.metadata.facts import fact
from rag.assistant import Assistant
from rag.errors import InputError
from rag.records import Answer, Finished, Scope, SourcesFound, Stage, Statement, TextSpan, Turn

QUESTION = "which papers study density ratios in RL?"


def check(assistant, answer: Answer) -> None:
    """Every mark resolves, and every evidence text is the paper's text at its offsets."""
    marks = [citation.mark for citation in answer.citations]
    assert marks == list(range(1, len(marks) + 1))
    hits = {hit.paper.id for hit in answer.hits}
    for citation in answer.citations:
        assert f"[{citation.mark}]" in answer.text
        assert citation.paper_id in hits
        assert citation.evidence
        paper = assistant.paper(citation.paper_id)
        for evidence in citation.evidence:
            if isinstance(evidence, TextSpan):
                assert paper.text[evidence.start : evidence.end] == evidence.text
                assert " ".join(evidence.text.split()) in answer.text
            else:
                assert evidence == fact(paper, evidence.field) or evidence.value == paper.title
    assert (answer.refusal is None) == bool(answer.citations)


def test_the_question_this_was_made_for(daily) -> None:
    answer = daily.ask(QUESTION)
    check(daily, answer)
    assert answer.text.startswith("Harnessing Density Ratios for Online Reinforcement Learning: ")
    assert (
        answer.citations[0].title == "Harnessing Density Ratios for Online Reinforcement Learning"
    )
    assert answer.looked_at == 270


def test_every_marker_of_every_answer_holds(daily, dev_questions) -> None:
    for row in dev_questions:
        earlier = [Turn("user", turn) for turn in row.get("turns", [])[:-1]]
        check(daily, daily.ask(row["question"], earlier))


def test_the_answer_streams(demo) -> None:
    events = list(demo.ask_stream(QUESTION))
    assert [type(event) for event in events[:3]] == [Stage, SourcesFound, Stage]
    assert isinstance(events[-1], Finished)
    said = [event.marked for event in events if isinstance(event, Statement)]
    assert events[-1].answer.text == "\n".join(said)
    assert events[1].hits == events[-1].answer.hits[: len(events[1].hits)]


@pytest.mark.parametrize(
    "question", ["What is the best pizza recipe?", "Who won the world cup in 2018?"]
)
def test_a_refusal_names_the_nearest_papers(demo, question) -> None:
    answer = demo.ask(question)
    assert answer.refusal
    assert answer.text.startswith("Not found in your papers: none of the 48 papers")
    assert answer.hits[0].paper.title in answer.text
    assert answer.citations == ()


def test_an_empty_library_declines(fake, tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text("{broken\n")
    fake.ingest([tmp_path / "a.jsonl"])
    answer = fake.ask("what of density ratios?")
    assert (
        answer.refusal == "none of the 0 papers mentions “density”, “ratios” in title or abstract"
    )
    assert answer.hits == ()


def test_earlier_turns_make_the_standalone_question(demo) -> None:
    question = "And what of its hybrid variant?"
    first = demo.ask("What does the GLOW paper do?")
    answer = demo.ask(question, [first])
    assert answer.question == question
    assert (
        answer.standalone_question
        == f"And what of “{first.sources[0].paper.title}”’s hybrid variant?"
    )
    asked_only = demo.ask(question, [{"role": "user", "text": "What does the GLOW paper do?"}])
    assert asked_only.standalone_question == f"GLOW: {question}"
    assert asked_only.sources[0].paper == answer.sources[0].paper == first.sources[0].paper


def test_the_same_question_gets_the_same_answer(demo) -> None:
    assert demo.ask(QUESTION).text == demo.ask(QUESTION).text


@pytest.mark.parametrize("question", ["", "  \n ", "x" * 50_000])
def test_an_invalid_question_is_refused(demo, question) -> None:
    with pytest.raises(InputError, match="the question"):
        demo.ask(question)


@pytest.mark.parametrize(
    "history",
    [[{"role": "system", "text": "x"}], [{"text": "x"}], ["x"], [{"role": "user", "text": 3}]],
)
def test_an_invalid_history_is_refused(demo, history) -> None:
    with pytest.raises(InputError, match="history, turn 1"):
        demo.ask("what?", history)


@settings(deadline=None, max_examples=30)
@given(question=st.text(min_size=1, max_size=300).filter(str.strip))
def test_any_text_can_be_asked(demo_home, question) -> None:
    from rag.assistant import Assistant

    with Assistant.open(home=demo_home) as assistant:
        check(assistant, assistant.ask(question))


@pytest.mark.parametrize(
    "question",
    [
        '"density" AND ratio:* title:(x',
        "AND OR NOT",
        "[1] [2] {x} ^~",
        "密度比 是什么？",
        "Was ist ein Dichtequotient?",
        "\0\ud800 ratios",
    ],
)
def test_no_typed_operator_means_anything(demo, question) -> None:
    check(demo, demo.ask(question))


def test_a_long_question_is_read_whole(demo) -> None:
    answer = demo.ask("Tell me about the weather. " * 100 + QUESTION)
    check(demo, answer)


def test_papers_just_below_the_line_are_offered(demo) -> None:
    answer = demo.ask("which papers are about one-step image generation?")
    cited = {citation.paper_id for citation in answer.citations}
    assert answer.near_misses
    assert not cited & {hit.paper.id for hit in answer.near_misses}
    assert demo.ask("How many authors has Barlow Twins?").near_misses == ()
    assert demo.ask("which papers bake apple pies?").near_misses == ()


@pytest.mark.parametrize(
    "question", ["How does it work?", "what is the goal of this paper?", "And what is it about?"]
)
def test_a_question_on_a_paper_as_a_whole_is_answered(demo, question) -> None:
    asked = demo.ask("what does Barlow Twins do?")
    answer = demo.ask(question, [asked])
    assert answer.refusal is None
    assert {citation.title for citation in answer.citations} == {asked.citations[0].title}


def test_a_question_on_a_removed_paper_is_declined(demo_copy) -> None:
    with Assistant.open(home=demo_copy) as assistant:
        asked = assistant.ask("what does Barlow Twins do?")
        [paper] = {citation.paper_id for citation in asked.citations}
        assistant.remove(paper)
        for question in ("How does it work?", "How is it trained?", "When was it published?"):
            answer = assistant.ask(question, [asked])
            assert "no paper of the library is within the scope" in answer.refusal
            assert "Barlow Twins" in answer.text


def test_a_greeting_gets_help(demo) -> None:
    answer = demo.ask("hello")
    assert answer.intent == "greeting"
    assert answer.text.startswith("Hello. I answer questions over the 48 papers")
    assert answer.citations == ()


def test_an_overview_names_subjects_with_their_papers(demo) -> None:
    answer = demo.ask("what is in my library?")
    assert answer.intent == "overview"
    assert answer.text.startswith("The library holds 48 papers, published from 2014-11-10 to ")
    assert "Reinforcement learning: 5 papers. [3][4][5][6][7]" in answer.text
    assert all(citation.evidence for citation in answer.citations)


def test_a_paper_is_named_by_its_arxiv_id_or_doi(fake, write_papers) -> None:
    rows = [
        {"title": "One", "abstract": "Rats run fast.", "arxiv_id": "2602.06036"},
        {"title": "Two", "abstract": "Cats run fast.", "doi": "10.1000/xyz.1"},
    ]
    fake.ingest(write_papers("a.jsonl", *rows))
    for name, title in (
        ("2602.06036", "One"),
        ("https://arxiv.org/abs/2602.06036v2", "One"),
        ("10.1000/xyz.1", "Two"),
    ):
        answer = fake.ask(f"what does {name} say?")
        assert {citation.title for citation in answer.citations} == {title}
        assert answer.intent == "summary"
    assert fake.ask("what does 2602.99999 say?").refusal == (
        "no paper of this library has the id 2602.99999"
    )


def test_a_removed_filter_leaves_the_topic(demo) -> None:
    question = "papers from 2023 on reinforcement learning"
    narrow = demo.ask(question)
    wide = demo.ask(question, scope=Scope(without=tuple(f.id for f in narrow.applied_filters)))
    assert wide.refusal is None
    assert wide.looked_at == 48
    assert {hit.paper.id for hit in wide.sources} > {hit.paper.id for hit in narrow.sources}


def test_at_most_so_many_papers(demo) -> None:
    assert len(demo.ask("three papers on reinforcement learning").sources) == 3


def test_papers_about_something_are_left_out(demo) -> None:
    answer = demo.ask("papers on diffusion but not distillation")
    assert answer.filters == ("not about distillation",)
    assert answer.sources
    assert all("distil" not in hit.paper.text.casefold() for hit in answer.sources)


def test_authors_and_categories(fake, write_papers) -> None:
    rows = [
        {"title": "One", "abstract": "Rats.", "authors": ["Jürgen Schmidhuber", "Wei Chen"]},
        {"title": "Two", "abstract": "Cats.", "authors": ["Wu Chen"], "categories": ["cs.RO"]},
    ]
    fake.ingest(write_papers("a.jsonl", *rows))

    def cited(question: str) -> list[str]:
        return sorted({citation.title for citation in fake.ask(question).citations})

    assert cited("papers by Jurgen Schmidhuber") == ["One"]
    assert cited("papers by J. Schmidhuber") == ["One"]
    assert cited("papers by Chen") == ["One", "Two"]
    assert fake.ask("papers by Chen").notices == ("“Chen” may be Wei Chen or Wu Chen.",)
    assert cited("cs.RO papers") == ["Two"]
    assert fake.ask("papers by Ada Lovelace").refusal == (
        "no paper of this library has an author named Ada Lovelace"
    )


def test_metadata_is_asked_in_german(demo) -> None:
    answer = demo.ask("die drei neuesten Artikel")
    assert [item.id for item in answer.applied_filters] == ["order:published:descending:3:1"]
    assert answer.notices == ()
