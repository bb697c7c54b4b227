"""Embedders that need no torch: all-MiniLM-L6-v2 alone, or together with bge-small-en-v1.5.

MiniLM was trained to recognise similar sentences (Reimers and Gurevych 2019, arXiv 1908.10084; Wang
et al. 2020, arXiv 2002.10957), and BGE to find passages for questions (Xiao et al. 2023, arXiv
2309.07597). docs/LOG.md has the results of both here.
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
_DIMENSION = 384  # of both models
_LONGEST = 512  # tokens, of both models
# BGE was trained with this instruction before each question.
_INSTRUCTION = "Represent this sentence for searching relevant passages: "

Precision = Literal["int8", "fp32"]


class MiniLM(OneSpace):
    """Vectors of 384 dimensions from all-MiniLM-L6-v2, for all texts.

    Raises ModelError if its files can't be obtained or used.
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
        """Return the number of word pieces of the text, [CLS] and [SEP] included."""
        return self._encoder.count(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), 384).

        Raises ModelError for a text with too many tokens.
        """
        return self._encoder.encode(texts, self.identity.max_tokens)


class Pair:
    """Embeds passages with bge-small-en-v1.5, sentences with all-MiniLM-L6-v2, questions with both.

    Both models use the same word pieces, so one count is valid for both. `precision` applies to
    MiniLM; BGE is published with 8-bit weights. Raises ModelError like `MiniLM`.
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
        self._instruction_tokens = self._passages.count(_INSTRUCTION) - self._passages.count("")
        _check_limit(
            max_tokens,
            _LONGEST - self._instruction_tokens,
            f"{BGE_SMALL.name}, with its instruction,",
        )
        # Runs BGE on a question while this thread runs MiniLM.
        self._pool = ThreadPoolExecutor(2, "bge")
        minilm = self._sentences.identity
        self.identity = EmbedderIdentity(
            weights=hashlib.sha256(f"{_weights(BGE_SMALL)} {minilm.weights}".encode()).hexdigest(),
            pooling="cls, mean",
            max_tokens=max_tokens,
            dimension=_DIMENSION,
            precision=precision,
            builder=minilm.builder,
            name=f"{BGE_SMALL.name} and {MINILM.name}",
        )

    def count(self, text: str) -> int:
        """Return the number of word pieces of the text, [CLS] and [SEP] included."""
        return self._sentences.count(text)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of sentences, float32 of shape (len(texts), 384).

        Raises ModelError for a text with too many tokens.
        """
        return self._sentences.embed(texts)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of passages, float32 of shape (len(texts), 384).

        Raises ModelError for a text with too many tokens.
        """
        return self._passages.encode(texts, self.identity.max_tokens)

    def embed_questions(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return vectors of questions to compare with passages, and to compare with sentences.

        Both are unit vectors of shape (len(texts), 384). Raises ModelError for a text with too many
        tokens.
        """
        questions = [f"{_INSTRUCTION}{text}" for text in texts]
        for_passages = self._pool.submit(
            self._passages.encode,
            questions,
            self.identity.max_tokens + self._instruction_tokens,
        )
        for_sentences = self._sentences.embed(texts)
        return for_passages.result(), for_sentences


def _check_limit(max_tokens: int, longest: int, model: str) -> None:
    if max_tokens > longest:
        raise ModelError(
            f"embedder.max_tokens is {max_tokens}, but {model} reads at most {longest}"
        )


def _weights(model: WeightFiles) -> str:
    """Return the SHA-256 of the first file, which contains the weights."""
    return model.files[0].sha256


def _minilm_graph(
    cache: Path, folder: str, precision: Precision, progress: Progress | None
) -> Path:
    """Return the path of the ONNX file in the cache, and write it if it is missing.

    One process writes it, and the others wait.
    """
    target = cache / MINILM.name
    graph = target / f"{precision}-{BUILDER}.onnx"
    tokenizer = target / "tokenizer.json"
    if graph.is_file() and tokenizer.is_file() and not folder:
        return graph
    subfolder = Path(folder).expanduser() / MINILM.name
    with _locked(target):
        # If MiniLM is the only model, its files may be in `folder` itself.
        source = str(subfolder) if folder and subfolder.is_dir() else folder
        files = fetch(MINILM, target, source, progress)
        if files != target:
            tokenizer.write_bytes((files / "tokenizer.json").read_bytes())
        if not graph.is_file():
            write_onnx(files / "model.safetensors", _SHAPE, graph, int8=precision == "int8")
    return graph


def _bge_files(cache: Path, folder: str, progress: Progress | None) -> Path:
    """Return the folder of BGE's files, which are used as published; fetch them if necessary."""
    if folder:
        return fetch(BGE_SMALL, cache, str(Path(folder) / BGE_SMALL.name))
    target = cache / BGE_SMALL.name
    if all((target / name).is_file() for name in BGE_SMALL.names):
        return target
    with _locked(target):
        return fetch(BGE_SMALL, target, progress=progress)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Create the folder and lock it against other processes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            yield
    except OSError as error:
        raise ModelError(
            f"the embedder can't be stored in {folder}: {error.strerror or error}"
        ) from None
