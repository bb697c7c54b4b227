"""The model hub: whether it is there, which is asked first since huggingface_hub tries a failing hub for minutes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rag.errors import ModelError

log = logging.getLogger(__name__)

PROBE_SECONDS = 3.0


def reachable() -> bool:
    """Whether the hub may be asked, and answers."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        probe(constants.ENDPOINT)
    except ModelError as error:
        log.info("the model hub is left alone: %s", error)
        return False
    return True


@dataclass(frozen=True, slots=True)
class HubFile:
    """What the hub says of a file: its size in bytes, and its SHA-256 where it is a large one."""

    size: int
    sha256: str


def describe(repo: str, name: str) -> HubFile:
    """What the hub says of a file. Raises ModelError."""
    import huggingface_hub

    with errors():
        url = huggingface_hub.hf_hub_url(repo, name)
        _probe_unless_offline(url)
        about = huggingface_hub.get_hf_file_metadata(url, timeout=PROBE_SECONDS)
        return HubFile(about.size or 0, about.etag or "")


def download(repo: str, name: str, folder: Path) -> Path:
    """The file, fetched into the folder; a fetch that was broken off goes on. Raises ModelError."""
    import huggingface_hub

    with errors():
        _probe_unless_offline(huggingface_hub.hf_hub_url(repo, name))
        return Path(
            huggingface_hub.hf_hub_download(
                repo, name, local_dir=folder, etag_timeout=PROBE_SECONDS
            )
        )


@contextmanager
def errors() -> Iterator[None]:
    """Whatever the hub's library raises becomes a ModelError of one line."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # ours is shown
    try:
        yield
    except Exception as error:  # noqa: BLE001 - errors of the HTTP library below huggingface_hub pass through it
        raise ModelError((str(error).strip() or type(error).__name__).splitlines()[0]) from None


def _probe_unless_offline(url: str) -> None:
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE:
        probe(url)


def probe(url: str) -> None:
    """Raise ModelError unless a host answers within three seconds, name look-up included, with no server error."""
    import httpx

    outcome: list[str] = []

    def ask() -> None:
        try:
            status = httpx.head(url, timeout=PROBE_SECONDS).status_code
            outcome.append(f"answered {status}" if status >= 500 else "")
        except Exception:  # noqa: BLE001 - a proxy's settings raise more than httpx's own errors
            outcome.append("can't be reached")

    # A name look-up ignores httpx's time-out, so the thread is left behind when it hangs.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    host = urlsplit(url).netloc
    if not outcome:
        raise ModelError(f"{host} did not answer within {PROBE_SECONDS:.0f} s")
    if outcome[0]:
        raise ModelError(f"{host} {outcome[0]}")
