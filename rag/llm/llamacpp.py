"""The process that runs llama.cpp: one GGUF file, served on the loopback until its parent goes away.

It runs as a file of its own, without the rest of the package, so that it is up soon and holds little memory:

    python -P rag/llm/llamacpp.py < settings

The first line of its standard input is a JSON object with the settings, API key included, since anyone may read a
command line. The input then stays open: its end says that the parent is gone, however it ended, and the process exits.
The one line on its standard output is {"url": ...}; all that llama.cpp says goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import IO, Any

N_BATCH = 2048
N_UBATCH = 512
CACHE_MIB = 256  # of prompts of earlier questions, next to the one in the slot


def main() -> None:
    """Serve until the standard input ends."""
    settings = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    # llama.cpp writes to both streams; ours is kept apart under another number.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Threads that wait for each other sleep: spinning, they would hold the cores that the others of them need whenever
    # anything else runs here, which costs nine tenths of the speed.
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
    """What llama.cpp is started with; see docs/LOG.md for what was measured."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.model_alias = {settings["model"]}
    params.hostnames = ["127.0.0.1"]
    params.port = settings["port"]  # 0 is any free one
    params.api_keys = [settings["key"]] if settings["key"] else []
    params.n_ctx = settings["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.n_batch, params.n_ubatch = N_BATCH, N_UBATCH
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    params.cache_prompt, params.cache_ram_mib = True, CACHE_MIB
    # Nothing but the API, and to nobody but this machine's own programs that know the key.
    params.ui = params.ui_mcp_proxy = params.endpoint_slots = params.endpoint_props = False
    params.server_tools, params.cors_origins, params.cors_credentials = [], "", False
    params.offline = True
    params.verbosity = 2  # errors and warnings: what readers ask does not get into the log
    return params


if __name__ == "__main__":
    main()
