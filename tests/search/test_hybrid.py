"""Fusion worked out by hand, and hits that name the retrievers that found them."""

import numpy as np
import pytest

from rag.assistant import Assistant
from rag.config import load_config
from rag.records import paper_id
from rag.search import search
from rag.search.hybrid import fuse


def test_z_scores_added_up_by_hand() -> None:
    config = load_config().search.model_copy(
        update={
            "lexical_weight": 1.0,
            "letters_weight": 0.5,
            "dense_weight": 2.0,
            "sentence_weight": 0.0,
        }
    )
    lexical = np.array([4.0, 2.0, np.nan])  # means 4, 2, 0: z = 1.2247, 0, -1.2247
    dense = np.array([0.1, 0.3, 0.2])  # z = -1.2247, 1.2247, 0
    letters = np.array([np.nan, 3.0, 6.0])  # means 0, 3, 6: z = -1.2247, 0, 1.2247
    fused = fuse(lexical, letters, dense, np.zeros(3), config)
    assert fused == pytest.approx([-1.8371, 2.4495, -0.6124], abs=1e-4)


def test_nothing_found_is_no_error() -> None:
    empty = np.zeros(0)
    assert len(fuse(empty, empty, empty, empty, load_config().search)) == 0


def test_hits_are_ranked_and_say_who_found_them(demo) -> None:
    hits = demo.search("density ratios in reinforcement learning", 5)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert {found.stage for found in hits[0].found_by} == {
        "lexical",
        "letters",
        "dense",
        "sentence",
    }
    assert hits[0].text == hits[0].paper.text[hits[0].passage.start : hits[0].passage.end]


def test_a_language_without_shared_words_is_found_by_vectors_alone(demo) -> None:
    hits = demo.search("вероятность", 3)
    assert len(hits) == 3
    assert hits[0].stage("lexical") is None


def test_every_candidate_has_its_bm25_whoever_found_it(demo) -> None:
    config = demo.config.search

    def scores(candidates: int) -> dict[str, tuple[float | None, float | None]]:
        few = config.model_copy(update={"candidates": candidates})
        hits = search(
            demo.library, demo.embedder, "density ratios in reinforcement learning", few, 48
        ).hits
        return {hit.paper.id: (hit.stage("lexical"), hit.stage("letters")) for hit in hits}

    all_papers, few = scores(200), scores(8)
    assert 8 < len(few) < len(all_papers) == 48
    assert few == {paper: all_papers[paper] for paper in few}


def test_a_name_inside_a_longer_word_finds_its_paper(fake, write_papers) -> None:
    rows = [
        ("Helicases", "Pif1 unwinds DNA."),
        ("Walruses", "They swim."),
        ("Tides", "The moon pulls water."),
    ]
    fake.ingest(
        write_papers("a.jsonl", *({"title": title, "abstract": text} for title, text in rows))
    )
    by_words, by_letters = fake.library.scores("ScPif1p", [paper.id for paper in fake.papers()])
    assert (by_words, list(by_letters)) == ({}, [paper_id("Helicases")])
    [hit] = [hit for hit in fake.search("ScPif1p", 3) if hit.stage("letters")]
    assert (hit.paper.title, hit.stage("lexical")) == ("Helicases", None)


def test_papers_of_a_scope_are_the_only_ones_scored(demo) -> None:
    papers = {paper.id for paper in list(demo.papers())[:3]}
    by_words, by_letters = demo.library.scores("density ratios in reinforcement learning", papers)
    assert by_words.keys() <= by_letters.keys() <= papers
    assert demo.library.scores("density ratios", ()) == ({}, {})


def test_an_index_of_another_format_is_rebuilt(demo_copy) -> None:
    with Assistant.open(home=demo_copy) as assistant:
        wanted = [(hit.paper.id, hit.score) for hit in assistant.search("density ratios")]
    [index] = (demo_copy / "terms").iterdir()
    index.rename(
        index.with_name(index.name.partition("-")[0])
    )  # its name before the index had character n-grams
    with Assistant.open(home=demo_copy) as assistant:
        found = [(hit.paper.id, hit.score) for hit in assistant.search("density ratios")]
    assert found == [(paper, pytest.approx(score)) for paper, score in wanted]
    assert [folder.name for folder in (demo_copy / "terms").iterdir()] != [index.name]
