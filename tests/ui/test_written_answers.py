"""The Ask page with a language model: a fake server on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.llm.fake import SERVED, Act, breaks_down, hangs_up, says, serving
from tests.llm.tiny import make_model
from tests.ui.conftest import Server
from tests.ui.test_ask_page import answered, ask, ready

pytestmark = pytest.mark.browser
QUESTION = "What makes density ratios useful in online RL?"
FIRST = "Coverability is enough to make density ratios useful online. [1] "


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tokenizer with a chat template."""
    return make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def written(demo_copy: Path, serve: Callable[..., Server], tiny: Path) -> Callable[..., Server]:
    """The page whose answers a server writes: `written(server.url)`."""

    def start(url: str, **variables: str) -> Server:
        settings = {
            **SERVED,
            "RAG_LLM__BASE_URL": url,
            "RAG_LLM__TOKENIZER": str(tiny),
            "RAG_LLM__READ_SECONDS": "5",
        }
        return serve(demo_copy, **settings, **variables)

    return start


def in_two_parts(gate: threading.Event) -> Act:
    """Says one sentence, and the other once the gate is open."""

    def act(handler) -> None:
        says(FIRST, "Coverability makes", finish=None, done=False)(handler)
        gate.wait(30)
        for piece in (" online density ratios cost 77 cents. [", "1]"):
            handler.event(
                {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            )
        handler.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        handler.line("[DONE]")

    return act


def test_sentences_come_one_by_one_and_a_doubtful_one_says_so(written, visit, shoot) -> None:
    gate = threading.Event()
    with serving(in_two_parts(gate)) as server:
        page = ready(visit(written(server.url).url))
        assert "Qwen" in page.inner_text(".welcome")
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        # The sources are shown before the first word, and the first sentence before the second
        # is written.
        page.wait_for_selector(".card")
        page.wait_for_selector(".said")
        assert page.locator(".said").count() == 1
        assert "77 cents" not in page.inner_text(".turn")
        assert page.locator(".stop").is_visible()
        shoot(page, "streaming")
        gate.set()
        turn = answered(page)
        assert turn.locator(".said").count() == 2
        assert "check: weak support" in turn.locator(".said.weak").inner_text()
        assert "77 in no cited paper" in turn.locator(".said.weak").inner_text()
        shoot(page, "doubtful")
        turn.locator(".mark").first.hover()
        assert "coverability" in page.inner_text(".tip")


def test_stop_keeps_what_was_said(written, visit, shoot) -> None:
    gate = threading.Event()
    with serving(in_two_parts(gate)) as server:
        page = ready(visit(written(server.url).url))
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".said")
        page.keyboard.press("Escape")
        page.wait_for_timeout(300)
        gate.set()
        turn = answered(page)
        assert "Stopped before the answer was finished" in turn.inner_text()
        assert "Coverability is enough" in turn.inner_text()
        assert "77 cents" not in turn.inner_text()
        shoot(page, "stopped")
        page.reload()
        page.wait_for_selector(".turn .said")
        assert "Stopped before" in page.inner_text(".turn")


def test_an_answer_that_was_left_stays_out_of_the_next_conversation(written, visit) -> None:
    gate = threading.Event()
    with serving(in_two_parts(gate), says(FIRST)) as server:
        page = ready(visit(written(server.url).url))
        page.fill("#question", QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".said")
        page.click('[data-act="fresh"]')
        gate.set()
        page.wait_for_selector(".talks-list [data-conversation]")
        assert page.locator(".turn").count() == 0
        assert "conversation" not in page.url
        assert page.locator(".send").is_visible()
        ask(page)
        assert page.locator(".turn").count() == 1


def test_a_server_that_is_down_is_reported_and_the_papers_still_answer(
    written, visit, shoot
) -> None:
    with serving(hangs_up) as server:
        page = ready(visit(written(server.url).url))
        turn = ask(page)
        assert turn.locator(".notice").count() >= 1
        assert turn.locator(".said.quoted").count() >= 1
        shoot(page, "server-down")


def test_an_answer_that_breaks_off_keeps_its_sentences(written, visit, shoot) -> None:
    with serving(breaks_down(FIRST, "Half a sen"), says(FIRST)) as server:
        page = ready(visit(written(server.url, RAG_ANSWER__ON_LLM_FAILURE="error").url))
        turn = ask(page)
        assert "Coverability is enough" in turn.inner_text()
        assert "Half a sen" not in turn.inner_text()
        assert "was interrupted" in turn.inner_text()
        shoot(page, "broken-off")
        turn.locator('[data-act="retry"]').click()
        turn = answered(page)
        assert "was interrupted" not in turn.inner_text()


def test_an_error_says_what_to_do_and_trying_again_works(written, visit, shoot) -> None:
    with serving(hangs_up, hangs_up, hangs_up, says(FIRST)) as server:
        page = ready(visit(written(server.url, RAG_ANSWER__ON_LLM_FAILURE="error").url))
        turn = ask(page)
        shoot(page, "llm-error")
        assert turn.locator(".error").count() == 1
        for _ in range(3):
            turn.locator('.error [data-act="retry"]').click()
            turn = answered(page)
            if turn.locator(".error").count() == 0:
                break
        assert "Coverability is enough" in turn.inner_text()
