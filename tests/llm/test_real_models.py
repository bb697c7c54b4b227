"""A small real model on both servers: whole sentences, valid markers, streaming and stopping.

SmolLM2's answers are not checked for correctness; docs/benchmarks.md reports that for larger
models. Tests of those have the marker `model` and are run by hand, since they take an hour on
two cores: `pytest -m model`; PAPERS_QUESTIONS sets a smaller number of questions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import filterfalse
from typing import Any

import pytest

from evals.cases import Names, read_cases
from evals.measures import quoted, whole
from evals.suites.demo import QUESTIONS
from rag.assistant import Assistant
from rag.records import Answer, Event, Finished, Statement
from tests.llm.served import VLLM, Server, fast_dtype
from tests.llm.weights import SMALLEST, dequantised, gguf_file

_QUESTIONS = int(os.environ.get("PAPERS_QUESTIONS", "40"))
_QUOTED = "What follows are the papers' own sentences."


def _on_both(model: str, **marks: pytest.MarkDecorator) -> list[Any]:
    """The model on both servers, with the mark of each."""
    return [
        pytest.param((model, server), id=f"{model}-{server}", marks=mark)
        for server, mark in marks.items()
    ]


_MODELS = [
    *_on_both(SMALLEST, llamacpp=pytest.mark.llamacpp, vllm=pytest.mark.vllm),
    *_on_both("qwen2.5-coder-0.5b", llamacpp=pytest.mark.model, vllm=pytest.mark.model),
    *_on_both("qwen2.5-coder-1.5b", llamacpp=pytest.mark.model, vllm=pytest.mark.model),
]


@pytest.fixture(scope="module", params=_MODELS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The variables that let a model answer; a vLLM runs until the last test of its model."""
    model, server = request.param
    if server == "llamacpp":
        file = request.getfixturevalue("llm_file") if model == SMALLEST else gguf_file(model)
        yield {"LLM__ENGINE": "llama.cpp", "LLM__MODEL": str(file)}
        return
    if VLLM is None:
        pytest.skip("needs a vLLM: set PAPERS_VLLM to the path of its command")
    dtype = fast_dtype()
    vllm = Server(
        dequantised(model, VLLM, dtype), dtype, tmp_path_factory.mktemp("real") / "vllm.log"
    )
    try:
        vllm.start()
        url = f"{vllm.root}/v1"
        yield {
            "LLM__ENGINE": "server",
            "LLM__BASE_URL": url,
            "LLM__MODEL": "tiny",
            "LLM__TOKENIZER": str(vllm.model),
            "LLM__FORM": "auto",
        }
    finally:
        vllm.stop()


@pytest.fixture
def opened(served, demo_home, monkeypatch) -> Iterator[Assistant]:
    """The sample library, answered by a real model."""
    settings = {
        "ANSWER__SYNTHESIZER": "generated",
        "ANSWER__ON_LLM_FAILURE": "error",
        "LLM__MAX_TOKENS": "160",
    }
    settings["ANSWER__SUPPORTED"] = "0"  # only the form is tested here
    for name, value in (settings | served).items():
        monkeypatch.setenv(f"RAG_{name}", value)
    with Assistant.open(home=demo_home) as assistant:
        yield assistant


def questions(assistant: Assistant) -> list[str]:
    """Real questions that the papers' texts answer, most of them."""
    cases = read_cases(QUESTIONS, Names(list(assistant.papers()), None))
    return [
        case.question for case in cases if case.type in ("fact", "topical", "compare", "known-item")
    ][:_QUESTIONS]


def events_and_answer(assistant: Assistant, question: str) -> tuple[list[Event], Answer]:
    events = list(assistant.ask_stream(question))
    assert isinstance(events[-1], Finished)
    return events, events[-1].answer


@pytest.mark.timeout(3600)
def test_real_questions_get_whole_sentences_with_valid_markers(opened) -> None:
    said, failed = 0, 0
    for question in questions(opened):
        events, answer = events_and_answer(opened, question)
        statements = [event for event in events if isinstance(event, Statement)]
        if answer.refusal is None:
            assert "\n".join(statement.marked for statement in statements) == answer.text
        if _QUOTED in answer.notices:
            # The model finished no sentence within llm.max_tokens. The quotations that replace
            # it may hold two sentences in one, so they are not checked here.
            failed += 1
            continue
        # A doubtful line of a list is replaced by the paper's own sentences.
        for statement in filterfalse(quoted, statements):
            said += 1
            assert whole(statement.text), statement.text
            assert len(statement.text.split()) >= 3, statement.text
            for citation in statement.citations:
                text = opened.paper(citation.paper_id).text
                assert all(text[span.start : span.end] == span.text for span in citation.evidence)
    assert said >= _QUESTIONS // 2
    assert failed <= max(2, _QUESTIONS // 10)
    expected = "grammar" if opened.config.llm.engine == "llama.cpp" else "structured_outputs"
    assert answer.made_by.endswith(f"form {expected}")


@pytest.mark.timeout(600)
def test_an_answer_that_is_left_frees_the_server_and_the_next_one_reads_a_cached_prompt(
    opened,
) -> None:
    question = questions(opened)[0]
    with closing(opened.ask_stream(question)) as events:
        next(event for event in events if isinstance(event, Statement))
    _, first = events_and_answer(opened, question)
    _, second = events_and_answer(opened, question)
    assert second.text == first.text
    # The whole prompt is in the cache by then: the first token comes at once.
    assert second.usage["first_token_ms"] < max(500.0, 0.5 * first.usage["total_ms"])
