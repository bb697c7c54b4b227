"""The documentation is true: its examples run, and its commands, keys and files exist."""

import re
import shutil
from pathlib import Path
from textwrap import indent

import pytest

from rag.cli.commands import app, llm, models
from rag.query.metadata.parse import RULES
from rag.records.json_format import answer_row, hit_row, paper_row
from rag.resources import shipped

ROOT = Path(__file__).resolve().parents[1]
README, GUIDE, ARCHITECTURE = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/guide.md", "docs/architecture.md")
)
FOR_USERS = README + GUIDE


def names(typer_app) -> set[str]:
    return {command.name or command.callback.__name__ for command in typer_app.registered_commands}


def commands_in(text: str) -> set[str]:
    return set(re.findall(r"\brag ([a-z]+)", text))


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_python_examples_run(tmp_path, monkeypatch, capsys, model_cache) -> None:
    """The guide's examples ask the library that the README's example makes."""
    [first] = python_blocks(README)
    monkeypatch.chdir(tmp_path)
    shutil.copy(shipped("sample.jsonl"), tmp_path / "more.jsonl")
    exec(compile(first, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith(
        "Harnessing Density Ratios for Online Reinforcement Learning: "
    )
    for example in python_blocks(GUIDE):
        exec(compile(example, "docs/guide.md", "exec"), {})
    assert "published:2023..2023 | published in 2023\n" in capsys.readouterr().out


def test_every_command_is_documented_and_no_other() -> None:
    assert names(app) <= commands_in(README)
    assert all(f"rag models {name}" in FOR_USERS for name in names(models))
    assert f"rag llm {next(iter(names(llm)))}" in FOR_USERS
    groups = {"models", "llm", "eval", "feedback"}
    assert commands_in(FOR_USERS) - groups - {"import"} <= names(app)


def test_the_keys_are_the_ones_promised(demo) -> None:
    answer = demo.ask("which papers study density ratios in RL?")
    for row, command in (
        (paper_row(answer.hits[0].paper), "rag papers --json"),
        (hit_row(answer.hits[0]), "rag search --json -k N"),
        (answer_row(answer), "rag ask --json"),
    ):
        [promised] = re.findall(rf"\| `{command}` \| (.*) \|", FOR_USERS)
        assert {key for key in row if not re.search(rf"\b{key}\b", promised)} == set()


def test_the_command_line_of_ci_is_the_readmes() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name in ("demo", "test"):
        assert f"<!-- command: {name} -->\n```sh\n" in README
        assert f"readme_command {name}" in ci


@pytest.mark.parametrize(
    "text", [README, GUIDE, ARCHITECTURE], ids=["README.md", "guide.md", "architecture.md"]
)
def test_the_files_that_are_named_exist(text) -> None:
    named = re.findall(r"`((?:rag|ui|evals|tests|prompts|configs|docs)/[\w./]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_links_between_the_pages_lead_somewhere() -> None:
    for folder, text in ((ROOT, README), (ROOT / "docs", GUIDE), (ROOT / "docs", ARCHITECTURE)):
        targets = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", text)
        assert [target for target in targets if not (folder / target).exists()] == []


def test_the_rule_that_is_explained_is_a_rule() -> None:
    [block] = python_blocks(ARCHITECTURE)
    rules = (ROOT / "rag/query/metadata/date_rules.py").read_text(encoding="utf-8")
    assert indent(block.rstrip(), "    ") in rules
    for rule in ("date.before", "date.between", "date.day"):
        assert rule in ARCHITECTURE
        assert rule in {rule.name for rule in RULES}
