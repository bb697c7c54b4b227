"""Real weights for tests: GGUF files of `rag models pull --llm`, and folders for vLLM.

They are kept in the cache folder of the application, across runs; nothing gets installed here.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock

from rag.config import APP
from rag.llm.local_models import named, pull

CACHE = platformdirs.user_cache_path(APP)
SMALLEST = "smollm2-135m"
_SCRIPT = Path(__file__).with_name("dequantise.py")
_GGUF = "gguf==0.19.0"
_PIP_SECONDS = 600


def gguf_file(model: str = SMALLEST) -> Path:
    """Return the model's file, fetched where it is not there yet."""
    return pull(named(model), CACHE / "llm", lambda *_: None)


def dequantised(model: str, vllm: str, dtype: str = "bfloat16") -> Path:
    """Return the model as a folder for the vLLM of that command, made once per script version."""
    made_of = f"{named(model).sha256} {_GGUF} {dtype} ".encode() + _SCRIPT.read_bytes()
    folder = CACHE / "test-models" / f"{model}-{dtype}-{hashlib.sha256(made_of).hexdigest()[:12]}"
    source, library = gguf_file(model), _gguf_library(folder.parent)
    with _arriving(folder) as arrival:
        if arrival is not None:
            # A virtual environment keeps its interpreter next to its commands.
            python = str(Path(vllm).with_name("python"))
            command = [python, str(_SCRIPT), str(source), str(arrival), "--dtype", dtype]
            environment = os.environ | {"PYTHONPATH": str(library)}
            subprocess.run(command, env=environment, check=True)
    return folder


def _gguf_library(cache: Path) -> Path:
    """Return a folder with the GGUF library, which vLLM's environment lacks."""
    folder = cache / _GGUF
    with _arriving(folder) as arrival:
        if arrival is not None:
            options = [
                "--no-deps",
                "--no-input",
                "--disable-pip-version-check",
                "--quiet",
                "--target",
                str(arrival),
            ]
            subprocess.run(
                [sys.executable, "-m", "pip", "install", *options, _GGUF],
                check=True,
                timeout=_PIP_SECONDS,
            )
    return folder


@contextmanager
def _arriving(path: Path) -> Iterator[Path | None]:
    """Yield where to make the file, or None if it exists. Only one process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        if path.exists():
            yield None
            return
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="arriving-") as folder:
            yield Path(folder) / path.name
            (Path(folder) / path.name).replace(path)
