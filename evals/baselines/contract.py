"""What the baselines share: read a request, time an engine over it, write its run. Standard library only.

    python evals/baselines/NAME.py REQUEST.json RUN.jsonl

REQUEST.json: {"papers": [{"id", "title", "abstract"}], "queries": [{"id", "text"}], "k", "model"}, "model" being the
folder or hub name of the embedding model, which bm25 leaves unread.
RUN.jsonl: a line a hit, {"query", "paper", "score", "rank"}, best first, a paper once, at most k papers a query.
A program that answers reads "llm": {"base_url", "model", "context", "max_tokens"} too, an OpenAI-compatible server
whose key is in LLM_API_KEY, and writes another RUN.jsonl: a line a query, {"query", "text", "sources", "seconds"}. A
mark [n] in the text cites the n-th of the sources, which are ids of papers.

RUN.jsonl.meta.json: {"baseline", "versions", "settings", "seconds": {"index", "query"}}. "index" runs from the request
to a searchable index, loading the model included; "query" is all queries, one after the other.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

Ranking = list[tuple[str, float]]  # (paper or query id, score), best first


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper to search."""

    id: str
    title: str
    abstract: str


@dataclass(frozen=True, slots=True)
class Query:
    """One query to answer."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Writer:
    """The server of the language model that writes answers; `context` and `max_tokens` are counts of tokens."""

    base_url: str
    model: str
    context: int
    max_tokens: int

    @property
    def key(self) -> str:
        """The server's API key, which no file holds."""
        return os.environ.get("LLM_API_KEY") or "none"


@dataclass(frozen=True, slots=True)
class Request:
    """What a baseline is asked; `llm` is there where it is to answer."""

    papers: Sequence[Paper]
    queries: Sequence[Query]
    k: int
    model: str
    llm: Writer | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """A built index: the settings to record, and a search that gives at most k papers for a text."""

    settings: dict[str, Any]
    search: Callable[[str, int], Ranking]


@dataclass(frozen=True, slots=True)
class Said:
    """An answer in which [n] cites the n-th source, a paper's id."""

    text: str
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answerer:
    """The settings to record, and what answers a question."""

    settings: dict[str, Any]
    answer: Callable[[str], Said]


def run(baseline: str, packages: Sequence[str], build: Callable[[Request], Engine]) -> None:
    """Answer the request named on the command line."""
    request, target = _named()
    started = time.perf_counter()
    engine = build(request)
    indexed = time.perf_counter()
    rankings = {query.id: engine.search(query.text, request.k) for query in request.queries}
    answered = time.perf_counter()
    write_run(target, request, rankings)
    _record(
        target,
        baseline,
        packages,
        {"k": request.k} | engine.settings,
        indexed - started,
        answered - indexed,
    )


def run_answers(
    baseline: str, packages: Sequence[str], build: Callable[[Request], Answerer]
) -> None:
    """Answer the queries of the request named on the command line, a line as soon as each is answered."""
    request, target = _named()
    started = time.perf_counter()
    answerer = build(request)
    indexed = time.perf_counter()
    with target.open("w", encoding="utf-8") as file:
        for query in request.queries:
            asked = time.perf_counter()
            said = answerer.answer(query.text)
            row = {"query": query.id, "text": said.text, "sources": list(said.sources)}
            seconds = round(time.perf_counter() - asked, 3)
            file.write(json.dumps({**row, "seconds": seconds}, ensure_ascii=False) + "\n")
            file.flush()
    _record(
        target,
        baseline,
        packages,
        answerer.settings,
        indexed - started,
        time.perf_counter() - indexed,
    )


def _named() -> tuple[Request, Path]:
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} REQUEST.json RUN.jsonl")
    return read_request(Path(sys.argv[1])), Path(sys.argv[2])


def _record(
    target: Path,
    baseline: str,
    packages: Sequence[str],
    settings: dict[str, Any],
    index: float,
    query: float,
) -> None:
    record = {
        "baseline": baseline,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in packages},
        "settings": settings,
        "seconds": {"index": round(index, 3), "query": round(query, 3)},
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    target.with_name(target.name + ".meta.json").write_text(text + "\n", encoding="utf-8")


def read_request(path: Path) -> Request:
    """Read a request; ids that are not unique would mix up the run, so they are refused."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    papers = [Paper(row["id"], row["title"], row["abstract"]) for row in raw["papers"]]
    queries = [Query(row["id"], row["text"]) for row in raw["queries"]]
    if len({paper.id for paper in papers}) < len(papers) or len(
        {query.id for query in queries}
    ) < len(queries):
        raise ValueError(f"{path}: an id occurs twice")
    if raw["k"] < 1 or not papers:
        raise ValueError(f"{path}: needs k of at least 1 and a paper")
    return Request(
        papers, queries, raw["k"], raw["model"], Writer(**raw["llm"]) if "llm" in raw else None
    )


def write_run(path: Path, request: Request, rankings: dict[str, Ranking]) -> None:
    """Write a run, after a check that it is one: known papers, each once, scores that never rise, at most k."""
    known = {paper.id for paper in request.papers}
    with path.open("w", encoding="utf-8") as file:
        for query, ranking in rankings.items():
            papers, scores = [paper for paper, _ in ranking], [score for _, score in ranking]
            if (
                len(papers) > request.k
                or len(set(papers)) < len(papers)
                or not known.issuperset(papers)
            ):
                raise ValueError(
                    f"query {query}: more than k papers, a paper twice or an unknown one"
                )
            if scores != sorted(scores, reverse=True):
                raise ValueError(f"query {query}: the scores are not in order")
            for rank, (paper, score) in enumerate(ranking, start=1):
                file.write(
                    json.dumps({"query": query, "paper": paper, "score": score, "rank": rank})
                    + "\n"
                )


def best_papers(chunks: Callable[[int], Ranking], total: int, k: int) -> Ranking:
    """Rank papers by their best chunk; chunks(n) gives the papers of the n best of the total chunks.

    Several chunks of one paper take one place, so the search goes deeper until k papers or all chunks are there.
    """
    depth = min(k, total)
    while True:
        best: dict[str, float] = {}
        for paper, score in chunks(depth):
            best.setdefault(paper, score)
        if len(best) >= k or depth == total:
            return list(best.items())[:k]
        depth = min(2 * depth, total)
