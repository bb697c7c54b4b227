"""Retrieval on the user's own pages reaches the required quality."""

import ir_measures
import pytest
from ir_measures import R, nDCG

from rag.records import paper_id


@pytest.fixture(scope="module")
def ranked(daily_home, gold_papers, dev_questions):
    from rag.assistant import Assistant

    names = {row["key"]: paper_id(row["title"]) for row in gold_papers}
    answerable = [row for row in dev_questions if row["relevant"]]
    judged = [
        ir_measures.Qrel(row["id"], names[key], grade)
        for row in answerable
        for key, grade in row["relevant"].items()
    ]
    with Assistant.open(home=daily_home) as assistant:
        found = [
            ir_measures.ScoredDoc(row["id"], hit.paper.id, -hit.rank)
            for row in answerable
            for hit in assistant.search(" ".join(row.get("turns") or [row["question"]]), 10)
        ]
    return judged, found


def test_ranking_and_recall(ranked) -> None:
    measured = ir_measures.calc_aggregate([nDCG @ 10, R(rel=2) @ 10], *ranked)
    assert measured[nDCG @ 10] >= 0.88, measured
    assert measured[R(rel=2) @ 10] >= 0.92, measured
