"""`rag llm serve`: run vLLM for the model of the profile, and stop all its processes at the end.

vLLM is installed in a separate environment (docs/guide.md), so it is only started as a command.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from rag.config import LLMConfig, expanded
from rag.errors import LLMError

Say = Callable[[str], None]

_LOCAL = ("127.0.0.1", "localhost", "::1", "0.0.0.0")
_SAY_SECONDS = 10.0
_STOP_SECONDS = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU and its memory in GiB."""

    name: str
    total: float
    free: float


def command_line(config: LLMConfig, extra: Sequence[str] = ()) -> list[str]:
    """Return the `vllm serve` command for a profile; `extra` flags come last and take precedence.

    Raises LLMError if llm.vllm_command is not a program, or llm.base_url is on another machine.
    """
    host, port = address(config)
    command = [_program(config), "serve", config.model, "--host", host, "--port", str(port)]
    command += ["--max-model-len", str(config.context), "--seed", str(config.seed)]
    command += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
    if config.tensor_parallel > 1:
        command += ["--tensor-parallel-size", str(config.tensor_parallel)]
    if config.quantization:
        command += ["--quantization", config.quantization]
    if config.ngram_tokens:
        # Answers copy from their context. Speculative decoding therefore proposes the words that
        # follow the last few words in the prompt.
        speculation = {
            "method": "ngram",
            "num_speculative_tokens": config.ngram_tokens,
            "prompt_lookup_max": 4,
        }
        command += ["--speculative-config", json.dumps(speculation)]
    return [*command, *extra]


def cards() -> list[Card]:
    """Return the GPUs that nvidia-smi lists; empty if it does not run."""
    query = [
        "nvidia-smi",
        "--query-gpu=name,memory.total,memory.free",
        "--format=csv,noheader,nounits",
    ]
    try:
        listed = subprocess.run(
            query, capture_output=True, text=True, check=True, timeout=30
        ).stdout
        rows = [row.split(",") for row in listed.splitlines()]
        return [
            Card(name.strip(), int(total) / 1024, int(free) / 1024) for name, total, free in rows
        ]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def check_cards(config: LLMConfig, found: Sequence[Card]) -> None:
    """Raise LLMError unless there are enough GPUs with enough free memory for the model."""
    if not found:
        raise LLMError(
            "no NVIDIA GPU was found (nvidia-smi does not run or lists none);"
            " set llm.base_url to a server on another machine,"
            " or add --force if your vLLM needs no NVIDIA GPU"
        )
    if len(found) < config.tensor_parallel:
        raise LLMError(
            f"llm.tensor_parallel needs {config.tensor_parallel} GPUs, but there are {len(found)}"
        )
    tightest = min(found[: config.tensor_parallel], key=lambda card: card.free)
    if tightest.free < config.gpu_gigabytes:
        raise LLMError(
            f"{config.model} needs {config.gpu_gigabytes:g} GB per GPU (llm.gpu_gigabytes),"
            f" but {tightest.name} has {tightest.free:.1f} of {tightest.total:.1f} free;"
            " choose a smaller llm.model, or add --force"
        )


def serve(command: Sequence[str], config: LLMConfig, log: Path, say: Say) -> None:
    """Run the server until SIGINT, SIGTERM or SIGHUP, then stop all its processes.

    Raises LLMError if the port is in use, or if the server ends by itself, with the reason from its
    log.
    """
    refuse_taken(*address(config))
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("wb") as out,
        _running(command, config, out) as process,
        _stopping(process) as signals,
    ):
        say(f"starting; the log is {log}")
        if _wait_until_healthy(process, config, log, say, signals):
            say(f"ready at {config.base_url}; Ctrl-C stops it")
        process.wait()
        if not signals:
            raise LLMError(
                f"vLLM ended by itself (status {process.returncode}):"
                f" {_reason(log)} (full log: {log})"
            )
    say("stopped")


