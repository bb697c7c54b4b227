"""Vectors from an OpenAI-compatible /v1/embeddings, such as vLLM's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import httpx
import numpy as np

from rag import tokens
from rag.errors import ConfigError, ModelError
from rag.models.base import EmbedderIdentity, OneSpace, Vectors, normalise

_BATCH = 32
_SECONDS = 60.0
# The server's tokenizer is not known here, so a count is an estimate on the safe side.
_MARGIN = 1.3


class ApiEmbedder(OneSpace):
    """Embeds by HTTP; `base_url` ends before /embeddings. Raises ConfigError without one, ModelError on failure."""

    def __init__(self, base_url: str, model: str, api_key: str, max_tokens: int) -> None:
        if not _is_server(base_url):
            raise ConfigError("embedder.base_url must be the URL of a server, such as http://127.0.0.1:8000/v1")
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigError("embedder.api_key holds characters that no HTTP header can carry")
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._model, self._max_tokens = model, max_tokens
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=_SECONDS, headers=headers)

    @cached_property
    def identity(self) -> EmbedderIdentity:
        """What the vectors depend on: all that a server tells is the model's name and the dimension."""
        dimension = self._request(["dimension"]).shape[1]
        return EmbedderIdentity(f"api:{self._model}", "server", self._max_tokens, dimension, "server", "api")

    def count(self, text: str) -> int:
        """An upper estimate of the tokens that the server's model reads."""
        return int(_MARGIN * tokens.count(text)) + 2

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 of shape (len(texts), d)."""
        if not texts:
            return np.zeros((0, self.identity.dimension), dtype=np.float32)
        batches = (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
        return normalise(np.concatenate([self._request(batch) for batch in batches]))

    def _request(self, texts: Sequence[str]) -> Vectors:
        try:
            reply = self._client.post(self._url, json={"model": self._model, "input": list(texts)})
            reply.raise_for_status()
            rows = sorted(reply.json()["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
        except httpx.HTTPStatusError as error:
            said = " ".join(error.response.text.split())[:200]
            raise ModelError(f"{self._url} answered {error.response.status_code}: {said}") from None
        except httpx.HTTPError as error:
            raise ModelError(f"{self._url} can't be reached: {error or type(error).__name__}") from None
        except (ValueError, KeyError, TypeError):
            raise ModelError(f"{self._url} did not answer as an OpenAI-compatible server") from None
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ModelError(f"{self._url} gave {len(vectors)} vectors for {len(texts)} texts")
        if not np.isfinite(vectors).all():
            raise ModelError(f"{self._url} gave a vector with values that are not numbers")
        return vectors


def _is_server(base_url: str) -> bool:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)
