"""Outcomes of an ingest (added, changed, merged, unchanged, failed), and the library after it."""

import gzip
import json
import threading

import pytest

from rag.assistant import Assistant
from rag.errors import EmbedderMismatch, InputError, NotFound
from rag.records import Outcome
from tests.fakes import WordEmbedder

ROW = {
    "title": "Density Ratios",
    "abstract": "Ratios of densities are useful. They are hard to learn.",
}
OTHER = {"title": "Sleeping Cats", "abstract": "Cats sleep most of the day."}


def outcomes(report):
    return {str(outcome): number for outcome, number in report.counts.items()}


def texts(assistant: Assistant) -> dict[str, list[str]]:
    """Every paper's passages as the catalog has them."""
    parts = assistant.library.catalog.parts(assistant.library.catalog.paper_ids())
    return {
        identity: [assistant.paper(identity).text[p.start : p.end] for p in part.passages]
        for identity, part in parts.items()
    }


def test_a_second_ingest_changes_nothing_and_embeds_nothing(fake, write_papers) -> None:
    path = write_papers("a.jsonl", ROW, OTHER)
    assert outcomes(fake.ingest([path])) == {"added": 2}
    before, generation = texts(fake), fake.status().generation
    embedded = fake.embedder.embedded
    report = fake.ingest(path)
    assert (outcomes(report), report.embedded) == ({"unchanged": 2}, 0)
    assert fake.embedder.embedded == embedded
    assert (texts(fake), fake.status().generation) == (before, generation)


def test_a_changed_abstract_replaces_the_old_passages(fake, write_papers) -> None:
    fake.ingest(write_papers("a.jsonl", ROW, OTHER))
    changed = ROW | {"abstract": "Walruses swim in cold water."}
    assert outcomes(fake.ingest(write_papers("a.jsonl", changed, OTHER))) == {
        "changed": 1,
        "unchanged": 1,
    }
    assert [hit.paper.title for hit in fake.search("walruses", 1)] == ["Density Ratios"]
    assert all(hit.stage("lexical") is None for hit in fake.search("useful hard learn"))
    assert fake.status().indexes == {"terms": "current", "vectors": "current"}
    assert (
        fake.library.vectors.count(*fake.library.catalog.follower("vectors"))
        == fake.status().passages
    )


def test_the_same_paper_of_two_sources_is_one(fake, write_papers) -> None:
    fake.ingest(write_papers("a.jsonl", ROW | {"published": "2024"}))
    other = ROW | {
        "title": "density  RATIOS!",
        "abstract": "Another wording.",
        "published": "2024-03",
        "comments": 4,
    }
    assert outcomes(fake.ingest(write_papers("b.jsonl", other))) == {"merged": 1}
    [paper] = fake.papers()
    assert paper.abstract == ROW["abstract"]
    assert (str(paper.published), paper.comments, len(paper.sightings)) == ("2024-03", 4, 2)


def test_an_external_id_merges_papers_of_different_titles(fake, write_papers) -> None:
    first = fake.ingest(write_papers("a.jsonl", ROW | {"id": "2401.00001"})).entries[0].paper_id
    fake.ingest(
        write_papers("b.jsonl", ROW | {"title": "Density Ratios, Revised", "id": "2401.00001v2"})
    )
    [paper] = fake.papers()
    assert paper.id == first
    assert fake.paper("2401.00001").id == first
    # From now on the second title alone names the same paper.
    fake.ingest(write_papers("c.jsonl", {"title": "Density ratios: revised", "abstract": "x"}))
    assert len(list(fake.papers())) == 1


def test_a_reading_that_joins_two_papers_makes_them_one(fake, write_papers) -> None:
    first = fake.ingest(write_papers("a.jsonl", ROW)).entries[0].paper_id
    second = fake.ingest(write_papers("b.jsonl", OTHER | {"doi": "10.1234/x"})).entries[0].paper_id
    fake.ingest(write_papers("c.jsonl", ROW | {"doi": "10.1234/x"}))
    assert [paper.id for paper in fake.papers()] == [first]
    assert fake.paper(second).id == first
    assert len(fake.paper(first).sightings) == 3
    assert {hit.paper.id for hit in fake.search("cats sleep")} == {first}


