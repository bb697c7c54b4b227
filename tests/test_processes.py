"""Several processes on one library: reads during writes, reopening, refusal, a first start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from rag.assistant import Assistant
from rag.config import load_config
from tests.fakes import WordEmbedder

SECONDS = float(os.environ.get("PAPERS_PROCESS_SECONDS", "60"))
pytestmark = [pytest.mark.processes, pytest.mark.timeout(SECONDS + 240)]

ROOT = Path(__file__).resolve().parents[1]
LATEST = 5.0  # seconds after its ingest within which every reader sees a paper

PRELUDE = """
import json, random, sys, time
from pathlib import Path
import chromadb, tantivy
import rag.assistant
from rag.assistant import Assistant
from rag.cli import main
from tests.fakes import WordEmbedder
rag.assistant.open_embedder = lambda *_: WordEmbedder()

def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\\n" for row in rows))
    return path

def row(number, version=0):
    words = " ".join(f"shared{(number * 7 + n * n) % 50}" for n in range(8))
    abstract = f"It studies topic{number}x{version} with {words}. " * 3
    return {"title": f"Paper number{number} on {words}", "abstract": abstract.strip()}
"""

# Writes until its time is up; logs what each ingest wrote, and when that had returned.
WRITER = (
    PRELUDE
    + """
home, folder, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
rng, versions, until = random.Random(1), {}, time.time() + seconds
log = (folder / "writer.jsonl").open("a", buffering=1)
with Assistant.open(home=home) as assistant:
    number = 0
    while time.time() < until:
        begun, kept = time.time(), sorted(versions)
        chance = rng.random()
        if number > 5 and chance < 0.15:
            target = rng.choice(kept)
            title = row(target)["title"]
            paper_id = next(paper.id for paper in assistant.papers() if paper.title == title)
            assistant.remove(paper_id)
            del versions[target]
            said = {"event": "removed", "number": target, "title": title}
        else:
            target = rng.choice(kept) if number > 5 and chance < 0.3 else number
            number += target == number
            versions[target] = versions.get(target, -1) + 1
            changed = row(target, versions[target])
            assistant.ingest([write(folder / f"papers{target}.jsonl", changed)])
            topic = f"topic{target}x{versions[target]}"
            title = row(target)["title"]
            said = {"event": "written", "number": target, "title": title, "topic": topic}
        log.write(json.dumps({**said, "time": time.time()}) + "\\n")
        time.sleep(max(0, begun + 0.5 - time.time()))
log.write(json.dumps({"event": "end", "kept": versions, "time": time.time()}) + "\\n")
"""
)

# Searches without a pause for what the writer's log says, until it has seen all of it.
READER = (
    PRELUDE
    + """
home, folder, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
log = (folder / "writer.jsonl").open()
seen = (folder / f"{name}.jsonl").open("a", buffering=1)

def holds(hits, event):
    found = next((hit.paper for hit in hits if hit.paper.title == event["title"]), None)
    for hit in hits:
        assert hit.text and hit.text in hit.paper.text
    if event["event"] == "removed":
        return found is None
    return found is not None and event["topic"] in found.abstract

searches, pending, known, ended = 0, {}, ["shared1 shared2"], False
with Assistant.open(home=home) as assistant:
    while pending or not ended:
        for line in log:
            event = json.loads(line)
            ended = ended or event["event"] == "end"
            if event["event"] != "end":
                # An event that is overwritten before the search for it is not checked here.
                pending[event["number"]] = event
                known.append(event["title"])
        for event in list(pending.values()):
            searches += 1
            if holds(assistant.search(event["title"]), event):
                seen.write(json.dumps({**event, "seen": time.time()}) + "\\n")
                del pending[event["number"]]
            elif time.time() - event["time"] > 60:
                sys.exit(f"never seen: {event}")
        assistant.search(random.choice(known))
        searches += 1
print(searches, flush=True)
"""
)

CLI = PRELUDE + "\nmain()\n"
SLOW_CLI = (
    PRELUDE
    + """
class Slow(WordEmbedder):
    def embed(self, texts):
        time.sleep(0.05)
        return super().embed(texts)

