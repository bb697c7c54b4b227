"""Runs with a served model: parallel requests, ordered results, and failures as rows."""

import json
import re
import threading
import time
from pathlib import Path

import pytest

import evals
from evals import running
from evals.figures import errors, figures
from evals.suites.pubmedqa import verdict
from rag.errors import InputError, LLMError
from rag.resources import shipped
from tests.llm.fake import errs, hangs_up, says, serving

AT_ONCE = 4
VERDICTS = ["yes", "no", "maybe", "yes", "no", "maybe", "yes", "yes"]
GLOW = "Harnessing Density Ratios for Online Reinforcement Learning"


class Model:
    """An act that replies by the question's text.

    It records how many were asked at once, and the order of the replies. No question is
    answered before `together` questions are in flight.
    """

    def __init__(self, reply, together: int = 1) -> None:
        self._reply, self._together = reply, threading.Barrier(together, timeout=5)
        self._lock, self._busy = threading.Lock(), 0
        self.most, self.answered = 0, []

    def __call__(self, handler) -> None:
        asked = handler.body["messages"][-1]["content"]
        if asked == "Are you there?":
            return self._reply(asked)(handler)
        with self._lock:
            self._busy += 1
            self.most = max(self.most, self._busy)
        try:
            self._together.wait()
            self._reply(asked)(handler)
        finally:
            with self._lock:
                self._busy -= 1
                self.answered.append(asked)
        return None


def number(asked: str) -> int:
    return int(re.search(r"question (\d)", asked)[1])


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """A data folder in PubMedQA's format; runs are written to a separate folder."""
    folder = tmp_path / "data" / "pubmedqa"
    folder.mkdir(parents=True)
    queries = [
        {
            "id": f"q{n}",
            "text": f"Is this question {n}?",
            "answer": said,
            "long_answer": "So be it.",
            "split": "test",
        }
        for n, said in enumerate(VERDICTS)
    ]
    write(folder / "queries.jsonl", [*queries, queries[0] | {"id": "q9", "split": "train"}])
    abstracts = [
        {"id": str(n), "title": "", "text": f"Abstract {n}.\u2029It ends."} for n in range(10)
    ]
    write(folder / "corpus.jsonl", abstracts)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_PROFILE", "gpu")
    monkeypatch.setenv("RAG_LLM__PARALLEL", str(AT_ONCE))
    monkeypatch.setenv("RAG_LLM__TOKENIZER", str(tmp_path / "none"))
    monkeypatch.setenv("RAG_LLM__READ_SECONDS", "5")
    monkeypatch.setenv("RAG_LLM__FORM", "structured_outputs")
    return folder.parent


@pytest.fixture
def ask(data, monkeypatch):
    """Run a suite against a server with this act: `ask(act, "pubmedqa")`."""

    def run(act, suite="pubmedqa", **options):
        with serving(act) as server:
            server.tokens = 50
            monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
            return evals.run(
                [str(suite)], home=data.parent / "home", data=data, **options
            ), server.requests

    return run


def write(path: Path, rows: list[dict]) -> None:
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )


def value(run, measure: str, type_: str = "all") -> float:
    [found] = [
        figure.estimate
        for figure in figures(run.rows)
        if (figure.measure, figure.type) == (measure, type_)
    ]
    assert found.low <= found.value <= found.high
    return found.value


def test_parallel_questions_are_recorded_in_the_order_of_the_suite(ask) -> None:
    def slow_first(asked):
        if "question" in asked:
            time.sleep(0.02 * (len(VERDICTS) - number(asked)))
            return says(VERDICTS[number(asked)])
        return says("yes")

    model = Model(slow_first, together=AT_ONCE)
    run, requests = ask(model)
    assert model.most == AT_ONCE
    assert [number(question) for question in model.answered] != sorted(
        number(question) for question in model.answered
    )
    assert list(dict.fromkeys(row.case for row in run.rows)) == [
        f"q{n}" for n in range(len(VERDICTS))
    ]
    assert [case for _, case in run.seen] == [f"q{n}" for n in range(len(VERDICTS))]
    assert (value(run, "accuracy"), value(run, "macro-F1"), value(run, "invalid")) == (
        1.0,
        1.0,
        0.0,
    )
    assert value(run, "completion tokens p90") == 3
    assert requests[-1]["structured_outputs"] == {"grammar": 'root ::= "yes" | "no" | "maybe"\n'}
    assert run.info["suites"]["pubmedqa"]["asked"] == len(VERDICTS)


def test_verdicts_without_a_form_are_read_leniently(ask, monkeypatch) -> None:
    monkeypatch.setenv("RAG_LLM__FORM", "none")
    replies = [
        "**Yes**, it does",
        "The answer is no.",
        "Hard to say",
        "yes",
        "no",
        "maybe",
        "yes or no",
        "YES",
    ]
    run, requests = ask(
        Model(lambda asked: says(replies[number(asked)]) if "question" in asked else says("yes"))
    )
    assert "structured_outputs" not in requests[-1]
    assert value(run, "invalid") == 1 / 8
    assert value(run, "accuracy") == 7 / 8
    assert value(run, "accuracy", "maybe") == 1 / 2
    assert value(run, "macro-F1") == pytest.approx((1 + 1 + 2 / 3) / 3)
    page = (run.folder / "report.html").read_text()
    assert "maybe: So be it." in page
    assert re.search(r"<td>Qwen/Qwen3-8B, prompts \w{12}</td><td>8</td>", page)
    assert re.search(r"[\d.]+ questions a minute, 4 at once", page)