def test_the_daily_pages_and_arxiv_share_papers(fake, pages, shared, tmp_path) -> None:
    fake.ingest([pages])
    titles = {paper.id: paper for paper in fake.papers()}
    from rag.records import paper_id

    with gzip.open(shared / "datasets" / "arxiv_papers.jsonl.gz", "rt", encoding="utf-8") as file:
        both = [line for line in file if paper_id(json.loads(line)["title"]) in titles]
    path = tmp_path / "both.jsonl"
    path.write_text("".join(both))
    assert outcomes(fake.ingest([path])) == {"merged": 14}
    assert len(list(fake.papers())) == len(titles)
    merged = [paper for paper in fake.papers() if paper.external_ids]
    assert len(merged) == 14
    assert all(paper.authors and paper.author_count == len(paper.authors) for paper in merged)


def test_the_ledger_reports_what_failed_and_why(fake, tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW) + "\n{broken\n" + json.dumps(OTHER) + "\n")
    (tmp_path / "notes.md").write_text("x")
    report = fake.ingest([path, tmp_path / "notes.md"])
    assert outcomes(report) == {"added": 2, "failed": 2}
    failures = [(entry.line, entry.reason) for entry in fake.status().failures]
    assert failures[0][0] == 2
    assert "broken JSON" in failures[0][1]
    assert "unknown file type" in failures[1][1]
    assert [entry.outcome for entry in fake.library.catalog.ledger()].count(Outcome.FAILED) == 2
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(OTHER) + "\n")
    fake.ingest([path])
    assert [entry.source.endswith("notes.md") for entry in fake.status().failures] == [True]


def test_removing_takes_a_paper_out_everywhere(fake, write_papers) -> None:
    fake.ingest(write_papers("a.jsonl", ROW | {"id": "2401.00001"}, OTHER))
    identity = fake.paper("2401.00001").id
    assert fake.remove(identity).title == ROW["title"]
    with pytest.raises(NotFound, match="list the papers with: rag papers"):
        fake.paper(identity)
    assert {hit.paper.title for hit in fake.search("density ratios")} == {OTHER["title"]}
    assert outcomes(fake.ingest(write_papers("a.jsonl", ROW | {"id": "2401.00001"}, OTHER))) == {
        "added": 1,
        "unchanged": 1,
    }
    assert fake.search("density ratios")[0].paper.id == identity


def test_another_embedder_is_refused_with_the_fix(fake, write_papers) -> None:
    fake.ingest(write_papers("a.jsonl", ROW, OTHER))
    with Assistant(fake.config, embedder=WordEmbedder(dimension=32, weights="others")) as other:
        with pytest.raises(EmbedderMismatch, match="rag rebuild --embed"):
            other.search("density")
        with pytest.raises(EmbedderMismatch, match="rag rebuild --embed"):
            other.ingest(write_papers("b.jsonl", {"title": "New", "abstract": "New."}))
        other.rebuild(embed=True)
        assert other.search("density ratios", 1)[0].paper.title == ROW["title"]


def test_long_papers_and_titles_lose_nothing(fake, write_papers) -> None:
    row = {
        "title": "Very " * 80 + "long",
        "abstract": "A sentence of seven words comes here. " * 60 + "nospace" * 300,
    }
    fake.ingest(write_papers("a.jsonl", row))
    [paper] = fake.papers()
    [parts] = fake.library.catalog.parts([paper.id]).values()
    covered = "".join("".join(paper.text[p.start : p.end].split()) for p in parts.passages)
    assert covered == "".join(row["abstract"].split())


def test_a_mistyped_path_leaves_no_library(tmp_path) -> None:
    with (
        Assistant.open(home=tmp_path / "new") as assistant,
        pytest.raises(InputError, match="no file or folder"),
    ):
        assistant.ingest([tmp_path / "nothing"])
    assert not (tmp_path / "new").exists()


def test_an_impossible_page_year(fake, write_papers) -> None:
    with pytest.raises(InputError, match="page year"):
        fake.ingest(write_papers("a.jsonl", ROW), page_year=20)


