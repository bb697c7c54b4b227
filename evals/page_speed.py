"""How fast the page is, in a real browser: `python -m evals.page_speed HOME`.

Prints, as the median of some rounds on this machine: from opening the page until a question can be typed, and from
Enter until the sources and the whole answer are there, at the beginning of a conversation and after 100 answers. Needs
Chromium and the dev extra's playwright.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from rag.errors import InputError

_QUESTION = "which papers study density ratios in RL?"
_LONG = 100
_LINE = "{:<44} {:>8} {:>8} {:>8}"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument(
        "home", type=Path, help="a library; it is copied, so that no question is left in it"
    )
    options.add_argument("--rounds", type=int, default=10)
    given = options.parse_args()
    if not (given.home / "catalog.sqlite").exists():
        raise InputError(
            f"there is no library in {given.home}; begin with: rag ingest FOLDER --home {given.home}"
        )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(
            shutil.copytree(
                given.home, Path(folder) / "home", ignore=shutil.ignore_patterns("journal.db*")
            )
        )
        with _served(home, Path(folder)) as url, _browser() as browser:
            _print(_LINE.format("milliseconds", "median", "min", "max"))
            _row(
                "page opened until a question can be typed",
                [_opened(browser, url) for _ in range(given.rounds)],
            )
            page = browser.new_page()
            _open(page, url)
            _asked(page, _QUESTION)
            _rows("Enter until", [_asked(page, _QUESTION) for _ in range(given.rounds)])
            while page.locator(".turn").count() < _LONG:
                _asked(page, _QUESTION)
            _rows(
                f"after {_LONG} answers, Enter until",
                [_asked(page, _QUESTION) for _ in range(given.rounds)],
            )


def _open(page: Any, url: str) -> float:
    started = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(".welcome")
    page.fill("#question", "x")
    return time.perf_counter() - started


def _opened(browser: Any, url: str) -> float:
    context = browser.new_context()  # nothing is cached
    try:
        return _open(context.new_page(), url)
    finally:
        context.close()


def _asked(page: Any, question: str) -> tuple[float, float]:
    """Seconds until the sources of the new turn are there, and until it is over."""
    page.fill("#question", question)
    started = time.perf_counter()
    page.keyboard.press("Enter")
    number = page.locator(".turn").last.get_attribute("data-turn")
    page.wait_for_selector(f'.pane .sources[data-turn="{number}"] .card')
    found = time.perf_counter() - started
    page.wait_for_selector(f'.turn[data-turn="{number}"] .under')
    over = time.perf_counter() - started
    # The follow-ups come after it; the next question shall not compete with them.
    page.wait_for_selector(f'.turn[data-turn="{number}"] .follow')
    return found, over


@contextmanager
def _served(home: Path, folder: Path) -> Iterator[str]:
    log = folder / "server.log"
    with log.open("w", encoding="utf-8") as said:
        command = [sys.executable, "-m", "rag", "ui", "--home", str(home)]
        environment = {
            **os.environ,
            "RAG_UI__QUESTIONS_PER_MINUTE": "100000",
            "PYTHONUNBUFFERED": "1",
        }
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment)
    try:
        while not (found := re.search(r"the page is at (\S+)", log.read_text(encoding="utf-8"))):
            if process.poll() is not None:
                raise InputError(f"rag ui ended: {log.read_text(encoding='utf-8').strip()}")
            time.sleep(0.1)
        time.sleep(5)  # the first page's questions are being tried out
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise InputError("Chromium is needed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def _rows(what: str, laps: list[tuple[float, float]]) -> None:
    _row(f"{what} sources", [found for found, _ in laps])
    _row(f"{what} answer", [over for _, over in laps])


def _row(what: str, seconds: list[float]) -> None:
    _print(
        _LINE.format(
            what, *(f"{1000 * one:.0f}" for one in (median(seconds), min(seconds), max(seconds)))
        )
    )


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"evals.page_speed: {error}")