def test_the_model_judges_claims_too(ask, data) -> None:
    """It runs in parallel, next to the support score; invalid verdicts are counted, as wrong."""
    rows = [
        {"id": n, "claim": f"Is this question {n}?", "evidence": ["So it is."], "label": label}
        for n, label in enumerate(["SUPPORT", "SUPPORT", "CONTRADICT", "NOT_ENOUGH_INFO"])
    ]
    for name, examples in (("scifact_attribution", rows), ("expertqa", []), ("scholarqabench", [])):
        (data / name).mkdir()
        write(data / name / "examples.jsonl", examples)
    said = ["supported", "not stated", "supported", "hm"]
    model = Model(
        lambda asked: says(said[number(asked)]) if "question" in asked else says("yes"), together=4
    )
    run, _ = ask(model, "attribution")
    assert model.most == AT_ONCE
    assert (value(run, "judge accuracy", "scifact"), value(run, "invalid", "scifact")) == (
        0.5,
        0.25,
    )
    assert 0 <= value(run, "support AUROC", "scifact") <= 1


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Maybe.", "maybe"),
        ("No; yes would be wrong", "no"),
        ("<b>Yes</b>", "yes"),
        ("Answer: maybe", "maybe"),
        ("It is yes, not no", None),
        ("I know nothing", None),
        ("", None),
    ],
)
def test_what_counts_as_a_verdict(said, wanted) -> None:
    assert verdict(said) == wanted


def test_a_question_that_fails_is_a_row_and_not_the_end(ask) -> None:
    def reply(asked):
        return errs(500, "it burns") if "question 3" in asked else says("yes")

    run, _ = ask(Model(reply))
    [failed] = errors(run.rows)
    assert (failed.case, failed.error.partition("/v1 ")[2]) == ("q3", "answered 500: it burns")
    assert {row.case for row in run.rows if row.value is not None} == {
        f"q{n}" for n in range(8)
    } - {"q3"}


def test_a_server_that_is_not_there_ends_the_run_before_it_begins(data, monkeypatch) -> None:
    monkeypatch.setenv("RAG_LLM__BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(
        LLMError, match=r"^the LLM server .* can't be reached .*check that the server is running$"
    ):
        evals.run(["pubmedqa"], data=data)
    assert not Path("runs").exists()


def test_a_server_that_goes_away_ends_the_run_which_goes_on_later(ask) -> None:
    def dies(asked):
        return hangs_up if len(dying.answered) >= 3 else says("yes")

    dying = Model(dies)
    with pytest.raises(
        LLMError, match=r"^pubmedqa stopped at \d of 8 cases; .* to continue: .* can't be reached"
    ):
        ask(dying)
    [folder] = Path("runs").iterdir()
    kept = {case for _, case in evals.read(folder).seen}
    assert 0 < len(kept) < len(VERDICTS)
    back = Model(lambda _: says("yes"))
    run, _ = ask(back)
    assert run.folder == folder
    assert {f"q{number(asked)}" for asked in back.answered} == {row.case for row in run.rows} - kept
    assert errors(run.rows) == []
    assert run.info["suites"]["pubmedqa"]["asked"] == len(VERDICTS)


def test_an_interrupted_run_asks_no_more_and_goes_on_later(ask, monkeypatch) -> None:
    monkeypatch.setattr(running, "_EVERY", 3)
    monkeypatch.setenv("RAG_LLM__PARALLEL", "2")

    def slowly(_):
        time.sleep(0.05)
        return says("yes")

    def interrupt(line):
        if line == "pubmedqa: 3 of 8":
            raise KeyboardInterrupt

    model = Model(slowly)
    with pytest.raises(KeyboardInterrupt):
        ask(model, say=interrupt)
    assert len(model.answered) <= 3 + 2 + 1
    again = Model(slowly)
    run, _ = ask(again)
    assert len(again.answered) == len(VERDICTS) - 3
    assert len(run.seen) == len(VERDICTS)


def test_damaged_data_is_one_clear_line(ask, data) -> None:
    write(
        data / "pubmedqa" / "queries.jsonl",
        [{"id": "q1", "text": "?", "answer": "perhaps", "split": "test"}],
    )
    with pytest.raises(InputError, match="are not PubMedQA's questions"):
        ask(says("yes"))


def test_written_answers_are_measured_and_failures_are_not_covered_up(
    ask, tmp_path, model_cache
) -> None:
    mine = tmp_path / "mine"
    (mine / "papers").mkdir(parents=True)
    few = shipped("sample.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:6]
    (mine / "papers" / "few.jsonl").write_text("".join(few), encoding="utf-8")
    asked = [
        "What makes density ratios useful online?",
        "How does GLOW explore?",
        "Why does GLOW use density ratios?",
    ]
    rows = [
        {"id": f"q{n}", "question": question, "relevant": {GLOW: 2}}
        for n, question in enumerate(asked)
    ]
    write(mine / "questions.jsonl", rows)

    def reply(prompt):
        if "explore" in prompt.rpartition("Question:")[2]:
            return errs(500, "it burns")
        if "Why" in prompt:
            return says("Not found.")
        doubtful = "Coverability makes online density ratios cost 77 cents. [1]"
        return says(f"{doubtful} Coverability is enough to make density ratios useful online. [1]")

    run, _ = ask(Model(reply), mine)
    assert [row.case for row in errors(run.rows)] == ["q1"]
    for measure in (
        "citation precision",
        "citation recall",
        "flagged sentences",
        "declined by the model",
    ):
        assert value(run, measure) == 0.5
    assert value(run, "prompt tokens p50") == 7
    assert 0 < value(run, "answer seconds p50") <= value(run, "answer seconds p99")
    made_by = r"<td>Qwen/Qwen3-8B, prompts \w{12}, form structured_outputs</td><td>2</td>"
    assert re.search(made_by, (run.folder / "report.html").read_text())
