"""The library, map and evaluation pages in a real browser: behaviour, width and requests."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.assistant import Assistant
from tests.ui.conftest import HOSTILE, Server
from tests.ui.test_evaluation import record

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LOOKS = {
    "light": {"viewport": {"width": 1200, "height": 900}},
    "dark": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}


@pytest.fixture(scope="module")
def server(demo_home, tmp_path_factory) -> Iterator[Server]:
    """The pages over a copy of the sample library."""
    folder = tmp_path_factory.mktemp("pages")
    server = Server(Path(shutil.copytree(demo_home, folder / "home")), folder)
    yield server
    server.end()
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


@pytest.fixture
def open_tab(server, visit):
    """Opens the page at a tab."""

    def opened(tab: str, look: str = "light"):
        return to(visit(server.url, **LOOKS[look]), tab)

    return opened


def to(page, tab: str):
    page.get_by_role("tab", name=tab, exact=True).click()
    return page


def barriers(page, part: str) -> list[str]:
    """Return axe-core's serious findings in a part of the page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context={"include": [[part]]}).response["violations"]
    return [
        f"{violation['id']}: {violation['nodes'][0]['html']}"
        for violation in found
        if violation["impact"] in {"serious", "critical"}
    ]


def asked(page) -> str:
    """The paper that was handed to the Ask page, which is then shown."""
    away = page.locator(".scope-chips .chip button").last
    away.wait_for()
    # The chip sets a title's formula a moment later; its remove button has the raw title.
    return away.get_attribute("aria-label").removeprefix("Search without: ")


def test_papers_are_browsed_searched_and_filtered(open_tab) -> None:
    page = open_tab("Library")
    cards = page.locator(".lib-card")
    cards.first.wait_for()
    assert cards.count() == 30
    page.get_by_role("button", name="Show 18 more").click()
    page.wait_for_function("document.querySelectorAll('.lib-card').length === 48")
    assert (
        page.evaluate(
            "[...document.querySelectorAll('.lib-card button')].indexOf(document.activeElement)"
        )
        == 30
    )
    page.get_by_label("Search", exact=True).fill("density ratios")
    page.get_by_role("heading", name="In the title").wait_for()
    assert "Density Ratios" in cards.first.inner_text()
    assert not page.get_by_label("Order").is_visible()
    page.get_by_label("Search", exact=True).fill("")
    page.get_by_label("Order").wait_for()
    page.get_by_label("Order").click()
    page.get_by_role("option", name="Title").click()
    page.wait_for_function("!document.querySelector('.lib-group h2')")
    titles = [title.casefold() for title in page.locator(".lib-card h3").all_inner_texts()]
    assert titles == sorted(titles)


def test_a_paper_is_opened_by_keyboard_and_asked_about(open_tab) -> None:
    page = open_tab("Library")
    first = page.locator(".lib-card button").first
    first.wait_for()
    title = first.inner_text()
    first.focus()
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog", name=title)
    sheet.wait_for()
    page.keyboard.press("Escape")
    sheet.wait_for(state="hidden")
    first.click()  # the same again, without asking the server
    sheet.wait_for()
    sheet.get_by_text("BibTeX", exact=True).click()
    assert "@" in sheet.locator("pre").inner_text()
    similar = sheet.locator(".lib-similar button").first
    other = similar.inner_text()
    similar.click()
    page.get_by_role("dialog", name=other).get_by_role(
        "button", name="Ask about this paper"
    ).click()
    assert asked(page) == other
    assert page.get_by_role("dialog").count() == 0


