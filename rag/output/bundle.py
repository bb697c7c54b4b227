"""A bundle: an answer in a file with all its inputs.

The question can then be asked again, and the two answers compared.
"""

from __future__ import annotations

import difflib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rag.config import Config
from rag.errors import InputError
from rag.output.target_files import writable
from rag.prompts import wordings
from rag.records import Answer, Scope, Turn
from rag.records.json_format import answer_row, read_json, turn_row
from rag.records.legacy import current_ids

_FORMAT = 1
# The installed packages that can change an answer.
_PACKAGES = (
    "ask-the-papers",
    "chromadb",
    "llama-index-llms-openai-like",
    "numpy",
    "onnxruntime",
    "tantivy",
)
# Local paths, left out: no answer depends on them, and a bundle may be given to other people.
_PRIVATE: Any = {"home": True, "embedder": {"cache", "folder"}, "llm": {"vllm_command"}}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A question, all that its answer depends on, and the answer as `rag ask --json` prints it.

    `passages` are the papers found with their full texts, best first. `config` maps dotted keys to
    values ("search.hits"). `prompts` maps names to texts, `versions` package names to versions.
    """

    question: str
    history: list[dict[str, Any]]
    filters: bool
    passages: list[dict[str, Any]]
    prompts: dict[str, str]
    config: dict[str, Any]
    versions: dict[str, str]
    answer: dict[str, Any]
    format: int = _FORMAT

    @property
    def scope(self) -> Scope:
        """The restriction of the papers. Raises InputError if the bundle holds no valid one."""
        row = self.answer.get("scope", {})
        try:
            # JSON has no tuples.
            values: Any = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in row.items()
            }
            scope = Scope(**values)
            return replace(scope, without=tuple(current_ids(scope.without)))
        except (AttributeError, TypeError):
            raise InputError("the bundle is damaged: answer.scope is invalid") from None


def pack(answer: Answer, history: Sequence[Turn], config: Config, *, filters: bool) -> Bundle:
    """Make the bundle of an answer."""
    return Bundle(
        question=answer.question,
        history=[turn_row(turn) for turn in history],
        filters=filters,
        passages=[
            {"paper_id": hit.paper.id, "title": hit.paper.title, "text": hit.paper.text}
            for hit in answer.hits
        ],
        prompts=wordings(),
        config=dict(_flat(config.model_dump(mode="json", exclude=_PRIVATE))),
        versions={"python": platform.python_version(), **dict(_installed())},
        answer=answer_row(answer),
    )


def savable(path: Path) -> Path:
    """Return the path if a bundle can be saved there, and raise InputError if not.

    Call it before a long answer is made, so that the answer is not lost.
    """
    if writable(path).exists():
        raise _taken(path)
    return path


def save(bundle: Bundle, path: Path) -> None:
    """Write a bundle as JSON. Raises InputError if the file exists or can't be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(asdict(bundle), file, ensure_ascii=False, indent=1)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise InputError(f"the bundle {path} can't be written: {error.strerror}") from None


def load(path: Path) -> Bundle:
    """Read a bundle. Raises InputError if the file is not a valid bundle."""
    row = read_json(path, "bundle")
    if not isinstance(row, dict) or {field.name for field in fields(Bundle)} != row.keys():
        raise InputError(f"{path} is not a bundle; rag ask --save writes one")
    if row["format"] != _FORMAT:
        raise InputError(
            f"the bundle {path} has format {row['format']}; this version reads {_FORMAT}"
        )
    # An empty bundle gives the JSON type of each field; the fields' annotations are strings only.
    empty = Bundle("", [], True, [], {}, {}, {}, {})
    invalid = [
        field.name
        for field in fields(Bundle)
        if type(row[field.name]) is not type(getattr(empty, field.name))
    ]
    if invalid or not isinstance(row["answer"].get("text"), str):
        raise InputError(
            f"the bundle {path} is damaged: {', '.join(invalid) or 'answer.text'} is invalid"
        )
    return Bundle(**row)


def differences(before: Bundle, after: Bundle) -> Iterator[str]:
    """Yield one line per difference: possible causes first, then papers found, then the answer."""
    for part in ("versions", "config", "prompts"):
        yield from _changed(part, getattr(before, part), getattr(after, part))
    old, new = (
        {passage["paper_id"]: passage for passage in bundle.passages} for bundle in (before, after)
    )
    yield from (f"no longer found: {row['title']}" for key, row in old.items() if key not in new)
    yield from (f"newly found: {row['title']}" for key, row in new.items() if key not in old)
    yield from (
        f"its text changed: {row['title']}" for key, row in new.items() if old.get(key, row) != row
    )
    yield from difflib.unified_diff(
        _answer_lines(before),
        _answer_lines(after),
        "the answer then",
        "the answer now",
        lineterm="",
        n=1,
    )


def same_answer(before: Bundle, after: Bundle) -> bool:
    """Check that text, refusal and citations are equal, including evidence and support."""
    return all(
        before.answer.get(key) == after.answer.get(key) for key in ("text", "refusal", "citations")
    )


def _taken(path: Path) -> InputError:
    return InputError(f"the file {path} exists already; choose another name")


def _answer_lines(bundle: Bundle) -> list[str]:
    citations = bundle.answer.get("citations", [])
    rows = [json.dumps(citation, ensure_ascii=False) for citation in citations]
    return [*str(bundle.answer["text"]).splitlines(), *rows]


def _changed(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old != new:
            yield f"{part}: {key} was {old!r} and is {new!r}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each leaf of nested mappings."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _installed() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
