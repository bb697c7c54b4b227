"""Imports go downwards only, and only its adapter imports an outside library."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Each package or module of rag/ may import only from those on the lines above its own.
LEVELS = [
    ["errors", "resources"],
    ["records"],
    ["config", "prompts", "text"],
    ["models"],
    ["llm"],
    ["sources"],
    ["library"],
    ["query"],
    ["search"],
    ["answer"],
    ["conversations"],
    ["output", "ingest"],
    ["ask"],
    ["explore"],
    ["assistant"],
    ["integrations"],
    ["cli"],
    ["__main__"],
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}

COMMANDS = (
    "ask_commands",
    "commands",
    "eval_commands",
    "library_commands",
    "samples",
    "serve_commands",
    "terminal",
)
# library -> the adapter modules that may import it; all other modules use those.
ADAPTERS = {
    "chromadb": {"rag/library/vectors.py"},
    "filelock": {"rag/library/locks.py", "rag/llm/local_models.py", "rag/models/built_in.py"},
    "httpx": {
        "rag/llm/budget.py",
        "rag/llm/client.py",
        "rag/llm/serving.py",
        "rag/models/api.py",
        "rag/models/hub.py",
    },
    "huggingface_hub": {"rag/models/hub.py", "rag/models/weights.py"},
    "llama_index": {"rag/integrations/llama_index.py", "rag/llm/client.py"},
    "nltk": {"rag/text/passages.py"},
    "onnx": {"rag/models/graph.py"},
    "onnxruntime": {"rag/models/encoder.py"},
    "py3langid": {"rag/query/language.py"},
    "spellchecker": {"rag/query/spelling.py"},
    "rich": {"rag/cli/terminal.py"},
    "openai": {"rag/llm/client.py"},
    "sklearn": {"rag/explore/projection.py"},
    "sqlite3": {"rag/conversations/journal.py", "rag/library/database.py", "rag/library/schema.py"},
    "tantivy": {"rag/library/terms.py", "rag/text/analysis.py"},
    "threadpoolctl": {"rag/explore/projection.py"},
    "tiktoken": {"rag/text/tokens.py"},
    "tokenizers": {"rag/models/encoder.py"},
    "torch": {"rag/models/hf.py"},
    "transformers": {"rag/llm/budget.py", "rag/models/hf.py"},
    "xllamacpp": {"rag/llm/llamacpp.py"},
    "typer": {f"rag/cli/{name}.py" for name in COMMANDS},
}
MODULES = sorted((ROOT / "rag").rglob("*.py"))
FACES = sorted((ROOT / "ui").rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def package_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "rag" and len(parts) > 1 and parts[1] in LEVEL else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    own = path.relative_to(ROOT / "rag").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    others = {
        name: package for name in imported(path) if (package := package_of(name)) and package != own
    }
    assert not {name for name, package in others.items() if LEVEL[package] >= LEVEL[own]}
    # The command line is above the user interfaces and the evaluation.
    assert own == "cli" or not any(name.split(".")[0] in {"ui", "evals"} for name in imported(path))


@pytest.mark.parametrize("path", FACES, ids=lambda path: str(path.relative_to(ROOT)))
def test_user_interfaces_only_draw(path: Path) -> None:
    """No retrieval and no prompt in ui/: what it needs comes from the assistant, as records."""
    allowed = {
        "assistant",
        "conversations",
        "errors",
        "explore",
        "ingest",
        "output",
        "records",
        "sources",
    }
    assert {package for name in imported(path) if (package := package_of(name))} <= allowed


@pytest.mark.parametrize("library", ADAPTERS)
def test_each_library_is_imported_by_its_adapters_only(library: str) -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(n.split(".")[0] == library for n in imported(path))
    }
    assert users == ADAPTERS[library]


def test_asking_imports_nothing_slow(demo_home: Path) -> None:
    code = f"""
import sys
sys.argv = ["rag", "ask", "--home", {str(demo_home)!r}, "which papers study density ratios in RL?"]
from rag.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
slow = {{"torch", "gradio", "llama_index", "transformers"}}
slow |= {{"nltk", "onnx", "huggingface_hub", "sklearn"}}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Harnessing Density Ratios" in run.stdout


def test_public_names_resolve() -> None:
    import rag

    assert [name for name in rag.__all__ if not hasattr(rag, name)] == []
    with pytest.raises(AttributeError, match="nothing"):
        _ = rag.nothing


def test_few_modules_at_the_top_and_in_a_folder() -> None:
    top = {path.name for path in (ROOT / "rag").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert len(top) <= 9, top
    for folder in {path.parent for path in MODULES} - {ROOT / "rag"}:
        assert len(list(folder.glob("[!_]*.py"))) <= 15, folder


def test_no_two_modules_share_a_name() -> None:
    paths = [
        path for package in ("rag", "ui", "evals") for path in (ROOT / package).rglob("[!_]*.py")
    ]
    names = [path.name for path in paths if "baselines" not in path.parts]
    assert sorted(names) == sorted(set(names))
