"""Answers of the peers to a suite's questions, by the same language model, on the same server, from the same papers.

A peer's text is measured as ours is: its sentences, the papers that their marks cite, and our score of how well these
support them, which no peer was tuned on, nor ours on these questions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evals import measures, peers, runs
from evals.outcomes import Case, Outcome
from evals.runs import Run
from evals.suites import Context, Loaded, load
from evals.suites.suite import Say, data_folder
from rag.answer.generated.checking import sentences_of
from rag.answer.support import SupportScorer
from rag.assistant import Assistant
from rag.config import Config, load_config
from rag.errors import InputError
from rag.llm import Drafts
from rag.llm.local import LocalServer, open_endpoint
from rag.llm.local_models import settled
from rag.models import open_embedder
from rag.text.wording import split

# The program of each peer, and what follows on its command line.
PEERS = {
    "llamaindex-citations": ("llamaindex_answers.py",),
    "llamaindex-plain": ("llamaindex_answers.py", "plain"),
    "paperqa": ("paperqa_answers.py",),
}
# What they say where they find nothing; none of them has a word of its own for it that could be asked for.
_DECLINES = re.compile(
    r"\b(?:can(?:not|['’]t)|could not|unable to|do(?:es)? not|did not|didn['’]t|doesn['’]t|don['’]t|no|not|none of the|"
    r"insufficient|lacks?)\b[^.]{0,60}"
    r"\b(?:answer|answered|find|found|determined?|provided?|mention(?:ed)?|specif(?:y|ied|ic)|contain(?:ed)?|information|"
    r"stated?|reported?|helpful)\b",
    re.IGNORECASE,
)


def run(
    suite: str,
    only: Sequence[str] | None = None,
    *,
    questions: Path | None = None,
    home: str | Path | None = None,
    profile: str | None = None,
    data: Path | None = None,
    say: Say = lambda _: None,
) -> Iterator[Run]:
    """One run a peer, in runs/peers. Raises InputError for an unknown peer, without a model, and where a peer fails."""
    if unknown := set(only or ()) - PEERS.keys():
        raise InputError(
            f"there is no peer {sorted(unknown)[0]!r} that answers; known are {', '.join(PEERS)}"
        )
    config = settled(load_config(profile, home))
    if not config.writes:
        raise InputError(
            "the peers answer by a language model: name a profile that has one, such as --profile local"
        )
    loaded = load(suite, Context(settled(config, quotes=True), data_folder(data), questions, say))
    # None of the peers reads a catalog.
    cases = [case for case in loaded.cases if isinstance(case, Case) and case.type != "metadata"]
    endpoint = open_endpoint(config.llm)
    try:
        for peer in only or PEERS:
            with endpoint.open() as url:
                yield _run_peer(peer, config, (url, endpoint.key), loaded, cases, say)
    finally:
        if isinstance(endpoint, LocalServer):
            endpoint.close()
        loaded.close()


def _run_peer(
    peer: str,
    config: Config,
    server: tuple[str, str],
    loaded: Loaded,
    cases: Sequence[Case],
    say: Say,
) -> Run:
    python = peers.environment("heavy", config, say)
    folder = peers.ROOT / f"{loaded.name}-{peer}-answers"
    folder.mkdir(parents=True, exist_ok=True)
    asked, answered = folder / "request.json", folder / "answers.jsonl"
    llm, (url, key) = config.llm, server
    writer = {
        "base_url": url,
        "model": llm.model,
        "context": llm.context,
        "max_tokens": llm.max_tokens,
    }
    request = {
        **peers.request(config, loaded, cases),
        "model": peers.embedding_model(python),
        "llm": writer,
    }
    asked.write_text(json.dumps(request), encoding="utf-8")
    say(f"{loaded.name}: {peer} answers {len(cases)} questions")
    program, *flags = PEERS[peer]
    command = [str(python), str(peers.PROGRAMS / program), str(asked), str(answered), *flags]
    peers.call(command, f"the peer {peer}", LLM_API_KEY=key)
    about = json.loads(Path(f"{answered}.meta.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in answered.read_text(encoding="utf-8").splitlines()]
    return _measured(
        peer, folder, config, loaded, cases, {row["query"]: row for row in rows}, about
    )


def _measured(
    peer: str,
    folder: Path,
    config: Config,
    loaded: Loaded,
    cases: Sequence[Case],
    rows: dict[str, dict[str, Any]],
    about: dict[str, Any],
) -> Run:
    with Assistant(
        config.model_copy(update={"home": str(config.folder / "evals" / loaded.name)})
    ) as assistant:
        texts = {paper.id: paper.text for paper in assistant.papers()}
    judge = Judge(SupportScorer(open_embedder(config.embedder)), texts, config.answer.supported)
    recorder = peers.new_recorder(peer, folder, loaded, len(cases), about)
    for case in cases:
        row = rows[case.id]
        seen = {"question": case.question, "answer": row["text"], "sources": row["sources"]}
        recorder.add(loaded.name, case.id, case.type, Outcome(judge.measures(case, row), seen))
    recorder.finish()
    return runs.read(folder)


class Judge:
    """Measures the text of an answer whose marks cite papers, by the measures that ours have."""

    def __init__(self, scorer: SupportScorer, texts: dict[str, str], supported: float) -> None:
        self._scorer, self._texts, self._supported = scorer, texts, supported

    def measures(self, case: Case, row: dict[str, Any]) -> dict[str, float]:
        """All measures that apply; of a refusal only that it is one."""
        sentences = cited_sentences(row["text"], row["sources"])
        declined = declines(row["text"])
        values = {"answer seconds": row["seconds"], "answer words": float(len(row["text"].split()))}
        values["answerable"] = float(case.answerable)
        values["declined wrongly" if case.answerable else "answered wrongly"] = float(
            declined == case.answerable
        )
        if declined or not case.answerable:
            return values | ({"answer points": 0.0} if case.answerable and case.points else {})
        said = " ".join(text for text, _ in sentences)
        if (points := measures.points_covered(case.points, said)) is not None:
            values["answer points"] = points
        cited = {paper for _, papers in sentences for paper in papers}
        if cited:
            values["cited-paper precision"] = len(cited & case.relevant.keys()) / len(cited)
        holds = [[self._supports(text, paper) for paper in papers] for text, papers in sentences]
        if holds:
            values["citation recall"] = sum(map(any, holds)) / len(holds)
        if flat := [one for row in holds for one in row]:
            values["citation precision"] = sum(flat) / len(flat)
        return values

    def _supports(self, sentence: str, paper: str) -> bool:
        # As of ours, the better of the whole paper and its best sentence counts.
        text = self._texts[paper]
        return (
            max(self._scorer.score(sentence, [one]).score for one in (text, *split(text)))
            >= self._supported
        )


def cited_sentences(text: str, sources: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The sentences of a text with the papers that their marks cite; those without marks cite none."""
    drafts = Drafts(len(sources))
    marked = [*drafts.feed(text), *drafts.end()]
    sentences = [one for draft in marked for one in sentences_of(draft)]
    found = [
        (one.text, tuple(dict.fromkeys(sources[n - 1] for n in one.excerpts))) for one in sentences
    ]
    return found + ([(drafts.tail, ())] if drafts.tail else [])


def declines(text: str) -> bool:
    """Whether a text says, in its first sentence, that the papers do not answer, or says nothing."""
    sentences = split(text)
    return not sentences or _DECLINES.search(sentences[0]) is not None
