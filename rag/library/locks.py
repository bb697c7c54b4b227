"""Locks between threads and processes: one named writer at a time, and short locks that wait.

This is the only module that imports filelock.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from rag.errors import LibraryBusy, LibraryError

_BRIEF = 60.0  # seconds that a writer waits for another writer's brief work
_SIGNING = 1.0  # seconds that a new holder gets to write its name into writer.json


class _Lock:
    """One file's lock: `threads` excludes other threads of this process, `file` other processes.

    A process has a single instance for each file. The file lock alone is not enough: it is
    re-entrant and would let a second thread in.
    """

    _all: ClassVar[dict[str, _Lock]] = {}
    _guard = threading.Lock()

    @classmethod
    def for_file(cls, path: Path) -> _Lock:
        """Return the process's only lock of this file."""
        key = os.path.realpath(path)
        with cls._guard:
            return cls._all.setdefault(key, cls(key))

    def __init__(self, key: str) -> None:
        self.threads = threading.Lock()
        self.file = FileLock(key, thread_local=False)


class WriterLock:
    """The lock for changing a library; it ends with its process and names its holder."""

    def __init__(self, folder: Path) -> None:
        self._lock = _Lock.for_file(folder / "writer.lock")
        self._owner = folder / "writer.json"

    @contextmanager
    def held(self, command: str, *, brief: bool = False) -> Iterator[None]:
        """Hold the lock, or raise LibraryBusy with pid, command and start time of the holder.

        `brief` marks work that ends soon: other writers then wait instead of being refused.
        """
        self._acquire()
        try:
            self._sign(command, brief=brief)
            yield
        finally:
            with suppress(OSError):
                self._owner.unlink()
            self._lock.file.release()
            self._lock.threads.release()

    def _acquire(self) -> None:
        # How long to wait depends on the holder, who may change while this process waits.
        began = time.monotonic()
        while not self._try():
            owner = self._signed()
            if owner is None:
                patience = _SIGNING
            elif owner.get("brief"):
                patience = _BRIEF
            else:
                patience = 0.0
            if time.monotonic() - began > patience:
                raise LibraryBusy(self._describe(owner))
            time.sleep(0.02)

    def _try(self) -> bool:
        if not self._lock.threads.acquire(blocking=False):
            return False
        try:
            self._lock.file.acquire(timeout=0)
        except Timeout:
            self._lock.threads.release()
            return False
        except OSError as error:
            self._lock.threads.release()
            folder = self._owner.parent
            raise LibraryError(
                f"can't write to {folder}: {error.strerror}; give another --home"
            ) from None
        return True

    def _sign(self, command: str, *, brief: bool) -> None:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        owner = {"pid": os.getpid(), "command": command, "since": since, "brief": brief}
        with suppress(OSError):  # the disk may be full; the lock works without the name
            self._owner.write_text(json.dumps(owner))

    def _signed(self) -> dict[str, Any] | None:
        """Read who holds the lock; None if the holder has not written its name, or could not."""
        try:
            owner = json.loads(self._owner.read_text())
        except (OSError, ValueError):
            return None
        return owner if isinstance(owner, dict) else None

    def _describe(self, owner: Mapping[str, Any] | None) -> str:
        who = (
            "{command} (pid {pid}, since {since})".format_map(owner) if owner else "another process"
        )
        return (
            f"the library in {self._owner.parent} is being written by {who}; "
            "try again when it is done"
        )


class ShortLock:
    """A lock for single operations on a folder; threads and processes wait for their turn."""

    def __init__(self, path: Path, timeout: float = 60.0) -> None:
        self._lock, self._timeout = _Lock.for_file(path), timeout

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it. Raises LibraryBusy after `timeout` seconds."""
        file = self._lock.file
        with self._lock.threads:
            try:
                file.acquire(timeout=self._timeout)
            except Timeout:
                message = (
                    f"{file.lock_file}: another process has held this lock for over "
                    f"{self._timeout:.0f} s; try again"
                )
                raise LibraryBusy(message) from None
            except OSError as error:
                raise LibraryError(f"can't lock {file.lock_file}: {error.strerror}") from None
            try:
                yield
            finally:
                file.release()
