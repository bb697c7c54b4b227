"""Export answers and papers as Markdown, BibTeX and JSON.

Texts of questions, papers and models are data, so they are escaped: they appear exactly as written
and never act as markup.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from rag.conversations.journal import KeptTurn
from rag.errors import InputError
from rag.output.plain_text import facts
from rag.output.target_files import writable
from rag.records import Answer, CatalogFact, Citation, Hit, Paper, Statement
from rag.records.json_format import answer_row, paper_row

Exported = Answer | KeptTurn

_SUFFIXES = (".md", ".bib", ".json")
_LINKS = {"arxiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
# Characters with a meaning in Markdown or HTML. The last two alternatives stop renderers such as
# GitHub's from turning "https://..." and "www. ..." into links.
_MARKUP = re.compile(r"[\\`*_\[\]<>&#|~$!@]|(?<=:)//|(?<=\bwww)\.", re.IGNORECASE)
# The start of a list item ("- ", "1. ") or the underline of a heading ("===").
_LIST = re.compile(r"^(?:[-+=]|\d+(?=[.)]))")
# A short formula of harmless characters stays a LaTeX formula. Other text between two dollar signs
# is escaped: it may be a price, or a LaTeX command.
_FORMULA = re.compile(r"(\$[\w\s^+\-=<>()/.,'|*]{1,40}\$)", re.ASCII)
_LATEX = {
    **{sign: f"\\{sign}" for sign in "$&%#_"},
    # Not "\{": BibTeX counts a brace even after a backslash, and the entry would not close.
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_FEW_WORDS = {"a", "an", "the", "on", "of", "for", "in", "to", "and", "with", "from", "is", "are"}


def markdown(answers: Sequence[Exported], title: str = "") -> str:
    """Return Markdown: questions, answers with citation markers, and references with evidence."""
    head = [f"# {_escaped(title)}"] if title.strip() else []
    return "\n\n".join([*head, *("\n\n".join(_section(answer)) for answer in answers)]) + "\n"


def bibtex(papers: Iterable[Paper]) -> str:
    """Return one BibTeX entry per paper, without duplicates.

    A key depends on its paper only, so it is the same in every export.
    """
    by_id = {paper.id: paper for paper in papers}
    return "\n".join(_entry(paper) for paper in by_id.values())


def as_json(answers: Sequence[Exported]) -> str:
    """Return a JSON list of answers as `rag ask --json` prints them, each with its `sources`.

    Turns of a conversation also have their time (`asked`) and judgement (`good`, `word`).
    """
    return json.dumps([_row(answer) for answer in answers], ensure_ascii=False, indent=2) + "\n"


def exportable(path: Path) -> Path:
    """Return the path if an export can be written there, and raise InputError if not.

    Call it before a long answer is made, so that the answer is not lost.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"can't export to {path}: the name must end in .md, .bib or .json")
    return writable(path)


def export(path: Path, answers: Sequence[Exported], title: str = "") -> None:
    """Write answers in the format that the file's name ends in: .md, .bib or .json.

    Raises InputError if the name has another ending or the file can't be written.
    """
    cited_papers = (hit.paper for answer in answers for hit in _answer(answer).sources)
    formats = {
        ".md": lambda: markdown(answers, title),
        ".bib": lambda: bibtex(cited_papers),
        ".json": lambda: as_json(answers),
    }
    text = formats[exportable(path).suffix.lower()]()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"can't write to {path}: {error.strerror}") from None


def link(paper: Paper) -> str | None:
    """Return the web address of a paper: its URL, or else the page of its arXiv id or DOI."""
    if paper.url and re.match(r"https?://[^/\s]", paper.url, re.IGNORECASE):
        return quote(paper.url, safe=":/?#@!$&'()*+,;=%~-._")
    return next(
        (
            _LINKS[external.kind] + quote(external.value)
            for external in paper.external_ids
            if external.kind in _LINKS
        ),
        None,
    )


def _answer(exported: Exported) -> Answer:
    return exported.answer if isinstance(exported, KeptTurn) else exported


def _row(exported: Exported) -> dict[str, object]:
    answer = _answer(exported)
    row = {**answer_row(answer), "sources": [paper_row(hit.paper) for hit in answer.sources]}
    if isinstance(exported, KeptTurn):
        row |= {"asked": exported.asked, "good": exported.good, "word": exported.word}
    return row


# -- Markdown --


def _section(exported: Exported) -> Iterator[str]:
    answer = _answer(exported)
    yield f"## {_escaped(answer.question)}"
    if filters := (*answer.scope.filters, *answer.filters):
        yield f"*Only papers: {_escaped(', '.join(filters))}*"
    yield from (f"*Note: {_escaped(notice)}*" for notice in answer.notices)
    yield from (_marked(statement) for statement in answer.statements)
    if not answer.statements:
        yield "\n".join(_line(line) for line in answer.text.splitlines())
    if answer.sources:
        yield "### References"
        yield "\n".join(line for hit in answer.sources for line in _reference(hit, answer))


