"""Homes that can't be used: each is refused in words, and nothing in them is touched."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rag import cli
from rag.assistant import Assistant
from rag.config import load_config
from rag.errors import LibraryBusy, LibraryError, LibraryTooNew
from rag.library import Library
from rag.library.locks import ShortLock, WriterLock
from rag.library.schema import MIGRATIONS, migrate, schema_version
from tests.fakes import WordEmbedder

PAPER = {"title": "Ratios of densities", "abstract": "We estimate ratios. They are dense."}
LATER = "CREATE TABLE added_later (word TEXT); INSERT INTO added_later VALUES ('new');"
FAILING = "CREATE TABLE half_done (word TEXT); INSERT INTO no_such_table VALUES (1);"


def one_line(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What the command line says when it refuses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["rag", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    assert stopped.value.code not in (0, None)
    said = capsys.readouterr().err
    assert said.startswith("rag: ")
    assert said.count("\n") == 1, said
    return said


@pytest.fixture
def papers(write_papers: Callable[..., Path]) -> Path:
    return write_papers("papers.jsonl", PAPER)


@pytest.fixture
def home(fake: Assistant, papers: Path) -> Path:
    """A library of one paper, closed."""
    fake.ingest([papers])
    fake.close()
    return fake.config.folder


def version(home: Path, new: int | None = None) -> int:
    with closing(sqlite3.connect(home / "catalog.sqlite")) as connection:
        if new is not None:
            connection.execute(f"PRAGMA user_version = {new}")
        return schema_version(connection)


def backups(home: Path) -> list[Path]:
    return sorted(home.glob("catalog.schema*.sqlite"))


def test_no_library_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = one_line(capsys, "status", "--home", tmp_path / "nothing")
    assert "there is no library in" in said
    assert "rag ingest" in said
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("where", ["file", "file/home", "file/deep/home"])
def test_home_in_the_way_of_a_file(
    where: str, papers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    said = one_line(capsys, "ingest", papers, "--home", tmp_path / where)
    assert str(tmp_path / where) in said
    assert "give another --home" in said
    assert "there is no library" in one_line(capsys, "search", "ratios", "--home", tmp_path / where)
    assert (tmp_path / "file").read_text() == "not a folder"


@pytest.mark.parametrize("command", [("status",), ("search", "ratios"), ("ingest",)])
def test_newer_library_is_refused(
    command: tuple[str, ...], home: Path, papers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version(home, 99)
    arguments = (*command, papers) if command == ("ingest",) else command
    said = one_line(capsys, *arguments, "--home", home)
    assert "schema 99" in said
    assert f"knows {len(MIGRATIONS)}" in said
    assert version(home) == 99
    assert not backups(home)
    with pytest.raises(LibraryTooNew):
        Library(home)


@pytest.mark.parametrize("content", [b"garbage " * 1000, b"short garbage", os.urandom(5000)])
def test_garbage_instead_of_a_catalog(
    content: bytes, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in home.glob("catalog.sqlite*"):
        path.unlink()
    (home / "catalog.sqlite").write_bytes(content)
    for command in (("status",), ("search", "ratios"), ("rebuild",)):
        said = one_line(capsys, *command, "--home", home)
        assert "is not a library's catalog" in said
        assert str(home / "catalog.sqlite") in said
    assert (home / "catalog.sqlite").read_bytes() == content


def test_damaged_catalog(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    length = (home / "catalog.sqlite").stat().st_size
    with (home / "catalog.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (length - 4096))
    assert "damaged" in one_line(capsys, "papers", "--home", home)


def test_other_database_is_no_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It carries version 0, like an empty file, and must not be filled with our tables."""
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        connection.executescript(
            "CREATE TABLE papers (mine TEXT); INSERT INTO papers VALUES ('precious');"
        )
    one_line(capsys, "status", "--home", tmp_path)
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT * FROM papers").fetchall() == [("precious",)]
        assert len(connection.execute("SELECT * FROM sqlite_master").fetchall()) == 1


