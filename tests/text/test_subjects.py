"""Subjects that several titles share."""

from rag.records import Paper
from rag.text.subjects import spread, subjects_of

PAPERS = [
    Paper("p-1", "Self-Supervised Learning of LLM Agents"),
    Paper("p-2", "Why Self-Supervised Learning Works"),
    Paper("p-3", "LLM Agents: a Survey"),
    Paper("p-4", "A New Method for Tables"),
    Paper("p-5", "The New Method Again"),
]


def test_subjects_are_pairs_of_words_as_in_a_sentence() -> None:
    found = {subject.words: subject.paper_ids for subject in subjects_of(PAPERS)}
    assert found["self-supervised learning"] == {"p-1", "p-2"}
    assert found["LLM agents"] == {"p-1", "p-3"}
    assert "new method" not in found


def test_subjects_of_other_papers_come_first() -> None:
    papers = [*PAPERS, Paper("p-6", "Graph Kernels"), Paper("p-7", "On Graph Kernels")]
    first, second, *_ = spread(subjects_of(papers))
    assert not first.paper_ids & second.paper_ids
