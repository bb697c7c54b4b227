"""Answers from the catalog, over the bundled library."""

import re

import pytest

from rag.records import CatalogFact


@pytest.mark.parametrize(
    ("question", "titles", "said"),
    [
        (
            "What is the oldest paper?",
            ["Preserving Statistical Validity in Adaptive Data Analysis"],
            "2014-11-10",
        ),
        ("Which paper has the most authors?", ["FuXi-ENS"], "10 authors"),
        ("how many authors does Barlow Twins have?", ["Barlow Twins"], "5 authors"),
        ("when was DistillSpec published?", ["DistillSpec"], "2023-10-12"),
        (
            "papers with a single author",
            ["Does Learning Require", "A Neural Network Architecture"],
            "2 of the 48 papers",
        ),
        ("the newest paper on class-incremental learning", ["G-ACIL"], "2024-03-22"),
        (
            "the two oldest papers",
            ["Preserving Statistical Validity", "The Z-loss"],
            "2 of the 48 papers (2 oldest)",
        ),
        ("papers with 9 to 10 authors", ["Distribution Backtracking", "FuXi-ENS"], "10 authors"),
        (
            "papers from 20 January to January 24, 2024",
            ["Out-of-Distribution", "Is Temperature"],
            "2024-01-22",
        ),
    ],
)
def test_facts_with_their_evidence(demo, question, titles, said) -> None:
    answer = demo.ask(question)
    assert said in answer.text
    cited = {citation.title for citation in answer.citations}
    assert len(cited) == len(titles)
    assert all(any(name.startswith(title) for name in cited) for title in titles)
    for citation in answer.citations:
        assert any(isinstance(piece, CatalogFact) for piece in citation.evidence)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Which year has the most papers?", r"^\d{4}: \d+ papers of the 48 dated ones\."),
        ("How many papers per year?", r"2019: 1 paper\.(?s:.*)\n2014: 1 paper\."),
        (
            "What is the average number of authors?",
            r"^On average 5\.\d authors, median \d, from 1 to 10, over",
        ),
        (
            "What is the oldest paper other than "
            "Preserving Statistical Validity in Adaptive Data Analysis?",
            "The Z-loss",
        ),
        ("Was DistillSpec published before 2020?", "2023-10-12"),
    ],
)
def test_the_library_as_a_whole(demo, question, said) -> None:
    answer = demo.ask(question)
    assert re.search(said, answer.text, re.MULTILINE)
    assert answer.citations


def test_what_is_to_be_left_out_must_be_a_paper(demo) -> None:
    assert (
        demo.ask("the newest paper apart from Nonesuch").refusal
        == "there is not exactly one paper called “Nonesuch” in this library"
    )


def test_filters_are_shown_and_can_be_left_out(demo) -> None:
    question = "out-of-distribution detection papers from 2018"
    answer = demo.ask(question)
    assert answer.filters == ("published in 2018",)
    assert {str(hit.paper.published)[:4] for hit in answer.hits} == {"2018"}
    plain = demo.ask(question, filters=False)
    assert plain.filters == ()
    assert len({str(hit.paper.published)[:4] for hit in plain.hits}) > 1


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("papers from 1999", "no paper meets “published in 1999”, of 48 looked at"),
        (
            "Who is the first author of DistillSpec?",
            "no source gives the author names of “DistillSpec",
        ),
        (
            "Which organisation is behind Barlow Twins?",
            "no source gives the organisation of “Barlow Twins",
        ),
    ],
)
def test_what_no_source_states(demo, question, reason) -> None:
    answer = demo.ask(question)
    assert answer.refusal is not None
    assert answer.refusal.startswith(reason)
    assert answer.citations == ()


def test_a_fact_of_what_was_talked_about(demo) -> None:
    answer = demo.ask(
        "And when was it published?", [{"role": "user", "text": "What does Barlow Twins do?"}]
    )
    assert "2021-03-04" in answer.text


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("When was BERT published?", "no paper of this library is called “BERT”"),
        (
            "how many authors does Attention is all you need have?",
            "no paper of this library is called",
        ),
        (
            "newest paper on underwater basket weaving",
            "none of the 48 papers is on “underwater basket weaving”",
        ),
        ("When was it published?", "the question names no paper"),
    ],
)
def test_no_fact_of_the_wrong_paper(demo, question, reason) -> None:
    answer = demo.ask(question)
    assert answer.refusal is not None
    assert answer.refusal.startswith(reason)
    assert answer.answerability < 0.5


def test_a_name_without_its_accents_finds_its_paper(fake, write_papers) -> None:
    fake.ingest(
        write_papers(
            "a.jsonl", {"title": "TÜLU 3: Open Recipes", "abstract": "x.", "author_count": 23}
        )
    )
    assert "23 authors" in fake.ask("how many authors has TULU 3?").text


def test_an_organisation_is_named_by_a_name_only(fake, write_papers) -> None:
    rows = [
        {
            "title": "One",
            "abstract": "The gain is 3x.",
            "organisation": "The Chinese University of Hong Kong",
        },
        {"title": "Two", "abstract": "Density.", "organisation": "openbmb OpenBMB"},
    ]
    fake.ingest(write_papers("a.jsonl", *rows))
    assert fake.ask("what do the papers say of the gain?").filters == ()
    assert fake.ask("papers by OpenBMB").filters == ("from OpenBMB",)
    assert fake.ask("papers from The Chinese University of Hong Kong").citations[0].title == "One"


def test_months_are_no_foreign_words(demo) -> None:
    answer = demo.ask("papers from November 2023 to February 2024")
    assert answer.filters == ("published from 2023-11 to 2024-02",)
    assert answer.notices == ()


def test_a_bare_count_shows_a_few(demo) -> None:
    answer = demo.ask("how many papers do you have?")
    assert "48 papers" in answer.text
    assert len(answer.citations) == 5


def test_an_inferred_year_says_so(daily) -> None:
    answer = daily.ask("newest paper on GRPO")
    assert (
        "year inferred" in answer.text or answer.citations[0].evidence[0].value[:4] in answer.text
    )


def test_a_printed_date_of_another_source_does_not_contradict_the_date(
    fake, write_papers, tmp_path
) -> None:
    fake.ingest(
        write_papers("a.jsonl", {"title": "One Two", "abstract": "x.", "published": "2025-03"})
    )
    page = tmp_path / "page.txt"
    page.write_text(
        "Daily Papers\n\nDec 11\n\nOne Two\n\nx.\n\n• 2 authors\n·\nMar 5\n", encoding="utf-8"
    )
    fake.ingest([page], page_year=2025)
    assert "2025-03." in fake.ask("newest paper").text
    assert "inferred" not in fake.ask("newest paper").text
