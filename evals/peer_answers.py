"""Let the peers answer a suite's questions with the same language model, server and papers as we.

A peer's text is measured like ours: by its sentences, the papers that they cite, and our support
score. No peer was tuned on this score, and the score was not tuned on these questions.
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

# The program of each peer, and its extra command-line arguments.
PEERS = {
    "llamaindex-citations": ("llamaindex_answers.py",),
    "llamaindex-plain": ("llamaindex_answers.py", "plain"),
    "paperqa": ("paperqa_answers.py",),
}
# No peer has a fixed refusal, so refusals are recognised by their words: a negation, then a word
# about answering in the same sentence. Example: "The sources do not mention any FID."
_DECLINES = re.compile(
    r"\b(?:can(?:not|['’]t)|could not|unable to|do(?:es)? not|did not|didn['’]t|doesn['’]t|don['’]t"
    r"|no|not|none of the|insufficient|lacks?)\b[^.]{0,60}"
    r"\b(?:answer|answered|find|found|determined?|provided?|mention(?:ed)?|specif(?:y|ied|ic)"
    r"|contain(?:ed)?|information|stated?|reported?|helpful)\b",
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
    """Yield one run per peer, written to runs/peers.

    `only` names some of `PEERS`. Raises InputError for an unknown peer, if the profile has no
    language model, or if a peer fails.
    """
    if unknown := set(only or ()) - PEERS.keys():
        raise InputError(
            f"no peer {sorted(unknown)[0]!r} can answer; the peers are {', '.join(PEERS)}"
        )
    config = settled(load_config(profile, home))
    if not config.writes:
        raise InputError(
            "the peers need a language model to answer; "
            "name a profile that has one, such as --profile local"
        )
    loaded = load(suite, Context(settled(config, quotes=True), data_folder(data), questions, say))
    # The peers have no catalog, so they cannot answer metadata questions.
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
    request_file, answers_file = folder / "request.json", folder / "answers.jsonl"
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
    request_file.write_text(json.dumps(request), encoding="utf-8")
    say(f"{loaded.name}: {peer} answers {len(cases)} questions")
    program, *flags = PEERS[peer]
    program_path = peers.PROGRAMS / program
    command = [str(python), str(program_path), str(request_file), str(answers_file), *flags]
    # The key is passed in the environment, so that no file and no list of processes shows it.
    peers.call(command, f"the peer {peer}", LLM_API_KEY=key)
    about = json.loads(Path(f"{answers_file}.meta.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in answers_file.read_text(encoding="utf-8").splitlines()]
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
    """Measures of a peer's answer, defined like those of our answers."""

    def __init__(self, scorer: SupportScorer, texts: dict[str, str], supported: float) -> None:
        self._scorer, self._texts, self._supported = scorer, texts, supported

    def measures(self, case: Case, row: dict[str, Any]) -> dict[str, float]:
        """Compute all measures that apply to the case.

        `row` is a line of the peer's file, with the keys text, sources and seconds. A refusal, and
        any answer to an unanswerable question, gets no measures of citations; a refusal of an
        answerable question makes none of its answer points.
        """
        sentences = cited_sentences(row["text"], row["sources"])
        declined = declines(row["text"])
        values = {"answer seconds": row["seconds"], "answer words": float(len(row["text"].split()))}
        values["answerable"] = float(case.answerable)
        values["declined wrongly" if case.answerable else "answered wrongly"] = float(
            declined == case.answerable
        )
        if declined or not case.answerable:
            return values | ({"answer points": 0.0} if case.answerable and case.points else {})
        answer_text = " ".join(text for text, _ in sentences)
        if (points := measures.points_covered(case.points, answer_text)) is not None:
            values["answer points"] = points
        cited = {paper for _, papers in sentences for paper in papers}
        if cited:
            values["cited-paper precision"] = len(cited & case.relevant.keys()) / len(cited)
        supports = [[self._supports(text, paper) for paper in papers] for text, papers in sentences]
        if supports:
            values["citation recall"] = sum(map(any, supports)) / len(supports)
        if flat := [supported for papers in supports for supported in papers]:
            values["citation precision"] = sum(flat) / len(flat)
        return values

    def _supports(self, sentence: str, paper: str) -> bool:
        # As for our answers, the best score counts: of the whole paper, or of one of its sentences.
        text = self._texts[paper]
        scores = (self._scorer.score(sentence, [part]).score for part in (text, *split(text)))
        return max(scores) >= self._supported


def cited_sentences(text: str, sources: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Split a text into sentences, each with the papers that it cites.

    The citation number n means sources[n - 1]. A paper is listed once per sentence; sentences
    without citation markers have an empty tuple.
    """
    drafts = Drafts(len(sources))
    cited = [*drafts.feed(text), *drafts.end()]
    sentences = [sentence for draft in cited for sentence in sentences_of(draft)]
    found = [
        (sentence.text, tuple(dict.fromkeys(sources[number - 1] for number in sentence.excerpts)))
        for sentence in sentences
    ]
    # Text after the last citation marker has no draft.
    return found + ([(drafts.tail, ())] if drafts.tail else [])


def declines(text: str) -> bool:
    """Check whether a text is empty, or its first sentence says that the papers do not answer."""
    sentences = split(text)
    return not sentences or _DECLINES.search(sentences[0]) is not None
