"""The evaluation page: the runs there are, one of them drawn, and how two differ."""

import pytest

from evals.outcomes import Outcome
from evals.runs import Recorder
from tests.ui.conftest import HOSTILE
from ui.evaluation import RunBrowser


def record(root, name, *, data="d", better=0.0, finish=True):
    """A small run below `root`."""
    info = {
        "name": "laptop",
        "fingerprint": name,
        "suites": {"demo": {"data": data, "cases": 6, "papers": 3}},
    }
    config = {"config": {"fingerprint": "c"}, "code": "k", "versions": {"python": "3"}}
    recorder = Recorder(root / name, {**info, **config, "started": name, "finished": None})
    for number in range(6):
        values = {"nDCG@10": number / 10 + better, "latency ms": 5.0 + number}
        recorder.add("demo", f"t{number}", "topical", Outcome(values, {"question": HOSTILE}))
    if finish:
        recorder.finish()


@pytest.fixture
def bench(tmp_path, monkeypatch):
    times = iter(f"2026-11-21T00:00:0{n}" for n in range(9))
    monkeypatch.setattr("evals.runs.now", lambda: next(times))
    record(tmp_path, "first")
    record(tmp_path, "second", better=0.3)
    record(tmp_path, "third", data="other")
    record(tmp_path, "broken-off", finish=False)
    (tmp_path / "latest").symlink_to(tmp_path / "third")
    return RunBrowser(tmp_path)


def test_without_runs_it_names_the_command(tmp_path) -> None:
    menus, _, _, shown = RunBrowser(tmp_path / "nowhere").refresh(None, "")
    assert menus["visible"] is False
    assert "<code>rag eval</code>" in shown


def test_whole_runs_are_listed_newest_first_and_the_latest_is_drawn(bench) -> None:
    menus, run, other, shown = bench.refresh(None, "")
    assert menus["visible"] is True
    assert run["choices"] == ["third", "second", "first"]
    assert run["value"] == "third"
    assert other["value"] == ""
    assert "0.250" in shown
    assert "<svg" in shown


def test_what_was_chosen_stays_chosen(bench) -> None:
    _, run, other, shown = bench.refresh("first", "second")
    assert (run["value"], other["value"]) == ("first", "second")
    assert "against" in shown


def test_two_runs_are_compared_case_by_case(bench) -> None:
    shown = bench.draw("second", "first")
    assert "0.300" in shown
    assert "6, 0, 0" in shown
    assert "significant" in shown
    assert "against" not in bench.draw("second", "second")


def test_runs_of_other_papers_are_not_compared(bench) -> None:
    assert "different cases or papers" in bench.draw("third", "first")


def test_only_listed_runs_are_read(bench) -> None:
    assert 'role="alert"' in bench.draw("../../etc", "")
    assert 'role="alert"' in bench.draw("broken-off", "")


def test_questions_are_only_text(bench) -> None:
    assert "<img" not in bench.draw("first", "")
    assert "<script" not in bench.draw("first", "")
