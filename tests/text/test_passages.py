"""Sentences and passages: exact offsets, nothing lost, nothing too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.records import Paper
from rag.text.passages import passage_text, passages, pieces, sentences, shortened_title
from tests.fakes import WordEmbedder

COUNT = WordEmbedder().count
LIMIT = 40


def texts(paper):
    return [paper.text[part.start : part.end] for part in sentences(paper)]


@pytest.mark.parametrize(
    ("abstract", "expected"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("As Song et al. (2022) show, i.e. in Fig. 3, it holds. Next.", None),
        ("Gains of 4.6% vs. 3.1% w.r.t. BERT. Code is out.", None),
        ("It wins (see [3], e.g. Sec. 2). It is small.", None),
    ],
)
def test_sentences_end_where_they_should(abstract, expected) -> None:
    paper = Paper("p-1", "Title", abstract)
    expected = expected or [abstract.rpartition(". ")[0] + ".", abstract.rpartition(". ")[2]]
    assert texts(paper) == ["Title", *expected]


def test_repeated_sentences_keep_their_own_offsets() -> None:
    paper = Paper("p-1", "Again", "It works. It works. It works.")
    assert [part.start for part in sentences(paper)] == [0, 7, 17, 27]


TEXT = st.text(st.sampled_from("ab .?!,)\n(1λ中\u200f"), max_size=400)


@given(TEXT.filter(str.strip), TEXT)
def test_sentences_cover_the_text_without_overlap(title, abstract) -> None:
    paper = Paper("p-1", title, abstract)
    covered = 0
    for part in sentences(paper):
        assert covered <= part.start < part.end
        assert not paper.text[covered : part.start].strip()
        covered = part.end
    assert not paper.text[covered:].strip()


@given(TEXT.filter(str.strip), TEXT)
def test_passages_cover_the_abstract_and_fit(title, abstract) -> None:
    paper = Paper("p-1", title, abstract)
    packed = passages(paper, sentences(paper), COUNT, LIMIT)
    assert packed
    covered = len(title) + 2 if abstract.strip() else 0
    for number, passage in enumerate(packed):
        assert passage.id == f"p-1:{number}"
        assert not paper.text[covered : passage.start].strip()
        assert COUNT(passage_text(paper, passage, COUNT, LIMIT)) <= LIMIT
        covered = passage.end
    if abstract.strip():
        assert not paper.text[covered:].strip()


@given(TEXT, st.integers(4, 50))
def test_pieces_fit_and_lose_only_white_space(text, limit) -> None:
    parts = pieces(text, COUNT, limit)
    assert parts
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(COUNT(part) <= limit for part in parts)


def test_passages_are_whole_sentences_where_they_fit() -> None:
    paper = Paper(
        "p-1", "A title", " ".join(f"Sentence number {n} says something." for n in range(20))
    )
    units = sentences(paper)
    packed = passages(paper, units, COUNT, LIMIT)
    assert len(packed) > 1
    starts, ends = {unit.start for unit in units}, {unit.end for unit in units}
    assert all(passage.start in starts and passage.end in ends for passage in packed)


def test_a_title_may_not_crowd_out_its_passages() -> None:
    short = shortened_title("word " * 100, COUNT, LIMIT)
    assert short.startswith("word")
    assert COUNT(short) <= LIMIT // 2
