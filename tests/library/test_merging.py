"""What several readings of one paper make of it."""

from rag.library.merging import merge
from rag.records import ExternalId, Paper, PublishedDate, Sighting


def reading(source: str, **facts) -> Paper:
    sighting = Sighting(source, 1, comments=facts.pop("comments", None))
    return Paper(
        "p-read",
        facts.pop("title", "Title"),
        facts.pop("abstract", "Text."),
        sightings=(sighting,),
        **facts,
    )


def test_explicit_dates_beat_inferred_ones_and_finer_ones_win() -> None:
    inferred = PublishedDate(2025, 3, 9, inferred=True)
    month, day = PublishedDate(2024, 3), PublishedDate(2024, 3, 1)
    for dates, expected in [
        ([inferred, month], month),
        ([month, inferred], month),
        ([month, day], day),
        ([day, PublishedDate(2020, 1, 1)], day),
        ([None, inferred], inferred),
        ([None], None),
    ]:
        readings = [reading(f"s{n}", published=date) for n, date in enumerate(dates)]
        assert merge("p-1", readings, 0).published == expected


def test_named_authors_beat_a_number_and_the_newest_number_wins() -> None:
    named = reading("b", authors=("Ada", "Alan"), author_count=2)
    assert merge("p-1", [named, reading("a", author_count=5)], 0).author_count == 2
    assert (
        merge("p-1", [reading("a", author_count=5), reading("b", author_count=6)], 0).author_count
        == 6
    )


def test_the_newest_sighting_gives_the_counts() -> None:
    merged = merge("p-1", [reading("a", comments=3), reading("b", comments=9), reading("c")], 0)
    assert merged.comments == 9
    assert [sighting.source for sighting in merged.sightings] == ["a", "b", "c"]


def test_the_text_comes_from_the_reading_named() -> None:
    readings = [reading("a", abstract="Old."), reading("b", title="TITLE", abstract="New.")]
    assert merge("p-1", readings, 0).text == "Title\n\nOld."
    assert merge("p-1", readings, 1).text == "TITLE\n\nNew."
    assert merge("p-1", readings, 1).id == "p-1"


def test_external_ids_are_united() -> None:
    arxiv, doi = ExternalId("arxiv", "1"), ExternalId("doi", "2")
    assert merge(
        "p-1", [reading("a", external_ids=(doi,)), reading("b", external_ids=(arxiv, doi))], 0
    ).external_ids == (
        arxiv,
        doi,
    )
