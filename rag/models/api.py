"""Models on a server: embeddings, reranking and scores of text pairs, over common HTTP APIs."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import httpx
import numpy as np

from rag.errors import ConfigError, ModelError
from rag.models.embedder import EmbedderIdentity, OneSpace, Vectors, normalise
from rag.text import tokens

_BATCH = 32
_SECONDS = 60.0
# The server's tokenizer is unknown here, so counts are estimates with a safety factor.
_MARGIN = 1.3


class _Server:
    """A server of one model; messages name its `section` of the configuration."""

    def __init__(self, section: str, base_url: str, model: str, api_key: str) -> None:
        if not _is_server(base_url):
            raise ConfigError(
                f"{section}.base_url must be the URL of a server, such as http://127.0.0.1:8000/v1"
            )
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigError(
                f"{section}.api_key contains characters that are not allowed in an HTTP header"
            )
        self.model, self._base_url = model, base_url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(timeout=_SECONDS, headers=headers)
        # Models have no close(), so the connections are closed with the object.
        weakref.finalize(self, self._client.close)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Post texts to /embeddings; return vectors, shape (len(texts), d). Raises ModelError."""
        return self._values("embeddings", {"input": list(texts)}, len(texts), "embedding", axes=2)

    def scores(self, path: str, body: dict[str, Any], texts: int) -> Vectors:
        """Post a request for scores; return them, shape (texts,). Raises ModelError."""
        return self._values(path, body, texts, "score", axes=1)

    def _values(self, path: str, body: dict[str, Any], texts: int, name: str, axes: int) -> Vectors:
        """Post a request; return the value `name` of each row, sorted by the rows' indexes."""
        url = f"{self._base_url}/{path}"
        try:
            reply = self._client.post(url, json={"model": self.model, **body})
            reply.raise_for_status()
            answer = reply.json()
            # The rows are in "results" or in "data", or the answer is the list of rows (TEI).
            found: Any = (
                answer.get("results", answer.get("data")) if isinstance(answer, dict) else answer
            )
            rows = sorted(found, key=lambda row: row["index"])
            values = np.array(
                [row.get(f"relevance_{name}", row.get(name)) for row in rows], dtype=np.float32
            )
        except httpx.HTTPStatusError as error:
            reason = " ".join(error.response.text.split())[:200]
            raise ModelError(f"{url} answered {error.response.status_code}: {reason}") from None
        except httpx.HTTPError as error:
            raise ModelError(f"{url} can't be reached: {error or type(error).__name__}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ModelError(f"{url} did not answer as an OpenAI-compatible server") from None
        if values.ndim != axes or len(values) != texts:
            raise ModelError(
                f"{url} returned {len(values)} {'vectors' if axes == 2 else 'scores'}"
                f" for {texts} texts"
            )
        if not np.isfinite(values).all():
            raise ModelError(f"{url} returned a value that is not a number")
        return values


class ApiEmbedder(OneSpace):
    """Embeds over HTTP; `base_url` ends before /embeddings.

    Raises ConfigError without a server's URL, and ModelError if the server fails.
    """

    def __init__(self, base_url: str, model: str, api_key: str, max_tokens: int) -> None:
        self._server, self._max_tokens = _Server("embedder", base_url, model, api_key), max_tokens

    @cached_property
    def identity(self) -> EmbedderIdentity:
        """What the vectors depend on; a server reports only the model's name and the dimension."""
        dimension = self._server.vectors(["dimension"]).shape[1]
        return EmbedderIdentity(
            f"api:{self._server.model}", "server", self._max_tokens, dimension, "server", "api"
        )

    def count(self, text: str) -> int:
        """Return a high estimate of the number of tokens that the server's model reads."""
        return _estimate(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), d)."""
        if not texts:
            return np.zeros((0, self.identity.dimension), dtype=np.float32)
        batches = (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
        return normalise(np.concatenate([self._server.vectors(batch) for batch in batches]))


class ApiReranker:
    """Scores texts with /rerank of vLLM, llama.cpp or Hugging Face's TEI.

    `papers` is the number of search results that it reranks at most. Raises ConfigError without a
    server's URL.
    """

    def __init__(self, base_url: str, model: str, api_key: str, papers: int) -> None:
        self._server, self.papers = _Server("rerank", base_url, model, api_key), papers

    def score(self, question: str, texts: Sequence[str]) -> Vectors:
        """Return how well each text answers the question, shape (len(texts),); higher is better.

        The scale is the model's. Raises ModelError.
        """
        # TEI reads "texts", and the other servers "documents"; each ignores the other field.
        body = {"query": question, "documents": list(texts), "texts": list(texts)}
        return self._server.scores("rerank", body, len(texts))


class ApiCrossEncoder:
    """Scores pairs with vLLM's /score and a cross-encoder with a single class.

    Models of factual consistency have such a class.     Raises ConfigError without a server's URL.
    """

    def __init__(self, base_url: str, model: str, api_key: str, max_tokens: int) -> None:
        self._server, self._max_tokens = _Server("support", base_url, model, api_key), max_tokens

    @property
    def max_tokens(self) -> int:
        """The maximum number of tokens of a pair, special tokens included."""
        return self._max_tokens

    def count(self, premise: str, hypothesis: str) -> int:
        """Return a high estimate of the number of tokens of a pair."""
        return _estimate(f"{premise} {hypothesis}")

    def entails(self, premises: Sequence[str], hypothesis: str) -> Vectors:
        """Return probabilities from 0 to 1, shape (len(premises),).

        Raises ModelError if the server fails or returns values outside that range.
        """
        body = {"text_1": list(premises), "text_2": [hypothesis] * len(premises)}
        scores = self._server.scores("score", body, len(premises))
        if ((scores < 0) | (scores > 1)).any():
            raise ModelError(
                "the server at support.base_url returns scores outside 0 to 1;"
                " it must serve a model with a single class"
            )
        return scores


def _estimate(text: str) -> int:
    return int(_MARGIN * tokens.count(text)) + 2


def _is_server(base_url: str) -> bool:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)
