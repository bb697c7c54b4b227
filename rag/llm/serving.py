"""`rag llm serve`: vLLM for the profile's model, from its command line to its last process.

vLLM lives in an environment of its own (README.md), so it is only ever started as a command.
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
    """The `vllm serve` command for a profile; `extra` flags come last, so they win.

    Raises LLMError where llm.vllm_command is no program, or llm.base_url names another machine.
    """
    host, port = address(config)
    line = [_program(config), "serve", config.model, "--host", host, "--port", str(port)]
    line += ["--max-model-len", str(config.context), "--seed", str(config.seed)]
    line += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
    if config.tensor_parallel > 1:
        line += ["--tensor-parallel-size", str(config.tensor_parallel)]
    if config.quantization:
        line += ["--quantization", config.quantization]
    if config.ngram_tokens:
        # Answers copy from their context: words that follow the last few in the prompt are tried first.
        guess = {
            "method": "ngram",
            "num_speculative_tokens": config.ngram_tokens,
            "prompt_lookup_max": 4,
        }
        line += ["--speculative-config", json.dumps(guess)]
    return [*line, *extra]


def cards() -> list[Card]:
    """The GPUs that nvidia-smi tells of; none where it does not run."""
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
    """Raises LLMError where the cards can't hold the model."""
    if not found:
        raise LLMError(
            "no NVIDIA GPU was found (nvidia-smi does not run or tells of none); point llm.base_url at a server"
            " elsewhere, or add --force where your vLLM needs none"
        )
    if len(found) < config.tensor_parallel:
        raise LLMError(
            f"llm.tensor_parallel wants {config.tensor_parallel} GPUs and there are {len(found)}"
        )
    tightest = min(found[: config.tensor_parallel], key=lambda card: card.free)
    if tightest.free < config.gpu_gigabytes:
        raise LLMError(
            f"{config.model} needs {config.gpu_gigabytes:g} GB a GPU (llm.gpu_gigabytes), and {tightest.name} has"
            f" {tightest.free:.1f} of {tightest.total:.1f} free; choose a smaller llm.model, or add --force"
        )


def serve(line: Sequence[str], config: LLMConfig, log: Path, say: Say) -> None:
    """Run the server until it is asked to stop (SIGINT, SIGTERM, SIGHUP), then leave none of its processes.

    Raises LLMError where the port is taken or the server ends by itself, with the reason that its log gives.
    """
    refuse_taken(*address(config))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out, _running(line, config, out) as process, _stopping(process) as asked:
        say(f"starting; the log is {log}")
        if _wait_until_healthy(process, config, log, say, asked):
            say(f"ready at {config.base_url}; Ctrl-C stops it")
        process.wait()
        if not asked:
            raise LLMError(
                f"vLLM ended by itself (status {process.returncode}): {_reason(log)} (all of it: {log})"
            )
    say("stopped")


@contextmanager
def _running(line: Sequence[str], config: LLMConfig, out: Any) -> Iterator[subprocess.Popen[bytes]]:
    # The key goes by the environment, since anyone may read a command line.
    own = {"VLLM_API_KEY": config.api_key} if config.api_key else {}
    # A process group to stop it as a whole; a session of its own would let the kernel starve whoever asks on few cores.
    process = subprocess.Popen(
        line,
        env={**os.environ, **own},
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
    """The signals that came; the first asks the server to stop, the second kills it, as does its taking too long."""
    asked: list[int] = []

    def stop(number: int, _: Any) -> None:
        asked.append(number)
        if len(asked) == 1 and number != signal.SIGALRM:
            process.terminate()
            signal.setitimer(signal.ITIMER_REAL, _STOP_SECONDS)
        else:
            _kill(process)

    before = {number: signal.signal(number, stop) for number in (*_SIGNALS, signal.SIGALRM)}
    try:
        yield asked
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_until_healthy(
    process: subprocess.Popen[bytes], config: LLMConfig, log: Path, say: Say, asked: Sequence[int]
) -> bool:
    """Whether it became healthy, before it ended or was asked to stop."""
    started = reported = time.monotonic()
    url = f"{config.base_url.rstrip('/').removesuffix('/v1')}/health"
    while process.poll() is None and not asked:
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
    """Host and port of `llm.base_url`. Raises LLMError where it is not on this machine."""
    try:
        parts = urlsplit(config.base_url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise LLMError(f"llm.base_url = {config.base_url!r} is no address") from None
    if parts.scheme != "http" or host not in _LOCAL:
        raise LLMError(
            f"llm.base_url = {config.base_url} is not on this machine (http://127.0.0.1:8000/v1 would be)"
        )
    return host, port


def _program(config: LLMConfig) -> str:
    path = shutil.which(str(expanded(config.vllm_command)))
    if path is None:
        raise LLMError(
            f"there is no program {config.vllm_command} (llm.vllm_command); make vLLM's environment:"
            " python3 -m venv .venv-vllm && .venv-vllm/bin/pip install -r configs/vllm.txt"
        )
    return path


def refuse_taken(host: str, port: int) -> None:
    """Raises LLMError where something listens there."""
    try:
        with socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ):
            return
    except OSError as error:
        taken = f"port {port} of {host} can't be had ({os.strerror(error.errno or 0)})"
        raise LLMError(f"{taken}; is a server running already? Else change llm.base_url") from None


def _reason(log: Path) -> str:
    """The line of the log that says why: the last that names an error other than the one that points back to it."""
    lines = _lines(log)
    errors = [
        line
        for line in lines
        if re.search(r"[A-Za-z]Error\b|\berror:", line) and "root cause" not in line
    ]
    return _short((errors or lines or ["its log is empty"])[-1])


def _last(log: Path) -> str:
    return _short((_lines(log) or ["nothing said yet"])[-1])


def _lines(log: Path) -> list[str]:
    return [
        line
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]


def _short(line: str) -> str:
    # vLLM puts process, level, time and place before what it says.
    said = re.sub(r"^\(\w+ pid=\d+\)\s*", "", line.strip())
    return re.sub(r"^(INFO|WARNING|ERROR) \S+ \S+ \[[^\]]*\]\s*", "", said)[:200]