def test_files_are_added_and_a_paper_removed(open_tab, server, shoot, tmp_path) -> None:
    file = tmp_path / "mine.jsonl"
    rows = [
        {
            "title": f"{HOSTILE} A hostile paper",
            "abstract": f"{HOSTILE} and $x^2$",
            "authors": [HOSTILE],
            "url": "javascript:alert(6)",
        },
        {
            "title": "A paper on $\\alpha$-walking robots",
            "abstract": "They walk.",
            "published": "2031-02-03",
        },
        {"nothing": HOSTILE},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page = open_tab("Library")
    page.get_by_role("button", name="Add papers").click()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("Choose files first").wait_for()
    page.locator(".lib-add input[type=file]").set_input_files(file)
    page.get_by_text("mine").first.wait_for()
    page.get_by_role("button", name="Add", exact=True).click()
    page.locator("div.lib-added").wait_for(timeout=60_000)
    shoot(page, "light-added")
    assert page.locator(".lib-outcome").all_inner_texts() == ["2 added", "1 failed"]
    assert "Line 3" in page.locator(".lib-failures").inner_text()
    assert (server.home / "uploads" / "mine.jsonl").read_bytes() == file.read_bytes()
    page.get_by_text("50 papers").wait_for()
    assert "walking robots" in page.locator(".lib-card").first.inner_text()
    assert page.locator(".lib-card").first.locator("math").count() == 1
    page.get_by_label("Search", exact=True).fill("hostile paper")
    page.get_by_role("heading", name="In the title").wait_for()
    page.locator(".lib-card button").first.click()
    sheet = page.get_by_role("dialog")
    assert "A hostile paper" in sheet.inner_text()
    assert "{{alert(4)}}" in sheet.inner_text()
    assert page.locator("a[href^=javascript]").count() == 0
    shoot(page, "light-hostile")
    sheet.get_by_text("Remove from the library").click()
    sheet.get_by_role("button", name="Cancel").click()
    assert not sheet.get_by_role("button", name="Remove this paper").is_visible()
    sheet.get_by_text("Remove from the library").click()
    sheet.get_by_role("button", name="Remove this paper").click()
    page.get_by_text("is no longer in the library").wait_for()
    page.get_by_role("button", name="Back to the library").click()
    page.get_by_label("Search", exact=True).fill("")
    page.get_by_text("49 papers").wait_for()


def test_a_removed_paper_is_reported_each_time(open_tab, server) -> None:
    page = open_tab("Library")
    last = page.locator(".lib-card button").last
    last.wait_for()
    with Assistant.open(home=server.home) as elsewhere:
        elsewhere.remove(last.get_attribute("data-id"))
    for _ in range(2):
        last.click()
        page.get_by_role("dialog", name="That did not work").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")


def tooltip_title(page) -> str:
    """Return the title in the map's tooltip, with its formulas set."""
    return page.locator(".map-tip strong").text_content()


def shown_title(dot) -> str:
    """The title of a dot as the server's HTML for it reads."""
    return dot.evaluate(
        "dot => new DOMParser().parseFromString(dot.dataset.shown, 'text/html').body.textContent"
    )


def test_the_map_shows_titles_and_asks_about_papers(open_tab) -> None:
    page = open_tab("Map")
    dots = page.locator(".map-dot")
    dots.first.wait_for()
    top = dots.last  # nothing covers it
    title = top.get_attribute("data-title")
    top.hover()
    assert tooltip_title(page) == shown_title(top)
    top.click()
    assert asked(page) == title
    to(page, "Map")
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(
        "(v => v.scrollWidth > v.clientWidth * 1.4)(document.querySelector('.map-view'))"
    )
    page.get_by_label("Highlight").fill("density ratios")
    page.locator(".map-list li").first.wait_for()
    assert page.locator(".map-found").count() == page.locator(".map-list li").count()
    page.locator(".map-list button").first.click()
    # The paper asked for before is in the scope until this one takes its place.
    page.get_by_role("button", name=re.compile("Search without: .*Density Ratios")).wait_for()


def test_the_map_is_reached_by_keyboard(open_tab) -> None:
    page = open_tab("Map")
    page.locator(".map-dot").first.wait_for()
    page.get_by_role("button", name="Zoom in").focus()
    seen = set()
    for key in ("Tab", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        seen.add(page.evaluate("document.activeElement.dataset.title"))
    assert len(seen) > 2
    assert None not in seen
    here = page.evaluate("document.activeElement.dataset.title")
    assert tooltip_title(page) == shown_title(page.locator(":focus"))
    page.keyboard.press("Enter")
    assert asked(page) == here


def test_a_tap_shows_the_title_and_a_second_tap_asks(open_tab) -> None:
    page = open_tab("Map", "phone")
    page.locator(".map-dot").first.wait_for()
    top = page.locator(".map-dot").last
    box = top.bounding_box()
    assert box
    spot = box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2
    page.touchscreen.tap(*spot)
    page.locator(".map-tip").wait_for()
    assert tooltip_title(page) == shown_title(top)
    assert not page.locator(".scope-chips .chip").count()
    page.touchscreen.tap(*spot)
    assert asked(page) == top.get_attribute("data-title")


def test_runs_are_shown_and_compared(open_tab, server) -> None:
    shutil.rmtree((server.folder / "runs"), ignore_errors=True)
    page = open_tab("Evaluation")
    page.get_by_text("rag eval").wait_for()
    assert not page.get_by_label("Compared with").is_visible()
    record((server.folder / "runs"), "first")
    record((server.folder / "runs"), "second", better=0.3)
    page = open_tab("Evaluation")
    page.locator(".eval-run svg").first.wait_for()
    page.get_by_label("Compared with").click()
    page.get_by_role("option", name="first").click()
    page.get_by_role("heading", name="second against first").wait_for()
    assert "6, 0, 0" in page.locator(".eval-run").first.inner_text()


@pytest.mark.parametrize("look", LOOKS)
def test_pages_fit_and_are_looked_at(open_tab, server, shoot, look) -> None:
    if not (server.folder / "runs").exists():
        record((server.folder / "runs"), "first")
    parts = {
        "Library": (".lib-page", ".lib-card"),
        "Map": (".map-page", "circle"),
        "Evaluation": (".eval-page", "svg g"),
    }
    for tab, (part, there) in parts.items():
        page = open_tab(tab, look)
        page.locator(f"{part} {there}").first.wait_for()
        shoot(page, f"{look}-{tab.lower()}")
        assert not barriers(page, part)
        assert (
            page.evaluate("document.documentElement.scrollWidth")
            <= LOOKS[look]["viewport"]["width"]
        )
        if tab == "Library":
            page.locator(".lib-card button").first.click()
            page.get_by_role("dialog").wait_for()
            shoot(page, f"{look}-paper")
            assert not barriers(page, "dialog[open]")
            assert (
                page.evaluate("document.documentElement.scrollWidth")
                <= LOOKS[look]["viewport"]["width"]
            )
