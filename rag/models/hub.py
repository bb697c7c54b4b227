"""The model hub; each use first checks that it answers.

Without this check huggingface_hub retries an unreachable hub for minutes.
"""

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
    """Check whether the hub is allowed (not offline mode) and answers."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        probe(constants.ENDPOINT)
    except ModelError as error:
        log.info("the model hub is not used: %s", error)
        return False
    return True


@dataclass(frozen=True, slots=True)
class HubFile:
    """The hub's record of a file: its size in bytes, and the SHA-256 of a large file.

    For a small file `sha256` is another hash (a Git object id), or "".
    """

    size: int
    sha256: str


def describe(repo: str, name: str) -> HubFile:
    """Return the hub's record of a file. Raises ModelError."""
    import huggingface_hub

    with errors():
        url = huggingface_hub.hf_hub_url(repo, name)
        _probe_unless_offline(url)
        about = huggingface_hub.get_hf_file_metadata(url, timeout=PROBE_SECONDS)
        return HubFile(about.size or 0, about.etag or "")


def download(repo: str, name: str, folder: Path) -> Path:
    """Download a file into the folder, or continue a download. Raises ModelError.

    Returns the path of the file.
    """
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
    """Replace every exception of the hub's library by a ModelError of one line."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # this program shows its own
    try:
        yield
    except Exception as error:  # noqa: BLE001 - errors of its HTTP library pass through
        raise ModelError((str(error).strip() or type(error).__name__).splitlines()[0]) from None


def _probe_unless_offline(url: str) -> None:
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE:
        probe(url)


def probe(url: str) -> None:
    """Raise ModelError unless a host answers within three seconds, without a server error.

    The time includes the name look-up.
    """
    import httpx

    outcome: list[str] = []

    def ask() -> None:
        try:
            status = httpx.head(url, timeout=PROBE_SECONDS).status_code
            outcome.append(f"answered {status}" if status >= 500 else "")
        except Exception:  # noqa: BLE001 - wrong proxy settings raise other types
            outcome.append("can't be reached")

    # httpx's time-out does not cover the name look-up, so a thread that hangs there is abandoned.
    request = threading.Thread(target=ask, daemon=True)
    request.start()
    request.join(PROBE_SECONDS)
    host = urlsplit(url).netloc
    if not outcome:
        raise ModelError(f"{host} did not answer within {PROBE_SECONDS:.0f} s")
    if outcome[0]:
        raise ModelError(f"{host} {outcome[0]}")
