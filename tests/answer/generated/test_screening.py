"""Questions for papers: the model screens candidates in parallel and lists the included ones."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from rag.assistant import Assistant
from rag.errors import LLMError
from rag.llm import Counters, Message
from rag.records import CatalogFact, Excluded, Notice, Stage, Statement
from tests.llm.fake import SERVED, breaks_down, errs, hangs_up, says, serving, stalls, talks_on
from tests.llm.tiny import make_model

QUESTION = "which papers study density ratios in RL?"
ONLINE = "Harnessing Density Ratios for Online Reinforcement Learning"
CDR = "CDR: Customizable Density Ratios of Strong-over-weak LLMs for Preference Annotation"
LIST = says(
    "- Coverability is enough to make density ratios useful online. [1]\n- The reward is ",
    "a log ratio. [2]",
)


@pytest.fixture(autouse=True)
def _served(monkeypatch):
    for name, value in SERVED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The folder of a tokenizer with a chat template."""
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def screening(demo_home, tiny, monkeypatch):
    """`screening(judge, answer, variable=value)` gives an assistant and the server that it asks.

    `judge` takes a paper's title and gives the act for its screening.
    """
    with ExitStack() as stack:

        def start(judge, answer=LIST, **variables):
            settings = {"LLM__TOKENIZER": tiny, "LLM__READ_SECONDS": 2}
            for name, value in (
                settings | {"LLM__SCREENED": 8, "LLM__PARALLEL": 4} | variables
            ).items():
                monkeypatch.setenv(f"RAG_{name}", str(value))
            server = stack.enter_context(
                serving(
                    lambda handler: (
                        judge(title(handler.body)) if screens(handler.body) else answer
                    )(handler)
                )
            )
            monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
            return stack.enter_context(Assistant.open(home=demo_home)), server

        yield start


def screens(body) -> bool:
    return body["messages"][0]["content"].startswith("You screen")


def title(body) -> str:
    return body["messages"][0]["content"].split("\n\n")[2].splitlines()[0]


def verdict(include, reason="It says so."):
    said = json.dumps({"reason": reason, "include": include})
    return says(said[:9], said[9:])


def by_title(name):
    return verdict("Density Ratios" in name, f"This is on {name.split()[0]}.")


def prompts(server) -> list[str]:
    return [body["messages"][0]["content"] for body in server.requests if screens(body)]


def test_candidates_are_screened_and_the_included_ones_listed(screening) -> None:
    assistant, server = screening(by_title)
    answer = assistant.ask(QUESTION)
    assert [(statement.title, statement.text) for statement in answer.statements] == [
        (ONLINE, "Coverability is enough to make density ratios useful online."),
        (CDR, "The reward is a log ratio."),
    ]
    assert [citation.mark for citation in answer.citations] == [1, 2]
    assert answer.text.startswith(f"{ONLINE}: Coverability")
    assert answer.notices == ("The language model screened 8 papers and excluded 6 of them.",)
    assert len(answer.excluded) == 6
    assert all(paper.reason == f"This is on {paper.title.split()[0]}." for paper in answer.excluded)
    assert not {paper.paper_id for paper in answer.excluded} & {
        hit.paper.id for hit in answer.near_misses
    }
    assert answer.usage["prompt_tokens"] == 9 * 7
    listing = server.requests[-1]
    assert 'entry "[1]" "\\n" entry "[2]"\n' in listing["structured_outputs"]["grammar"]
    assert listing["messages"][1]["content"].startswith(f"{ONLINE}\n[1] ")
    assert all(
        '\\"include\\"' in request["structured_outputs"]["grammar"]
        for request in server.requests[:-1]
    )


def test_the_cost_is_reported_before_and_the_progress_during_the_screening(screening) -> None:
    assistant, server = screening(by_title)
    stages = [event.text for event in assistant.ask_stream(QUESTION) if isinstance(event, Stage)]
    counter = Counters(assistant.config.llm).best()
    tokens = sum(counter.count([Message("user", prompt)]) for prompt in prompts(server))
    assert stages[-9] == f"8 papers will be screened, about {round(tokens, -2):,} tokens"
    assert stages[-8:] == [f"screened {done} of 8" for done in range(1, 9)]


def test_as_many_requests_at_a_time_as_configured(screening) -> None:
    together = threading.Barrier(4)  # breaks where fewer than 4 wait

    def judge(name):
        together.wait(5)
        return by_title(name)

    assistant, _ = screening(judge)
    assert len(assistant.ask(QUESTION).excluded) == 6


@pytest.mark.parametrize("late", [ONLINE, "GLOW"])
def test_the_order_is_that_of_the_candidates_for_any_order_of_replies(screening, late) -> None:
    quick, _ = screening(by_title)
    wanted = quick.ask(QUESTION)

    def judge(name):
        time.sleep(0.2 if name.startswith(late) else 0)
        return by_title(name)

    slow, _ = screening(judge)
    answer = slow.ask(QUESTION)
    assert (answer.text, answer.excluded, answer.citations) == (
        wanted.text,
        wanted.excluded,
        wanted.citations,
    )


