"""Real words from a real, small model on both servers: whole sentences, valid marks, one stream, and a stop that stops.

What SmolLM2 says is of little use, so nothing here asks whether it is right; docs/benchmarks.md does, of larger ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import filterfalse

import pytest

from evals.cases import Names, read_cases
from evals.measures import quoted, whole
from evals.suites.demo import QUESTIONS
from rag.assistant import Assistant
from rag.records import Answer, Event, Finished, Statement
from tests.llm.served import VLLM, Server, fast_dtype
from tests.llm.weights import SMALLEST, dequantised

_QUESTIONS = 40
_QUOTED = "What follows are the papers' own sentences."


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if VLLM is None:
        pytest.skip("needs a vLLM: set PAPERS_VLLM to the path of its command")
    dtype = fast_dtype()
    server = Server(dequantised(SMALLEST, VLLM, dtype), dtype, tmp_path_factory.mktemp("smol") / "vllm.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(
    params=[pytest.param("llama.cpp", marks=pytest.mark.llamacpp), pytest.param("vllm", marks=pytest.mark.vllm)]
)
def opened(request: pytest.FixtureRequest, demo_home, monkeypatch) -> Iterator[Assistant]:
    """The sample library, answered by SmolLM2 on either server."""
    settings = {"ANSWER__SYNTHESIZER": "generated", "ANSWER__ON_LLM_FAILURE": "error", "LLM__MAX_TOKENS": "160"}
    if request.param == "vllm":
        server = request.getfixturevalue("vllm")
        settings |= {"LLM__ENGINE": "server", "LLM__BASE_URL": f"{server.root}/v1", "LLM__MODEL": "tiny"}
        settings |= {"LLM__TOKENIZER": str(server.model), "LLM__FORM": "auto"}
    else:
        settings |= {"LLM__ENGINE": "llama.cpp", "LLM__MODEL": str(request.getfixturevalue("llm_file"))}
    for name, value in settings.items():
        monkeypatch.setenv(f"RAG_{name}", value)
    with Assistant.open(home=demo_home) as assistant:
        yield assistant


def questions(assistant: Assistant) -> list[str]:
    """Real questions that the papers' texts answer, most of them."""
    cases = read_cases(QUESTIONS, Names(list(assistant.papers()), None))
    return [case.question for case in cases if case.type in ("fact", "topical", "compare", "known-item")][:_QUESTIONS]


def heard(assistant: Assistant, question: str) -> tuple[list[Event], Answer]:
    events = list(assistant.ask_stream(question))
    assert isinstance(events[-1], Finished)
    return events, events[-1].answer


@pytest.mark.timeout(900)
def test_40_real_questions_get_whole_sentences_with_valid_marks(opened) -> None:
    said, failed = 0, 0
    for question in questions(opened):
        events, answer = heard(opened, question)
        statements = [event for event in events if isinstance(event, Statement)]
        if answer.refusal is None:
            assert "\n".join(one.marked for one in statements) == answer.text
        if _QUOTED in answer.notices:
            # The model came to no sentence before llm.max_tokens; what papers say may be two sentences in one.
            failed += 1
            continue
        # A line of a list that is in doubt gives way to the paper's own sentences.
        for one in filterfalse(quoted, statements):
            said += 1
            assert whole(one.text), one.text
            assert len(one.text.split()) >= 3, one.text
            for citation in one.citations:
                text = opened.paper(citation.paper_id).text
                assert all(text[span.start : span.end] == span.text for span in citation.evidence)
    assert said >= 20
    assert failed <= _QUESTIONS // 10
    expected = "grammar" if opened.config.llm.engine == "llama.cpp" else "structured_outputs"
    assert answer.made_by.endswith(f"form {expected}")


@pytest.mark.timeout(600)
def test_an_answer_that_is_left_frees_the_server_and_the_next_one_reads_a_cached_prompt(opened) -> None:
    question = questions(opened)[0]
    with closing(opened.ask_stream(question)) as events:
        next(event for event in events if isinstance(event, Statement))
    _, first = heard(opened, question)
    _, second = heard(opened, question)
    assert second.text == first.text
    # The whole prompt is in the cache by then: the first token comes at once.
    assert second.usage["first_token_ms"] < max(500.0, 0.5 * first.usage["total_ms"])
