"""Run suites on the assistant that users talk to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from evals import peers, runs
from evals.report import write_report
from evals.runs import ROOT, Recorder, Run
from evals.suites import Context, Loaded, load
from evals.suites.base import Say, data_folder
from rag.config import Config, load_config
from rag.errors import InputError, RagError

log = logging.getLogger(__name__)

DEFAULT = ("demo",)
_EVERY = 25  # cases between two words on progress


def run(
    suites: Sequence[str] = DEFAULT,
    *,
    home: str | Path | None = None,
    profile: str | None = None,
    data: str | Path | None = None,
    questions: str | Path | None = None,
    out: str | Path | None = None,
    say: Say = lambda _: None,
) -> Run:
    """Evaluate suites and write the run's folder with its report.

    `data` is the folder of the data sets (by default ../shared/datasets where that is), `questions` a file that
    replaces the cases of the one suite named, `out` the run's folder (by default a new one below runs/, or the one of
    the same run that was broken off). A case that fails is a row with its error. Raises InputError where a suite can't
    be loaded; a suite that only lacks an LLM is left out with a word where others remain.
    """
    if questions is not None and len(suites) != 1:
        raise InputError("other questions go with exactly one suite")
    config = load_config(profile, home)
    context = Context(config, data_folder(data), Path(questions) if questions else None, say)
    loaded = _load_all(suites, context)
    info = describe(config, loaded)
    folder = Path(out) if out else runs.unfinished(ROOT, info["fingerprint"]) or ROOT / _stamp()
    recorder = Recorder(folder, info)
    for suite in loaded:
        run_suite(suite, recorder, say)
        suite.close()
    recorder.finish()
    finished = runs.read(folder)
    write_report(finished, folder / "report.html", peers.matching(finished.data))
    if out is None:
        runs.point_latest(ROOT, folder)
    return finished


def _load_all(suites: Sequence[str], context: Context) -> list[Loaded]:
    loaded = []
    for name in dict.fromkeys(suites):
        if name == "pubmedqa" and len(suites) > 1:
            try:
                loaded.append(load(name, context))
            except InputError as error:
                context.say(str(error))
        else:
            loaded.append(load(name, context))
    return loaded


def run_suite(suite: Loaded, recorder: Recorder, say: Say) -> None:
    """Evaluate the cases of a suite that the recorder doesn't have yet; one that fails is a row with its error."""
    left = [case for case in suite.cases if (suite.name, case.id) not in recorder.done]
    say(f"{suite.name}: {len(left)} of {len(suite.cases)} cases to go")
    for number, case in enumerate(left, start=1):
        try:
            outcome = suite.evaluate(case)
        except RagError as error:
            log.warning("%s, %s: %s", suite.name, case.id, error)
            recorder.add(suite.name, case.id, case.type, str(error))
        else:
            recorder.add(suite.name, case.id, case.type, outcome)
        if number % _EVERY == 0:
            say(f"{suite.name}: {number} of {len(left)}")


def describe(config: Config, loaded: Sequence[Loaded]) -> dict[str, Any]:
    """What run.json says of a run of these suites."""
    suites = {suite.name: {"data": suite.data, "cases": len(suite.cases), "papers": suite.papers} for suite in loaded}
    parts = [config.fingerprint, runs.code_fingerprint(), *(f"{name}{one['data']}" for name, one in suites.items())]
    return {
        "name": config.profile,
        "fingerprint": sha256("\n".join(parts).encode()).hexdigest()[:16],
        "suites": suites,
        "config": {
            "fingerprint": config.fingerprint,
            **config.model_dump(exclude={"embedder": {"api_key"}, "llm": {"api_key"}}),
        },
        "code": runs.code_fingerprint(),
        "versions": runs.versions(),
        "started": runs.now(),
        "finished": None,
    }


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