@pytest.mark.parametrize(
    "act",
    [
        errs(500, "it burns"),
        breaks_down('{"reason": '),
        says('{"reason": "Half an', finish="length"),
        says("I would include it."),
        says('{"reason": 1, "include": "yes"}'),
        says('{"reason": ' * 20_000 + "}"),
    ],
)
def test_without_a_clear_verdict_a_paper_is_included_with_a_notice(screening, act) -> None:
    assistant, server = screening(lambda name: act if name == CDR else verdict(name == ONLINE))
    answer = assistant.ask(QUESTION)
    assert CDR not in {paper.title for paper in answer.excluded}
    assert CDR in server.requests[-1]["messages"][1]["content"]
    assert answer.notices == (
        "The language model screened 8 papers and excluded 6 of them.",
        f"“{CDR}” is included, because the request failed or the model gave no clear verdict.",
    )


def test_a_server_without_a_grammar_may_wrap_the_object(screening) -> None:
    wrapped = says(
        'Sure:\n```json\n{"include": false, "reason": "No \\ud800\\u001b[31m\\n word."}\n```'
    )
    assistant, server = screening(
        lambda name: verdict(True) if name == ONLINE else wrapped, LLM__FORM="none"
    )
    answer = assistant.ask(QUESTION)
    assert {paper.reason for paper in answer.excluded} == {"No [31m word."}
    assert not any("structured_outputs" in request for request in server.requests)


def test_a_server_that_goes_away_is_not_asked_for_all(screening) -> None:
    assistant, server = screening(lambda _: hangs_up, LLM__SCREENED=40)
    answer = assistant.ask(QUESTION)
    assert "The language model failed" in answer.notices[0]
    assert "some well-covering exploratory distribution" in answer.text
    assert answer.excluded == ()
    assert len(server.requests) < 30


@pytest.mark.parametrize("act", [hangs_up, stalls('{"reason": "')])
def test_a_failed_screening_ends_the_answer_where_configured(screening, act) -> None:
    assistant, _ = screening(lambda _: act, ANSWER__ON_LLM_FAILURE="error")
    started = time.monotonic()
    with pytest.raises(LLMError, match="broke off|sent nothing for 2 s"):
        assistant.ask(QUESTION)
    assert time.monotonic() - started < 6


def test_a_failure_after_the_screening_leaves_no_cited_paper_among_the_excluded(screening) -> None:
    assistant, _ = screening(lambda name: verdict(name == ONLINE), hangs_up)
    answer = assistant.ask(QUESTION)
    cited = {citation.paper_id for citation in answer.citations}
    assert len(cited) > 1
    assert not cited & {paper.paper_id for paper in answer.excluded}


def test_none_is_included(screening) -> None:
    assistant, server = screening(lambda _: verdict(False))
    answer = assistant.ask(QUESTION)
    assert (
        answer.refusal
        == "the language model finds that none of the papers that it screened answers the question"
    )
    assert len(answer.excluded) == len(server.requests) == 8
    assert answer.made_by


def test_only_where_papers_are_asked_for(screening) -> None:
    assistant, server = screening(by_title, says("Coverability is a condition. [1]"))
    assert assistant.ask("What is coverability?").excluded == ()
    assert len(server.requests) == 1


def test_closing_the_answer_stops_the_requests(screening) -> None:
    left = threading.Semaphore(0)

    def on_and_on(handler) -> None:
        talks_on(handler)
        left.release()

    assistant, server = screening(
        lambda name: by_title(name) if name == ONLINE else on_and_on, LLM__SCREENED=40
    )
    events = assistant.ask_stream(QUESTION)
    next(event for event in events if isinstance(event, Stage) and event.text == "screened 1 of 40")
    deadline = time.monotonic() + 5
    while len(server.requests) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    events.close()
    assert all(left.acquire(timeout=1) for _ in range(4))
    assert len(server.requests) == 5


def test_filters_of_the_catalog_don_t_hide_that_papers_are_asked_for(screening) -> None:
    assistant, server = screening(by_title)
    asked = "which papers since 2023 study density ratios in RL?"
    answer = assistant.ask(asked)
    assert answer.filters
    assert answer.excluded
    assert all(f"Question: {asked}\n" in prompt for prompt in prompts(server))
    assert all(isinstance(citation.evidence[-1], CatalogFact) for citation in answer.citations)


def test_a_terminal_shows_the_cost_and_who_was_excluded(screening) -> None:
    assistant, _ = screening(by_title)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "rag", "ask", "--home", str(assistant.config.folder), QUESTION]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "8 papers will be screened, about " in shown
    assert shown.endswith("\r\x1b[K")
    assert "Excluded by the language model (6 papers)\n- " in run.stdout
    assert "... and 1 more; --all prints them" in run.stdout


def test_a_long_paper_is_screened_by_its_first_sentences(screening) -> None:
    assistant, server = screening(by_title, LLM__CONTEXT=544, LLM__MAX_TOKENS=64)
    events = list(assistant.ask_stream(QUESTION))
    counter = Counters(assistant.config.llm).best()
    assert all(counter.count([Message("user", prompt)]) <= 544 - 256 for prompt in prompts(server))
    assert all(prompt.endswith((".", "?")) for prompt in prompts(server))
    assert any(
        "only the first sentences were screened" in event.text
        for event in events
        if isinstance(event, Notice)
    )
    assert any(isinstance(event, Excluded) for event in events)
    assert any(isinstance(event, Statement) for event in events)
