"""Killed processes, damaged indexes and a full disk: nothing that was stored is lost."""

from __future__ import annotations

import functools
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.assistant import Assistant
from rag.config import load_config
from rag.errors import LibraryError
from tests.fakes import WordEmbedder

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[1]
RNG = random.Random(20240615)
WORDS = ["".join(RNG.choices("abcdefghiklmnoprstuvz", k=RNG.randint(4, 9))) for _ in range(400)]
QUESTIONS = [" ".join(RNG.choices(WORDS, k=4)) for _ in range(5)]

# A command in a separate process; it reports the end of its imports, so that every kill
# interrupts the work itself.
CHILD = """
import chromadb, tantivy
import rag.assistant, rag.ingest
from rag.cli import main
from tests.test_crash import Embedder

rag.assistant.open_embedder = lambda *_: Embedder()
rag.ingest._BATCH, rag.ingest._FOLLOW_SECONDS = 10, 0.0
print("ready", flush=True)
main()
"""


class Embedder(WordEmbedder):
    """Short passages, so that few papers exceed Chroma's log and it writes its own files."""

    _word = functools.cache(WordEmbedder._word)

    def __init__(self) -> None:
        super().__init__(max_tokens=32)


def start(*arguments: str | Path, script: str = CHILD) -> subprocess.Popen[str]:
    """Start `rag ARGUMENTS...` and wait until it is about to begin."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def rag(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `rag ARGUMENTS...` to its end."""
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def killed(moment: float, *arguments: str | Path) -> float | None:
    """Run `rag ARGUMENTS...`, kill it after `moment` seconds; return its duration if it ended."""
    process, began = start(*arguments), time.monotonic()
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=moment)
        assert process.returncode == 0
        return time.monotonic() - began
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return None


def opened(home: Path) -> Assistant:
    return Assistant(load_config(home=home), embedder=Embedder())


def abstract(rng: random.Random) -> str:
    return " ".join(
        " ".join(rng.choices(WORDS, k=14)).capitalize() + "." for _ in range(rng.randint(9, 13))
    )


def row(number: int, seed: str = "") -> dict[str, Any]:
    rng = random.Random(f"{number} {seed}")
    title = " ".join(random.Random(number).choices(WORDS, k=6)).capitalize()
    return {
        "title": f"{title} {number}",
        "abstract": abstract(rng),
        "upvotes": number,
        "published": "2024-06-15",
    }


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in rows), encoding="utf-8")
    return path


FIRST = [row(number) for number in range(120)]
# Every third abstract is another one, and papers are new in the middle and at the end.
SECOND = [
    *(row(number, "changed" if number % 3 == 0 else "") for number in range(60)),
    *(row(number) for number in range(200, 220)),
    *(row(number, "changed" if number % 3 == 0 else "") for number in range(60, 120)),
    *(row(number) for number in range(220, 230)),
]


def contents(home: Path) -> dict[str, Any]:
    """All that a library holds, in its catalog and in both indexes."""
    with opened(home) as assistant:
        library = assistant.library
        papers = {paper.id: paper for paper in assistant.papers()}
        parts = library.catalog.parts(papers)
        tokens = {name: library.catalog.follower(name) for name in ("vectors", "terms")}
        assert library.indexes() == {"vectors": "current", "terms": "current"}
        with library.vectors._open(*tokens["vectors"]) as collection:
            stored = collection.get(include=["embeddings"])
        embedder = Embedder()
        return {
            "papers": papers,
            "passages": {
                passage.id: passage for part in parts.values() for passage in part.passages
            },
            "sentences": [span for paper in sorted(parts) for span in parts[paper].sentences],
            "sentence vectors": np.concatenate(
                [parts[paper].sentence_vectors for paper in sorted(parts)]
            ),
            "vectors": {
                passage.id: vector
                for part in parts.values()
                for passage, vector in zip(part.passages, part.passage_vectors, strict=True)
            },
            "chroma": dict(zip(stored["ids"], stored["embeddings"], strict=True)),
            "chroma count": library.vectors.count(*tokens["vectors"]),
            "nearest": [
                dict(library.nearest(embedder.embed([question])[0], 200)[:10])
                for question in QUESTIONS
            ],
            "terms count": library.terms.count(tokens["terms"][0]),
            "matching": [
                {paper for paper, _ in library.matching(question, 1000)} for question in QUESTIONS
            ],
            "folders": {
                name: [entry.partition("-")[0] for entry in os.listdir(home / name)]
                == [tokens[name][0]]
                for name in tokens
            },
        }


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Both libraries hold the same, and each of the indexes what the catalog holds."""
    for name in ("papers", "passages", "sentences", "matching", "terms count", "chroma count"):
        assert found[name] == wanted[name], name
    assert found["chroma count"] == len(found["passages"])
    assert found["terms count"] == len(found["papers"])
    assert np.array_equal(found["sentence vectors"], wanted["sentence vectors"])
    for name in ("vectors", "chroma"):
        assert found[name].keys() == wanted["vectors"].keys(), name
        for identity, vector in wanted["vectors"].items():
            assert np.allclose(found[name][identity], vector, atol=2e-3), (name, identity)
    for mine, other in zip(found["nearest"], wanted["nearest"], strict=True):
        shared = mine.keys() & other.keys()
        # Chroma's graphs are approximate and differ; sometimes a stored passage is not
        # reachable.
        assert len(shared) >= 9, (mine, other)
        assert [mine[key] for key in shared] == pytest.approx(
            [other[key] for key in shared], abs=1e-4
        )
    assert found["folders"] == {"vectors": True, "terms": True}, (
        "what a killed process left is still there"
    )


def assert_next_works(home: Path) -> None:
    """The next command answers from what was stored, or reports that there is no library."""
    with opened(home) as assistant:
        try:
            status = assistant.status()
        except LibraryError as error:
            assert "there is no library" in str(error)  # noqa: PT017 - killed before it was made
            return
        hits = assistant.search(FIRST[0]["title"])
        assert len(hits) == min(status.papers, assistant.config.search.hits)
        if status.papers:
            assert hits[0].paper.title == FIRST[0]["title"]
        assert assistant.status().indexes == {"vectors": "current", "terms": "current"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file that all libraries here are made from: sightings name its path."""
    return write(tmp_path_factory.mktemp("corpus") / "papers.jsonl", FIRST)


