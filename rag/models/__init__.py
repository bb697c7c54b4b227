"""Models that turn texts into vectors, and pairs of texts into scores.

Open them with the `open_...` functions. Each outside library is imported by one module only.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from rag.config import EmbedderConfig, RerankConfig, SupportConfig
from rag.errors import ConfigError
from rag.models.embedder import CrossEncoder, Embedder, EmbedderIdentity, Reranker
from rag.models.weights import Progress

__all__ = [
    "CrossEncoder",
    "Embedder",
    "EmbedderIdentity",
    "Reranker",
    "open_cross_encoder",
    "open_embedder",
    "open_reranker",
]

_opened: dict[tuple[str, tuple[Path, str, str, int]], Embedder] = {}
_opening = Lock()
_MODELS = {
    "built-in": "bge-small-en-v1.5 and all-MiniLM-L6-v2",
    "minilm": "sentence-transformers/all-MiniLM-L6-v2",
}


def open_embedder(config: EmbedderConfig, progress: Progress | None = None) -> Embedder:
    """Return the configured embedder; download its files if they are missing.

    Raises ConfigError and ModelError.
    """
    match config.kind:
        case "built-in" | "minilm":
            return _built_in(config, progress)
        case "transformers":
            from rag.models.hf import TransformersEmbedder

            return TransformersEmbedder(config.folder or config.model, config.max_tokens)
        case "api":
            from rag.models.api import ApiEmbedder

            return ApiEmbedder(config.base_url, config.model, config.api_key, config.max_tokens)


def open_cross_encoder(config: SupportConfig) -> CrossEncoder | None:
    """Return the configured cross-encoder, if any. Raises ConfigError and ModelError."""
    if config.base_url:
        from rag.models.api import ApiCrossEncoder

        return ApiCrossEncoder(config.base_url, config.model, config.api_key, config.max_tokens)
    if not config.model:
        return None
    from rag.models.hf import TransformersCrossEncoder

    return TransformersCrossEncoder(config.model, config.max_tokens)


def open_reranker(config: RerankConfig) -> Reranker | None:
    """Return the configured reranker, if any. Raises ConfigError."""
    if not config.base_url:
        return None
    from rag.models.api import ApiReranker

    return ApiReranker(config.base_url, config.model, config.api_key, config.papers)


def _built_in(config: EmbedderConfig, progress: Progress | None) -> Embedder:
    """Return the built-in embedder, opened once for each configuration in a process.

    Opening its sessions takes half a second, and threads can share them.
    """
    from rag.models.built_in import MiniLM, Pair

    if config.model != (model := _MODELS[config.kind]):
        raise ConfigError(
            f"embedder.kind {config.kind} requires embedder.model {model!r}, not {config.model!r};"
            " for any other model set embedder.kind to transformers"
        )
    make = Pair if config.kind == "built-in" else MiniLM
    settings = config.cache_folder, config.folder, config.precision, config.max_tokens
    with _opening:
        if (config.kind, settings) not in _opened:
            _opened[config.kind, settings] = make(*settings, progress)
        return _opened[config.kind, settings]
