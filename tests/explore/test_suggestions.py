"""Exploring a library: its contents, similar papers and suggested questions."""

import numpy as np
import pytest

from rag.assistant import Assistant
from rag.errors import InputError, NotFound
from rag.records import Scope

QUESTION = "which papers study density ratios in RL?"


def test_similar_papers(daily) -> None:
    paper = next(
        paper for paper in daily.papers() if paper.title.startswith("Harnessing Density Ratios")
    )
    hits = daily.similar(paper.id, 5)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert paper.id not in {hit.paper.id for hit in hits}
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.text and hit.paper.text for hit in hits)
    assert all("reinforcement learning" in hit.paper.text.lower() for hit in hits[:3])
    with pytest.raises(NotFound):
        daily.similar("p-nothing")
    with pytest.raises(InputError, match="k must be"):
        daily.similar(paper.id, 0)


def test_more_similar_papers_than_there_are(demo) -> None:
    paper = next(demo.papers())
    hits = demo.similar(paper.id, 500)
    assert len({hit.paper.id for hit in hits}) == len(hits) == 47


def test_the_library_at_a_glance(daily) -> None:
    seen = daily.overview()
    years = [paper.published.year for paper in daily.papers() if paper.published]
    assert (seen.papers, seen.first_year, seen.last_year) == (270, min(years), max(years))
    assert len(seen.newest) == 3
    assert seen.newest[0].published.year == max(years)
    assert len(seen.sources) == 5
    assert sum(seen.sources.values()) >= 270
    assert list(seen.organisations.values()) == sorted(seen.organisations.values(), reverse=True)


def test_an_empty_library_has_little_to_show(fake, tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text("{broken\n")
    fake.ingest([tmp_path / "a.jsonl"])
    seen = fake.overview()
    assert (seen.papers, seen.first_year, seen.newest) == (0, None, ())
    assert fake.suggestions() == ()
    assert fake.positions() == {}


@pytest.mark.parametrize("k", [1, 2, 6])
def test_suggested_questions_are_answered(daily, k) -> None:
    asked = daily.suggestions(k)
    assert len(set(asked)) == len(asked) == k
    assert asked[0].startswith("Which papers study ")
    for question in asked:
        answer = daily.ask(question)
        assert answer.citations
        assert not answer.notices


def test_suggestions_are_varied_and_always_the_same(daily, demo) -> None:
    for assistant in (daily, demo):
        asked = assistant.suggestions()
        kinds = [" ".join(question.split()[:3]) for question in asked]
        assert kinds == [
            *("Which papers study", "What is the", "How does " + asked[2].split()[2]),
            *("How do the", "Which papers from", "How many authors"),
        ]
        assert len(assistant.ask(asked[3]).sources) >= 2
        assistant._made.clear()
        assert assistant.suggestions() == asked


@pytest.fixture
def sure(monkeypatch) -> None:
    """Answer every question that has a hit: the threshold does not fit the fake embedder."""
    monkeypatch.setenv("RAG_ANSWER__ANSWERABILITY", "0")


def test_suggestions_follow_the_library(sure, fake, write_papers) -> None:
    rows = [
        {"title": f"Sparse Pruning of {name}", "abstract": f"We prune {name}."}
        for name in ("Ants", "Bees", "Cats")
    ]
    fake.ingest([write_papers("a.jsonl", *rows)])
    before = fake.suggestions()
    more = [
        {"title": f"Dense Growing of {name}", "abstract": f"We grow {name}."}
        for name in ("Dogs", "Eels", "Figs")
    ]
    fake.ingest([write_papers("b.jsonl", *more)])
    assert fake.suggestions() != before


@pytest.mark.parametrize(
    "question", [QUESTION, "How many authors has Barlow Twins?", "What is the best pizza recipe?"]
)
def test_follow_ups_are_answered(daily, question) -> None:
    first = daily.ask(question)
    asked = daily.follow_ups(first)
    assert 1 <= len(set(asked)) == len(asked) <= 3
    for follow_up in asked:
        answer = daily.ask(follow_up, [first])
        assert answer.citations
        assert answer.text != first.text


def test_the_map_keeps_neighbours(demo) -> None:
    from sklearn.manifold import trustworthiness

    places = demo.positions()
    points = np.array(list(places.values()))
    assert points.shape == (48, 2)
    assert np.abs(points).max() == pytest.approx(1.0)
    parts = demo.library.catalog.parts(places)
    vectors = np.stack([parts[paper].passage_vectors.mean(axis=0) for paper in places])
    assert trustworthiness(vectors, points, n_neighbors=5, metric="cosine") > 0.85
    demo._made.clear()
    assert demo.positions() == places


def test_the_map_of_few(fake, write_papers) -> None:
    for n in (1, 2, 5):
        rows = [
            {"title": f"Paper {number}", "abstract": f"It is on {number}."} for number in range(n)
        ]
        fake.ingest([write_papers(f"{n}.jsonl", *rows)])
        assert len(set(fake.positions().values())) == n


def test_nothing_follows_within_a_scope_that_is_gone(demo_copy) -> None:
    with Assistant.open(home=demo_copy) as assistant:
        answer = assistant.ask(QUESTION)
        gone = answer.sources[0].paper.id
        scoped = assistant.ask(QUESTION, scope=Scope(papers=(gone,)))
        assert assistant.follow_ups(scoped)
        assistant.remove(gone)
        assert assistant.follow_ups(scoped) == ()
        assert assistant.follow_ups(answer)
