"""llama.cpp in a child process, which starts at the first request and stops when it is idle.

Native code can crash. In a child process this fails only the current request, and the next request
starts the process again. The process never outlives this one.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import platformdirs

from rag.config import APP, LLMConfig
from rag.errors import LLMError, ModelError
from rag.llm import llamacpp
from rag.llm.endpoint import Endpoint, Remote
from rag.llm.local_models import file_of, runs_here
from rag.llm.machine import physical_cores
from rag.llm.serving import address, refuse_taken

log = logging.getLogger(__name__)

State = Literal["off", "loading", "ready"]

_LOAD_SECONDS = 600.0  # enough for the largest known model on a slow disk
_END_SECONDS = 0.5  # for a process to end after its connection broke
_LOG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class _Running:
    """A process that is ready for requests."""

    process: subprocess.Popen[str]
    url: str

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


class LocalServer:
    """An endpoint whose server is a child of this process.

    Threads share it: the first request starts the server, and the others wait for the same start.
    `port` 0 is any free port. With `key` "" every program on this machine has access.
    """

    def __init__(
        self,
        path: Path,
        config: LLMConfig,
        *,
        port: int = 0,
        key: str | None = None,
        log_file: Path | None = None,
    ) -> None:
        self.path = path
        self.log_file = log_file or platformdirs.user_log_path(APP) / "llama.cpp.log"
        self.key = secrets.token_urlsafe(24) if key is None else key
        self._config, self._port = config, port
        self._guard = threading.Lock()
        self._current: Future[_Running] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._busy, self._closed = 0, False
        self._idle: threading.Timer | None = None

    @property
    def advice(self) -> str:
        """What a user can do if the server does not answer."""
        return f"the next question starts llama.cpp again; its log is {self.log_file}"

    @property
    def state(self) -> State:
        """Whether the model is in memory ("ready"), being loaded, or neither ("off")."""
        current = self._current
        if current is None:
            return "off"
        if not current.done():
            return "loading"
        return "ready" if _serves(current) else "off"

    @property
    def starting(self) -> bool:
        """See `Endpoint`."""
        return self.state != "ready"

    @contextmanager
    def open(self) -> Iterator[str]:
        """Yield the base URL of the server, which runs until the block ends.

        Raises LLMError if the server does not start.
        """
        with self._guard:
            self._busy += 1
        try:
            running = self._running()
            try:
                yield f"{running.url}/v1"
            except Exception:
                # After a crash the connection breaks before the process has ended. Wait for that
                # end, so that a second try starts a new process.
                with suppress(subprocess.TimeoutExpired):
                    running.process.wait(_END_SECONDS)
                raise
        finally:
            self._release()

    def warm(self) -> None:
        """Start to load the model if it is not in memory, and return at once.

        A failure is logged, and the next request tries again.
        """
        if self.state == "off":
            threading.Thread(target=self._load, name="llama.cpp", daemon=True).start()

    def wait(self) -> None:
        """Wait until the process ends, if there is one."""
        with self._guard:
            process = self._process
        if process:
            process.wait()

    def close(self) -> None:
        """End the process; later requests fail."""
        with self._guard:
            self._closed = True
            self._cancel_idle()
            process = self._process
        _end(process)

    def _load(self) -> None:
        try:
            with self.open():
                pass
        except LLMError as error:
            log.log(logging.DEBUG if self._closed else logging.WARNING, "%s", error)

    def _running(self) -> _Running:
        """Return the running process; start it if there is none, or wait for another start."""
        with self._guard:
            if self._closed:
                raise LLMError("the language model was closed")
            current = self._current
            starts = current is None or (current.done() and not _serves(current))
            if current is None or starts:
                current = self._current = Future()
        if starts:
            try:
                current.set_result(self._start())
            except BaseException as error:
                # Threads that wait for the same start must fail too, also after an interrupt.
                failed = (
                    error
                    if isinstance(error, LLMError)
                    else LLMError("the start of llama.cpp was interrupted")
                )
                current.set_exception(failed)
                raise
        return current.result()

    def _start(self) -> _Running:
        log_start = self._open_log()
        _end(self._process)  # closes the streams of a process that crashed
        try:
            with self.log_file.open("ab") as out:
                process = _launch(out)
        except OSError as error:
            raise LLMError(
                f"llama.cpp does not start: {error.filename or ''} {error.strerror}"
            ) from None
        with self._guard:
            self._process = process
            closed = self._closed
        # Kills a process that takes too long to load; at once if `close` ran during the launch.
        watch = threading.Timer(0 if closed else _LOAD_SECONDS, process.kill)
        watch.daemon = True
        watch.start()
        try:
            url = _read_url(process, self._settings())
        except BaseException:
            _end(process)
            raise
        finally:
            watch.cancel()
        if url is None:
            _end(process)
            why = f"{_reason(self.log_file, log_start)} (full log: {self.log_file})"
            raise LLMError(f"llama.cpp can't serve {self.path}: {why}")
        return _Running(process, url)

    def _settings(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "model": self._config.model,
            "port": self._port,
            "key": self.key,
            "context": self._config.context,
            "threads": self._config.threads or physical_cores(),
        }

    def _open_log(self) -> int:
        """Return the size of the log in bytes, where the next output begins; empty a large log."""
        try:
            self.log_file.parent.mkdir(parents=True, exist_ok=True)
            if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES:
                self.log_file.write_bytes(b"")
            return self.log_file.stat().st_size if self.log_file.exists() else 0
        except OSError as error:
            raise LLMError(f"the log {self.log_file} can't be written: {error.strerror}") from None

    def _release(self) -> None:
        with self._guard:
            self._busy -= 1
            self._cancel_idle()
            if self._busy or self._closed:
                return
            self._idle = threading.Timer(60 * self._config.keep_minutes, self._stop_if_idle)
            self._idle.daemon = True
            self._idle.start()

    def _cancel_idle(self) -> None:
        if self._idle:
            self._idle.cancel()
            self._idle = None

    def _stop_if_idle(self) -> None:
        with self._guard:
            if self._busy:
                return
            process, self._process, self._current = self._process, None, None
        _end(process)


def open_endpoint(config: LLMConfig) -> Endpoint:
    """Return the endpoint of the configured engine: `llm.base_url`, or a process not started yet.

    Raises ModelError if the model or llama.cpp is missing.
    """
    if config.engine == "server":
        return Remote(config.base_url, config.api_key)
    return LocalServer(_usable(config), config)


def serve(config: LLMConfig, log_file: Path, say: Callable[[str], None]) -> None:
    """Serve the model at the port of `llm.base_url` until SIGINT or SIGTERM.

    Raises LLMError if the port is in use or the server ends by itself, and ModelError if the model
    or llama.cpp is missing.
    """
    host, port = address(config)
    refuse_taken(host, port)
    path = _usable(config)
    server = LocalServer(path, config, port=port, key=config.api_key, log_file=log_file)
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        say(f"starting {path.name}; the log is {log_file}")
        with server.open() as url:
            say(f"ready at {url}; Ctrl-C stops it")
            server.wait()
        raise LLMError(f"llama.cpp ended by itself; its log is {log_file}")
    except KeyboardInterrupt:
        say("stopped")
    finally:
        server.close()
        signal.signal(signal.SIGTERM, previous)


def _usable(config: LLMConfig) -> Path:
    """Return the model's file. Raises ModelError if it or llama.cpp is missing."""
    if not runs_here():
        fix = "pip install xllamacpp, or set llm.engine to server and llm.base_url to its address"
        raise ModelError(f"llama.cpp is not installed: {fix}")
    return file_of(config)