def test_older_library_is_migrated_after_a_backup(home: Path) -> None:
    path = home / "catalog.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, (*MIGRATIONS, LATER))
        assert schema_version(connection) == len(MIGRATIONS) + 1
        assert connection.execute("SELECT word FROM added_later").fetchall() == [("new",)]
        assert connection.execute("SELECT count(*) FROM papers").fetchone() == (1,)
    (backup,) = backups(home)
    assert backup.name.startswith(f"catalog.schema{len(MIGRATIONS)}.")
    with closing(sqlite3.connect(backup)) as copy:
        assert schema_version(copy) == len(MIGRATIONS)
        assert copy.execute("SELECT count(*) FROM papers").fetchone() == (1,)
        assert not copy.execute("SELECT * FROM sqlite_master WHERE name = 'added_later'").fetchall()


def test_backup_opens_as_a_library(home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home / "catalog.sqlite", isolation_level=None)) as connection:
        migrate(connection, home / "catalog.sqlite", (*MIGRATIONS, LATER))
    (tmp_path / "restored").mkdir()
    shutil.copy(backups(home)[0], tmp_path / "restored" / "catalog.sqlite")
    with Assistant(load_config(home=tmp_path / "restored"), embedder=WordEmbedder()) as assistant:
        assert assistant.search("ratios")[0].paper.title == PAPER["title"]


def test_failing_migration_changes_nothing(home: Path) -> None:
    path = home / "catalog.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        before = list(connection.iterdump())
        with pytest.raises(
            LibraryError, match=f"can't be migrated to schema {len(MIGRATIONS) + 2}: no such table"
        ):
            migrate(connection, path, (*MIGRATIONS, LATER, FAILING))
        assert not connection.in_transaction
        assert schema_version(connection) == len(MIGRATIONS)
        assert list(connection.iterdump()) == before
    assert len(backups(home)) == 1
    with Assistant.open(home=home) as assistant:
        assert assistant.status().papers == 1


def test_older_library_migrates_at_its_opening(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.library.schema.migrate.__defaults__", ((*MIGRATIONS, LATER),))
    monkeypatch.setattr("rag.library.database.MIGRATIONS", (*MIGRATIONS, LATER))
    with Assistant.open(home=home) as assistant:
        assert assistant.status().papers == 1
    assert version(home) == len(MIGRATIONS) + 1
    assert len(backups(home)) == 1
    with Assistant.open(home=home) as assistant:
        assert assistant.status().papers == 1
    assert len(backups(home)) == 1


@pytest.mark.skipif(
    os.geteuid() == 0, reason="root may write to a read-only folder, so there is nothing to see"
)
def test_read_only_home(home: Path, papers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writable = {path: path.stat().st_mode for path in (home, *home.rglob("*"))}
    for path, mode in writable.items():
        path.chmod(mode & ~0o222)
    try:
        assert "--home" in one_line(capsys, "ingest", papers, "--home", home)
        assert "--home" in one_line(capsys, "ingest", papers, "--home", home / "new")
    finally:
        for path, mode in writable.items():
            path.chmod(mode)


def test_writer_waits_for_brief_work_only(tmp_path: Path) -> None:
    # As threads of one process; tests/test_processes.py does the same with processes.
    from threading import Event, Thread

    lock, held, refused = WriterLock(tmp_path), Event(), Event()

    def hold(**how: Any) -> None:
        with WriterLock(tmp_path).held("rag something", **how):
            held.set()
            refused.wait(0.3)

    for how in ({"brief": True}, {}):
        held.clear()
        thread = Thread(target=hold, kwargs=how)
        thread.start()
        held.wait(5)
        if how:
            with lock.held("rag ingest"):
                pass
        else:
            with (
                pytest.raises(LibraryBusy, match=f"rag something \\(pid {os.getpid()}, since "),
                lock.held("rag ingest"),
            ):
                pass
            refused.set()
        thread.join()


def test_short_lock_lets_one_thread_in(tmp_path: Path) -> None:
    """Also where each has a lock object of its own, as two libraries of one folder do."""
    from concurrent.futures import ThreadPoolExecutor
    from time import sleep

    inside: list[int] = []
    most: list[int] = []

    def work(_: int) -> None:
        with ShortLock(tmp_path / "x.lock").held():
            inside.append(1)
            most.append(len(inside))
            sleep(0.001)
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(100)))
    assert max(most) == 1
