"""The Ask page with a small, real language model: preview, answer and quotations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import Server
from tests.ui.test_ask_page import answered, ready

pytestmark = [pytest.mark.browser, pytest.mark.llamacpp, pytest.mark.timeout(300)]

QUESTION = "How does GLOW explore?"


@pytest.fixture
def page(
    llm_file: Path, demo_copy: Path, serve: Callable[..., Server], visit: Callable[..., Any]
) -> Any:
    """The page over the sample library, whose answers SmolLM2 writes."""
    settings = {
        "RAG_ANSWER__SYNTHESIZER": "generated",
        "RAG_LLM__MODEL": str(llm_file),
        "RAG_LLM__MAX_TOKENS": "120",
    }
    return ready(visit(serve(demo_copy, **settings).url))


def ask(page: Any) -> None:
    page.fill("#question", QUESTION)
    page.keyboard.press("Enter")


def test_the_best_quotation_is_shown_until_the_model_has_written(page, shoot) -> None:
    ask(page)
    page.wait_for_selector(".preview blockquote")
    quotation = page.locator(".preview blockquote").inner_text()
    shoot(page, "local-preview")
    turn = answered(page)
    assert turn.locator(".preview").count() == 0
    assert turn.locator(".said").count() >= 1
    assert "form grammar" in turn.locator(".under").inner_text()
    assert str(Path.home()) not in turn.locator(".under").inner_text(), "a path of the machine"
    assert "tokens/s" in turn.locator(".under").inner_text()
    shoot(page, "local-answer")
    assert len(quotation) > 20
    turn.locator(".mark").first.click()
    page.wait_for_function("document.activeElement.tagName === 'MARK'")


def test_quotations_only_leave_the_model_alone(page, shoot) -> None:
    page.check(".quotes input")
    ask(page)
    turn = answered(page)
    assert turn.locator(".said.quoted").count() >= 1
    assert "form grammar" not in turn.locator(".under").inner_text()
    shoot(page, "local-quotes")
