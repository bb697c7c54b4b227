"""JSON Lines, plain and gzipped, good and broken."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import InputError, SourceError
from rag.records import ExternalId, PublishedDate
from rag.sources import find, read

ARXIV = {
    "id": "2511.21699v2",
    "title": "A  Title\n over lines",
    "abstract": " It works. ",
    "authors": ["Ada Lovelace", "Alan Turing"],
    "categories": ["cs.CL"],
    "published": "2025-11",
    "url": "https://arxiv.org/abs/2511.21699",
}


def rows(path):
    return list(read(path))


def test_a_row_as_arxiv_has_it(write_papers) -> None:
    [entry] = rows(write_papers("a.jsonl", ARXIV))
    paper = entry.paper
    assert (paper.title, paper.abstract) == ("A Title over lines", "It works.")
    assert paper.authors == ("Ada Lovelace", "Alan Turing")
    assert (paper.author_count, paper.categories) == (2, ("cs.CL",))
    assert paper.published == PublishedDate(2025, 11)
    assert paper.external_ids == (ExternalId("arxiv", "2511.21699"),)
    assert paper.sightings[0].line == 1


def test_the_first_rows_of_the_real_file(shared, tmp_path) -> None:
    with gzip.open(shared / "datasets" / "arxiv_papers.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [next(file) for _ in range(2000)]
    path = tmp_path / "arxiv.jsonl.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    entries = rows(path)
    assert [entry.error for entry in entries if entry.error] == []
    assert all(
        entry.paper.external_ids and entry.paper.authors and entry.paper.published
        for entry in entries
    )


def test_a_doi_and_counts(write_papers) -> None:
    row = {
        "title": "T",
        "doi": "https://doi.org/10.1000/ABC.1",
        "author_count": 3,
        "comments": 0,
        "upvotes": 7,
    }
    paper = rows(write_papers("a.jsonl", row))[0].paper
    assert paper.external_ids == (ExternalId("doi", "10.1000/abc.1"),)
    assert (paper.author_count, paper.comments, paper.upvotes) == (3, 0, 7)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"title": ', "broken JSON at column 11"),
        ("[1, 2]", "must be one JSON object"),
        ('{"abstract": "no title"}', "'title' is missing or empty"),
        ('{"title": "?!"}', "'title' is missing or empty"),
        ('{"title": 3}', "'title' must be a string, not int"),
        ('{"title": "T", "authors": "Ada"}', "'authors' must be a list of strings"),
        ('{"title": "T", "published": "last year"}', "'published' must be YYYY"),
        ('{"title": "T", "published": "2023-02-30"}', "not a valid date"),
        ('{"title": "T", "published": "0000"}', "not a valid date"),
        ('{"title": "T", "comments": -1}', "'comments' must be a whole number"),
        ('{"title": "T", "comments": true}', "'comments' must be a whole number"),
        ("[" * 100_000, "JSON|nested"),
    ],
)
def test_a_broken_line_is_reported_with_its_number_and_the_rest_kept(tmp_path, line, said) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"title": "Good"}}\n\n{line}\n{{"title": "Also good"}}\n')
    entries = rows(path)
    assert [entry.paper.title for entry in entries if entry.paper] == ["Good", "Also good"]
    with pytest.raises(SourceError, match=said) as caught:
        raise next(entry.error for entry in entries if entry.error)
    assert caught.value.line == 3


def test_a_cut_archive_gives_what_it_holds_and_then_says_so(tmp_path) -> None:
    path = tmp_path / "a.jsonl.gz"
    whole = gzip.compress(
        b"".join(json.dumps({"title": f"Paper {n}"}).encode() + b"\n" for n in range(20000))
    )
    path.write_bytes(whole[: len(whole) // 2])
    entries = read(path)
    assert [next(entries).paper.title, next(entries).paper.title] == ["Paper 0", "Paper 1"]
    with pytest.raises(SourceError, match="can't be read further"):
        list(entries)


def test_a_wrong_archive_and_an_empty_file(tmp_path) -> None:
    (tmp_path / "a.jsonl.gz").write_text("plain")
    with pytest.raises(SourceError, match="not a gzip archive"):
        rows(tmp_path / "a.jsonl.gz")
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(SourceError, match="the file is empty"):
        rows(tmp_path / "a.jsonl")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ARXIV, "doi"]), inner, max_size=4)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*ARXIV, "doi", "comments", "author_count"]), JSON))
def test_any_object_is_a_paper_or_one_clear_error(tmp_path_factory, row) -> None:
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    path.write_text(json.dumps(row) + "\n")
    [entry] = rows(path)
    assert (entry.paper is None) != (entry.error is None)
    if entry.paper:
        entry.paper.text.encode("utf-8")


def test_finding_files(tmp_path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.jsonl", "deep/c.JSONL.gz", "notes.md", ".hidden.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find([tmp_path])] == ["a.jsonl", "b.txt", "c.JSONL.gz"]
    assert [path.name for path in find([tmp_path / "notes.md", tmp_path / "b.txt", tmp_path])][
        :2
    ] == [
        "notes.md",
        "b.txt",
    ]
    with pytest.raises(SourceError, match="unknown file type"):
        read(tmp_path / "notes.md")
    with pytest.raises(InputError, match="no file or folder"):
        find([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no papers"):
        find([tmp_path / "empty"])
