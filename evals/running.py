"""Run suites on the same assistant that users have."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from evals import peers, runs
from evals.outcomes import Outcome
from evals.report import write_report
from evals.runs import ROOT, Recorder, Run
from evals.suites import Context, Loaded, load
from evals.suites.suite import Item, LacksLLM, Say, data_folder
from rag.config import Config, load_config
from rag.errors import InputError, LLMError, RagError
from rag.llm.local import LocalServer, open_endpoint
from rag.llm.local_models import settled

log = logging.getLogger(__name__)

DEFAULT = ("demo",)
_EVERY = 25  # cases between two progress messages


def run(
    suites: Sequence[str] = DEFAULT,
    *,
    home: str | Path | None = None,
    profile: str | None = None,
    data: str | Path | None = None,
    questions: str | Path | None = None,
    out: str | Path | None = None,
    quotes: bool = False,
    say: Say = lambda _: None,
) -> Run:
    """Evaluate suites, and write the run's folder with its report.

    - `suites`: names of suites, or folders of a user's own suites
    - `home`, `profile`: the user's data folder, and the profile of the configuration
    - `data`: the folder of the data sets; by default ../shared/datasets, if it exists
    - `questions`: a file that replaces the cases; allowed with exactly one suite
    - `out`: the run's folder; by default that of the same run if it was interrupted, or else a new
      one in runs/
    - `quotes`: answer with quotations, even if a language model is available
    - `say`: called with progress messages

    A case that fails becomes a row with its error. Raises InputError if a suite can't be loaded; a
    suite that only lacks a language model is skipped with a message, unless it is the only one.
    Raises LLMError if the language model's server can't be reached at the start or stops during the
    run; start the run again to continue it.
    """
    if questions is not None and len(suites) != 1:
        raise InputError("--questions needs exactly one suite")
    config = _without_fallback(settled(load_config(profile, home), quotes=quotes))
    with ExitStack() as stack:
        endpoint = open_endpoint(config.llm) if config.writes else None
        if isinstance(endpoint, LocalServer):
            stack.callback(endpoint.close)
        context = Context(
            config, data_folder(data), Path(questions) if questions else None, say, endpoint
        )
        loaded = _load_all(suites, context)
        for suite in loaded:
            stack.callback(suite.close)
        info = describe(config, loaded)
        folder = Path(out) if out else runs.unfinished(ROOT, info["fingerprint"]) or ROOT / _stamp()
        for suite in loaded:
            suite.check()
        recorder = Recorder(folder, info)
        for suite in loaded:
            run_suite(suite, recorder, say)
        recorder.finish((suite.name, case.id) for suite in loaded for case in suite.cases)
    finished = runs.read(folder)
    write_report(finished, folder / "report.html", peers.matching(finished.data))
    if out is None:
        runs.point_latest(ROOT, folder)
    return finished


def _load_all(suites: Sequence[str], context: Context) -> list[Loaded]:
    loaded = []
    for name in dict.fromkeys(suites):
        try:
            loaded.append(load(name, context))
        except LacksLLM as error:
            if len(suites) == 1:
                raise
            context.say(str(error))
    return loaded


def _without_fallback(config: Config) -> Config:
    """Turn a failure of the language model into an error.

    Otherwise quotations from the papers would be measured as answers of the model.
    """
    if not config.writes:
        return config
    return config.model_copy(
        update={"answer": config.answer.model_copy(update={"on_llm_failure": "error"})}
    )


def run_suite(suite: Loaded, recorder: Recorder, say: Say) -> None:
    """Evaluate those cases of a suite that the recorder does not have yet.

    A case that fails becomes a row with its error. Raises LLMError if the server stops.
    """
    left = [case for case in suite.cases if (suite.name, case.id) not in recorder.done]
    say(f"{suite.name}: {len(left)} of {len(suite.cases)} cases to go")
    started, done = time.perf_counter(), 0
    try:
        with closing(_outcomes(suite, left)) as outcomes:
            for case, outcome in outcomes:
                if isinstance(outcome, LLMError):
                    # If the server has stopped, this raises before the case is recorded, so that
                    # the next start of the run asks it again.
                    suite.check()
                if isinstance(outcome, RagError):
                    log.warning("%s, %s: %s", suite.name, case.id, outcome)
                recorder.add(
                    suite.name,
                    case.id,
                    case.type,
                    outcome if isinstance(outcome, Outcome) else str(outcome),
                )
                done += 1
                if done % _EVERY == 0:
                    say(f"{suite.name}: {done} of {len(left)}")
    except LLMError as error:
        recorded = len(suite.cases) - len(left) + done
        raise LLMError(
            f"{suite.name} stopped at {recorded} of {len(suite.cases)} cases; "
            f"run the same command again to continue: {error}"
        ) from None
    finally:
        recorder.add_time(suite.name, done, time.perf_counter() - started)


def _outcomes(suite: Loaded, cases: Sequence[Item]) -> Generator[tuple[Item, Outcome | RagError]]:
    """Yield the outcomes as they are finished.

    Closing the generator cancels the cases that have not been started.
    """
    if suite.parallel == 1:
        for case in cases:
            yield case, _evaluated(suite, case)
        return
    with ThreadPoolExecutor(suite.parallel) as threads:
        futures = {threads.submit(_evaluated, suite, case): case for case in cases}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


def _evaluated(suite: Loaded, case: Item) -> Outcome | RagError:
    try:
        return suite.evaluate(case)
    except RagError as error:
        return error


def describe(config: Config, loaded: Sequence[Loaded]) -> dict[str, Any]:
    """Return the contents of run.json for a run of these suites.

    Runs with the same fingerprint have the same configuration, code and data.
    """
    suites = {suite.name: _about(suite) for suite in loaded}
    parts = [
        config.fingerprint,
        runs.code_fingerprint(),
        *(f"{name}{about['data']}" for name, about in suites.items()),
    ]
    return {
        "name": config.profile,
        "fingerprint": sha256("\n".join(parts).encode()).hexdigest()[:16],
        "suites": suites,
        "config": {
            "fingerprint": config.fingerprint,
            **config.model_dump(),
        },
        "code": runs.code_fingerprint(),
        "versions": runs.versions(),
        "started": runs.now(),
        "finished": None,
    }


def _about(suite: Loaded) -> dict[str, Any]:
    return {
        "data": suite.data,
        "cases": len(suite.cases),
        "papers": suite.papers,
        "parallel": suite.parallel,
    }


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