def test_a_corrected_title_replaces_the_old_one(fake, write_papers) -> None:
    fake.ingest(write_papers("a.jsonl", ROW | {"title": "Densty Ratios", "id": "2401.00001"}))
    corrected = ROW | {"id": "2401.00001", "abstract": "Walruses swim."}
    assert outcomes(fake.ingest(write_papers("a.jsonl", corrected))) == {"changed": 1}
    [paper] = fake.papers()
    assert paper.text == "Density Ratios\n\nWalruses swim."
    assert outcomes(fake.ingest(write_papers("a.jsonl", corrected))) == {"unchanged": 1}


@pytest.mark.parametrize(
    "name",
    ["2401.00001", "arXiv:2401.00001", "2401.00001v3", "https://arxiv.org/abs/2401.00001v1", "doi"],
)
def test_a_paper_by_its_names_elsewhere(fake, write_papers, name) -> None:
    fake.ingest(write_papers("a.jsonl", ROW | {"id": "2401.00001", "doi": "10.1000/x"}, OTHER))
    if name.startswith("doi"):
        name = "https://doi.org/10.1000/X"
    assert fake.paper(name).title == ROW["title"]


def test_questions_are_answered_while_papers_are_embedded(fake, write_papers) -> None:
    fake.ingest(
        [
            write_papers(
                "first.jsonl", {"title": "Density ratios", "abstract": "Density ratios are learnt."}
            )
        ]
    )
    embedding, answered = threading.Event(), threading.Event()

    class Slow(WordEmbedder):
        def embed(self, texts):
            if threading.current_thread() is writer:
                embedding.set()
                assert answered.wait(30)
            return super().embed(texts)

    more = write_papers("more.jsonl", {"title": "Pruned trees", "abstract": "Trees are pruned."})
    with Assistant(fake.config, embedder=Slow()) as slow:
        writer = threading.Thread(target=slow.ingest, args=([more],))
        writer.start()
        try:
            assert embedding.wait(30)
            answer = slow.ask("are density ratios learnt?")
            assert answer.citations
            assert answer.looked_at == slow.status().papers == len(list(slow.papers())) == 1
        finally:
            answered.set()
            writer.join(30)
        assert slow.status().papers == 2
        assert slow.ask("what trees are pruned?").sources[0].paper.title == "Pruned trees"


def test_one_id_under_several_titles_leaves_the_library_open(fake, write_papers) -> None:
    fake.ingest(
        [write_papers("a.jsonl", {"title": "First paper", "abstract": "On bees and hives."})]
    )
    fake.search("bees")  # so that there are indexes to follow
    rows = [
        {"title": f"Title {n}", "abstract": f"Text {n}.", "arxiv_id": "2401.00001"}
        for n in range(3)
    ]
    fake.ingest([write_papers("b.jsonl", *rows)])
    assert [hit.paper.title for hit in fake.search("bees hives", 1)] == ["First paper"]
    assert len(list(fake.papers())) == 2
    fake.rebuild()
    assert fake.status().indexes == {"terms": "current", "vectors": "current"}


def test_a_library_that_noted_a_passage_as_gone_twice_opens_again(fake, write_papers) -> None:
    """Earlier versions left this state, which neither a question nor a rebuild could repair."""
    fake.ingest(
        [write_papers("a.jsonl", {"title": "First paper", "abstract": "On bees and hives."})]
    )
    fake.search("bees")
    catalog = fake.library.catalog
    [passage] = catalog.parts([paper.id for paper in fake.papers()]).popitem()[1].passages
    with catalog.transaction():
        generation = catalog.generation() + 1
        catalog._db.executemany(
            "INSERT INTO gone VALUES (?, ?, ?)", [(passage.id, passage.paper_id, generation)] * 3
        )
        catalog._db.execute("UPDATE papers SET generation = ?", (generation,))
        catalog._set_meta("generation", str(generation))
    assert [hit.paper.title for hit in fake.search("bees", 1)] == ["First paper"]
    fake.rebuild()
    assert fake.status().indexes == {"terms": "current", "vectors": "current"}
