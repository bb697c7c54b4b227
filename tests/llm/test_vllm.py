"""A real vLLM on a CPU with random weights: properties that hold for any words.

PAPERS_VLLM is the path of a `vllm` command; without it these tests are skipped. PAPERS_ROUNDS
sets how often the failures are repeated.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

import evals
from evals.figures import errors, figures
from evals.suites.demo import QUESTIONS
from rag.assistant import Assistant
from rag.config import LLMConfig
from rag.errors import LLMError
from rag.llm import LLM, Counters, Drafts, Message, answer_form, complete, list_form, query_form
from rag.query.by_model import Reader
from rag.records import Statement, Turn
from tests.llm.served import CONTEXT, VLLM, Server
from tests.llm.tiny import make_model

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]

ROUNDS = int(os.environ.get("PAPERS_ROUNDS", "1"))
PASSAGES = 5
KEYS = ["topic", "from", "to", "organisation", "order", "number", "asked", "counted"]
REFUSAL = "Not found."
QUESTION = "What makes density ratios useful online?"
LIST = "which papers study density ratios in RL?"
READ_SECONDS = 3.0


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    if VLLM is None:
        pytest.skip("needs a vLLM: set PAPERS_VLLM to the path of its command")
    server = Server(make_model(tmp_path_factory.mktemp("served")))
    try:
        server.start()
        list(
            LLM(server.config(max_tokens=16)).stream(asked(0))
        )  # the client's library is imported by the first
        yield server
    finally:
        server.stop()


def asked(number: int) -> list[Message]:
    return [
        Message("system", "Answer."),
        Message("user", f"Question {number}: what of ratios? " + "Words. " * number),
    ]


def test_200_answers_hold_valid_markers_only_and_never_half_a_marker(server) -> None:
    form = answer_form(PASSAGES, REFUSAL)

    def sentences(seed: int) -> int:
        drafts, shown = Drafts(PASSAGES), []
        for piece in LLM(server.config(seed=seed, max_tokens=900, read_seconds=60.0)).stream(
            asked(seed % 7), form
        ):
            if isinstance(piece, str):
                shown += list(drafts.feed(piece))
        shown += list(drafts.end())
        assert drafts.dropped == 0
        for draft in shown:
            assert draft.excerpts
            assert set(draft.excerpts) <= set(range(1, PASSAGES + 1))
            assert not set("[]\n") & set(draft.text)
        return len(shown)

    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(sentences, range(200)))
    assert sum(said) > 200


@pytest.fixture
def served(server, monkeypatch) -> dict[str, object]:
    """Set the variables that make every ask use the server."""
    settings = server.config(read_seconds=READ_SECONDS).model_dump(
        include=set(LLMConfig.model_fields)
    )
    for name in (
        "base_url",
        "model",
        "tokenizer",
        "context",
        "max_tokens",
        "temperature",
        "read_seconds",
    ):
        monkeypatch.setenv(f"RAG_LLM__{name.upper()}", str(settings[name]))
    monkeypatch.setenv("RAG_LLM__TEMPLATE_OPTIONS", "{}")
    monkeypatch.setenv("RAG_ANSWER__SYNTHESIZER", "generated")
    monkeypatch.setenv("RAG_LLM__ENGINE", "server")
    monkeypatch.setenv("RAG_ANSWER__ON_LLM_FAILURE", "error")
    monkeypatch.setenv(
        "RAG_ANSWER__SUPPORTED", "0"
    )  # else random words would be left out as unsupported
    monkeypatch.setenv(
        "RAG_LLM__SENTENCES", "12"
    )  # long answers, so that there is time to end them
    return settings


class Noted(LLM):
    """A client that keeps the prompts that it sends."""

    def __init__(self, config: LLMConfig) -> None:
        super().__init__(config)
        self.sent: list[list[Message]] = []

    def stream(self, messages, form=None, max_tokens=None):
        self.sent.append(list(messages))
        return super().stream(messages, form, max_tokens)


def test_the_prompts_of_50_whole_asks_are_counted_as_the_server_counts_them(
    server, served, demo_home
) -> None:
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    counted = 0
    with Assistant.open(home=demo_home) as assistant:
        llm = Noted(server.config(max_tokens=64))
        assistant.__dict__["synthesizer"] = replace(assistant.synthesizer, llm=llm)
        counter = Counters(llm.config).best()
        for row in rows:
            llm.sent.clear()
            answer = assistant.ask(row["question"])
            if "prompt_tokens" not in answer.usage:
                continue  # declined, or answered from the catalog
            counted += 1
            counts = [
                counter.count(prompt) for prompt in llm.sent
            ]  # a long list takes several requests
            assert sum(counts) == answer.usage["prompt_tokens"]
            assert max(counts) <= CONTEXT - 64
            marks = {int(mark) for mark in re.findall(r"\[(\d+)\]", answer.text)}
            assert marks == {citation.mark for citation in answer.citations}
            if counted == 50:
                break
    assert counted == 50


def test_a_screening_by_a_model_of_random_words_gives_verdicts(server, served, demo_home) -> None:
    # Few and short requests: vLLM on a CPU crashes on a seeded request whose prompt it reads in
    # chunks (docs/LOG.md).
    excluded = 0
    with Assistant.open(home=demo_home) as assistant:
        for seed in range(4):
            llm = Noted(server.config(seed=seed, screened=5, parallel=3, read_seconds=60.0))
            assistant.__dict__["synthesizer"] = replace(assistant.synthesizer, llm=llm)
            answer = assistant.ask(LIST)
            given = re.findall(r"^\[\d+\] ", llm.sent[-1][-1].content, re.MULTILINE)
            # If the model finishes no sentence, the quotations may cite papers that it excluded.
            [excluded_count] = [
                int(found[1])
                for notice in answer.notices
                if (found := re.search(r"and excluded (\d) of", notice))
            ]
            assert len(given) + excluded_count == 5
            assert all(paper.reason for paper in answer.excluded)
            excluded += len(answer.excluded)
    assert excluded


def test_a_list_has_a_line_for_each_paper_in_order(server) -> None:
    def lines(seed: int) -> list[tuple[int, ...]]:
        drafts, shown = Drafts(3), []
        config = server.config(seed=seed, max_tokens=2400, read_seconds=60.0)
        for piece in LLM(config).stream(asked(seed % 7), list_form(3)):
            if isinstance(piece, str):
                shown += list(drafts.feed(piece))
        return [draft.excerpts for draft in [*shown, *drafts.end()]]

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(lines, range(8)))
    assert [(1,), (2,), (3,)] in said
    assert all(marks in ([], [(1,), (2,), (3,)]) for marks in said)


def test_a_model_of_random_words_reads_questions_in_the_form_asked_for(
    server, served, demo_home
) -> None:
    history = [Turn("user", QUESTION), Turn("assistant", "Density ratios help. [1]")]
    rewritten = kept = 0
    with Assistant.open(home=demo_home) as assistant:
        papers = list(assistant.papers())[:4]
        for seed in range(8):
            reader = Reader(
                LLM(server.config(seed=seed, read_seconds=60.0)), Counters(server.config())
            )
            meant = reader.standalone("and offline?", history)
            assert meant is None or (meant and not set("[]\n") & set(meant))
            rewritten += meant is not None
            read = complete(reader.llm, asked(seed), query_form(["newest"], ["authors"]), 256)
            if read.ended.finish == "stop":
                kept += 1
                assert list(json.loads(read.text)) == KEYS
            following = reader.next_questions(QUESTION, papers, 3)
            assert len(following) in (0, 3)
            assert all(question.endswith("?") for question in following)
    assert rewritten
    assert kept


def test_the_server_counts_as_its_tokenizer_does(server) -> None:
    by_server = Counters(server.config(tokenizer="/nowhere")).best()
    by_tokenizer = Counters(server.config()).best()
    assert [by_server.count(asked(n)) for n in range(20)] == [
        by_tokenizer.count(asked(n)) for n in range(20)
    ]


def test_the_evaluation_asks_several_at_once_and_measures_every_answer(
    server, served, demo_home, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_LLM__PARALLEL", "4")
    monkeypatch.setenv("RAG_LLM__READ_SECONDS", "60")
    shutil.copytree(demo_home, tmp_path / "home" / "evals" / "demo")
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    few = tmp_path / "few.jsonl"
    topical = [row for row in rows if row["type"] == "topical"][:12]
    few.write_text("".join(json.dumps(row) + "\n" for row in topical), encoding="utf-8")
    most = 0
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(evals.run, ["demo"], questions=few, home="home")
        while not running.done():
            most = max(most, server.running())
            time.sleep(0.1)
    run = running.result()
    assert 2 <= most <= 4
    assert errors(run.rows) == []
    made = {figure.measure: figure.estimate for figure in figures(run.rows)}
    assert made["mark validity"].value == 1.0
    # A lead, and 80 tokens at most for each of the 50 papers that are considered.
    assert made["completion tokens p99"].value <= served["max_tokens"] + 80 * 50
    # What no cited paper supports is flagged; numbers flag others too.
    assert made["flagged sentences"].value >= 1 - made["citation recall"].value - 1e-9
    assert re.search(
        r"<td>tiny, prompts \w{12}, form structured_outputs</td>",
        (run.folder / "report.html").read_text(encoding="utf-8"),
    )


def test_pubmedqa_gets_one_of_the_three_from_any_model(
    server, served, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_LLM__PARALLEL", "4")
    monkeypatch.setenv("RAG_LLM__READ_SECONDS", "60")
    folder = tmp_path / "pubmedqa"
    folder.mkdir()
    asked = {"text": "Does it help?", "long_answer": "It does.", "split": "test"}
    cases = [asked | {"id": f"q{n}", "answer": ("yes", "no", "maybe")[n % 3]} for n in range(9)]
    abstracts = [
        {"id": str(n), "title": "", "text": f"Of {n} patients {n % 4} were cured."}
        for n in range(9)
    ]
    for name, rows in (("queries", cases), ("corpus", abstracts)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = evals.run(["pubmedqa"], data=tmp_path, home="home")
    made = {(figure.measure, figure.type): figure.estimate for figure in figures(run.rows)}
    assert errors(run.rows) == []
    assert made["invalid", "all"].value == 0
    assert {seen["answer"] for seen in run.seen.values()} <= {"yes", "no", "maybe"}
    assert 0 <= made["macro-F1", "all"].value <= 1
    assert made["accuracy", "all"].n == 9


def test_closing_the_stream_frees_the_server_within_a_second(server) -> None:
    stream = LLM(server.config(max_tokens=3000)).stream(asked(1), answer_form(PASSAGES, REFUSAL))
    next(stream)
    assert server.running() == 1
    stream.close()
    closed = time.monotonic()
    while server.running():
        assert time.monotonic() < closed + 1
        time.sleep(0.02)


def test_a_wrong_name_and_a_prompt_too_long(server) -> None:
    with pytest.raises(LLMError, match="serves no model 'other'.*it serves tiny"):
        list(LLM(server.config(model="other")).stream(asked(1)))
    with pytest.raises(LLMError, match="lower llm.context"):
        list(LLM(server.config()).stream([Message("user", "word " * 9000)]))


def answering(assistant: Assistant) -> Iterator[object]:
    """The events of an ask whose answer has begun to stream."""
    events = assistant.ask_stream(QUESTION)
    next(event for event in events if isinstance(event, Statement))
    return events


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize(
    ("how", "engine"),
    [
        (signal.SIGSTOP, False),
        (signal.SIGTERM, False),
        (signal.SIGKILL, False),
        (signal.SIGKILL, True),
    ],
    ids=["stalled", "terminated", "killed", "engine-killed"],
)
def test_a_server_that_goes_away_is_one_clear_error_and_comes_back(
    server, served, demo_home, monkeypatch, how, engine, round_
) -> None:
    monkeypatch.setenv("RAG_LLM__MAX_TOKENS", "1500")
    command = [sys.executable, "-m", "rag", "ask", "--home", str(demo_home), QUESTION]
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
        Assistant.open(home=demo_home) as assistant,
    ):
        until(lambda: server.running() == 1, 30)
        events = answering(assistant)
        assert server.running() == 2, "both are being answered"
        server.signal(how, engine=engine)
        gone = time.monotonic()
        with pytest.raises(LLMError) as error:
            list(events)
        assert time.monotonic() - gone < READ_SECONDS + 2
        out, err = process.communicate(
            timeout=READ_SECONDS + 5
        )  # with the end of a process on a busy machine
        if how is signal.SIGSTOP:
            server.signal(signal.SIGCONT)
        for said in (str(error.value), err.strip().removeprefix("rag: ")):
            assert re.search(
                r"broke off|sent nothing for 3 s|failed while answering|can't be reached", said
            ), said
            assert "\n" not in said
        assert process.returncode == 2
        assert "Traceback" not in out + err
        if how is signal.SIGSTOP:
            until(lambda: server.running() == 0, 30)
        else:
            server.stop()
            server.start()
        events = answering(assistant)
        events.close()


def until(holds, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
