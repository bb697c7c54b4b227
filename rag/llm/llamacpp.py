"""The process that runs llama.cpp: it serves one GGUF file on the loopback until its parent ends.

It runs as a script without the rest of the package, so that it starts fast and needs little memory:

    python -P rag/llm/llamacpp.py < settings

The first line of standard input is a JSON object with the settings. The API key is among them,
because every user of the machine can read a command line. The input then stays open. When it ends,
the parent has ended, in any way, and this process exits. Standard output gets one line,
{"url": ...}; all output of llama.cpp goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import IO, Any

N_BATCH = 2048
N_UBATCH = 512
CACHE_MIB = 256  # for the prompts of earlier questions, in addition to the current one


def main() -> None:
    """Serve until standard input ends."""
    settings = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    # llama.cpp writes to standard output and standard error. The reply to the parent needs a stream
    # of its own, so standard output is duplicated and then redirected to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Waiting threads must sleep. If they spin while other programs run, they occupy the cores that
    # the remaining threads need, which costs nine tenths of the speed.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp

    server = xllamacpp.Server(parameters(settings))
    answers.write(json.dumps({"url": server.listening_address}) + "\n")
    answers.flush()
    threading.Event().wait()


def _end_with(stream: IO[str]) -> None:
    """Exit at the end of the stream, without the clean-up that could hang in native code."""
    while stream.read(4096):
        pass
    os._exit(0)


def parameters(settings: dict[str, Any]) -> Any:
    """Return the parameters for llama.cpp; docs/LOG.md has the measurements behind them."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["model"]}
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]  # 0: any free port
    params.api_keys = [settings["key"]] if settings["key"] else []
    params.n_ctx = settings["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.n_batch, params.n_ubatch = N_BATCH, N_UBATCH
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    params.cache_prompt, params.cache_ram_mib = True, CACHE_MIB
    # Serve only the API, and only to programs on this machine that have the key.
    params.ui = params.ui_mcp_proxy = params.endpoint_slots = params.endpoint_props = False
    params.server_tools, params.cors_origins, params.cors_credentials = [], "", False
    params.offline = True
    params.verbosity = 2  # errors and warnings only: keeps the questions of users out of the log
    return params


if __name__ == "__main__":
    main()
