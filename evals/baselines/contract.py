"""Shared code of the baselines: read a request, time an engine, write its run.

It uses only the standard library.

    python evals/baselines/NAME.py REQUEST.json RUN.jsonl

REQUEST.json: {"papers": [{"id", "title", "abstract"}], "queries": [{"id", "text"}], "k", "model"}.
"model" is the folder or hub name of the embedding model; bm25 ignores it.

RUN.jsonl of a program that retrieves: a line per hit, {"query", "paper", "score", "rank"}, best hit
first. A paper occurs once per query, and a query has at most k papers.

A program that answers also reads "llm": {"base_url", "model", "context", "max_tokens"}, an
OpenAI-compatible server whose key is in the variable LLM_API_KEY. Its RUN.jsonl has a line per
query, {"query", "text", "sources", "seconds"}. The sources are ids of papers; the citation marker
[n] in the text cites the n-th source.

RUN.jsonl.meta.json: {"baseline", "versions", "settings", "seconds": {"index", "query"}}. "index" is
the time from the request to a searchable index, including the loading of the model. "query" is the
time of all queries, which run one after the other.
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
    """The server of the language model; `context` and `max_tokens` are numbers of tokens."""

    base_url: str
    model: str
    context: int
    max_tokens: int

    @property
    def key(self) -> str:
        """The server's API key. It is passed in the environment, so that no file contains it."""
        return os.environ.get("LLM_API_KEY") or "none"


@dataclass(frozen=True, slots=True)
class Request:
    """The request to a baseline; `llm` is None if it only retrieves."""

    papers: Sequence[Paper]
    queries: Sequence[Query]
    k: int
    model: str
    llm: Writer | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """A searchable index: the settings to record, and a search that returns at most k papers."""

    settings: dict[str, Any]
    search: Callable[[str, int], Ranking]


@dataclass(frozen=True, slots=True)
class Said:
    """An answer; [n] in its text cites the n-th source, which is the id of a paper."""

    text: str
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answerer:
    """An engine that answers: the settings to record, and a function from question to answer."""

    settings: dict[str, Any]
    answer: Callable[[str], Said]


def run(baseline: str, packages: Sequence[str], build: Callable[[Request], Engine]) -> None:
    """Search for the queries of the request that the command line names, and write the run."""
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
    """Answer the queries of the request that the command line names; write each answer at once."""
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
    """Read a request. Raises ValueError if an id is not unique, without papers, or if k < 1."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    papers = [Paper(row["id"], row["title"], row["abstract"]) for row in raw["papers"]]
    queries = [Query(row["id"], row["text"]) for row in raw["queries"]]
    if len({paper.id for paper in papers}) < len(papers) or len(
        {query.id for query in queries}
    ) < len(queries):
        raise ValueError(f"{path}: an id occurs twice")
    if raw["k"] < 1 or not papers:
        raise ValueError(f"{path}: k must be 1 or more, and there must be a paper")
    return Request(
        papers, queries, raw["k"], raw["model"], Writer(**raw["llm"]) if "llm" in raw else None
    )


def write_run(path: Path, request: Request, rankings: dict[str, Ranking]) -> None:
    """Check and write a run.

    Raises ValueError if a query has more than k papers, a paper twice, an unknown paper, or scores
    that are not in descending order.
    """
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
                    f"query {query}: more than k papers, a paper twice, or an unknown paper"
                )
            if scores != sorted(scores, reverse=True):
                raise ValueError(f"query {query}: the scores are not in descending order")
            for rank, (paper, score) in enumerate(ranking, start=1):
                file.write(
                    json.dumps({"query": query, "paper": paper, "score": score, "rank": rank})
                    + "\n"
                )


def best_papers(chunks: Callable[[int], Ranking], total: int, k: int) -> Ranking:
    """Rank papers by their best chunk; chunks(n) returns the papers of the n best chunks.

    `total` is the number of chunks. Since several chunks may belong to the same paper, the depth is
    doubled until there are k papers, or all chunks have been searched.
    """
    depth = min(k, total)
    while True:
        best: dict[str, float] = {}
        for paper, score in chunks(depth):
            best.setdefault(paper, score)
        if len(best) >= k or depth == total:
            return list(best.items())[:k]
        depth = min(2 * depth, total)
