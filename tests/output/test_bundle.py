"""A saved answer is asked again: nothing differs, or what differs is said."""

import json
import re

import pytest

from rag.cli import main
from tests.cli.test_cli import QUESTION, one_line, rag
from tests.llm.fake import says, serving

__all__ = ["main", "rag"]


@pytest.fixture
def bundle(rag, demo_home, tmp_path):
    """The file of a saved answer."""
    path = tmp_path / "answer.json"
    assert rag("ask", "--home", demo_home, "--save", path, QUESTION).code == 0
    return path


def test_the_same_library_gives_the_same_answer(rag, demo_home, bundle) -> None:
    saved = json.loads(bundle.read_text())
    assert saved["passages"][0]["text"].startswith(
        "Harnessing Density Ratios for Online Reinforcement Learning\n\n"
    )
    assert "api_key" not in bundle.read_text()
    ran = rag("replay", "--home", demo_home, bundle)
    assert (ran.code, ran.out) == (0, "the same answer\n")


def test_what_differs_is_shown_cause_first(rag, demo_home, bundle, monkeypatch) -> None:
    monkeypatch.setenv("RAG_ANSWER__SHARE_OF_BEST", "1.0")
    ran = rag("replay", "--home", demo_home, bundle)
    assert ran.code == 1
    assert re.match(
        r"config: answer.share_of_best was 0\.\d+ and is 1.0\n--- the answer then\n", ran.out
    )
    assert "\n-CDR: Customizable Density Ratios" in ran.out


def test_an_answer_of_a_model(rag, demo_home, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RAG_LLM__TOKENIZER", str(tmp_path))
    monkeypatch.setenv("RAG_LLM__FORM", "structured_outputs")
    path, asked = tmp_path / "answer.json", "What makes density ratios useful online?"
    with serving(
        says("Density ratios help. [1]"), says("Density ratios help online. [1]")
    ) as server:
        server.tokens = 50
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        assert rag("ask", "--profile", "gpu", "--home", demo_home, "--save", path, asked).code == 0
        ran = rag("replay", "--home", demo_home, path)
    assert ran.code == 1
    assert re.search(r"^-.*Density ratios help\. \[1\]", ran.out, re.MULTILINE)
    assert re.search(r"^\+.*Density ratios help online\. \[1\]", ran.out, re.MULTILINE)
    saved = json.loads(path.read_text())
    assert saved["config"]["llm.model"] == "Qwen/Qwen3-8B"
    assert saved["config"]["profile"] == "gpu"
    assert "numbered sentences" in saved["prompts"]["answer_rules"]


def test_a_follow_up(rag, demo_home, tmp_path) -> None:
    answer = json.loads(rag("ask", "--home", demo_home, "--json", QUESTION).out)
    turns = [{"role": "user", "text": QUESTION}, {"role": "assistant", **answer}]
    (tmp_path / "turns.json").write_text(json.dumps(turns))
    saved = tmp_path / "answer.json"
    rag(
        "ask",
        "--home",
        demo_home,
        "--history",
        tmp_path / "turns.json",
        "--save",
        saved,
        "When was it published?",
    )
    assert rag("replay", "--home", demo_home, saved).out == "the same answer\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "can't be read"),
        ("{", "is not valid JSON"),
        ("[]", "is not a bundle"),
        ('{"question": "x"}', "is not a bundle"),
    ],
)
def test_what_is_no_bundle(rag, demo_home, tmp_path, text, named) -> None:
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    one_line(rag("replay", "--home", demo_home, tmp_path / "x.json"), named)


@pytest.mark.parametrize(
    ("key", "value", "named"), [("format", 2, "has format 2"), ("answer", {}, "is damaged")]
)
def test_a_bundle_with_invalid_values_is_refused(rag, demo_home, bundle, key, value, named) -> None:
    bundle.write_text(json.dumps(json.loads(bundle.read_text()) | {key: value}))
    one_line(rag("replay", "--home", demo_home, bundle), named)


def test_no_file_is_written_over(rag, demo_home, bundle) -> None:
    before = bundle.read_text()
    ran = rag("ask", "--home", demo_home, "--save", bundle, QUESTION)
    assert ran.code == 2
    assert "exists already; choose another name" in ran.err
    assert bundle.read_text() == before


def test_the_scope_is_kept(rag, demo_home, tmp_path) -> None:
    path = tmp_path / "answer.json"
    assert rag("ask", "--home", demo_home, "--from-year", 2024, "--save", path, QUESTION).code == 0
    ran = rag("replay", "--home", demo_home, path)
    assert (ran.code, ran.out) == (0, "the same answer\n")
    path.write_text(path.read_text().replace('"first_year": 2024', '"no_such_key": 2024'))
    one_line(rag("replay", "--home", demo_home, path), "answer.scope is invalid")
