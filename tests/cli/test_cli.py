"""The command line as people and programs use it; bad input is one line and a non-zero status."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from rag.cli import main

QUESTION = "which papers study density ratios in RL?"


@dataclass
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def rag(capsys, monkeypatch):
    """Runs a command in this process: `rag("ask", "--home", home, "question")`."""

    def run(*arguments) -> Ran:
        monkeypatch.setattr(sys, "argv", ["rag", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Ran(end.value.code, captured.out, captured.err)

    return run


def one_line(ran: Ran, said: str, code: int = 2) -> None:
    assert ran.code == code, ran
    assert ran.err.startswith("rag: ")
    assert ran.err.count("\n") == 1, ran.err
    assert said in ran.err


def test_an_answer_with_its_sources(rag, demo_home) -> None:
    ran = rag("ask", "--home", demo_home, QUESTION)
    assert ran.code == 0
    first, _, sources = ran.out.partition("Sources\n")
    assert first.startswith("Harnessing Density Ratios for Online Reinforcement Learning:")
    assert "[1]" in first
    assert "[1] Harnessing Density Ratios for Online Reinforcement Learning" in sources
    assert "2024-01-17 · 5 authors · sample.jsonl:1" in sources
    assert "[1] “" in sources
    assert "48 papers searched" in ran.out


def test_an_answer_within_a_scope_is_exported(rag, demo_home, tmp_path) -> None:
    ran = rag(
        "ask", "--home", demo_home, "--from-year", 2024, "--export", tmp_path / "a.md", QUESTION
    )
    assert ran.code == 0
    assert "only papers since 2024" in ran.out
    assert "[1]" in (tmp_path / "a.md").read_text()
    one_line(
        rag("ask", "--home", demo_home, "--json", "--paper", "p-x", QUESTION), "no paper 'p-x'"
    )
    years = ("--from-year", 2025, "--to-year", 2013)
    one_line(rag("ask", "--home", demo_home, *years, QUESTION), "since 2025 and until 2013")
    one_line(
        rag("ask", "--home", demo_home, "--source", "samples", QUESTION),
        "the nearest names are sample.jsonl",
    )


@pytest.mark.parametrize("option", ["--save", "--export"])
def test_where_an_answer_is_kept_is_looked_at_before_it_is_made(
    rag, demo_home, tmp_path, monkeypatch, option
) -> None:
    monkeypatch.setattr(
        "rag.assistant.Assistant.ask", lambda *_, **__: pytest.fail("the answer was made")
    )
    monkeypatch.setattr(
        "rag.assistant.Assistant.ask_stream", lambda *_, **__: pytest.fail("the answer was made")
    )
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").touch()
    places = {
        "folder.json": "it is a folder",
        "none/a.json": "there is no folder",
        "file/a.json": "there is no folder",
    }
    for place, why in places.items():
        one_line(rag("ask", "--home", demo_home, option, tmp_path / place, QUESTION), why)
    one_line(
        rag("ask", "--home", demo_home, option, f"{'x' * 300}.json", QUESTION), "name too long"
    )
    monkeypatch.setattr("os.access", lambda *_: False)
    one_line(
        rag("ask", "--home", demo_home, option, tmp_path / "a.json", QUESTION),
        "no permission to write there",
    )


def test_an_answer_is_not_kept_in_place_of_another(rag, demo_home, tmp_path) -> None:
    (tmp_path / "there.json").write_text("mine")
    one_line(
        rag("ask", "--home", demo_home, "--save", tmp_path / "there.json", QUESTION),
        "exists already; choose another name",
    )
    both = ("--save", tmp_path / "a.json", "--export", tmp_path / "a.json")
    one_line(rag("ask", "--home", demo_home, *both, QUESTION), "give two different files")
    assert (tmp_path / "there.json").read_text() == "mine"


def test_no_feedback_yet(rag, demo_home, tmp_path) -> None:
    one_line(
        rag("feedback", "export", tmp_path / "suite", "--home", demo_home),
        "there is no feedback yet",
    )


def test_a_long_list_is_cut_and_says_so(rag, demo_home) -> None:
    cut = rag("ask", "--home", demo_home, "papers since 2010").out
    assert "48 of the 48 papers (published since 2010). [1] to [48]" in cut
    assert "... and 28 more; --all prints them" in cut
    assert "[20] date" in cut
    assert "[21] date" not in cut
    whole = rag("ask", "--home", demo_home, "--all", "papers since 2010").out
    assert "--all" not in whole
    assert "[48] date" in whole


def test_an_answer_for_programs(rag, demo_home) -> None:
    answer = json.loads(rag("ask", "--home", demo_home, "--json", QUESTION).out)
    assert {
        "question",
        "standalone_question",
        "text",
        "refusal",
        "citations",
        "hits",
        "filters",
        "timings",
        "config",
    } <= set(answer)
    assert answer["refusal"] is None
    assert answer["filters"] == []
    shown = json.loads(
        rag("show", "--home", demo_home, "--json", answer["citations"][0]["paper_id"]).out
    )
    for evidence in answer["citations"][0]["evidence"]:
        assert shown["text"][evidence["start"] : evidence["end"]] == evidence["text"]
    assert set(answer["citations"][0]) == {"mark", "paper_id", "title", "support", "evidence"}
    refused = json.loads(
        rag("ask", "--home", demo_home, "--json", "What is the best pizza recipe?").out
    )
    assert refused["refusal"]
    assert refused["citations"] == []


def test_a_search_for_programs(rag, demo_home) -> None:
    hits = json.loads(rag("search", "--home", demo_home, "--json", "-k", 3, "density ratios").out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert set(hits[0]) == {"paper_id", "title", "score", "rank", "found_by", "passage"}
    assert set(hits[0]["passage"]) == {"text", "start", "end"}
    few = json.loads(
        rag("search", "--home", demo_home, "--json", "--budget", 200, "density ratios").out
    )
    assert 0 < len(few) < 10


def test_the_papers_for_programs(rag, daily_home, gold_papers) -> None:
    rows = [
        json.loads(line) for line in rag("papers", "--home", daily_home, "--json").out.splitlines()
    ]
    facts = {
        (
            r["title"],
            r["printed_date"],
            r["author_count"],
            r["organisation"],
            r["comments"],
            tuple(r["pages"]),
        )
        for r in rows
    }
    assert len(rows) == 270
    assert facts == {
        (g["title"], g["date"], g["n_authors"], g["org"], g["comments"], tuple(g["pages"]))
        for g in gold_papers
    }
    dated = {row["title"]: row for row in rows}
    assert all(
        row["year_inferred"] == (", " not in (row["printed_date"] or ", "))
        for row in dated.values()
    )


def test_ingest_status_show_remove_rebuild(rag, tmp_path, write_papers, model_cache) -> None:
    home = tmp_path / "home"
    path = write_papers(
        "a.jsonl", {"title": "Density Ratios", "abstract": "They are useful."}, {"title": "Cats"}
    )
    assert "2 added" in rag("ingest", "--home", home, path).out
    assert json.loads(rag("ingest", "--home", home, "--json", path).out)["counts"] == {
        "unchanged": 2
    }
    status = json.loads(rag("status", "--home", home, "--json", "--ledger").out)
    assert (status["papers"], status["failures"]) == (2, [])
    assert status["indexes"] == {"terms": "current", "vectors": "current"}
    assert status["files"] == {str(path): {"unchanged": 2}}
    assert [entry["outcome"] for entry in status["ledger"]] == ["unchanged", "unchanged"]
    assert "a.jsonl, line 1: Density Ratios" in rag("status", "--home", home, "--ledger").out
    identity = json.loads(rag("search", "--home", home, "--json", "density").out)[0]["paper_id"]
    assert "They are useful." in rag("show", "--home", home, identity).out
    assert rag("remove", "--home", home, identity).out == "removed Density Ratios\n"
    assert rag("rebuild", "--home", home).out == "rebuilt the indexes of 1 paper\n"
    assert len(rag("papers", "--home", home).out.splitlines()) == 1


def test_history_of_earlier_turns(rag, demo_home, tmp_path) -> None:
    history = tmp_path / "history.json"
    history.write_text(
        json.dumps(
            [{"role": "user", "text": "What is GLOW?"}, {"role": "assistant", "text": "A method."}]
        )
    )
    answer = json.loads(
        rag("ask", "--home", demo_home, "--json", "--history", history, "And HyGLOW?").out
    )
    assert answer["standalone_question"] == "GLOW: And HyGLOW?"
    history.write_text("{")
    one_line(rag("ask", "--home", demo_home, "--history", history, "x"), "is not valid JSON")
    history.write_text("{}")
    one_line(rag("ask", "--home", demo_home, "--history", history, "x"), "must be a JSON list")
    one_line(rag("ask", "--home", demo_home, "--history", tmp_path / "none", "x"), "can't be read")


def test_a_chat(rag, demo_home, monkeypatch) -> None:
    said = iter(["What is GLOW?", "x" * 5000, "And HyGLOW?", ""])
    monkeypatch.setattr("builtins.input", lambda _: next(said))
    ran = rag("chat", "--home", demo_home)
    assert ran.code == 0
    assert "understood as: GLOW: And HyGLOW?" in ran.out.replace("\n", " ")
    assert "5,000 characters" in ran.err


@pytest.mark.slow
def test_the_demo(rag, tmp_path, model_cache) -> None:
    ran = rag("demo", "--home", tmp_path)
    assert ran.code == 0
    assert "48 sample papers" in ran.out
    assert "[1] Harnessing Density Ratios for Online Reinforcement Learning" in ran.out


def test_page_year(rag, tmp_path, pages, model_cache) -> None:
    path = tmp_path / "page.txt"
    path.write_text(
        "".join((pages / "000_201827135a7b7849.txt").read_text().splitlines(keepends=True)[:12])
    )
    path.write_text(path.read_text() + "A\n\nText.\n\n• 2 authors\n·\nMay 2\n")
    rag("ingest", "--home", tmp_path / "home", "--page-year", 2019, path)
    [row] = rag("papers", "--home", tmp_path / "home", "--json").out.splitlines()
    assert (json.loads(row)["published"], json.loads(row)["year_inferred"]) == ("2019-05-02", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", ""], "the question is empty"),
        (["ask", "x" * 50_000], "50,000 characters"),
        (["ask", "--profile", "nowhere", "x"], "there is no profile 'nowhere'"),
        (["search", "-k", "0", "x"], "k must be 1 or more"),
        (["search", "-k", "many", "x"], "-k"),
        (["show", "p-unknown"], "no paper 'p-unknown'"),
        (["remove", "p-unknown"], "no paper 'p-unknown'"),
        (["nonsense"], "nonsense"),
        (["ask"], "QUESTION"),
        (["ask", "--nonsense", "x"], "nonsense"),
        (["ingest", "/does/not/exist"], "no file or folder /does/not/exist"),
        (["ingest", "--page-year", "20", "."], "page year"),
    ],
)
def test_bad_input_is_one_line(rag, demo_home, arguments, said) -> None:
    home = [] if arguments == ["nonsense"] else ["--home", str(demo_home)]
    one_line(rag(arguments[0], *home, *arguments[1:]), said)


def test_no_library_yet(rag, tmp_path) -> None:
    for command in (
        ["ask", "x"],
        ["search", "x"],
        ["papers"],
        ["status"],
        ["rebuild"],
        ["chat"],
        ["show", "x"],
    ):
        one_line(rag(*command, "--home", tmp_path / "none"), "begin with: rag ingest FOLDER")


def test_unknown_variables_and_keys(rag, monkeypatch) -> None:
    monkeypatch.setenv("RAG_HOEM", "/x")
    one_line(rag("status"), "unknown variable RAG_HOEM: did you mean RAG_HOME?")


def test_a_missing_calibration_is_reported_before_the_first_question(
    rag, demo_home, monkeypatch
) -> None:
    monkeypatch.setenv("RAG_ANSWER__CALIBRATION", "/does/not/exist.json")
    for command in (["ask", "--home", demo_home, QUESTION], ["eval", "--home", demo_home]):
        one_line(
            rag(*command),
            "the calibration /does/not/exist.json can't be read: No such file or directory",
        )


def test_a_file_that_fails_is_one_line_and_status_1(rag, tmp_path) -> None:
    for name, content in {
        "empty.txt": b"",
        "binary.txt": b"Daily Papers\n\0\1\2",
        "other.txt": b"Welcome\n",
        "page.md": b"x",
        "broken.jsonl": b"{\n",
        "latin.jsonl": '{"title": "é"}'.encode("latin-1"),
    }.items():
        (tmp_path / name).write_bytes(content)
        ran = rag("ingest", "--home", tmp_path / "home", tmp_path / name)
        one_line(ran, str(tmp_path / name), code=1)
    assert "begin with" not in rag("status", "--home", tmp_path / "home").err


def test_a_reader_that_goes_away(demo_home) -> None:
    command = f"{sys.executable} -m rag papers --home {demo_home} | head -1"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ran.stdout.count("\n") == 1
    assert "Traceback" not in ran.stderr


def test_places_of_unknown_users(rag) -> None:
    one_line(rag("status", "--home", "~nosuchuser/x"), "no such user")
    one_line(rag("ingest", "~nosuchuser/x"), "no such user")


@pytest.mark.slow
def test_a_terminal_that_knows_no_umlaut(demo_home) -> None:
    command = [
        sys.executable,
        "-m",
        "rag",
        "ask",
        "--home",
        str(demo_home),
        "What is the best pizza recipe?",
    ]
    environment = {"PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, encoding="latin-1"
    )
    assert "Traceback" not in ran.stderr


def test_a_history_that_is_nonsense(rag, demo_home, tmp_path) -> None:
    history = tmp_path / "history.json"
    history.write_text("[" * 100_000)
    one_line(rag("ask", "--home", demo_home, "--history", history, "x"), "is not valid JSON")
    history.write_text(
        '[{"role": "user", "text": "\\ud800 GLOW"}, {"role": "user", "text": "'
        + "x " * 500_000
        + '"}]'
    )
    assert rag("ask", "--home", demo_home, "--history", history, "And then?").code == 0


def test_a_budget_that_nothing_fits(rag, demo_home) -> None:
    one_line(
        rag("search", "--home", demo_home, "--budget", "5", "density"),
        "not even the first passage fits 5 tokens",
    )
