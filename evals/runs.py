"""Run folders: rows.jsonl (a row per case and measure), seen.jsonl (texts of cases), run.json."""

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
"""The folder of the runs of `rag eval`, in the current working directory."""
_PACKAGES = ("chromadb", "ir-measures", "numpy", "onnxruntime", "scipy", "tantivy", "tokenizers")


@dataclass(frozen=True, slots=True)
class Run:
    """A stored run: its rows, the texts of each (suite, case), and the contents of run.json."""

    folder: Path
    rows: tuple[Row, ...]
    seen: Mapping[tuple[str, str], Mapping[str, Any]]
    info: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The run's name in tables."""
        return str(self.info.get("name") or self.folder.name)

    @property
    def data(self) -> dict[str, str]:
        """Suite -> fingerprint of its cases and papers."""
        return {name: suite["data"] for name, suite in self.info["suites"].items()}


def read(folder: Path) -> Run:
    """Read a run's folder. Raises InputError if it is not a run."""
    try:
        info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        rows = tuple(Row(**row) for row in _lines(folder / "rows.jsonl"))
        seen = {(row["suite"], row["case"]): row["seen"] for row in _lines(folder / "seen.jsonl")}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder} is not an evaluation run: {error}") from None
    return Run(folder, rows, seen, info)


class Recorder:
    """Writer of a run. Every case is stored at once, so that an interrupted run can continue.

    `done` are the (suite, case) pairs of an earlier part of the run. Raises InputError if the
    folder contains a run with another fingerprint.
    """

    def __init__(self, folder: Path, info: Mapping[str, Any]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._info = dict(info)
        if (folder / "run.json").exists():
            self._resume()
        else:
            self._write_info()
        self.done = {(row["suite"], row["case"]) for row in _lines(folder / "seen.jsonl")}
        self._keep_done_rows()

    def add(self, suite: str, case: str, type_: str, outcome: Outcome | str) -> None:
        """Store the outcome of a case, or the message of the error that it failed with."""
        if isinstance(outcome, str):
            rows, seen = [Row(suite, case, type_, "error", None, outcome)], {"error": outcome}
        else:
            rows = [
                Row(suite, case, type_, measure, value) for measure, value in outcome.values.items()
            ]
            seen = dict(outcome.seen)
        _append(self.folder / "rows.jsonl", (asdict(row) for row in rows))
        # This line marks the case as done. Without it, a resumed run drops the case's rows.
        _append(self.folder / "seen.jsonl", [{"suite": suite, "case": case, "seen": seen}])

    def add_time(self, suite: str, cases: int, seconds: float) -> None:
        """Add to a suite's number of evaluated cases and seconds, over all parts of the run."""
        about = self._info["suites"][suite]
        about["asked"] = about.get("asked", 0) + cases
        about["seconds"] = round(about.get("seconds", 0.0) + seconds, 3)
        self._write_info()

    def finish(self, order: Iterable[tuple[str, str]] = ()) -> None:
        """Mark the run as finished, and sort its rows by `order`, the (suite, case) pairs.

        Parallel cases are recorded in any order; sorting makes equal runs have equal files.
        """
        positions = {key: position for position, key in enumerate(order)}
        for path in (self.folder / "rows.jsonl", self.folder / "seen.jsonl") if positions else ():
            _write(path, sorted(_lines(path), key=lambda row: positions[row["suite"], row["case"]]))
        self._info["finished"] = now()
        self._write_info()

    def _resume(self) -> None:
        stored = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        if stored.get("fingerprint") != self._info["fingerprint"]:
            raise InputError(
                f"{self.folder} contains a run of other suites, data, configuration or code; "
                "give another --out"
            )
        self._info = stored

    def _keep_done_rows(self) -> None:
        """Drop the rows of a case that was interrupted while it was stored."""
        path = self.folder / "rows.jsonl"
        _write(path, [row for row in _lines(path) if (row["suite"], row["case"]) in self.done])

    def _write_info(self) -> None:
        _replace(
            self.folder / "run.json", json.dumps(self._info, indent=2, ensure_ascii=False) + "\n"
        )


def finished(root: Path = ROOT) -> list[Path]:
    """Return the folders of finished runs in `root`, newest first."""
    ended = {
        folder: str(info["finished"]) for folder, info in _stored(root) if info.get("finished")
    }
    return sorted(ended, key=lambda folder: ended[folder], reverse=True)


def unfinished(root: Path, fingerprint: str) -> Path | None:
    """Return the folder of the newest interrupted run in `root` with this fingerprint, or None."""
    interrupted = (
        folder
        for folder, info in _stored(root)
        if not info.get("finished") and info.get("fingerprint") == fingerprint
    )
    return next(interrupted, None)


def _stored(root: Path) -> Iterable[tuple[Path, dict[str, Any]]]:
    """Yield the folder and run.json of each run, newest first if the folders are named by time."""
    for path in sorted(root.glob("*/run.json"), reverse=True):
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # the file is incomplete
        # Skip the link `latest`, or its run would be listed twice.
        if not path.parent.is_symlink():
            yield path.parent, info


def point_latest(root: Path, folder: Path) -> None:
    """Make the symbolic link `latest` in `root` point to this run."""
    latest = root / "latest"
    if latest.is_symlink() or not latest.exists():
        latest.unlink(missing_ok=True)
        latest.symlink_to(folder.resolve(), target_is_directory=True)


@cache
def code_fingerprint() -> str:
    """Compute 16 hex digits over the code, prompts and weights that the figures depend on."""
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
    """Return the versions of Python and of the libraries that figures may depend on."""
    return {
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in _PACKAGES},
    }


def now() -> str:
    """Return the current UTC time in ISO format, in whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").split("\n"):
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue  # an incomplete line: the run was interrupted here
    return rows


def _append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(_as_lines(rows))


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    _replace(path, _as_lines(rows))


def _replace(path: Path, text: str) -> None:
    # Replacing a file is atomic: a process that is killed here leaves the old file or the new one.
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def _as_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
