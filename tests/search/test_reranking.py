"""A served reranker reorders the best papers of a search, and the answer follows that order."""

from __future__ import annotations

from typing import Any

import pytest

from rag.assistant import Assistant
from rag.errors import ModelError
from tests.models.test_served import answering

QUESTION = "How are density ratios learned?"
_LOOKED_AT = 4


def by_length(body: dict[str, Any]) -> Any:
    """Score short texts higher."""
    rows = [
        {"index": n, "relevance_score": -float(len(text))}
        for n, text in enumerate(body["documents"])
    ]
    return {"results": rows}


@pytest.fixture
def reranking(demo_home, monkeypatch):
    """Open the assistant with a reranker at this URL."""

    def open_(url: str) -> Assistant:
        monkeypatch.setenv("RAG_RERANK__BASE_URL", url)
        monkeypatch.setenv("RAG_RERANK__MODEL", "m")
        monkeypatch.setenv("RAG_RERANK__PAPERS", str(_LOOKED_AT))
        return Assistant.open(home=demo_home)

    return open_


def test_the_best_papers_come_in_its_order_and_the_others_stay(reranking, demo) -> None:
    before = demo.search(QUESTION, 6)
    with answering(by_length) as (url, asked), reranking(url) as assistant:
        after = assistant.search(QUESTION, 6)
    [(_, body)] = asked
    assert body["query"] == QUESTION
    assert body["documents"] == [hit.paper.text for hit in before[:_LOOKED_AT]]
    by_size = sorted(before[:_LOOKED_AT], key=lambda hit: len(hit.paper.text))
    assert [hit.paper.id for hit in after] == [
        hit.paper.id for hit in [*by_size, *before[_LOOKED_AT:]]
    ]
    # Ranks and fused scores go with the places, not with the papers.
    assert [(hit.rank, hit.score) for hit in after] == [(hit.rank, hit.score) for hit in before]
    assert [hit.stage("rerank") for hit in after] == [-len(hit.paper.text) for hit in by_size] + [
        None,
        None,
    ]


def test_it_looks_at_as_many_papers_however_few_are_wanted(reranking, demo) -> None:
    best = min(demo.search(QUESTION, _LOOKED_AT), key=lambda hit: len(hit.paper.text))
    with answering(by_length) as (url, _), reranking(url) as assistant:
        assert [hit.paper.id for hit in assistant.search(QUESTION, 1)] == [best.paper.id]


def test_an_answer_is_made_in_its_order(reranking) -> None:
    with answering(by_length) as (url, asked), reranking(url) as assistant:
        answer = assistant.ask(QUESTION)
    assert len(asked) == 1
    lengths = [len(hit.paper.text) for hit in answer.hits[:_LOOKED_AT]]
    assert lengths == sorted(lengths)


def test_a_reranker_that_fails_is_reported_in_one_line(reranking) -> None:
    refused = pytest.raises(
        ModelError, match=r"/rerank did not answer as an OpenAI-compatible server$"
    )
    with (
        answering(lambda _: {"error": "no such model"}) as (url, _),
        reranking(url) as assistant,
        refused,
    ):
        assistant.ask(QUESTION)
