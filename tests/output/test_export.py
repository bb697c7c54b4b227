"""An export shows texts exactly as they were written, including special characters."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rag.conversations.journal import KeptTurn
from rag.errors import InputError
from rag.output.export import as_json, bibtex, export, link, markdown
from rag.records import (
    Answer,
    Citation,
    ExternalId,
    Found,
    Hit,
    Paper,
    Passage,
    PublishedDate,
    Statement,
    TextSpan,
)

QUESTION = "which papers study density ratios in RL?"


def made(title: str, **facts) -> Paper:
    return Paper(f"p-{abs(hash(title)):016x}"[:18], title, **facts)


def test_an_answer_as_markdown(demo) -> None:
    answer = demo.ask(QUESTION)
    text = markdown([answer], "Density ratios")
    assert text.startswith(f"# Density ratios\n\n## {QUESTION}\n\n**Harnessing Density Ratios")
    assert "### References" in text
    for statement in answer.statements:
        assert f"**{statement.title}:**" in text
    for citation in answer.citations:
        assert text.count(f"[{citation.mark}]") == 3
    assert "(2024-01-17 · 5 authors · sample.jsonl:1)" in text


def test_a_refusal_and_a_fact_as_markdown(demo) -> None:
    assert "- " in markdown([demo.ask("What is the best pizza recipe?")])
    text = markdown([demo.ask("How many authors has Barlow Twins?")])
    assert re.search(r"  - \[1\] number of authors: \d authors", text)


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "http://evil.example www.evil.example a@evil.example",
    "# heading",
    "1. list",
    "- item",
    "`code` *bold* __x__ ~~gone~~",
    "a | b\n--- | ---\nc | d",
    "&lt;script&gt; &#x41;",
    "line\n\n<script>x</script>\n===",
    "\\[ \\ \\* trailing \\",
    "[1]: http://evil.example",
    "> quote",
    "$\\input{/etc/passwd}$",
]


def hostile_answer(text: str) -> Answer:
    paper = made(text, abstract=text, organisation=text)
    citation = Citation(1, paper.id, text, (TextSpan(0, len(text), text),), 0.5)
    hit = Hit(paper, Passage("x", paper.id, 0, 1), 1.0, 1, (Found("dense", 1.0),))
    said = Statement(text, (citation,), text, (text,))
    return Answer(text, text, said.marked, (citation,), (hit,), notices=(text,), statements=(said,))


def shown(text: str) -> tuple[set[str], str]:
    """The kinds of elements that Markdown makes of a text, and its words as shown."""
    reader = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(
        ["table", "strikethrough"]
    )
    tokens = [token for block in reader.parse(text) for token in [block, *(block.children or ())]]
    words = [token.content for token in tokens if token.type in ("text", "text_special")]
    return {token.type for token in tokens}, "".join(words)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_markup(text) -> None:
    kinds, words = shown(markdown([hostile_answer(text)], text))
    plain, _ = shown(markdown([hostile_answer("plain")], "plain"))
    assert kinds <= plain | {"text_special"}
    assert words.count(" ".join(text.split())) >= 7


@given(text=st.text(min_size=1).filter(lambda text: text.strip() and text.isprintable()))
def test_any_text_reads_as_written(text) -> None:
    assert " ".join(text.split()) in shown(markdown([], text))[1]


def test_links() -> None:
    assert link(made("x", url="https://x.example/a b>c")) == "https://x.example/a%20b%3Ec"
    assert link(made("x", url="javascript:alert(1)")) is None
    assert (
        link(made("x", external_ids=(ExternalId("arxiv", "2401.09681"),)))
        == "https://arxiv.org/abs/2401.09681"
    )
    assert (
        link(made("x", external_ids=(ExternalId("doi", "10.1/x(y)"),)))
        == "https://doi.org/10.1/x%28y%29"
    )
    assert link(made("x")) is None


def test_bibtex() -> None:
    paper = Paper(
        "p-0123456789abcdef",
        "A 100% $f$-Divergence & {Braces}_x",
        authors=("Émilie Dûpont", "Smith and Sons, Ltd"),
        published=PublishedDate(2024, 1, inferred=True),
        external_ids=(ExternalId("arxiv", "2401.09681"), ExternalId("doi", "10.1/a_b")),
    )
    assert bibtex([paper, paper]) == (
        "@misc{dupont2024-01234567,\n"
        r"  title = {{A 100\% $f$-Divergence \& \textbraceleft{}Braces\textbraceright{}\_x}},"
        + "\n"
        "  author = {Émilie Dûpont and {Smith and Sons, Ltd}},\n"
        "  year = {2024},\n"
        "  eprint = {2401.09681},\n"
        "  archivePrefix = {arXiv},\n"
        "  doi = {10.1/a_b},\n"
        "  url = {https://arxiv.org/abs/2401.09681},\n"
        "  note = {year inferred from the page that lists the paper},\n"
        "}\n"
    )


def test_bibtex_of_a_paper_of_which_little_is_known() -> None:
    entry = bibtex([Paper("p-0123456789abcdef", "The GLOW", author_count=3)])
    assert entry.startswith("@misc{glow-01234567,\n  title = {{The GLOW}},\n")
    assert "3 authors, names not known" in entry
    assert "year" not in entry
    assert "author =" not in entry


def test_keys_are_unique_and_stay(daily) -> None:
    papers = list(daily.papers())
    keys = re.findall(r"@misc\{(.*),", bibtex(papers))
    assert len(set(keys)) == len(papers) == 270
    assert re.findall(r"@misc\{(.*),", bibtex(papers[::-1])) == keys[::-1]


@settings(deadline=None)
@given(title=st.text(min_size=1), author=st.text(min_size=1), url=st.text())
def test_no_title_breaks_out_of_its_braces(title, author, url) -> None:
    entry = bibtex([Paper("p-0", title, authors=(author,), url=f"https://x/{url}")])
    depth = 0
    for place, sign in enumerate(entry):
        depth += (sign == "{") - (sign == "}")
        assert depth > 0 or place < 6 or place >= len(entry) - 2
    assert depth == 0
    assert not re.search(r"\\(?![$&%#_]|text(?:brace|backslash|ascii))", entry)


def test_json_and_files(demo, tmp_path) -> None:
    answer = demo.ask(QUESTION)
    [row] = json.loads(as_json([KeptTurn(1, "2026-11-21T00:00:00+00:00", answer, True, "fine")]))
    assert (row["text"], row["good"], row["word"]) == (answer.text, True, "fine")
    assert [paper["id"] for paper in row["sources"]] == [hit.paper.id for hit in answer.sources]
    for name, begins in {
        "a.md": "## which",
        "a.BIB": "@misc{harnessing2024-",
        "a.json": "[\n",
    }.items():
        export(tmp_path / name, [answer])
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    with pytest.raises(InputError, match=r"\.md, \.bib or \.json"):
        export(tmp_path / "a.pdf", [answer])
    with pytest.raises(InputError, match="there is no folder"):
        export(tmp_path / "none" / "a.md", [answer])
