"""The page, served by `rag ui` in a separate process, and a browser that reaches only it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rag.records import Paper, PublishedDate, Sighting

ROOT = Path(__file__).resolve().parents[2]
WIDE = {"width": 1440, "height": 900}
HOSTILE = (
    '<img src=x onerror="alert(1)"><script>alert(2)</script>${alert(3)}{{alert(4)}}'
    '\u202e"onmouseover=alert(5) '
)


class Server:
    """`rag ui` on a free port, called in `folder`; `log` holds its output."""

    def __init__(self, home: Path, folder: Path, *arguments: str, **environment: str) -> None:
        self.home, self.folder, self.log = home, folder, folder / "server.log"
        self.arguments, self.environment = arguments, environment
        self.url = ""
        self.start()

    def start(self) -> None:
        port = ["--port", self.url.rstrip("/").rpartition(":")[2]] if self.url else []
        command = [
            sys.executable,
            "-m",
            "rag",
            "ui",
            "--home",
            str(self.home),
            *self.arguments,
            *port,
        ]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=self.folder
            )
        deadline = time.monotonic() + 120
        while not (
            said := re.search(r"the page is at (\S+)", self.log.read_text(encoding="utf-8"))
        ):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.log.read_text(encoding="utf-8"))
            time.sleep(0.1)
        self.url = said[1]

    def end(self) -> None:
        """End the server in any state."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Serve a home: `serve(home, "--auth", file, RAG_...="...")`."""
    servers: list[Server] = []

    def start(home: Path, *arguments: str, **environment: str) -> Server:
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        servers.append(Server(home, folder, *arguments, **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, one for all tests."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, chromium has no sandbox to offer.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a page as a new reader: `visit(url, width=390)`.

    The test fails at its end if a page did something forbidden: a request to another host, a
    script error, a dialog, another page, a console message, or a hostile text that ran.
    """
    wrongs: list[str] = []
    contexts: list[Any] = []

    def open_page(url: str, viewport: dict[str, int] = WIDE, **options: Any) -> Any:
        context = chromium.new_context(viewport=viewport, accept_downloads=True, **options)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(60_000)
        contexts.append(context)
        context.add_init_script(_CANARY)
        context.on(
            "request",
            lambda request: _same_host(request.url) or wrongs.append(f"asked for {request.url}"),
        )
        page = context.new_page()
        page.on(
            "dialog", lambda dialog: wrongs.append(f"dialog: {dialog.message}") or dialog.dismiss()
        )
        page.on("popup", lambda other: wrongs.append(f"opened {other.url}"))
        page.on("pageerror", lambda error: wrongs.append(f"script error: {error}"))
        page.on(
            "console",
            lambda said: _harmless(said) or wrongs.append(f"console: {said.type}: {said.text}"),
        )
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrongs == []


# What hostile texts set where they run, in the page or in a frame of it.
_CANARY = (
    "Object.defineProperty(window, 'hacked', { set: () => console.error('a hostile text ran') })"
)


def _same_host(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:"))


# A stream that a reload or a stopped server cuts off, in Gradio's words and the browser's.
_CUT_OFF = ("net::ERR_", "AbortError", "Connection errored out", "network error", "Failed to fetch")


# A password that was refused.
_REFUSED = ("status of 401", "status of 429")


def _harmless(said: Any) -> bool:
    """Allow Gradio's warnings, and browser messages on closed connections and refused logins."""
    return said.type != "error" or any(words in said.text for words in _CUT_OFF + _REFUSED)


@pytest.fixture
def shoot(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """Keep a screenshot if PAPERS_SCREENSHOTS is set: `shoot(page, "name")`."""
    folder = Path(os.environ.get("PAPERS_SCREENSHOTS", tmp_path))

    def keep(page: Any, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")

    return keep


@pytest.fixture
def service_of() -> Callable[[Any], SimpleNamespace]:
    """Make the service of an assistant, as far as the pages need one."""
    return lambda assistant: SimpleNamespace(
        assistant=assistant, adding=threading.Lock(), editable=True
    )


def paper(title: str = "A title", **fields: Any) -> Paper:
    """Return a paper with one sighting.

    `published` is (year, month, day) as far as known; `comments` are those of the sighting.
    """
    date = fields.pop("published", None)
    seen = Sighting(
        fields.pop("source", "/pages/one.txt"),
        7,
        fields.pop("printed", None),
        fields.pop("comments", None),
    )
    published = PublishedDate(*date, inferred=fields.pop("inferred", False)) if date else None
    return Paper(
        f"p-{title.lower().replace(' ', '-')}",
        title,
        published=published,
        sightings=(seen,),
        **fields,
    )
