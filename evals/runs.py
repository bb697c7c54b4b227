"""A run is a folder: rows.jsonl (one row a case and measure), seen.jsonl (what a case was answered), run.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from evals.outcomes import Outcome, Row
from rag.errors import InputError
from rag.prompts import wordings

ROOT = Path("runs")
"""Where `rag eval` keeps its runs: below the folder that it is called in."""
_PACKAGES = ("chromadb", "ir-measures", "numpy", "onnxruntime", "scipy", "tantivy", "tokenizers")


@dataclass(frozen=True, slots=True)
class Run:
    """A run read back: its rows, what was seen (by suite and case), and its description."""

    folder: Path
    rows: tuple[Row, ...]
    seen: Mapping[tuple[str, str], Mapping[str, Any]]
    info: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What to call it in tables."""
        return str(self.info.get("name") or self.folder.name)

    @property
    def data(self) -> dict[str, str]:
        """Suite -> fingerprint of its cases and papers."""
        return {name: suite["data"] for name, suite in self.info["suites"].items()}


def read(folder: Path) -> Run:
    """Read a run's folder. Raises InputError where it is none."""
    try:
        info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        rows = tuple(Row(**row) for row in _lines(folder / "rows.jsonl"))
        seen = {(row["suite"], row["case"]): row["seen"] for row in _lines(folder / "seen.jsonl")}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder} is no run of the evaluation: {error}") from None
    return Run(folder, rows, seen, info)


class Recorder:
    """Writes a run as it happens, so that one that is broken off can go on."""

    def __init__(self, folder: Path, info: Mapping[str, Any]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._info = dict(info)
        if (folder / "run.json").exists():
            self._go_on()
        else:
            self._write_info()
        self.done = {(row["suite"], row["case"]) for row in _lines(folder / "seen.jsonl")}
        self._keep_done_rows()

    def add(self, suite: str, case: str, kind: str, outcome: Outcome | str) -> None:
        """Store what a case gave: its measures, or the error that it ended with."""
        if isinstance(outcome, str):
            rows, seen = [Row(suite, case, kind, "error", None, outcome)], {"error": outcome}
        else:
            rows = [
                Row(suite, case, kind, measure, value) for measure, value in outcome.values.items()
            ]
            seen = dict(outcome.seen)
        _append(self.folder / "rows.jsonl", (asdict(row) for row in rows))
        # The case counts as done from here on; without this line its rows are dropped when the run goes on.
        _append(self.folder / "seen.jsonl", [{"suite": suite, "case": case, "seen": seen}])

    def took(self, suite: str, cases: int, seconds: float) -> None:
        """Add to the cases of a suite and the time that they took; a run that was broken off takes several parts."""
        about = self._info["suites"][suite]
        about["asked"] = about.get("asked", 0) + cases
        about["seconds"] = round(about.get("seconds", 0.0) + seconds, 3)
        self._write_info()

    def finish(self, order: Iterable[tuple[str, str]] = ()) -> None:
        """Note that the run is whole, with its cases in this order of suite and id, whenever each was answered."""
        places = {key: place for place, key in enumerate(order)}
        for path in (self.folder / "rows.jsonl", self.folder / "seen.jsonl") if places else ():
            _write(path, sorted(_lines(path), key=lambda row: places[row["suite"], row["case"]]))
        self._info["finished"] = now()
        self._write_info()

    def _go_on(self) -> None:
        before = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        if before.get("fingerprint") != self._info["fingerprint"]:
            raise InputError(
                f"{self.folder} holds a run of other suites, data, configuration or code; give another --out"
            )
        self._info = before

    def _keep_done_rows(self) -> None:
        path = self.folder / "rows.jsonl"
        kept = [row for row in _lines(path) if (row["suite"], row["case"]) in self.done]
        _write(path, kept)

    def _write_info(self) -> None:
        _replace(
            self.folder / "run.json", json.dumps(self._info, indent=2, ensure_ascii=False) + "\n"
        )


def finished(root: Path = ROOT) -> list[Path]:
    """The folders of whole runs below `root`, newest first."""
    ended = {folder: str(info["finished"]) for folder, info in _below(root) if info.get("finished")}
    return sorted(ended, key=lambda folder: ended[folder], reverse=True)


def unfinished(root: Path, fingerprint: str) -> Path | None:
    """The newest run below `root` that was broken off and has this fingerprint."""
    left = (
        folder
        for folder, info in _below(root)
        if not info.get("finished") and info.get("fingerprint") == fingerprint
    )
    return next(left, None)


def _below(root: Path) -> Iterable[tuple[Path, dict[str, Any]]]:
    for path in sorted(root.glob("*/run.json"), reverse=True):
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # broken off while it was written
        if not path.parent.is_symlink():
            yield path.parent, info


def point_latest(root: Path, folder: Path) -> None:
    """Let `latest` below `root` name this run."""
    latest = root / "latest"
    if latest.is_symlink() or not latest.exists():
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.resolve(), target_is_directory=True)


@cache
def code_fingerprint() -> str:
    """16 hex digits over the code, prompts and weights that make the figures."""
    root = Path(__file__).resolve().parents[1]
    paths = [
        path
        for name in ("rag", "evals")
        for path in (root / name).rglob("*")
        if path.suffix in {".py", ".json"}
    ]
    digest = sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    digest.update(json.dumps(wordings()).encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that figures may depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        found[package] = metadata.version(package)
    return found


def now() -> str:
    """The time, for humans."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue  # the line that was being written when the run was broken off
    return rows


def _append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(_as_lines(rows))


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    _replace(path, _as_lines(rows))


def _replace(path: Path, text: str) -> None:
    # A run that is killed here keeps the old file or has the new one.
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def _as_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