@pytest.fixture(scope="module")
def first_home(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of FIRST, never killed. Copy it before writing."""
    home = tmp_path_factory.mktemp("first") / "home"
    assert rag("ingest", corpus, "--home", home).returncode == 0
    return home


@pytest.fixture
def second(corpus: Path) -> Iterator[Path]:
    """The same file with SECOND in it."""
    yield write(corpus, SECOND)
    write(corpus, FIRST)


def kill_again_and_again(
    home: Path,
    times: int,
    prepare: Callable[[], None],
    again: Callable[[Assistant], object],
    wanted: dict[str, Any],
    *arguments: str | Path,
) -> None:
    """Kill a command at `times` random moments; assert each time that nothing is lost."""
    prepare()
    duration, late = killed(60.0, *arguments), 0
    assert duration
    rng = random.Random(str(arguments[0]))
    for _ in range(times):
        prepare()
        while ran := killed(rng.uniform(0, duration), *arguments):
            # The machine was busier when the duration was measured.
            late, duration = late + 1, min(ran, duration)
            prepare()
        assert_next_works(home)
        with opened(home) as assistant:
            again(assistant)
        assert_same(contents(home), wanted)
    print(  # noqa: T201
        f"rag {arguments[0]}: {duration:.2f} s undisturbed, killed at work {times} times; "
        f"{late} came too late"
    )


def test_killed_ingest_into_a_new_library(corpus: Path, first_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    prepare = lambda: shutil.rmtree(home, ignore_errors=True)  # noqa: E731
    again = lambda assistant: assistant.ingest([corpus])  # noqa: E731
    kill_again_and_again(
        home, 25, prepare, again, contents(first_home), "ingest", corpus, "--home", home
    )


def test_killed_ingest_of_changes(second: Path, first_home: Path, tmp_path: Path) -> None:
    home, undisturbed = tmp_path / "home", tmp_path / "undisturbed"
    shutil.copytree(first_home, undisturbed)
    assert rag("ingest", second, "--home", undisturbed).returncode == 0

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(first_home, home)

    again = lambda assistant: assistant.ingest([second])  # noqa: E731
    kill_again_and_again(
        home, 25, prepare, again, contents(undisturbed), "ingest", second, "--home", home
    )


def test_killed_rebuild(first_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(first_home, home)

    kill_again_and_again(
        home, 15, prepare, Assistant.rebuild, contents(first_home), "rebuild", "--home", home
    )


def test_killed_while_writing_to_chroma(
    corpus: Path, first_home: Path, tmp_path: Path, caplog: Any
) -> None:
    """Chroma overwrites files in place: an index left by a killed process is rebuilt, not read."""
    home = Path(shutil.copytree(first_home, tmp_path / "home"))
    with opened(home) as reader:
        reader.search(QUESTIONS[0])
        dies = (
            "import os, rag.library.vectors as v; "
            "v._Owner.wrote = lambda *_: os.kill(os.getpid(), 9)\n"
        )
        dying = CHILD.replace("print(", dies + "print(")
        more = write(tmp_path / "more.jsonl", [row(number) for number in range(300, 305)])
        process = start("ingest", more, "--home", home, script=dying)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        with caplog.at_level(logging.WARNING):
            assert reader.search(row(300)["title"])[0].paper.title == row(300)["title"]
        assert "killed while it used the index" in caplog.text
        assert "was rebuilt" in caplog.text
    assert rag("ingest", more, "--home", home).returncode == 0
    assert contents(home)["chroma count"] > contents(first_home)["chroma count"]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def scramble(folder: Path) -> None:
    for path in files(folder):
        path.write_bytes(random.Random(path.name).randbytes(max(100, path.stat().st_size)))


def cut(folder: Path) -> None:
    """Halve the file that Chroma, or tantivy, opens first."""
    for path in (*folder.rglob("chroma.sqlite3"), *folder.rglob("meta.json")):
        os.truncate(path, path.stat().st_size // 2)


def scramble_middle(folder: Path) -> None:
    """Head and end look right: Chroma's Rust core panics over such a database."""
    for path in (*folder.rglob("chroma.sqlite3"), *folder.rglob("*.idx")):
        length = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(length // 5)
            file.write(random.Random(7).randbytes(length * 2 // 5))


def empty(folder: Path) -> None:
    for path in files(folder):
        path.unlink()


def delete(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize("damage", [scramble, cut, empty, delete])
@pytest.mark.parametrize("index", ["vectors", "terms"])
def test_damaged_index_heals(
    index: str, damage: Callable[[Path], None], first_home: Path, tmp_path: Path, caplog: Any
) -> None:
    home = Path(shutil.copytree(first_home, tmp_path / "home"))
    with opened(home) as assistant:
        wanted = [assistant.search(question) for question in QUESTIONS]
    damage(home / index)
    with caplog.at_level(logging.WARNING), opened(home) as assistant:
        found = [assistant.search(question) for question in QUESTIONS]
    assert "was rebuilt" in caplog.text
    for mine, other in zip(found, wanted, strict=True):
        assert [hit.paper.id for hit in mine] == [hit.paper.id for hit in other]
        assert [hit.score for hit in mine] == pytest.approx([hit.score for hit in other], abs=1e-3)
    assert_same(contents(home), contents(first_home))


def test_damage_that_makes_rust_panic_heals(first_home: Path, tmp_path: Path) -> None:
    # In a process of its own: a panic prints to its standard error, which Python can't prevent.
    home = Path(shutil.copytree(first_home, tmp_path / "home"))
    scramble_middle(home / "vectors")
    found = rag("search", QUESTIONS[0], "--home", home)
    assert found.returncode == 0, found.stderr
    assert "Traceback" not in found.stderr
    assert "was rebuilt" in found.stderr
    assert_same(contents(home), contents(first_home))


def test_damage_that_crashes_the_reader_heals_with_the_next_command(
    first_home: Path, tmp_path: Path
) -> None:
    """No Python code can catch a segmentation fault, but the mark that it leaves is seen."""
    home = Path(shutil.copytree(first_home, tmp_path / "home"))
    (header,) = (home / "vectors").rglob("header.bin")
    os.truncate(header, header.stat().st_size // 2)
    rag("search", QUESTIONS[0], "--home", home)
    found = rag("search", QUESTIONS[0], "--home", home)
    assert found.returncode == 0, found.stderr
    assert_same(contents(home), contents(first_home))


def test_damaged_index_heals_under_many_commands(
    corpus: Path, first_home: Path, tmp_path: Path
) -> None:
    """One process rebuilds the index; the others wait, both readers and writers."""
    home = Path(shutil.copytree(first_home, tmp_path / "home"))
    gated = CHILD.replace("main()", "input()\nmain()")
    search = ("search", FIRST[5]["title"], "--home", home)
    commands = (search, ("ingest", corpus, "--home", home), search)
    delete(home / "vectors")
    processes = [start(*command, script=gated) for command in commands]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert FIRST[5]["title"] in out or "unchanged" in out
    assert_same(contents(home), contents(first_home))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be filled up and made larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"can't mount a small tmpfs here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


# From "not even the catalog" over every part of the work to "nearly all".
@pytest.mark.parametrize("size", ["8k", "64k", "300k", "600k", "1500k", "3000k", "4000k"])
def test_full_disk(size: str, corpus: Path, first_home: Path, small_disk: Path) -> None:
    home = small_disk / "home"
    resize(small_disk, size)
    full = rag("ingest", corpus, "--home", home)
    assert full.returncode > 0, full.stderr
    assert "Traceback" not in full.stderr
    assert full.stderr.startswith("rag: ")
    assert full.stderr.count("\n") == 1, full.stderr
    resize(small_disk, "64m")
    again = rag("ingest", corpus, "--home", home)
    assert again.returncode == 0, again.stderr
    assert_same(contents(home), contents(first_home))