def _launch(out: Any) -> subprocess.Popen[str]:
    # Run the file itself, with -P, so that nothing is imported from the working folder or from the
    # rest of this package.
    command = [sys.executable, "-P", str(Path(llamacpp.__file__).resolve())]
    # In its own process group, so that Ctrl-C reaches only this process, which then stops it.
    group: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True, **group
    )


def _read_url(process: subprocess.Popen[str], settings: dict[str, Any]) -> str | None:
    """Send the settings and return the address of the server, or None if the process ends first."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # The stream stays open: its end makes the child process exit when this process ends.
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        return str(json.loads(line)["url"]) if line else None
    except (OSError, ValueError):
        return None


def _end(process: subprocess.Popen[str] | None) -> None:
    """Kill the process, which has nothing to save, and close its streams."""
    if process is None:
        return
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            if stream:
                stream.close()


def _serves(current: Future[_Running]) -> bool:
    return current.exception() is None and current.result().alive


def _reason(path: Path, start: int) -> str:
    """Return llama.cpp's first error in the log, else the last line, without time and level.

    `start` is the byte where the output of this process begins.
    """
    with path.open("rb") as file:
        file.seek(start)
        output = file.read().decode("utf-8", "replace")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\d.]+ E ", line)]
    reason = errors[0] if errors else (lines or ["its log is empty"])[-1]
    return re.sub(r"^[\d.]+ [A-Z] ", "", reason)[:200]
