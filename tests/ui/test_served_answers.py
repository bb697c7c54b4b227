"""The Ask page with a real vLLM and random weights: properties that hold for any words.

PAPERS_VLLM is the path of a `vllm` command; without it these tests skip.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.llm.served import CONTEXT, VLLM
from tests.llm.served import Server as LLMServer
from tests.llm.tiny import make_model
from tests.ui.conftest import Server
from tests.ui.test_ask_page import answered, ready

pytestmark = [pytest.mark.vllm, pytest.mark.browser, pytest.mark.timeout(900)]
QUESTION = "What makes density ratios useful online?"


@pytest.fixture(scope="module")
def llm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LLMServer]:
    if VLLM is None:
        pytest.skip("needs a vLLM: set PAPERS_VLLM to the path of its command")
    server = LLMServer(make_model(tmp_path_factory.mktemp("served")))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def served(llm: LLMServer, demo_copy: Any, serve: Callable[..., Server]) -> Server:
    """The page whose answers vLLM writes, long ones, so that there is time to stop them."""
    return serve(
        demo_copy,
        RAG_ANSWER__SYNTHESIZER="generated",
        RAG_LLM__ENGINE="server",
        RAG_ANSWER__ON_LLM_FAILURE="error",
        RAG_ANSWER__SUPPORTED="0",  # else random words would be left out as unsupported
        RAG_LLM__BASE_URL=f"{llm.root}/v1",
        RAG_LLM__MODEL="tiny",
        RAG_LLM__TOKENIZER=str(llm.model),
        RAG_LLM__TEMPLATE_OPTIONS="{}",
        RAG_LLM__CONTEXT=str(CONTEXT),
        RAG_LLM__MAX_TOKENS="3000",
        RAG_LLM__SENTENCES="12",
        RAG_LLM__TEMPERATURE="1.0",
        RAG_LLM__READ_SECONDS="30",
    )


def speaking(page: Any, llm: LLMServer) -> Any:
    """A new conversation's turn, once its first sentence is there and more are to come.

    A model of random words now and then has no more to say; then it is asked again.
    """
    for _ in range(8):
        page.click('[data-act="fresh"]')
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".said")
        if llm.running():
            return page.locator(".turn").last
        answered(page)
    raise AssertionError("no answer was longer than a sentence")


def until(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_answer_streams_and_its_markers_lead_to_their_sentences(
    served, llm, visit, shoot
) -> None:
    page = ready(visit(served.url))
    shown = speaking(page, llm).locator(".said").all_inner_texts()
    shoot(page, "vllm-streaming")
    turn = answered(page)
    assert turn.locator(".said").all_inner_texts()[: len(shown)] == shown
    assert turn.locator(".error").count() == 0
    turn.locator(".mark").last.click()
    page.wait_for_function("document.activeElement.tagName === 'MARK'")
    assert "flash" in page.evaluate("document.activeElement.className")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.className === 'mark'")
    shoot(page, "vllm-answer")


def test_stop_frees_the_server(served, llm, visit, shoot) -> None:
    page = ready(visit(served.url))
    turn = speaking(page, llm)
    page.keyboard.press("Escape")
    until(lambda: llm.running() == 0, 2)
    answered(page)
    assert "Stopped before the answer was finished" in turn.inner_text()
    assert turn.locator(".said").count() >= 1
    shoot(page, "vllm-stopped")


def test_a_killed_server_is_reported_and_the_text_so_far_stays(served, llm, visit, shoot) -> None:
    page = ready(visit(served.url))
    turn = speaking(page, llm)
    llm.signal(signal.SIGKILL)
    answered(page)
    assert "The answer was interrupted" in turn.locator(".notice").inner_text()
    said = turn.locator(".said").all_inner_texts()
    assert said
    shoot(page, "vllm-killed")
    page.reload()
    page.wait_for_selector(".turn .under")
    assert page.locator(".turn .said").all_inner_texts() == said
    page.click('[data-act="fresh"]')
    page.fill("#question", QUESTION)
    page.keyboard.press("Enter")
    turn = answered(page)
    assert "can't be reached" in turn.locator(".error").inner_text()
    shoot(page, "vllm-gone")
    llm.stop()
    llm.start()
    turn.locator('.error [data-act="retry"]').click()
    page.wait_for_selector(".said")
    assert turn.locator(".error").count() == 0
