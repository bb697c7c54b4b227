"""A bundle: one answer in a file with all that it came from, so that it can be asked again and compared."""

from __future__ import annotations

import difflib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rag.config import Config
from rag.errors import InputError
from rag.output.target_files import writable
from rag.prompts import wordings
from rag.records import Answer, Scope, Turn
from rag.records.json_format import answer_row, read_json, turn_row

_FORMAT = 1
# What may change an answer, of all that is installed.
_PACKAGES = (
    "ask-the-papers",
    "chromadb",
    "llama-index-llms-openai-like",
    "numpy",
    "onnxruntime",
    "tantivy",
)
# Places: no answer depends on them, and they are nobody else's business.
_PRIVATE: Any = {"home": True, "embedder": {"cache", "folder"}, "llm": {"vllm_command"}}


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was asked, of what, by what, and the answer as `rag ask --json` prints it.

    `passages` are the papers found with their whole texts, best first; `config` is the configuration key by key.
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
        """Which papers were searched. Raises InputError."""
        row = self.answer.get("scope", {})
        try:
            given: Any = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in row.items()
            }
            return Scope(**given)
        except (AttributeError, TypeError):
            raise InputError(
                "the bundle is damaged: answer.scope is not what it should be"
            ) from None


def pack(answer: Answer, history: Sequence[Turn], config: Config, *, filters: bool) -> Bundle:
    """The bundle of an answer."""
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
    """The path itself, if a bundle can go there: before a long answer, not after it. Raises InputError."""
    if writable(path).exists():
        raise _taken(path)
    return path


def save(bundle: Bundle, path: Path) -> None:
    """Write a bundle as JSON. Raises InputError where the file is there already or can't be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(asdict(bundle), file, ensure_ascii=False, indent=1)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise InputError(f"the bundle {path} can't be written: {error.strerror}") from None


def load(path: Path) -> Bundle:
    """Read a bundle. Raises InputError for anything else."""
    row = read_json(path, "bundle")
    if not isinstance(row, dict) or {one.name for one in fields(Bundle)} != row.keys():
        raise InputError(f"{path} is no bundle of rag ask --save")
    if row["format"] != _FORMAT:
        raise InputError(
            f"the bundle {path} has format {row['format']}; this version reads {_FORMAT}"
        )
    empty = Bundle("", [], True, [], {}, {}, {}, {})
    wrong = [
        one.name
        for one in fields(Bundle)
        if type(row[one.name]) is not type(getattr(empty, one.name))
    ]
    if wrong or not isinstance(row["answer"].get("text"), str):
        raise InputError(
            f"the bundle {path} is damaged: {', '.join(wrong) or 'answer.text'} is not what it should be"
        )
    return Bundle(**row)


def differences(before: Bundle, after: Bundle) -> Iterator[str]:
    """What changed, a line each: first what may be the cause, then the papers found, then the answer's text."""
    for what in ("versions", "config", "prompts"):
        yield from _changed(what, getattr(before, what), getattr(after, what))
    found, now = ({one["paper_id"]: one for one in bundle.passages} for bundle in (before, after))
    yield from (f"no longer found: {one['title']}" for key, one in found.items() if key not in now)
    yield from (f"newly found: {one['title']}" for key, one in now.items() if key not in found)
    yield from (
        f"its text changed: {one['title']}"
        for key, one in now.items()
        if found.get(key, one) != one
    )
    then, says = _said(before), _said(after)
    yield from difflib.unified_diff(
        then, says, "the answer then", "the answer now", lineterm="", n=1
    )


def same_answer(before: Bundle, after: Bundle) -> bool:
    """Whether text and citations are the same, evidence and support included."""
    return all(
        before.answer.get(key) == after.answer.get(key) for key in ("text", "refusal", "citations")
    )


def _taken(path: Path) -> InputError:
    return InputError(f"there is a file {path} already; name another")


def _said(bundle: Bundle) -> list[str]:
    cited = [json.dumps(one, ensure_ascii=False) for one in bundle.answer.get("citations", [])]
    return [*str(bundle.answer["text"]).splitlines(), *cited]


def _changed(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old != new:
            yield f"{what}: {key} was {old!r} and is {new!r}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
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