@contextmanager
def _running(
    command: Sequence[str], config: LLMConfig, out: Any
) -> Iterator[subprocess.Popen[bytes]]:
    # The key is passed in the environment, since every user of the machine can read a command line.
    key = {"VLLM_API_KEY": config.api_key} if config.api_key else {}
    # A process group, so that all its processes can be stopped together. Not a session: on few
    # cores the kernel would then give too little time to the programs that send the requests.
    process = subprocess.Popen(
        command,
        env={**os.environ, **key},
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        process_group=0,
    )
    try:
        yield process
    finally:
        _kill(process)
        process.wait()


@contextmanager
def _stopping(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Yield the list of received signals: the first stops the server, the second kills it.

    An alarm also kills it, if it does not stop in time.
    """
    signals: list[int] = []

    def stop(number: int, _: Any) -> None:
        signals.append(number)
        if len(signals) == 1 and number != signal.SIGALRM:
            process.terminate()
            signal.setitimer(signal.ITIMER_REAL, _STOP_SECONDS)
        else:
            _kill(process)

    previous = {number: signal.signal(number, stop) for number in (*_SIGNALS, signal.SIGALRM)}
    try:
        yield signals
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_until_healthy(
    process: subprocess.Popen[bytes], config: LLMConfig, log: Path, say: Say, signals: Sequence[int]
) -> bool:
    """Wait until the server is healthy; return False if it ends or a signal arrives first."""
    started = reported = time.monotonic()
    url = f"{config.base_url.rstrip('/').removesuffix('/v1')}/health"
    while process.poll() is None and not signals:
        if _healthy(url):
            return True
        if time.monotonic() - reported > _SAY_SECONDS:
            reported = time.monotonic()
            say(f"{reported - started:.0f} s: {_last(log)}")
        time.sleep(0.2)
    return False


def _healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def address(config: LLMConfig) -> tuple[str, int]:
    """Return the host and port of `llm.base_url`. Raises LLMError if it is on another machine."""
    try:
        parts = urlsplit(config.base_url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise LLMError(f"llm.base_url = {config.base_url!r} is not a valid URL") from None
    if parts.scheme != "http" or host not in _LOCAL:
        raise LLMError(
            f"llm.base_url = {config.base_url} is not on this machine;"
            " set it to http://127.0.0.1:8000/v1, for example"
        )
    return host, port


def _program(config: LLMConfig) -> str:
    path = shutil.which(str(expanded(config.vllm_command)))
    if path is None:
        raise LLMError(
            f"the program {config.vllm_command} (llm.vllm_command) was not found;"
            " create vLLM's environment:"
            " python3 -m venv .venv-vllm && .venv-vllm/bin/pip install -r configs/vllm.txt"
        )
    return path


def refuse_taken(host: str, port: int) -> None:
    """Raise LLMError unless a server can listen at this host and port."""
    try:
        with socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ):
            return
    except OSError as error:
        problem = f"port {port} of {host} is not available ({os.strerror(error.errno or 0)})"
        fix = "check whether a server is running already, or change llm.base_url"
        raise LLMError(f"{problem}; {fix}") from None


def _reason(log: Path) -> str:
    """Return the last error in the log, without vLLM's final one, else the last line.

    The final error only says that the root cause is above.
    """
    lines = _lines(log)
    errors = [
        line
        for line in lines
        if re.search(r"[A-Za-z]Error\b|\berror:", line) and "root cause" not in line
    ]
    return _short((errors or lines or ["its log is empty"])[-1])


def _last(log: Path) -> str:
    return _short((_lines(log) or ["no output yet"])[-1])


def _lines(log: Path) -> list[str]:
    return [
        line
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]


def _short(line: str) -> str:
    # vLLM puts process, level, time and code location before the message.
    message = re.sub(r"^\(\w+ pid=\d+\)\s*", "", line.strip())
    return re.sub(r"^(INFO|WARNING|ERROR) \S+ \S+ \[[^\]]*\]\s*", "", message)[:200]
