"""The embedders that need no torch: all-MiniLM-L6-v2 alone, or beside bge-small-en-v1.5, which finds passages better.

MiniLM was trained to tell like sentences (Reimers and Gurevych 2019, arXiv 1908.10084; Wang et al. 2020, arXiv
2002.10957), BGE to find passages for questions (Xiao et al. 2023, arXiv 2309.07597). docs/LOG.md has what each is
good for here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock

from rag.errors import ModelError
from rag.models.embedder import EmbedderIdentity, OneSpace, Vectors
from rag.models.encoder import Encoder
from rag.models.graph import BUILDER, BertShape, write_onnx
from rag.models.weights import BGE_SMALL, MINILM, Progress, WeightFiles, fetch

_SHAPE = BertShape(layers=6, heads=12, layer_norm_eps=1e-12)
_DIMENSION = 384  # of both
_LONGEST = 512  # of both
# What BGE was trained to see before a question.
_ASKED = "Represent this sentence for searching relevant passages: "

Precision = Literal["int8", "fp32"]


class MiniLM(OneSpace):
    """Vectors of 384 dimensions by all-MiniLM-L6-v2, for whatever is embedded.

    Raises ModelError where its files can't be had or used.
    """

    def __init__(
        self,
        cache: Path,
        folder: str,
        precision: Precision,
        max_tokens: int,
        progress: Progress | None = None,
    ) -> None:
        _check_limit(max_tokens, _LONGEST, MINILM.name)
        graph = _minilm_graph(cache, folder, precision, progress)
        self._encoder = Encoder(graph, graph.with_name("tokenizer.json"), "mean", _DIMENSION)
        self.identity = EmbedderIdentity(
            weights=_weights(MINILM),
            pooling="mean",
            max_tokens=max_tokens,
            dimension=_DIMENSION,
            precision=precision,
            builder=BUILDER,
            name=MINILM.name,
        )

    def count(self, text: str) -> int:
        """Word pieces of the text, [CLS] and [SEP] included."""
        return self._encoder.count(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 of shape (len(texts), 384); ModelError for a text of too many tokens."""
        return self._encoder.encode(texts, self.identity.max_tokens)


class Pair:
    """Passages by bge-small-en-v1.5, sentences by all-MiniLM-L6-v2; a question by both, side by side.

    Both read the same word pieces, so that a count holds for either. `precision` is MiniLM's: BGE comes in bytes.
    """

    def __init__(
        self,
        cache: Path,
        folder: str,
        precision: Precision,
        max_tokens: int,
        progress: Progress | None = None,
    ) -> None:
        self._sentences = MiniLM(cache, folder, precision, max_tokens, progress)
        files = _bge_files(cache, folder, progress)
        self._passages = Encoder(
            files / "model_quantized.onnx", files / "tokenizer.json", "cls", _DIMENSION
        )
        self._asked_tokens = self._passages.count(_ASKED) - self._passages.count("")
        _check_limit(
            max_tokens, _LONGEST - self._asked_tokens, f"{BGE_SMALL.name}, beside its instruction,"
        )
        self._beside = ThreadPoolExecutor(2, "bge")
        alone = self._sentences.identity
        self.identity = EmbedderIdentity(
            weights=hashlib.sha256(f"{_weights(BGE_SMALL)} {alone.weights}".encode()).hexdigest(),
            pooling="cls, mean",
            max_tokens=max_tokens,
            dimension=_DIMENSION,
            precision=precision,
            builder=alone.builder,
            name=f"{BGE_SMALL.name} and {MINILM.name}",
        )

    def count(self, text: str) -> int:
        """Word pieces of the text, [CLS] and [SEP] included."""
        return self._sentences.count(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of sentences, float32 of shape (len(texts), 384); ModelError for a text of too many tokens."""
        return self._sentences.embed(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of passages, shaped alike; ModelError for a text of too many tokens."""
        return self._passages.encode(texts, self.identity.max_tokens)

    def embed_questions(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Vectors to compare with passages', and with sentences'; ModelError for a text of too many tokens."""
        asked = [f"{_ASKED}{text}" for text in texts]
        for_passages = self._beside.submit(
            self._passages.encode, asked, self.identity.max_tokens + self._asked_tokens
        )
        for_sentences = self._sentences.embed(texts)
        return for_passages.result(), for_sentences


def _check_limit(max_tokens: int, longest: int, model: str) -> None:
    if max_tokens > longest:
        raise ModelError(
            f"embedder.max_tokens is {max_tokens}, but {model} reads at most {longest}"
        )


def _weights(model: WeightFiles) -> str:
    """The SHA-256 of the first file, which holds the weights."""
    return model.files[0].sha256


def _minilm_graph(
    cache: Path, folder: str, precision: Precision, progress: Progress | None
) -> Path:
    """The path of the ONNX file in the cache, written once a machine, and by one process: others wait for it."""
    home = cache / MINILM.name
    graph = home / f"{precision}-{BUILDER}.onnx"
    tokenizer = home / "tokenizer.json"
    if graph.is_file() and tokenizer.is_file() and not folder:
        return graph
    own = Path(folder).expanduser() / MINILM.name
    with _alone_in(home):
        # Where it is the only model, the folder may hold the files themselves.
        files = fetch(MINILM, home, str(own) if folder and own.is_dir() else folder, progress)
        if files != home:
            tokenizer.write_bytes((files / "tokenizer.json").read_bytes())
        if not graph.is_file():
            write_onnx(files / "model.safetensors", _SHAPE, graph, int8=precision == "int8")
    return graph


def _bge_files(cache: Path, folder: str, progress: Progress | None) -> Path:
    """The folder of the files, which are used as published."""
    if folder:
        return fetch(BGE_SMALL, cache, str(Path(folder) / BGE_SMALL.name))
    home = cache / BGE_SMALL.name
    if all((home / name).is_file() for name in BGE_SMALL.names):
        return home
    with _alone_in(home):
        return fetch(BGE_SMALL, home, progress=progress)


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "lock"):
            yield
    except OSError as error:
        raise ModelError(
            f"the embedder can't be kept in {home}: {error.strerror or error}"
        ) from None
