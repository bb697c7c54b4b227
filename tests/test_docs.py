"""What the documentation says is true: its example runs, its commands exist, its keys are the ones printed."""

import re
import shutil
from pathlib import Path

from rag.cli.commands import app, llm, models
from rag.records.json_format import answer_row, hit_row, paper_row
from rag.resources import shipped

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def names(typer_app) -> set[str]:
    return {command.name or command.callback.__name__ for command in typer_app.registered_commands}


def test_the_python_example_runs(tmp_path, monkeypatch, capsys, model_cache) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    shutil.copy(shipped("sample.jsonl"), tmp_path / "more.jsonl")
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith(
        "Harnessing Density Ratios for Online Reinforcement Learning: "
    )


def test_every_command_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"\brag ([a-z]+)", README))
    assert names(app) <= documented
    assert all(f"rag models {name}" in README for name in names(models))
    assert f"rag llm {next(iter(names(llm)))}" in README
    assert documented - {"models", "llm", "eval", "feedback", "import"} <= names(app)


def test_the_keys_are_the_ones_promised(demo) -> None:
    answer = demo.ask("which papers study density ratios in RL?")
    for row, command in (
        (paper_row(answer.hits[0].paper), "rag papers --json"),
        (hit_row(answer.hits[0]), "rag search --json -k N"),
        (answer_row(answer), "rag ask --json"),
    ):
        [promised] = re.findall(rf"\| `{command}` \| (.*) \|", README)
        assert {key for key in row if not re.search(rf"\b{key}\b", promised)} == set()


def test_the_command_line_of_ci_is_the_readmes() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name in ("demo", "test"):
        assert f"<!-- command: {name} -->\n```sh\n" in README
        assert f"readme_command {name}" in ci
