"""The house keeps its shape: imports go down only, and each heavy library comes in by its own door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Each room may import from the rooms before it in this list, and from its own.
ROOMS = [
    ["data", "errors", "records"],
    ["config", "prompts", "targets", "tokens"],
    ["llm", "models", "passages", "sources"],
    ["library"],
    ["search"],
    ["answer"],
    ["bundle", "conversation", "ingest", "ask", "journal", "mapping", "numbering", "overview", "reading", "wire"],
    ["suggesting"],
    ["assistant"],
    ["adapters", "exporting", "printing"],
    ["cli"],
    ["__main__"],
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

COMMANDS = ("app", "asking", "library", "measuring", "samples", "serving", "terminal")
# library -> the modules that may import it; all others go through them.
DOORS = {
    "chromadb": {"rag/library/vectors.py"},
    "filelock": {"rag/library/locks.py", "rag/llm/models.py", "rag/models/built_in.py"},
    "httpx": {
        "rag/llm/budget.py",
        "rag/llm/client.py",
        "rag/llm/serving.py",
        "rag/models/api.py",
        "rag/models/hub.py",
    },
    "huggingface_hub": {"rag/models/hub.py", "rag/models/weights.py"},
    "llama_index": {"rag/adapters.py", "rag/llm/client.py"},
    "nltk": {"rag/passages.py"},
    "onnx": {"rag/models/graph.py"},
    "onnxruntime": {"rag/models/encoder.py"},
    "py3langid": {"rag/search/language.py"},
    "spellchecker": {"rag/search/spelling.py"},
    "rich": {"rag/cli/terminal.py"},
    "openai": {"rag/llm/client.py"},
    "sklearn": {"rag/mapping.py"},
    "sqlite3": {"rag/journal.py", "rag/library/database.py", "rag/library/schema.py"},
    "tantivy": {"rag/library/terms.py"},
    "threadpoolctl": {"rag/mapping.py"},
    "tiktoken": {"rag/tokens.py"},
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


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "rag" and len(parts) > 1 and parts[1] in LEVEL else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    own = path.relative_to(ROOT / "rag").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    above = {name for name in imported(path) if (room := room_of(name)) and room != own and LEVEL[room] >= LEVEL[own]}
    # Neighbours on one level may know each other; what is above may not be known.
    assert not {name for name in above if LEVEL[room_of(name)] > LEVEL[own]}
    # The command line stands above the faces and the evaluation.
    assert own == "cli" or not any(name.split(".")[0] in {"ui", "evals"} for name in imported(path))


@pytest.mark.parametrize("path", FACES, ids=lambda path: str(path.relative_to(ROOT)))
def test_faces_draw_only(path: Path) -> None:
    """No retrieval and no prompt in ui/: what it needs comes from the assistant, as records."""
    allowed = {"assistant", "errors", "exporting", "ingest", "journal", "overview", "printing", "records", "sources"}
    assert {room for name in imported(path) if (room := room_of(name))} <= allowed


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_its_door(library: str) -> None:
    users = {str(path.relative_to(ROOT)) for path in MODULES if any(n.split(".")[0] == library for n in imported(path))}
    assert users == DOORS[library]


def test_asking_imports_nothing_slow(demo_home: Path) -> None:
    code = f"""
import sys
sys.argv = ["rag", "ask", "--home", {str(demo_home)!r}, "which papers study density ratios in RL?"]
from rag.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
slow = {{"torch", "gradio", "llama_index", "transformers", "nltk", "onnx", "huggingface_hub", "sklearn"}}
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
