"""Whether the model hub is there: asked first, since huggingface_hub tries a hub that fails for minutes."""

from __future__ import annotations

import logging
import threading
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