def _marked(statement: Statement) -> str:
    title = f"**{_escaped(statement.title)}:** " if statement.title else ""
    doubts = f" (check: {_escaped('; '.join(statement.doubts))})" if statement.doubts else ""
    return f"{title}{_escaped(statement.text)} {_markers(statement.citations)}{doubts}"


def _line(line: str) -> str:
    """Escape a line of an answer's text, but keep the "- " of a list of titles."""
    return f"- {_escaped(line[2:])}" if line.startswith("- ") else f"{_escaped(line)}\n"


def _reference(hit: Hit, answer: Answer) -> Iterator[str]:
    citations = [citation for citation in answer.citations if citation.paper_id == hit.paper.id]
    title, details = _escaped(hit.paper.title), _escaped(facts(hit.paper))
    address = f" <{url}>" if (url := link(hit.paper)) else ""
    yield f"- {_markers(citations)} **{title}** ({details}){address}"
    for citation in citations:
        for evidence in citation.evidence:
            if isinstance(evidence, CatalogFact):
                yield f"  - [{citation.mark}] {evidence.name}: {_escaped(evidence.printed)}"
            else:
                yield f"  - [{citation.mark}] “{_escaped(evidence.text)}”"


def _markers(citations: Iterable[Citation]) -> str:
    return "".join(f"[{citation.mark}]" for citation in citations)


def _escaped(text: str) -> str:
    """Put a text on one line and escape it, so that Markdown and HTML show it as written."""
    escaped = _MARKUP.sub(lambda match: f"\\{match[0]}", _plain(text))
    # "\-" is a plain hyphen. A backslash before a digit would be printed, so "1." becomes "1\.".
    return _LIST.sub(
        lambda match: f"\\{match[0]}" if match[0] in "-+=" else f"{match[0]}\\", escaped
    )


def _plain(text: str) -> str:
    """Put a text on one line, with control characters as spaces."""
    return " ".join(
        "".join(" " if unicodedata.category(char) == "Cc" else char for char in text).split()
    )


# -- BibTeX --


def _entry(paper: Paper) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in _fields(paper))
    return f"@misc{{{_key(paper)},\n{lines}}}\n"


def _fields(paper: Paper) -> Iterator[tuple[str, str]]:
    # The inner braces keep the title's capitals, which BibTeX styles would otherwise lower.
    yield "title", f"{{{_latex(paper.title)}}}"
    if paper.authors:
        yield "author", " and ".join(_name(author) for author in paper.authors)
    if paper.published:
        yield "year", f"{paper.published.year:04d}"
    for external in paper.external_ids:
        if external.kind == "arxiv":
            yield "eprint", quote(external.value)
            yield "archivePrefix", "arXiv"
        elif external.kind == "doi":
            yield "doi", quote(external.value, safe="/:;()._-<>")
    if url := link(paper):
        yield "url", url
    if notes := "; ".join(_notes(paper)):
        yield "note", _latex(notes)


def _notes(paper: Paper) -> Iterator[str]:
    if paper.published and paper.published.inferred:
        yield "year inferred from the page that lists the paper"
    if paper.author_count and not paper.authors:
        plural = "" if paper.author_count == 1 else "s"
        yield f"{paper.author_count} author{plural}, names not known"
    if paper.organisation:
        yield paper.organisation


def _name(author: str) -> str:
    """Return an author's name for BibTeX.

    BibTeX splits authors at "and" and a name at commas, so a name with an "and" or with two commas
    is put in braces.
    """
    name = _latex(author)
    return f"{{{name}}}" if re.search(r"\band\b", name) or name.count(",") > 1 else name


def _key(paper: Paper) -> str:
    """Return the key: first author or first title word, year, and the start of the paper's id."""
    name = paper.authors[0].split(",")[0].split()[-1:] if paper.authors else []
    words = [*name, *(word for word in paper.title.split() if word.lower() not in _FEW_WORDS)]
    ascii_words = (
        re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", word.lower())) for word in words
    )
    year = str(paper.published.year) if paper.published else ""
    short_id = re.sub(r"[^A-Za-z0-9]", "", paper.id.removeprefix("p-"))[:8]
    return f"{next(filter(None, ascii_words), 'paper')[:20]}{year}-{short_id}"


def _latex(text: str) -> str:
    parts = _FORMULA.split(_plain(text))
    # split() with a group alternates text and formulas, so the odd parts are formulas.
    return "".join(
        part if n % 2 else "".join(_LATEX.get(char, char) for char in part)
        for n, part in enumerate(parts)
    )
