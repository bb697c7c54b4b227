"""Runs end to end: own suites, resuming, comparison, gates, and one-line errors."""

import json
from pathlib import Path

import pytest

import evals
from evals import running
from evals.cases import Names, read_cases
from evals.comparing import check_gates
from evals.figures import errors, figures
from evals.runs import Recorder, finished, point_latest
from rag.assistant import Assistant
from rag.errors import InputError, ModelError
from rag.records import Paper
from rag.resources import shipped

GLOW = "Harnessing Density Ratios for Online Reinforcement Learning"
QUESTIONS = [
    {
        "id": "q1",
        "type": "topical",
        "question": "which papers study density ratios in RL?",
        "relevant": {GLOW: 2},
    },
    {"id": "q2", "type": "fact", "question": "How does GLOW explore?", "relevant": {GLOW: 2}},
    {
        "id": "q3",
        "type": "unanswerable",
        "question": "What is the best pizza recipe?",
        "relevant": {},
    },
]


@pytest.fixture
def suite(tmp_path, monkeypatch, model_cache) -> Path:
    """A user's folder with papers and questions; runs are written to a separate folder."""
    folder = tmp_path / "mine"
    (folder / "papers").mkdir(parents=True)
    few = shipped("sample.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:6]
    (folder / "papers" / "few.jsonl").write_text("".join(few), encoding="utf-8")
    write(folder / "questions.jsonl", QUESTIONS)
    monkeypatch.chdir(tmp_path)
    return folder


def write(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(suite: Path, **options):
    return evals.run([str(suite)], home=suite.parent / "home", **options)


def steady(made) -> list:
    """Figures without those of time."""
    return [figure for figure in figures(made.rows) if not figure.measure.startswith("latency")]


def test_a_users_own_suite_and_the_same_run_twice(suite) -> None:
    first = run(suite)
    values = {
        (figure.type, figure.measure): figure.estimate.value for figure in figures(first.rows)
    }
    assert values["all", "mark validity"] == 1.0
    assert values["topical", "first place"] == 1.0
    assert values["unanswerable", "answered wrongly"] == 0.0
    second = run(suite, out=suite.parent / "again")
    assert steady(first) == steady(second)
    assert (Path("runs") / "latest" / "report.html").exists()
    assert all(difference.p == 1.0 for difference in evals.compare(first, second.folder))


def test_an_interrupted_run_continues(suite, monkeypatch) -> None:
    asked = []
    ask = Assistant.ask

    def breaks(self, question, history=()):
        asked.append(question)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return ask(self, question, history)

    monkeypatch.setattr(Assistant, "ask", breaks)
    with pytest.raises(KeyboardInterrupt):
        run(suite)
    [folder] = Path("runs").iterdir()
    with (folder / "rows.jsonl").open("a") as file:
        file.write('{"suite": "half a li')
    made = run(suite)
    assert made.folder == folder
    assert asked == [
        row["question"] for row in [QUESTIONS[0], QUESTIONS[1], QUESTIONS[1], QUESTIONS[2]]
    ]
    assert steady(made) == steady(run(suite, out="other"))


def test_a_failing_case_is_a_row_and_not_the_end(suite, monkeypatch) -> None:
    ask = Assistant.ask

    def fails(self, question, history=()):
        if "GLOW" in question:
            raise ModelError("the model broke")
        return ask(self, question, history)

    monkeypatch.setattr(Assistant, "ask", fails)
    made = run(suite)
    assert [(row.case, row.error) for row in errors(made.rows)] == [("q2", "the model broke")]
    assert {
        figure.estimate.n
        for figure in figures(made.rows)
        if figure.measure == "nDCG@10" and figure.type == "all"
    } == {1}
    assert "the model broke" in (made.folder / "report.html").read_text()


def test_other_questions_for_a_suite(suite, tmp_path) -> None:
    write(tmp_path / "other.jsonl", QUESTIONS[:1])
    assert {row.case for row in run(suite, questions=tmp_path / "other.jsonl").rows} == {"q1"}
    with pytest.raises(InputError, match="exactly one suite"):
        evals.run(["demo", str(suite)], questions=tmp_path / "other.jsonl")


def test_gates(suite, tmp_path) -> None:
    made = run(suite)
    [name] = made.data
    gates = tmp_path / "gates.toml"
    gate = f'[[gate]]\nsuite = "{name}"\nmeasure = '
    gates.write_text(
        f'{gate}"nDCG@10"\nat_least = 0.5\n'
        f'{gate}"answer words"\nat_most = 3\n'
        f'{gate}"nothing"\nat_least = 0\n'
    )
    kept, missed, absent = check_gates(made, gates)
    assert (kept.kept, missed.kept, absent.kept) == (True, False, False)
    assert "must be at most 3" in str(missed)
    assert "no such figure" in str(absent)
    gates.write_text('[[gate]]\nsuite = "other"\nmeasure = "nDCG@10"\nat_least = 1\n')
    with pytest.raises(InputError, match="has no gate for"):
        check_gates(made, gates)
    gates.write_text("nonsense")
    with pytest.raises(InputError, match="not a gates file"):
        check_gates(made, gates)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "contains no questions"),
        ([QUESTIONS[0], QUESTIONS[0]], "line 2: the id 'q1' occurs twice"),
        (
            [QUESTIONS[0] | {"relevant": {"No such paper": 2}}],
            "line 1: .*no such paper.* is not a paper here",
        ),
        ([QUESTIONS[0] | {"relevant": {GLOW: 3}}], "line 1: a grade must be 1"),
        ([QUESTIONS[0] | {"question": " "}], "line 1: 'question' must be a non-empty text"),
        ([{"id": "x", "question": "?"}, {"question": "?"}], "line 2: 'id' is missing"),
        ([QUESTIONS[0] | {"turns": ["a", "b"]}], "line 1: the last of 'turns'"),
        (
            [QUESTIONS[0] | {"evidence": [{"key": GLOW, "quote": "x", "point": 0}]}],
            "0 answer points",
        ),
    ],
)
def test_wrong_cases_are_reported_with_their_line(tmp_path, rows, said) -> None:
    path = tmp_path / "questions.jsonl"
    write(path, rows)
    with pytest.raises(InputError, match=said):
        read_cases(path, Names([Paper("p-1", GLOW)]))


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "line 1"), ("[]", "one JSON object"), ('{"id": NaN}', "NaN is not a JSON number")],
)
def test_lines_that_are_not_cases(tmp_path, line, said) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=said):
        read_cases(path, Names([]))


