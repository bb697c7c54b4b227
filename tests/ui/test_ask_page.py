"""The Ask page in a real browser, with the laptop profile over the bundled sample."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag.assistant import Assistant
from tests.ui.conftest import Server

pytestmark = pytest.mark.browser
QUESTION = "which papers study density ratios in RL?"
TITLE = "Harnessing Density Ratios for Online Reinforcement Learning"


@pytest.fixture
def server(demo_copy: Path, serve: Callable[..., Server]) -> Server:
    """The page over a library that a test may change."""
    return serve(demo_copy)


def ready(page: Any) -> Any:
    """The page, once its welcome is there."""
    page.wait_for_selector(".welcome", state="attached")
    return page


def ask(page: Any, question: str = QUESTION) -> Any:
    """Ask, and wait for the end of the answer; the turn."""
    page.fill("#question", question)
    page.keyboard.press("Enter")
    return answered(page)


def answered(page: Any) -> Any:
    """The last turn, once it is over."""
    page.wait_for_selector(".send:not([hidden])")
    page.wait_for_selector(".turn:last-child .under, .turn:last-child .error")
    return page.locator(".turn").last


def text_of(locator: Any) -> str:
    return " ".join(locator.inner_text().split())


def test_the_first_visit_shows_the_library_and_questions_that_work(server, visit, shoot) -> None:
    page = ready(visit(server.url))
    assert "papers" in text_of(page.locator(".glance"))
    assert "without a language model" in page.inner_text(".welcome")
    page.wait_for_function("document.querySelectorAll('.try button').length === 6")
    shoot(page, "first-visit")
    page.locator(".try button").first.click()
    turn = answered(page)
    assert turn.locator(".said").count() >= 1
    assert turn.locator(".refusal").count() == 0


def test_a_marker_leads_to_the_very_sentence_and_back(server, visit, shoot) -> None:
    page = ready(visit(server.url))
    turn = ask(page)
    assert TITLE in turn.inner_text()
    shoot(page, "answer")
    said = turn.locator(".said").first
    quoted = text_of(said.locator("> bdi"))
    chip = said.locator(".mark").first
    chip.hover()
    assert quoted in text_of(page.locator(".tip"))
    shoot(page, "tip")
    chip.click()
    marked = page.locator('.sources mark[data-marks~="1"]').first
    assert text_of(marked) == quoted
    assert marked.is_visible()
    assert marked.evaluate("node => node === document.activeElement")
    assert "flash" in marked.get_attribute("class")
    shoot(page, "evidence")
    marked.click()
    assert page.evaluate("document.activeElement.dataset.mark") == "1"
    assert "flash" in said.get_attribute("class")
    # Only what is cited is listed openly.
    marks = set(turn.locator(".said .mark").all_inner_texts())
    assert {text for text in page.locator(".card.cited .number").all_inner_texts()} == marks
    assert not page.locator(".also .card").first.is_visible()


def test_the_keyboard_is_enough(server, visit) -> None:
    page = ready(visit(server.url))
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "question"
    page.keyboard.type("one line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("another")
    assert page.input_value("#question") == "one line\nanother"
    assert page.locator(".turn").count() == 0
    page.fill("#question", QUESTION)
    page.keyboard.press("Enter")
    turn = answered(page)
    turn.locator(".mark").first.focus()
    page.wait_for_selector(".tip:not([hidden])")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.tagName === 'MARK'")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.className === 'mark'")


def test_a_question_is_edited_and_asked_again_and_a_follow_up_keeps_the_topic(
    server, visit, shoot
) -> None:
    page = ready(visit(server.url))
    ask(page, "Which papers are about label smoothing?")
    ask(page)
    turn = page.locator(".turn").first
    turn.locator('[data-act="edit"]').click()
    assert turn.locator("textarea").bounding_box()["width"] > 400
    turn.locator("textarea").fill(QUESTION)
    shoot(page, "edit")
    turn.locator('[type="submit"]').first.click()
    page.get_by_role("dialog", name="The questions after this one").get_by_role(
        "button", name="Ask again"
    ).click()
    # The page forgets the later turns and begins the new answer in one step.
    page.wait_for_function("document.querySelectorAll('.turn').length === 1")
    turn = answered(page)
    assert page.locator(".turn").count() == 1
    assert TITLE in turn.inner_text()
    turn.locator('[data-act="retry"]').click()
    turn = answered(page)
    assert page.locator(".turn").count() == 1
    follow = turn.locator(".follow button").first
    follow.wait_for()
    follow.click()
    turn = answered(page)
    assert page.locator(".turn").count() == 2
    assert turn.locator(".refusal").count() == 0
    turn = ask(page, "What is it about?")
    assert "Read as:" in turn.inner_text()


def test_filters_really_filter_and_can_be_taken_away(server, visit, shoot) -> None:
    page = ready(visit(server.url))
    turn = ask(page, "Which papers from 2024 study density ratios?")
    chip = turn.locator(".chip").first
    assert "2024" in chip.inner_text()
    shoot(page, "implied-filter")
    assert {date[:4] for date in dates(page)} == {"2024"}
    shoot(page, "implied-filter")
    chip.locator("button").click()
    turn = answered(page)
    assert turn.locator(".chip").count() == 0
    page.click(".scope summary")
    page.fill(".scope [name=last_year]", "2022")
    page.keyboard.press("Tab")
    assert "2022" in text_of(page.locator(".scope-chips"))
    shoot(page, "narrowed")
    ask(page, "Which papers study language models?")
    assert max(date[:4] for date in dates(page)) <= "2022"
    page.click(".scope-chips button")
    assert page.locator(".scope-chips .chip").count() == 0
    ask(page)
    page.locator('.card [data-act="only"]').first.click()
    turn = ask(page, "What is shown?")
    assert {card.get_attribute("data-paper") for card in page.locator(".card").all()} == {
        page.locator(".card").first.get_attribute("data-paper")
    }


def test_an_impossible_scope_is_reported_and_a_chip_says_that_its_paper_is_gone(
    server, visit, shoot
) -> None:
    page = ready(visit(server.url))
    page.click(".scope summary")
    page.fill(".scope [name=first_year]", "2025")
    page.fill(".scope [name=last_year]", "2013")
    assert "since 2025 and until 2013" in ask(page).locator(".error").inner_text()
    for _ in range(2):
        page.locator(".scope-chips button").first.click()
    ask(page, "Which paper is on f-divergence regularization?")
    card = page.locator(".card", has_text="Linearly Structured").first
    card.locator('[data-act="only"]').click()
    page.wait_for_selector(".scope-chips math")
    with Assistant.open(home=server.home) as elsewhere:
        elsewhere.remove(card.get_attribute("data-paper"))
    assert "no paper" in ask(page, "What is shown?").locator(".error").inner_text()
    chip = page.locator(".scope-chips .chip.gone")
    chip.wait_for()
    assert chip.inner_text().startswith("No longer in the library: Robust Offline")
    shoot(page, "chip-of-a-paper-that-is-gone")
    chip.locator("button").click()
    assert ask(page).locator(".error").count() == 0


def test_questions_and_sources_are_reachable_on_a_phone(server, visit, shoot) -> None:
    page = ready(visit(server.url, {"width": 390, "height": 844}))
    last = page.locator(".try button").last
    last.wait_for()
    assert bottom(last) <= page.locator(".composer").bounding_box()["y"]
    turn = ask(page)
    page.get_by_role("button", name="2 sources").click()
    page.wait_for_function("document.activeElement.textContent === 'Sources'")
    page.wait_for_timeout(700)
    assert 0 <= bottom(turn.locator(".card h4").first) <= 400
    shoot(page, "phone-sources")
    turn.locator('.card [data-act="back"]').first.click()
    page.wait_for_function("document.activeElement.className === 'mark'")
    page.wait_for_timeout(700)
    assert 0 <= bottom(turn.locator(".said").first) <= page.locator(".composer").bounding_box()["y"]


def bottom(locator: Any) -> float:
    box = locator.bounding_box()
    return box["y"] + box["height"]


def dates(page: Any) -> list[str]:
    """The dates of the cards that are shown."""
    import re

    return [
        found
        for text in page.locator(".card .meta").all_inner_texts()
        for found in re.findall(r"\b\d{4}\b", text)
    ]


def test_a_conversation_outlives_reload_and_restart(server, visit, shoot) -> None:
    page = ready(visit(server.url))
    ask(page)
    ask(page, "Which of them is the newest?")
    address = page.url
    assert "#conversation=" in address
    page.reload()
    page.wait_for_selector(".turn:nth-child(2) .under")
    # Gradio reloads a page by itself once its server is back, which would interfere with the
    # test's own visit.
    page.goto("about:blank")
    assert server.stop() == 0
    server.start()
    page.goto(address)
    page.wait_for_selector(".turn:nth-child(2) .under")
    assert page.locator(".turn").count() == 2
    page.locator(".turn").first.locator(".mark").first.click()
    page.wait_for_function("document.activeElement.tagName === 'MARK'")
    shoot(page, "after-restart")
    item = page.locator(".talks-list li")
    assert item.count() == 1
    item.hover()
    item.locator('[data-act="rename"]').click()
    asked = page.get_by_role("dialog", name="A new name")
    assert page.evaluate("document.activeElement.value") == QUESTION
    page.keyboard.press("Escape")
    asked.wait_for(state="hidden")
    item.locator('[data-act="rename"]').click()
    page.keyboard.type("Density ratios")
    shoot(page, "rename")
    assert serious(page, ".inquiry") == []
    page.keyboard.press("Enter")
    page.wait_for_selector(".talks-list >> text=Density ratios")
    page.fill(".talks-search", "no such words")
    page.wait_for_selector(".talks-list >> text=No conversation has")
    page.fill(".talks-search", "harnessing")
    page.wait_for_selector(".talks-list >> text=Density ratios")
    page.click('[data-act="fresh"]')
    assert page.locator(".turn").count() == 0
    page.click(".talks-list .open")
    page.wait_for_selector(".turn:nth-child(2) .under")
    page.fill(".talks-search", "")
    item.hover()
    item.locator('[data-act="delete"]').click()
    asked = page.get_by_role("dialog", name="Delete the conversation")
    shoot(page, "delete")
    page.keyboard.press("Enter")  # which is no
    asked.wait_for(state="hidden")
    assert item.count() == 1
    item.locator('[data-act="delete"]').click()
    asked.get_by_role("button", name="Delete").click()
    page.wait_for_selector(".talks-list >> text=will be kept here")


def test_a_question_asked_in_one_tab_takes_nothing_from_another(server, visit) -> None:
    first = ready(visit(server.url))
    ask(first)
    second = first.context.new_page()
    second.goto(first.url)
    second.wait_for_selector(".turn .under")
    ask(second, "what is the newest paper?")
    ask(first, "what is the oldest paper?")
    first.reload()
    first.wait_for_selector(".turn .under")
    asked = [text_of(heading) for heading in first.locator(".asked h2").all()]
    assert asked == [QUESTION, "what is the newest paper?", "what is the oldest paper?"]


def test_a_search_among_the_conversations_holds_while_others_are_asked(server, visit) -> None:
    page = ready(visit(server.url))
    ask(page)
    page.fill(".talks-search", "zebra")
    page.wait_for_selector(".talks-list >> text=No conversation has")
    ask(page, "what is the newest paper?")
    assert "No conversation has" in page.inner_text(".talks-list")


def test_the_conversations_stay_in_reach_of_a_long_one(server, visit) -> None:
    page = ready(visit(server.url, viewport={"width": 1440, "height": 600}))
    for _ in range(3):
        ask(page)
    assert page.evaluate("window.scrollY") > 600
    assert (
        page.evaluate("document.querySelector('[data-act=fresh]').getBoundingClientRect().top") >= 0
    )
    page.click("[data-act=fresh]")
    ready(page)
    assert page.locator(".talks-list li").count() == 1


def test_named_papers_are_compared(server, visit, shoot) -> None:
    page = ready(visit(server.url))
    turn = ask(page, "How do SparsePO and D2O differ?")
    assert text_of(turn.locator(".chips").first).startswith("only SparsePO and D2O")
    names = page.locator(".pane h4").all_inner_texts()
    assert [name.split(":")[0].lstrip("0123456789 \n") for name in names] == [
        "SparsePO",
        "Negating Negatives",
    ]
    shoot(page, "side-by-side")


def test_what_is_judged_is_not_behind_the_question(server, visit) -> None:
    page = ready(visit(server.url, viewport={"width": 1440, "height": 600}))
    turn = ask(page)
    turn.locator(".thumb", has_text="Not helpful").click()
    page.wait_for_timeout(500)
    word, composer = (
        turn.locator(".word input").bounding_box(),
        page.locator(".composer textarea").bounding_box(),
    )
    assert word["y"] + word["height"] <= composer["y"]


def test_a_question_that_failed_gives_its_place_to_the_next(server, visit) -> None:
    page = ready(visit(server.url))
    ask(page)
    assert ask(page, "density " * 1000).locator(".error").count() == 1
    assert TITLE in ask(page).inner_text()
    assert page.locator(".turn").count() == 2
    assert page.locator(".turn .under").count() == 2


def test_back_and_forward_go_from_conversation_to_conversation(server, visit) -> None:
    page = ready(visit(server.url))
    ask(page)
    page.click('[data-act="fresh"]')
    ask(page, "what is the newest paper?")
    page.go_back()
    page.go_back()
    page.wait_for_selector(f'.asked h2:has-text("{QUESTION}")')
    assert page.locator(".turn").count() == 1
    page.wait_for_selector(".follow button")
    page.go_forward()
    page.wait_for_selector(".welcome", state="visible")
    page.go_forward()
    page.wait_for_selector('.asked h2:has-text("newest")')


def test_the_chosen_paper_shows_what_it_is_about(server, visit) -> None:
    page = ready(visit(server.url))
    ask(page)
    page.locator('.card [data-act="only"]').first.click()
    turn = ask(page, "What is this about?")
    assert turn.locator(".refusal").count() == 0
    assert turn.locator(".said").count() >= 1


def test_answers_are_exported_copied_and_judged(server, visit, demo_copy) -> None:
    page = ready(visit(server.url))
    turn = ask(page)
    texts = {}
    for kind in ("md", "bib", "json"):
        turn.locator('[data-act="menu"]').click()
        with page.expect_download() as download:
            turn.locator(f'[data-kind="{kind}"]').click()
        assert download.value.suggested_filename == f"answer.{kind}"
        texts[kind] = Path(download.value.path()).read_text(encoding="utf-8")
    assert TITLE in texts["md"]
    assert texts["md"].count(QUESTION) == 1
    assert texts["bib"].startswith("@")
    assert json.loads(texts["json"])
    turn.locator('[data-act="copy"]').click()
    page.wait_for_selector(".said-aloud.on")
    assert TITLE in page.evaluate("navigator.clipboard.readText()")
    page.locator('.card [data-act="similar"]').first.click()
    page.wait_for_selector(".similar li")
    turn.locator(".thumb", has_text="Not helpful").click()
    turn.locator(".word input").fill("misses a paper")
    turn.locator(".word button").click()
    page.wait_for_selector(".said-aloud >> text=Feedback saved")
    page.reload()
    page.wait_for_selector('.thumb[data-good="0"][aria-pressed="true"]')
    assert page.input_value(".word input") == "misses a paper"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1100, 1440])
def test_nothing_is_cut_off_and_nothing_is_hard_to_read(
    server, visit, shoot, width, scheme
) -> None:
    page = ready(visit(server.url, {"width": width, "height": 850}, color_scheme=scheme))
    page.wait_for_selector(".try button")
    for step in ("welcome", "answer"):
        if step == "answer":
            ask(page)
            page.wait_for_selector(".turn .sources, .pane .sources", state="visible")
            page.wait_for_timeout(700)
        shoot(page, f"{step}-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert serious(page, ".ask-page") == []
    assert page.locator(".composer").is_visible()


def test_two_readers_do_not_see_each_other(server, visit) -> None:
    first, second = ready(visit(server.url)), ready(visit(server.url))
    ask(first)
    second.reload()
    ready(second)
    assert second.locator(".talks-list li").count() == 0
    # Nor by the other's address.
    second.goto(first.url)
    second.reload()
    second.wait_for_selector(".said-aloud.on")
    assert second.locator(".turn").count() == 0


def serious(page: Any, part: str) -> list[tuple[str, list[str]]]:
    """Return axe-core's serious findings in a part of the page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=part).response["violations"]
    barriers = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in barriers
    ]