rag.assistant.open_embedder = lambda *_: Slow()
main()
"""
)


def command(script: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


@contextmanager
def started(script: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the test."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command(script, *arguments), cwd=ROOT, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def rag(*arguments: str | Path, script: str = CLI) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(script, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=100
    )


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def logged(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def opened(home: Path) -> Assistant:
    return Assistant(load_config(home=home), embedder=WordEmbedder())


def write_papers(path: Path, number: int) -> Path:
    rows = [
        {"title": f"Slow paper number{n}", "abstract": f"It is about matter{n}. " * 4}
        for n in range(number)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """Return the whole output of a refused command."""
    assert result.returncode > 0, result.stdout
    assert result.stderr.startswith("rag: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_readers_during_writes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = tmp_path / "writer.jsonl"
    with ExitStack() as stack:
        writer = stack.enter_context(started(WRITER, home, tmp_path, str(SECONDS)))
        wait_for(lambda: writer.poll() is not None or (log.exists() and bool(log.read_text())))
        readers = [
            stack.enter_context(started(READER, home, tmp_path, name)) for name in ("one", "two")
        ]
        for process in (writer, *readers):
            out, err = process.communicate(timeout=SECONDS + 120)
            assert process.returncode == 0, err
            assert not err
            print(f"searches: {out.strip()}" if out else "the writer is done")  # noqa: T201
    *events, end = logged(log)
    assert len(events) > SECONDS  # two a second, where nothing is in the way
    for name in ("one", "two"):
        assert_seen(name, tmp_path, events)
    assert_nothing_lost(home, {int(number): version for number, version in end["kept"].items()})


def assert_seen(name: str, folder: Path, events: list[dict[str, Any]]) -> None:
    """Assert that the reader saw every event that was not overwritten, within the time limit."""
    rows = logged(folder / f"{name}.jsonl")
    delays = [row["seen"] - row["time"] for row in rows]
    last = {event["number"]: event for event in events}
    seen = {(row["number"], row["event"], row.get("topic")) for row in rows}
    assert {
        (event["number"], event["event"], event.get("topic")) for event in last.values()
    } <= seen
    print(f"{name} saw {len(rows)} of {len(events)} events, the latest {max(delays):.2f} s after")  # noqa: T201
    assert max(delays) < LATEST


def assert_nothing_lost(home: Path, kept: dict[int, int]) -> None:
    with opened(home) as assistant:
        library = assistant.library
        vectors, terms = library.catalog.follower("vectors"), library.catalog.follower("terms")
        assert vectors is not None
        assert terms is not None
        assert assistant.status().papers == len(kept) == library.terms.count(terms[0])
        assert assistant.status().passages == library.vectors.count(*vectors)
        for number, version in kept.items():
            hits = assistant.search(f"topic{number}x{version}")
            assert f"topic{number}x{version} " in hits[0].paper.abstract


# Ingests one more paper for every line that it is sent.
OBEDIENT = (
    PRELUDE
    + """
home, folder = Path(sys.argv[1]), Path(sys.argv[2])
with Assistant.open(home=home) as assistant:
    for number, _ in enumerate(sys.stdin):
        assistant.ingest([write(folder / f"more{number}.jsonl", row(number))])
        print(number, flush=True)
"""
)


def test_reopening_leaks_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    this = psutil.Process()
    counts = {}
    with started(OBEDIENT, home, tmp_path) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        reader = None
        for number in range(111):
            writer.stdin.write("\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == f"{number}\n"
            reader = reader or opened(home)
            assert reader.search(f"topic{number}x0")[0].paper.title.startswith(
                f"Paper number{number} "
            )
            if number in (10, 60, 110):
                counts[number] = (this.num_fds(), this.num_threads())
        assert reader is not None
        reader.close()
        writer.communicate(timeout=30)
    print(f"file descriptors and threads after n reopenings: {counts}")  # noqa: T201
    for before, after in zip(counts[10], counts[110], strict=True):
        assert after <= before + 10, counts


def test_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    many, few = write_papers(tmp_path / "many.jsonl", 600), write_papers(tmp_path / "few.jsonl", 3)
    with started(SLOW_CLI, "ingest", many, "--home", home) as first:
        wait_for(lambda: (home / "writer.json").exists())
        began = time.monotonic()
        for refused in (("ingest", few), ("rebuild",)):
            said = one_line(rag(*refused, "--home", home))
            assert f"rag ingest (pid {first.pid}, since 20" in said
        print(f"two refusals took {time.monotonic() - began:.2f} s, imports and all")  # noqa: T201
        assert first.poll() is None
        first.send_signal(signal.SIGKILL)
        first.wait(10)
        again = rag("ingest", few, "--home", home)
    assert again.returncode == 0, again.stderr
    with opened(home) as assistant:
        assert assistant.search("matter2")[0].paper.title == "Slow paper number2"


# Opens the library and searches again and again, from the creation of its folder until the last
# paper is found.
EARLY = (
    PRELUDE
    + """
from collections import Counter
from rag.errors import RagError
home, last = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
while not home.exists():
    pass
said, found = Counter(), False
while not found:
    try:
        with Assistant.open(home=home) as assistant:
            hits = assistant.search(last)
        found = bool(hits) and hits[0].paper.title.endswith(last)
        said["answered"] += 1
    except RagError as error:
        assert "\\n" not in str(error)
        said[str(error).replace(str(home), "HOME").split(" (pid")[0]] += 1
print(dict(said))
"""
)


@pytest.mark.parametrize("attempt", range(5))
def test_reader_during_the_first_ingest(attempt: int, tmp_path: Path) -> None:
    home = tmp_path / "home"
    many = write_papers(tmp_path / "many.jsonl", 30)
    with started(EARLY, home, "number29") as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        ingest = rag("ingest", many, "--home", home, script=SLOW_CLI)
        assert ingest.returncode == 0, ingest.stderr
        out, err = reader.communicate(timeout=60)
        assert reader.returncode == 0, err
    print(out.strip())  # noqa: T201


@pytest.mark.parametrize("delay", [0.0, 0.3, 0.6])
def test_command_during_the_first_ingest(delay: float, tmp_path: Path) -> None:
    home = tmp_path / "home"
    many = write_papers(tmp_path / "many.jsonl", 60)
    with started(SLOW_CLI, "ingest", many, "--home", home) as writer:
        time.sleep(delay)
        result = rag("search", "matter2", "--home", home)
        _, err = writer.communicate(timeout=60)
        assert writer.returncode == 0, err
    print(f"after {delay} s: {result.returncode} {result.stderr.strip()}")  # noqa: T201
    if result.returncode:
        said = one_line(result)
        assert "is being written" in said or "there is no library" in said
    assert "Slow paper number2" in rag("search", "matter2", "--home", home).stdout
