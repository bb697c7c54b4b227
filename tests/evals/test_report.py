"""The report: one file, complete, without network access or browser errors."""

import re
import shutil
import subprocess

import pytest

from evals.figures import figures
from evals.outcomes import Outcome
from evals.report import write_report
from evals.runs import Recorder, read

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run with all kinds of figures, a failed case and a hostile question."""
    folder = tmp_path_factory.mktemp("run") / "made"
    suites = {
        "demo": {"data": "d", "cases": 7, "papers": 3},
        "attribution": {"data": "e", "cases": 4, "papers": 0},
    }
    info = {
        "name": "laptop",
        "fingerprint": "f",
        "suites": suites,
        "config": {"fingerprint": "c"},
        "code": "k",
    }
    recorder = Recorder(
        folder, {**info, "versions": {"python": "3"}, "started": "now", "finished": None}
    )
    for number in range(3):
        values = {
            "nDCG@10": number / 2,
            "answerability": 0.5 + number / 10,
            "answerable": 1.0,
            "latency ms": 10.0 + number,
        }
        recorder.add(
            "demo",
            f"t{number}",
            "topical",
            Outcome(values, {"question": HOSTILE, "answer": HOSTILE}),
        )
        values = {
            "answered wrongly": number % 2,
            "answerability": 0.1 * number,
            "answerable": 0.0,
            "latency ms": 9.0,
        }
        recorder.add("demo", f"u{number}", "unanswerable", Outcome(values, {"question": "?"}))
    recorder.add("demo", "broken", "topical", "the model broke")
    for number in range(4):
        values = {"support": number / 4, "supported": float(number > 1)}
        recorder.add("attribution", f"a{number}", "scifact", Outcome(values, {"question": "claim"}))
    recorder.finish()
    return read(folder)


@pytest.fixture(scope="module")
def report(run):
    path = run.folder / "report.html"
    write_report(run, path)
    return path


def test_it_holds_every_figure_with_its_interval(run, report) -> None:
    page = report.read_text(encoding="utf-8")
    for figure in figures(run.rows):
        assert figure.measure in page
        assert f"{figure.estimate.value:.3f}" in page or f"{figure.estimate.value:.1f}" in page
    assert page.count("<svg") == 6
    assert page.count("<style") == 1  # the page's own: none of a drawing's reaches beyond it
    assert "the model broke" in page


def test_it_needs_no_network_and_runs_no_script(report) -> None:
    page = report.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    assert "<script" not in page
    assert "onerror=&#34;" in page or "onerror=&quot;" in page


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_console_messages(report, tmp_path, scheme) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    flags = (
        "--headless --no-sandbox --disable-gpu --no-first-run "
        "--disable-background-networking --enable-logging=stderr"
    )
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    shot = tmp_path / "report.png"
    command = [
        chromium,
        *flags.split(),
        *dark,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--screenshot={shot}",
    ]
    ran = subprocess.run(
        [*command, report.as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    assert shot.stat().st_size > 10_000
    assert "CONSOLE" not in ran.stderr
