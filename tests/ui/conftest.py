"""What the tests of the pages share."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rag.records import Paper, PublishedDate, Sighting

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>${alert(3)}{{alert(4)}}\u202e"onmouseover=alert(5) '


@pytest.fixture
def service_of():
    """Makes the service of an assistant, as far as the pages need one."""
    return lambda assistant: SimpleNamespace(assistant=assistant, adding=threading.Lock())


def paper(title="A title", **fields) -> Paper:
    """A paper with one sighting; `published` is (year, month, day) as far as known, `comments` that of the sighting."""
    date = fields.pop("published", None)
    seen = Sighting(
        fields.pop("source", "/pages/one.txt"), 7, fields.pop("printed", None), fields.pop("comments", None)
    )
    published = PublishedDate(*date, inferred=fields.pop("inferred", False)) if date else None
    return Paper(f"p-{title.lower().replace(' ', '-')}", title, published=published, sightings=(seen,), **fields)


@pytest.fixture(scope="module")
def server(demo_home, tmp_path_factory) -> Iterator[tuple[str, Path, Path]]:
    """A server of the three pages over a copy of the sample library: its address, the library, the folder of runs."""
    folder = tmp_path_factory.mktemp("pages")
    home, runs, port = Path(shutil.copytree(demo_home, folder / "home")), folder / "runs", free_port()
    with (folder / "server.log").open("w") as log:
        command = [sys.executable, "-m", "tests.ui.serve", str(home), str(runs), str(port)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}/", home, runs
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in (folder / "server.log").read_text()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not come up")


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