def test_invalid_suites_and_runs_are_refused(suite, tmp_path) -> None:
    for arguments, said in (
        ({"suites": ["nonsense"]}, "no suite 'nonsense'; name one of demo, daily-papers"),
        ({"suites": [str(tmp_path)]}, "is not a suite: it needs a folder papers"),
        ({"suites": ["scifact"], "data": tmp_path}, "the suite scifact needs"),
        ({"suites": ["scifact"]}, "name the folder of the data sets: --data FOLDER"),
        ({"suites": ["demo"], "data": tmp_path / "none"}, "there is no data folder"),
        ({"suites": ["pubmedqa"]}, "needs an LLM"),
    ):
        with pytest.raises(InputError, match=said):
            evals.run(**arguments, home=tmp_path / "home")
    with pytest.raises(InputError, match="is not an evaluation run"):
        evals.read(tmp_path)


def test_runs_that_can_not_be_compared_or_continued(suite, tmp_path) -> None:
    made = run(suite, out="one")
    write(suite / "questions.jsonl", QUESTIONS[:2])
    with pytest.raises(InputError, match="contains a run of other suites"):
        run(suite, out="one")
    other = run(suite, out="two")
    with pytest.raises(InputError, match="on different cases or papers"):
        evals.compare(made, other)


def test_a_suite_without_an_llm_is_skipped_with_a_notice(suite, tmp_path) -> None:
    said = []
    made = evals.run([str(suite), "pubmedqa"], home=tmp_path / "home", say=said.append)
    assert any("pubmedqa needs an LLM" in line for line in said)
    assert len(made.data) == 1


def test_whole_runs_are_listed_newest_first(tmp_path) -> None:
    for name, ended in (("a", "2026-01-02"), ("b", "2026-01-01"), ("c", None)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"finished": ended}))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    point_latest(tmp_path, tmp_path / "a")
    assert [folder.name for folder in finished(tmp_path)] == ["a", "b"]
    assert finished(tmp_path / "nowhere") == []


def test_the_recorder_refuses_another_run(tmp_path) -> None:
    Recorder(tmp_path / "r", {"fingerprint": "a", "suites": {}})
    with pytest.raises(InputError, match="give another --out"):
        Recorder(tmp_path / "r", {"fingerprint": "b", "suites": {}})


def test_the_bundled_questions_are_well_made(demo) -> None:
    from evals.suites.demo import QUESTIONS as path

    cases = read_cases(path, Names(demo.papers()))
    texts = {paper.id: paper.text for paper in demo.papers()}
    assert len(cases) >= 60
    assert {case.type for case in cases} == {
        *(
            "topical",
            "fact",
            "compare",
            "known-item",
            "metadata",
            "unanswerable",
            "multi-turn",
            "adversarial",
        )
    }
    for case in cases:
        for piece in case.evidence:
            assert piece.field or piece.quote in texts[piece.paper_id], case.id
    assert running.DEFAULT == ("demo",)
