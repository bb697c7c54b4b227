"""Measure how fast the page is in a real browser: `python -m evals.page_speed HOME`.

Prints the median, minimum and maximum of several rounds on this machine: the time from opening the
page until a question can be typed, and the time from Enter until the sources and the complete
answer are shown, at the start of a conversation and after 100 answers. Needs Chromium, and
playwright from the extra dev.
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
    """Measure the page, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "home", type=Path, help="a library; a copy of it is used, so it gets no conversations"
    )
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if not (options.home / "catalog.sqlite").exists():
        raise InputError(
            f"there is no library in {options.home}; "
            f"make one with: rag ingest FOLDER --home {options.home}"
        )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(
            shutil.copytree(
                options.home, Path(folder) / "home", ignore=shutil.ignore_patterns("journal.db*")
            )
        )
        with _served(home, Path(folder)) as url, _browser() as browser:
            _print(_LINE.format("milliseconds", "median", "min", "max"))
            _row(
                "page opened until a question can be typed",
                [_opened(browser, url) for _ in range(options.rounds)],
            )
            page = browser.new_page()
            _open(page, url)
            _asked(page, _QUESTION)
            _rows("Enter until", [_asked(page, _QUESTION) for _ in range(options.rounds)])
            while page.locator(".turn").count() < _LONG:
                _asked(page, _QUESTION)
            _rows(
                f"after {_LONG} answers, Enter until",
                [_asked(page, _QUESTION) for _ in range(options.rounds)],
            )


def _open(page: Any, url: str) -> float:
    started = time.perf_counter()
    page.goto(url)
    page.wait_for_selector(".welcome")
    page.fill("#question", "x")
    return time.perf_counter() - started


def _opened(browser: Any, url: str) -> float:
    context = browser.new_context()  # with an empty cache
    try:
        return _open(context.new_page(), url)
    finally:
        context.close()


def _asked(page: Any, question: str) -> tuple[float, float]:
    """Ask a question; return the seconds until its sources are shown, and until it is answered."""
    page.fill("#question", question)
    started = time.perf_counter()
    page.keyboard.press("Enter")
    number = page.locator(".turn").last.get_attribute("data-turn")
    page.wait_for_selector(f'.pane .sources[data-turn="{number}"] .card')
    found = time.perf_counter() - started
    page.wait_for_selector(f'.turn[data-turn="{number}"] .under')
    answered = time.perf_counter() - started
    # The follow-up questions are computed after the answer. Wait for them, so that they do not
    # slow down the next question.
    page.wait_for_selector(f'.turn[data-turn="{number}"] .follow')
    return found, answered


@contextmanager
def _served(home: Path, folder: Path) -> Iterator[str]:
    log = folder / "server.log"
    with log.open("w", encoding="utf-8") as output:
        command = [sys.executable, "-m", "rag", "ui", "--home", str(home)]
        environment = {
            **os.environ,
            "RAG_UI__QUESTIONS_PER_MINUTE": "100000",
            "PYTHONUNBUFFERED": "1",
        }
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        while not (found := re.search(r"the page is at (\S+)", log.read_text(encoding="utf-8"))):
            if process.poll() is not None:
                raise InputError(f"rag ui ended: {log.read_text(encoding='utf-8').strip()}")
            time.sleep(0.1)
        time.sleep(5)  # the server tries out the questions that the start page suggests
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise InputError("Chromium was not found; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def _rows(label: str, times: list[tuple[float, float]]) -> None:
    _row(f"{label} sources", [found for found, _ in times])
    _row(f"{label} answer", [answered for _, answered in times])


def _row(label: str, seconds: list[float]) -> None:
    values = (median(seconds), min(seconds), max(seconds))
    _print(_LINE.format(label, *(f"{1000 * value:.0f}" for value in values)))


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"evals.page_speed: {error}")