def test_errors_are_shown_in_the_page(tmp_path, serve, visit, shoot, demo_copy) -> None:
    empty = ready(visit(serve(tmp_path / "nothing-here").url))
    assert "rag ingest" in empty.inner_text(".welcome")
    turn = ask(empty, "What is this?")
    assert "rag ingest" in turn.locator(".error").inner_text()
    shoot(empty, "no-library")
    page = ready(visit(serve(demo_copy, RAG_UI__QUESTIONS_PER_MINUTE="1").url))
    turn = ask(page, "word " * 1500)
    assert "characters" in turn.locator(".error").inner_text()
    turn = ask(page)
    assert "questions a minute" in turn.locator(".error").inner_text()
    shoot(page, "too-many")


def test_no_file_of_the_server_is_to_be_read(server, visit) -> None:
    import httpx

    secrets = [
        "/etc/passwd",
        str(server.home / "journal.db"),
        str(server.home / "catalog.sqlite"),
        "pyproject.toml",
    ]
    page = ready(visit(server.url))
    ask(page)
    for path in secrets:
        for address in (f"gradio_api/file={path}", f"file={path}", f"gradio_api/file/{path}"):
            assert httpx.get(f"{server.url}{address}").status_code in {403, 404}, address


def test_a_damaged_journal_is_reported_and_left_alone(demo_copy, serve, visit) -> None:
    (demo_copy / "journal.db").write_bytes(b"not a database" * 100)
    page = visit(serve(demo_copy).url)
    page.wait_for_selector(".ask-page")
    page.wait_for_selector(".welcome", state="attached")
    assert (demo_copy / "journal.db").read_bytes() == b"not a database" * 100
    turn = ask(page)
    assert TITLE in turn.inner_text()
    assert "This turn was not saved" in turn.locator(".notice").inner_text()


@pytest.mark.timeout(600)
def test_the_library_can_be_narrowed_by_its_own_names(daily_home, serve, visit, tmp_path) -> None:
    home = Path(shutil.copytree(daily_home, tmp_path / "daily"))
    page = ready(visit(serve(home).url))
    page.wait_for_selector(".scope", state="attached")
    assert page.locator(".scope [name=organisations] option").count() > 1
    page.click(".scope summary")
    name = page.locator(".scope [name=organisations] option").nth(1).get_attribute("value")
    page.select_option(".scope [name=organisations]", name)
    turn = ask(page, "Which papers are there on language models?")
    assert turn.locator(".error").count() == 0
    cards = page.locator(".card .meta").all_inner_texts()
    assert cards
    assert all(name in card for card in cards)
