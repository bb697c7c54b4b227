"""A real vLLM on a CPU, in a process group of its own on a free port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from rag.config import LLMConfig, load_config

VLLM = os.environ.get("PAPERS_VLLM")
# What a CPU needs: no compiling, little of the memory, and no hub.
FLAGS = ["--gpu-memory-utilization", "0.3", "--enforce-eager", "--enable-prompt-tokens-details"]
# No prompt is read in chunks: a seeded request with a chunked prompt crashes vLLM 0.32 on a CPU
# ("does not use offset").
FLAGS += ["--max-num-batched-tokens", "32768"]
VARIABLES = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
CONTEXT = 4096
_START_SECONDS = 180


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment() -> dict[str, str]:
    """This process' environment with what a CPU needs, and without this project's code."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | VARIABLES


def fast_dtype() -> str:
    """The type in which this processor computes fastest: bfloat16 needs instructions of its own."""
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    return "bfloat16" if flags & {"avx512_bf16", "amx_bf16"} else "float32"


@dataclass
class Server:
    """A vLLM that serves the model in a folder as `tiny`.

    `dtype` is the type of its computations, by default that of the model's configuration; `log`
    is the file for its output, by default in the model's folder; `flags` are added to its
    command line.
    """

    model: Path
    dtype: str = "auto"
    log: Path | None = None
    flags: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server; return once it is healthy."""
        own = ["--served-model-name", "tiny", "--port", str(self.port), "--dtype", self.dtype]
        own += ["--max-model-len", str(CONTEXT)]
        output = self.log or self.model / "vllm.log"
        with output.open("ab") as log:
            # No new session: on two cores the kernel would starve the client while the engine
            # spins.
            self.process = subprocess.Popen(
                [VLLM, "serve", self.model, *own, *FLAGS, *self.flags],
                env=environment(),
                stdout=log,
                stderr=log,
                process_group=0,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._healthy():
            assert self.process.poll() is None, output.read_text()[-2000:]
            assert time.monotonic() < deadline, "vLLM did not become healthy in time"
            time.sleep(0.5)

    def stop(self) -> None:
        """Kill all its remaining processes."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(20)

    def signal(self, which: signal.Signals, *, engine: bool = False) -> None:
        """Signal all its processes to stop or continue, else the API server or the engine."""
        if which in (signal.SIGSTOP, signal.SIGCONT):
            os.killpg(self.process.pid, which)
        else:
            os.kill(self._engine() if engine else self.process.pid, which)

    def running(self) -> int:
        """Requests that the engine is working on, by its own metrics."""
        return int(self.metric("num_requests_running"))

    def metric(self, name: str) -> float:
        """Return one of the server's metrics."""
        found = re.search(
            rf"^vllm:{name}\{{.*\}} (\S+)$",
            httpx.get(f"{self.root}/metrics", timeout=10).text,
            re.M,
        )
        assert found
        return float(found[1])

    def config(self, **changes: object) -> LLMConfig:
        """The client's settings for it."""
        own = {
            "base_url": f"{self.root}/v1",
            "model": "tiny",
            "tokenizer": str(self.model),
            "context": CONTEXT,
            "max_tokens": 200,
            "temperature": 1.0,
            "read_seconds": 5.0,
        }
        return load_config("gpu").llm.model_copy(update={**own, **changes})

    def _engine(self) -> int:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            pid, name, _, _, group = re.match(
                r"(\d+) \((.*)\) (\S) (\d+) (\d+)", stat.read_text()
            ).groups()
            if int(group) == self.process.pid and name.startswith("VLLM::Engine"):
                return int(pid)
        raise AssertionError("vLLM has no engine")

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.root}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False
