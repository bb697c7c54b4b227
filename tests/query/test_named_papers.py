"""Questions that compare named papers."""

from __future__ import annotations

import pytest

from rag.query.intent import asks_to_compare
from rag.query.named_papers import compared_papers
from rag.records import NAMED_PAPERS, Scope

PAPERS = [
    {
        "title": "SlimRL: Policies by Pruning",
        "abstract": "We prune policies. SlimRL keeps few weights.",
    },
    {
        "title": "Wide Policies Need No Pruning",
        "abstract": "We introduce a wide policy, WidePol, in place of pruning.",
    },
    {
        "title": "A Third Way",
        "abstract": "Policies are distilled (TW-3). It beats SlimRL on Atari-5.",
    },
    {"title": "RL for All", "abstract": "RL is taught. Atari-5 is used."},
    {"title": "More RL", "abstract": "RL is used on Atari-5 (RL)."},
    {"title": "Twin Peaks: Two Optima of One Policy", "abstract": "A policy has two optima."},
    {"title": "Yet more RL", "abstract": "RL is used again on Atari-5."},
]


@pytest.fixture
def library(fake, write_papers):
    fake.ingest([write_papers("named.jsonl", *PAPERS)])
    return fake.library


@pytest.mark.parametrize(
    ("question", "names"),
    [
        (
            "How do SlimRL and WidePol differ?",
            ["SlimRL", "WidePol"],
        ),  # one by its title, one by its abstract
        ("WidePol vs. SlimRL", ["WidePol", "SlimRL"]),
        ("Does TW-3 beat SlimRL, and by how much?", ["TW-3", "SlimRL"]),
        ("What is SlimRL?", []),
        ("How do SlimRL and RL differ?", []),  # many papers say RL
        ("SlimRL on Atari-5?", []),  # no paper introduced it, most use it
        ("How do SlimRL and FatRL differ?", []),
        ("three views of policies: SlimRL, WidePol and distilling", []),
        ("three views of policies: SlimRL, WidePol and TW-3", ["SlimRL", "WidePol", "TW-3"]),
        ("do slimrl and widepol differ?", []),  # nothing looks like a name
        ("", []),
        ("How does twin peaks compare with SlimRL?", ["twin peaks", "SlimRL"]),
        (
            "Twin Peaks or SlimRL?",
            [],
        ),  # words of everyday language, and nothing says that they are compared
        (" and ".join(f"SlimRL and WidePol and X{n}" for n in range(9)), []),
    ],
)
def test_names_of_two_papers_or_more(library, question, names) -> None:
    found = compared_papers(library, question, comparing=asks_to_compare(question))
    assert [paper.name for paper in found] == names


def test_each_named_paper_is_quoted(demo) -> None:
    answer = demo.ask("How do SparsePO and D2O differ?")
    assert answer.filters == ("only SparsePO and D2O",)
    assert [hit.paper.title.split(":")[0] for hit in answer.hits] == [
        "SparsePO",
        "Negating Negatives",
    ]
    titles = [citation.title for citation in answer.citations]
    assert titles == sorted(titles, reverse=True)
    assert len(set(titles)) == 2
    assert len(titles) == 4


def test_what_is_compared_decides_the_sentences(demo) -> None:
    answer = demo.ask("FeTrIL and G-ACIL: do they store exemplars?")
    said = [
        statement
        for statement in answer.statements
        if "exemplar" in statement.text.lower() or "past images" in statement.text
    ]
    assert {statement.citations[0].title.split(":")[0] for statement in said} == {
        "FeTrIL",
        "G-ACIL",
    }


def test_what_neither_paper_states_is_declined(demo) -> None:
    answer = demo.ask("What do SparsePO and D2O say about protein folding in yeast?")
    assert answer.refusal is not None
    assert answer.looked_at == 2


def test_the_restriction_can_be_taken_away(demo) -> None:
    question = "How do SparsePO and D2O differ?"
    everywhere = demo.ask(question, scope=Scope(without=(NAMED_PAPERS,)))
    assert everywhere.filters == ()
    assert everywhere.looked_at == 48
    assert demo.ask(question, filters=False).looked_at == 48


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("Which is newer, SparsePO or D2O?", "SparsePO"),
        ("Which came first, SparsePO or D2O?", "Negating Negatives"),
        ("Is D2O older than SparsePO?", "Negating Negatives"),
        ("Who has more authors, SparsePO or D2O?", "Negating Negatives"),
    ],
)
def test_named_papers_in_the_catalog(demo, question, first) -> None:
    titles = [citation.title.split(":")[0] for citation in demo.ask(question).citations]
    assert titles[0] == first
    assert set(titles) == {"SparsePO", "Negating Negatives"}


def test_a_question_for_papers_is_not_restricted(demo) -> None:
    answer = demo.ask("Which papers improve on SparsePO and D2O?")
    assert answer.looked_at == 48


@pytest.mark.parametrize(
    ("question", "notices"),
    [
        ("Which is newer, SparsePO or BarPO-2?", ["No paper mentions “BarPO-2”."]),
        ("How do SparsePO and D2O differ?", []),
        ("which papers study density ratios in RL?", []),
        ("How many papers are from 2023?", []),
    ],
)
def test_a_name_that_no_paper_has_is_reported(demo, question, notices) -> None:
    answer = demo.ask(question)
    assert answer.refusal is None
    assert list(answer.notices) == notices
