"""Hostile titles, abstracts, questions and model texts are shown: nothing runs or loads.

The `visit` fixture fails a test whose page sends a request to another host, opens a dialog or
another page, or sets `window.hacked`.
"""

from __future__ import annotations

from typing import Any

import pytest

from rag.assistant import Assistant
from tests.answer.generated.test_screening import verdict
from tests.llm.fake import SERVED, errs, says, serving
from tests.llm.tiny import make_model
from tests.ui.hostile import OUTPUTS, QUESTIONS, TITLES
from tests.ui.test_ask_page import ask, ready

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PHONE = {"width": 390, "height": 844}
_TEN = 10
# Elements and attributes that the page never makes of a text.
_WRONG = """() => [".turns", ".pane", ".talks", ".tip", ".talk-title", ".scope-chips", ".map-tip"]
  .flatMap((part) => [...document.querySelectorAll(`${part} *`)])
  .filter((node) =>
    /^(img|image|iframe|script|object|embed|svg|style|link|base|meta|video|audio|source|picture|template|dialog)$/i
      .test(node.localName) ||
    [...node.attributes].some(({ name, value }) =>
      (value && /^(on|style|src|srcdoc|srcset|action|formaction)/i.test(name)) ||
      (value && /^(background|poster|ping|xlink)/i.test(name)) ||
      (name === "href" && !/^https?:/.test(value))))
  .map((node) => node.outerHTML.slice(0, 200))"""


def test_there_are_thirty_of_each() -> None:
    for texts in (TITLES, QUESTIONS, OUTPUTS):
        assert len(set(texts)) == 30


def nothing_happened(page: Any) -> None:
    """Open all folded parts, and assert that nothing on the page ran."""
    page.evaluate(
        "document.querySelectorAll('.ask-page details').forEach((one) => (one.open = true))"
    )
    assert page.evaluate(_WRONG) == []
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("#question").is_visible()


def test_titles_abstracts_and_questions_are_only_shown(
    serve, visit, write_papers, tmp_path, model_cache, shoot
) -> None:
    papers = [
        {"title": f"{text} grokking {n}", "abstract": f"Grokking is {text} late."}
        for n, text in enumerate(TITLES)
    ]
    home = tmp_path / "hostile"
    with Assistant.open(home=home) as assistant:
        assistant.ingest([write_papers("hostile.jsonl", *papers)])
    page = ready(visit(serve(home, RAG_UI__QUESTIONS_PER_MINUTE="100").url, PHONE))
    turn = ask(page, "Which papers study grokking?")
    assert turn.locator(".said").count() > _TEN
    turn.locator(".mark").first.click()
    turn.locator('.card [data-act="only"]').first.click()
    shoot(page, "hostile-titles")
    page.locator(".scope-chips button").click()
    for text in QUESTIONS:
        ask(page, f"What is {text} grokking?")
    assert page.locator(".turn").count() == 1 + len(QUESTIONS)
    assert page.locator(".turn .error").count() == 0
    nothing_happened(page)
    shoot(page, "hostile-questions")
    page.reload()
    page.wait_for_selector(f".turn:nth-child({1 + len(QUESTIONS)}) .under")
    nothing_happened(page)
    page.get_by_role("tab", name="Map", exact=True).click()
    page.locator(".map-dot").first.focus()
    for _ in TITLES:
        page.keyboard.press("ArrowRight")
        page.locator(".map-tip strong").wait_for()
        assert page.evaluate(_WRONG) == []
    assert page.evaluate("window.hacked") is None


def test_what_a_model_writes_is_only_shown(demo_copy, serve, visit, tmp_path, shoot) -> None:
    reasons = iter(OUTPUTS * 2)
    # Numbered, since sentences that say the same are shown once.
    numbered = list(enumerate(OUTPUTS, start=1))
    answers = [
        says(
            *(
                piece
                for n, text in ten
                for piece in (f"It is {n} {text[:9]}", f"{text[9:]} enough. [1] ")
            )
        )
        for ten in (numbered[at : at + _TEN] for at in range(0, len(OUTPUTS), _TEN))
    ]
    answers.append(errs(500, OUTPUTS[0] * 3, "text/html"))
    later = iter(answers)

    def act(handler: Any) -> None:
        asked = handler.body["messages"][0]["content"]
        if asked.startswith("You screen"):
            verdict("Harnessing Density Ratios" in asked, f"It is {next(reasons)}")(handler)
        elif asked.startswith("You rewrite"):
            says(asked.rpartition("Last question: ")[2])(handler)
        elif asked.startswith("You suggest"):
            says("\n".join(f"Which papers study {text} density ratios?" for text in QUESTIONS[:3]))(
                handler
            )
        else:
            next(later, answers[-1])(handler)

    with serving(act) as server:
        settings = {
            **SERVED,
            "RAG_LLM__BASE_URL": server.url,
            "RAG_LLM__TOKENIZER": str(make_model(tmp_path / "tiny")),
            "RAG_LLM__READS": "true",
            "RAG_LLM__SCREENED": "35",
            "RAG_ANSWER__SUPPORTED": "0",  # nothing is left out for want of support
        }
        page = ready(visit(serve(demo_copy, **settings).url, PHONE))
        for _ in range(len(OUTPUTS) // _TEN):
            ask(page, "How are density ratios learned?")
        assert page.locator(".said").count() == len(OUTPUTS)
        shoot(page, "hostile-answers")
        turn = ask(page)  # papers are asked for, so they are screened; and then the server fails
        assert turn.locator(".excluded li").count() >= len(OUTPUTS)
        nothing_happened(page)
        shoot(page, "hostile-reasons")
        page.reload()
        page.wait_for_selector(".turn:nth-child(4) .under")
        nothing_happened(page)
