"""Adding papers: uploads are kept, ingests don't overlap, and each file's outcome is shown."""

import gzip

import pytest

from rag.errors import InputError, LibraryBusy
from rag.ingest import IngestReport
from rag.library import Library
from rag.records import LedgerEntry, Outcome
from tests.ui.conftest import HOSTILE
from ui import adding
from ui.add_panel import Panel, added
from ui.adding import FileProgress, add, results


def keep_upload(file, folder):
    return adding.keep_upload(file, folder, megabytes=1)


def upload(tmp_path, name, text):
    folder = tmp_path / f"upload-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def test_an_upload_keeps_its_name_and_the_same_content_is_kept_once(tmp_path) -> None:
    kept = tmp_path / "kept"
    first = keep_upload(upload(tmp_path, "a.jsonl.gz", gzip.compress(b"{}")), kept)
    assert first == kept / "a.jsonl.gz"
    assert keep_upload(upload(tmp_path, "a.jsonl.gz", first.read_bytes()), kept) == first
    assert [path.name for path in kept.iterdir()] == ["a.jsonl.gz"]


def test_another_content_of_the_same_name_gets_another_name(tmp_path) -> None:
    kept = tmp_path / "kept"
    places = [
        keep_upload(upload(tmp_path, "a.jsonl", text), kept)
        for text in ("one", "two", "three", "two")
    ]
    assert [place.name for place in places] == ["a.jsonl", "a-2.jsonl", "a-3.jsonl", "a-2.jsonl"]
    assert [place.read_text() for place in places] == ["one", "two", "three", "two"]


def test_an_upload_of_another_kind_or_too_large_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="is not supported"):
        keep_upload(upload(tmp_path, "a.exe", "x"), tmp_path / "kept")
    with pytest.raises(InputError, match="larger"):
        keep_upload(upload(tmp_path, "a.jsonl", "x" * 1_048_577), tmp_path / "kept")
    with pytest.raises(InputError, match="larger"):
        keep_upload(
            upload(tmp_path, "a.jsonl.gz", gzip.compress(b"x" * 1_048_577)), tmp_path / "kept"
        )
    assert not (tmp_path / "kept").exists()


def test_a_hidden_name_is_read_all_the_same(tmp_path) -> None:
    assert keep_upload(upload(tmp_path, ".jsonl", "x"), tmp_path / "kept").name == "upload.jsonl"


def test_papers_are_added_step_by_step(service_of, fake, write_papers) -> None:
    file = write_papers(
        "more.jsonl",
        {"title": "A paper about walking robots", "abstract": "They walk."},
        {"bad": 1},
    )
    service = service_of(fake)
    *steps, report = add(service, [file], None)
    assert steps == [FileProgress(file, 1, 1, 2)]
    assert dict(results(report)[0].outcomes) == {Outcome.ADDED: 1, Outcome.FAILED: 1}
    assert fake.search("walking robots")[0].paper.title == "A paper about walking robots"
    assert not service.adding.locked()


def test_only_one_ingest_runs_at_a_time(service_of, fake, write_papers) -> None:
    service = service_of(fake)
    with service.adding, pytest.raises(LibraryBusy, match="already"):
        add(service, [write_papers("a.jsonl", {"title": "One"})], None)


def test_a_library_in_use_by_another_writer_is_reported_and_can_be_retried(
    service_of, fake, write_papers
) -> None:
    file = write_papers("a.jsonl", {"title": "One"})
    fake.ingest([file])
    service = service_of(fake)
    with (
        Library(fake.config.folder).writing("rag elsewhere"),
        pytest.raises(LibraryBusy, match="rag elsewhere"),
    ):
        list(add(service, [file], None))
    assert not service.adding.locked()


def test_a_wrong_path_is_refused_before_anything_starts(service_of, fake, tmp_path) -> None:
    service = service_of(fake)
    with pytest.raises(InputError, match="no file or folder"):
        add(service, [tmp_path / "nowhere"], None)
    assert not service.adding.locked()


def test_the_ingest_goes_on_where_the_reader_leaves(service_of, fake, write_papers) -> None:
    service = service_of(fake)
    steps = add(
        service, [write_papers("a.jsonl", {"title": "Left alone", "abstract": "Yes."})], None
    )
    del steps
    assert service.adding.acquire(timeout=60)
    assert "Left alone" in [paper.title for paper in fake.papers()]


def test_a_damaged_archive_is_reported_by_the_ingest(tmp_path) -> None:
    assert (
        keep_upload(upload(tmp_path, "a.jsonl.gz", b"no gzip"), tmp_path / "kept").read_bytes()
        == b"no gzip"
    )


def test_folders_are_read_only_where_reader_and_server_share_a_machine(
    service_of, fake, tmp_path
) -> None:
    (tmp_path / "empty").mkdir()
    afar, near = (Panel(service_of(fake), local=local) for local in (False, True))
    (message_shown, *_), *more = afar.add(None, str(tmp_path / "empty"), "")
    assert "Choose files first." in message_shown
    assert not more
    assert "contains no papers" in last(near.add(None, str(tmp_path / "empty"), ""))
    assert "or give a folder" in last(near.add([], " ", ""))


def test_a_wrong_year_is_reported(service_of, fake, write_papers) -> None:
    file = str(write_papers("a.jsonl", {"title": "One"}))
    for year, message in {"next": "next is not a year", "12": "1900 and 2200"}.items():
        panel = Panel(service_of(fake), local=True)
        assert message in last(panel.add([file], "", year))


def last(steps) -> str:
    """Return the last message; assert that the button can be pressed again."""
    *_, (message_shown, _, button) = steps
    assert button["interactive"] is True
    return message_shown


def test_the_ledger_is_shown_by_file() -> None:
    entries = (
        LedgerEntry("/x/a.jsonl", 1, Outcome.ADDED, "p-1", "One"),
        LedgerEntry("/x/a.jsonl", 2, Outcome.FAILED, reason=f"no title {HOSTILE}"),
        LedgerEntry(f"/x/{HOSTILE.replace('/', '')}.txt", 3, Outcome.UNCHANGED, "p-2", "Two"),
    )
    shown = added(IngestReport(entries, 1, 0.5))
    assert "1 added" in shown
    assert "1 failed" in shown
    assert "Line 2: " in shown
    assert "1 unchanged" in shown
    assert "<img" not in shown
