"""Answers and papers in the forms that others read: Markdown, BibTeX, JSON.

Every text of a question, a paper or a model is data: it is escaped, so that it reads as it is written.
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
_MARKUP = re.compile(r"[\\`*_\[\]<>&#|~$!@]|(?<=:)//|(?<=\bwww)\.", re.IGNORECASE)
_LIST = re.compile(r"^(?:[-+=]|\d+(?=[.)]))")
# Formulas that hold nothing but plain signs are kept as formulas; what else stands between dollars might be anything.
_FORMULA = re.compile(r"(\$[\w\s^+\-=<>()/.,'|*]{1,40}\$)", re.ASCII)
_LATEX = {
    **{sign: f"\\{sign}" for sign in "$&%#_"},
    # BibTeX counts braces even behind a backslash.
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_FEW_WORDS = {"a", "an", "the", "on", "of", "for", "in", "to", "and", "with", "from", "is", "are"}


def markdown(answers: Sequence[Exported], title: str = "") -> str:
    """Questions, answers with their marks, and numbered references with the sentences that the marks point to."""
    head = [f"# {_escaped(title)}"] if title.strip() else []
    return "\n\n".join([*head, *("\n\n".join(_section(one)) for one in answers)]) + "\n"


def bibtex(papers: Iterable[Paper]) -> str:
    """One entry a paper, each paper once; a key is made of nothing but its paper, so it stays the same."""
    once = {paper.id: paper for paper in papers}
    return "\n".join(_entry(paper) for paper in once.values())


def as_json(answers: Sequence[Exported]) -> str:
    """A list of answers as `rag ask --json` prints them, with `sources` and, of a conversation, time and judgement."""
    return json.dumps([_row(one) for one in answers], ensure_ascii=False, indent=2) + "\n"


def exportable(path: Path) -> Path:
    """The path itself, if an export can go there: before a long answer, not after it. Raises InputError."""
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"can't export to {path}: the name must end in .md, .bib or .json")
    return writable(path)


def export(path: Path, answers: Sequence[Exported], title: str = "") -> None:
    """Write answers to a file in the form that its name ends in: .md, .bib or .json. Raises InputError."""
    cited = (hit.paper for one in answers for hit in _answer(one).sources)
    forms = {
        ".md": lambda: markdown(answers, title),
        ".bib": lambda: bibtex(cited),
        ".json": lambda: as_json(answers),
    }
    text = forms[exportable(path).suffix.lower()]()
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"can't write to {path}: {error.strerror}") from None


def link(paper: Paper) -> str | None:
    """Where the paper can be read on the web: its URL, or that of its arXiv id or DOI."""
    if paper.url and re.match(r"https?://[^/\s]", paper.url, re.IGNORECASE):
        return quote(paper.url, safe=":/?#@!$&'()*+,;=%~-._")
    return next(
        (_LINKS[one.kind] + quote(one.value) for one in paper.external_ids if one.kind in _LINKS),
        None,
    )


def _answer(one: Exported) -> Answer:
    return one.answer if isinstance(one, KeptTurn) else one


def _row(one: Exported) -> dict[str, object]:
    answer = _answer(one)
    row = {**answer_row(answer), "sources": [paper_row(hit.paper) for hit in answer.sources]}
    kept = (
        {"asked": one.asked, "good": one.good, "word": one.word}
        if isinstance(one, KeptTurn)
        else {}
    )
    return {**row, **kept}


# -- Markdown ------------------------------------------------------------------------------------------------------


def _section(one: Exported) -> Iterator[str]:
    answer = _answer(one)
    yield f"## {_escaped(answer.question)}"
    if met := (*answer.scope.filters, *answer.filters):
        yield f"*Only papers: {_escaped(', '.join(met))}*"
    yield from (f"*Note: {_escaped(notice)}*" for notice in answer.notices)
    yield from (_said(statement) for statement in answer.statements)
    if not answer.statements:
        yield "\n".join(_line(line) for line in answer.text.splitlines())
    if answer.sources:
        yield "### References"
        yield "\n".join(line for hit in answer.sources for line in _reference(hit, answer))


def _said(statement: Statement) -> str:
    title = f"**{_escaped(statement.title)}:** " if statement.title else ""
    doubts = f" (check: {_escaped('; '.join(statement.doubts))})" if statement.doubts else ""
    return f"{title}{_escaped(statement.text)} {_marks(statement.citations)}{doubts}"


def _line(line: str) -> str:
    """A line of a text that may be a list of titles."""
    return f"- {_escaped(line[2:])}" if line.startswith("- ") else f"{_escaped(line)}\n"


def _reference(hit: Hit, answer: Answer) -> Iterator[str]:
    citations = [one for one in answer.citations if one.paper_id == hit.paper.id]
    where = f" <{at}>" if (at := link(hit.paper)) else ""
    yield f"- {_marks(citations)} **{_escaped(hit.paper.title)}** ({_escaped(facts(hit.paper))}){where}"
    for citation in citations:
        for evidence in citation.evidence:
            if isinstance(evidence, CatalogFact):
                yield f"  - [{citation.mark}] {evidence.name}: {_escaped(evidence.printed)}"
            else:
                yield f"  - [{citation.mark}] “{_escaped(evidence.text)}”"


def _marks(citations: Iterable[Citation]) -> str:
    return "".join(f"[{one.mark}]" for one in citations)


def _escaped(text: str) -> str:
    """Text on one line that Markdown and HTML show as it is."""
    escaped = _MARKUP.sub(lambda match: f"\\{match[0]}", _plain(text))
    return _LIST.sub(
        lambda match: f"\\{match[0]}" if match[0] in "-+=" else f"{match[0]}\\", escaped
    )


def _plain(text: str) -> str:
    """Text on one line, without control characters."""
    return " ".join(
        "".join(one if unicodedata.category(one) != "Cc" else " " for one in text).split()
    )


# -- BibTeX --------------------------------------------------------------------------------------------------------


def _entry(paper: Paper) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in _fields(paper))
    return f"@misc{{{_key(paper)},\n{lines}}}\n"


def _fields(paper: Paper) -> Iterator[tuple[str, str]]:
    yield "title", f"{{{_latex(paper.title)}}}"
    if paper.authors:
        yield "author", " and ".join(_name(author) for author in paper.authors)
    if paper.published:
        yield "year", f"{paper.published.year:04d}"
    for one in paper.external_ids:
        if one.kind == "arxiv":
            yield "eprint", quote(one.value)
            yield "archivePrefix", "arXiv"
        elif one.kind == "doi":
            yield "doi", quote(one.value, safe="/:;()._-<>")
    if at := link(paper):
        yield "url", at
    if notes := "; ".join(_notes(paper)):
        yield "note", _latex(notes)


def _notes(paper: Paper) -> Iterator[str]:
    if paper.published and paper.published.inferred:
        yield "year inferred from the page that lists the paper"
    if paper.author_count and not paper.authors:
        yield f"{paper.author_count} author{'' if paper.author_count == 1 else 's'}, names not known"
    if paper.organisation:
        yield paper.organisation


def _name(author: str) -> str:
    """A name; one that holds "and" or a comma of its own is kept together."""
    name = _latex(author)
    return f"{{{name}}}" if re.search(r"\band\b", name) or name.count(",") > 1 else name


def _key(paper: Paper) -> str:
    """First author or first word, year, and the beginning of the paper's id."""
    name = paper.authors[0].split(",")[0].split()[-1:] if paper.authors else []
    words = [*name, *(word for word in paper.title.split() if word.lower() not in _FEW_WORDS)]
    bare = (re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", word.lower())) for word in words)
    year = str(paper.published.year) if paper.published else ""
    identity = re.sub(r"[^A-Za-z0-9]", "", paper.id.removeprefix("p-"))
    return f"{next(filter(None, bare), 'paper')[:20]}{year}-{identity[:8]}"


def _latex(text: str) -> str:
    parts = _FORMULA.split(_plain(text))
    # Odd parts are formulas.
    return "".join(
        part if n % 2 else "".join(_LATEX.get(one, one) for one in part)
        for n, part in enumerate(parts)
    )
