"""Another calibration than the shipped one: it changes the answers, and a wrong file is named."""

import json
from pathlib import Path

import pytest

from rag.assistant import Assistant
from rag.errors import ConfigError
from rag.resources import shipped

QUESTION = "which papers study density ratios in RL?"


@pytest.fixture
def ask(demo_home, monkeypatch):
    """Asks with the calibration in a file."""

    def asked(path: Path, question: str = QUESTION):
        monkeypatch.setenv("RAG_ANSWER__CALIBRATION", str(path))
        with Assistant.open(home=demo_home) as assistant:
            return assistant.ask(question)

    return asked


def changed(path: Path, model: str, **values) -> Path:
    """The shipped calibration with other values of one model."""
    fitted = json.loads(shipped("calibration.json").read_text())
    path.write_text(json.dumps(fitted | {model: fitted[model] | values}))
    return path


def test_another_calibration_gives_other_answers(ask, demo, tmp_path) -> None:
    usual = demo.ask(QUESTION)
    assert ask(shipped("calibration.json")).text == usual.text
    # No paper has all of its words; that alone would make it answerable.
    partly = "How do density ratios help to explore with robots?"
    declined = ask(
        changed(tmp_path / "nothing-answerability.json", "answerability", bias=-100), partly
    )
    assert usual.refusal is None
    assert demo.ask(partly).refusal is None
    assert declined.refusal
    assert declined.answerability < 1e-6
    flat = ask(changed(tmp_path / "all-alike.json", "relevance", weights=[0, 0, 0, 0], bias=0))
    assert len({citation.paper_id for citation in flat.citations}) > len(
        {citation.paper_id for citation in usual.citations}
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        ("{", "is not a calibration"),
        ("[]", "is not a calibration"),
        ("{}", "'relevance'"),
        ({"features": ["sentence"]}, "its features are"),
        ({"weights": [1, 2, 3]}, "4 weights and a bias"),
        ({"bias": float("nan")}, "all finite"),
        ({"bias": None}, "is not a calibration"),
        ({"bias": 10**400}, "is not a calibration"),
    ],
)
def test_a_calibration_that_cant_be_used_is_named(ask, tmp_path, content, said) -> None:
    path = tmp_path / "mine.json"
    if isinstance(content, dict):
        changed(path, "relevance", **content)
    elif content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=said) as refused:
        ask(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
