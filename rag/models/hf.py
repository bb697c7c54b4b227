"""Sentence-transformers models and cross-encoders (the extra `hf`); adapter to torch."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import ModelError
from rag.models import hub
from rag.models.embedder import EmbedderIdentity, Vectors, normalise

_BATCH = 8
_YES = re.compile(r"(?:entail|support|consistent)", re.IGNORECASE)


class TransformersEmbedder:
    """Vectors with the pooling and the prompts of the model's sentence-transformers files.

    Pooling is mean or cls. Questions get the prompt for queries; passages and sentences get the
    prompt for documents. `model` is a folder or a name on the model hub. Raises ModelError if torch
    or the model is missing.
    """

    def __init__(self, model: str, max_tokens: int) -> None:
        self._torch, self._tokenizer, self._model = _load("embedder", model, "AutoModel")
        model = os.path.expanduser(model)
        try:
            weights = _file(model, "model.safetensors")
            pooling = _pooling(model)
            self._query_prompt, self._document_prompt = _prompts(model)
        except (OSError, ValueError) as error:
            raise _damaged("embedder", model, error) from None
        longest = getattr(self._model.config, "max_position_embeddings", max_tokens)
        if max_tokens > longest:
            raise ModelError(
                f"embedder.max_tokens is {max_tokens}, but {model} reads at most {longest}"
            )
        self._pooling = pooling
        self._identity = EmbedderIdentity(
            weights=hashlib.sha256(weights.read_bytes()).hexdigest() if weights else model,
            pooling=(
                f"{pooling} after {self._document_prompt!r}" if self._document_prompt else pooling
            ),
            max_tokens=max_tokens,
            dimension=int(self._model.config.hidden_size),
            precision="fp32",
            builder="transformers",
            name=model,
        )

    @property
    def identity(self) -> EmbedderIdentity:
        """What the vectors depend on."""
        return self._identity

    def count(self, text: str) -> int:
        """Return the number of tokens of the text with the longer prompt and special tokens."""
        prompt = max(self._query_prompt, self._document_prompt, key=len)
        return len(self._tokenizer(f"{prompt}{text}", truncation=False, verbose=False)["input_ids"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, float32 of shape (len(texts), d).

        Raises ModelError for a text with too many tokens.
        """
        return self._embed([f"{self._document_prompt}{text}" for text in texts])

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Return the same unit vectors as `embed`."""
        return self.embed(texts)

    def embed_questions(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return the same unit vectors twice, float32 of shape (len(texts), d).

        Raises ModelError for a text with too many tokens.
        """
        vectors = self._embed([f"{self._query_prompt}{text}" for text in texts])
        return vectors, vectors

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._identity.dimension), dtype=np.float32)
        # Texts of similar length go into the same batch, which needs the least padding.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            vectors[rows] = self._pooled([texts[row] for row in rows])
        return normalise(vectors)

    def _pooled(self, texts: list[str]) -> Vectors:
        batch = self._tokenizer(
            texts, padding=True, truncation=False, return_tensors="pt", verbose=False
        )
        if (longest := batch["input_ids"].shape[1]) > self._identity.max_tokens:
            raise ModelError(
                f"a text of {longest} tokens exceeds the embedder's {self._identity.max_tokens}"
            )
        with self._torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        first = hidden[:, 0]
        pooled = first if self._pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
        vectors: Vectors = pooled.float().numpy()
        return vectors


class TransformersCrossEncoder:
    """A classifier of text pairs: a model of natural language inference or factual consistency.

    Of several classes, the softmax probability of the class named entailment (or support, or
    consistent) is used; of a single class, its sigmoid. `model` is a folder or a name on the model
    hub. Raises ModelError if torch or the model is missing, or if no class has such a name.
    """

    def __init__(self, model: str, max_tokens: int) -> None:
        name = "AutoModelForSequenceClassification"
        self._torch, self._tokenizer, self._model = _load("support model", model, name)
        longest = getattr(self._model.config, "max_position_embeddings", max_tokens)
        if max_tokens > longest:
            raise ModelError(
                f"support.max_tokens is {max_tokens}, but {model} reads at most {longest}"
            )
        self._max_tokens = max_tokens
        self._class = _entailment(model, self._model.config.id2label)

    @property
    def max_tokens(self) -> int:
        """The maximum number of tokens of a pair, special tokens included."""
        return self._max_tokens

    def count(self, premise: str, hypothesis: str) -> int:
        """Return the number of tokens of a pair, special tokens included."""
        return len(
            self._tokenizer(premise, hypothesis, truncation=False, verbose=False)["input_ids"]
        )

    def entails(self, premises: Sequence[str], hypothesis: str) -> Vectors:
        """Return probabilities from 0 to 1 that each premise entails the hypothesis.

        The shape is (len(premises),). Raises ModelError for a pair with too many tokens.
        """
        scores = np.zeros(len(premises), dtype=np.float32)
        order = sorted(range(len(premises)), key=lambda row: len(premises[row]))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            scores[rows] = self._classified([premises[row] for row in rows], hypothesis)
        return scores

    def _classified(self, premises: list[str], hypothesis: str) -> Vectors:
        pairs = premises, [hypothesis] * len(premises)
        batch = self._tokenizer(
            *pairs, padding=True, truncation=False, return_tensors="pt", verbose=False
        )
        if (longest := batch["input_ids"].shape[1]) > self._max_tokens:
            raise ModelError(
                f"a pair of {longest} tokens exceeds the support model's {self._max_tokens}"
            )
        with self._torch.inference_mode():
            logits = self._model(**batch).logits.float()
        single = logits.shape[1] == 1
        scores: Vectors = (logits.sigmoid() if single else logits.softmax(-1))[
            :, self._class
        ].numpy()
        return scores


def _load(role: str, model: str, auto: str) -> tuple[Any, Any, Any]:
    """Return torch, the tokenizer, and the model in full precision."""
    try:
        import torch
        import transformers
    except ImportError:
        raise ModelError(f"this {role} needs torch: pip install 'ask-the-papers[hf]'") from None
    model = os.path.expanduser(model)
    try:
        options: dict[str, Any] = {"local_files_only": os.path.isdir(model) or not hub.reachable()}
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, **options)
        return (
            torch,
            tokenizer,
            getattr(transformers, auto)
            .from_pretrained(model, dtype=torch.float32, **options)
            .eval(),
        )
    except Exception as error:  # noqa: BLE001 - readers of damaged files raise many types
        raise _damaged(role, model, error) from None


def _damaged(role: str, model: str, error: Exception) -> ModelError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ModelError(f"the {role} {model} can't be loaded: {reason}")


def _entailment(model: str, labels: Mapping[int, str]) -> int:
    """Return the number of the class for entailment."""
    if len(labels) == 1:
        return 0
    yes = [number for number, label in labels.items() if _YES.match(label)]
    if len(yes) != 1:
        known = ", ".join(labels.values())
        raise ModelError(
            f"the support model {model} has the classes {known};"
            " one must be named entailment or support"
        )
    return yes[0]


def _pooling(model: str) -> str:
    path = _file(model, "1_Pooling/config.json")
    if path is None:
        return "mean"
    config = json.loads(path.read_text(encoding="utf-8"))
    # Older versions of sentence-transformers wrote a switch for each mode; version 6 writes the
    # names of the modes.
    switches = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
    names = [
        name.removeprefix("pooling_mode_").removesuffix("s").removesuffix("_token")
        for name in switches
    ]
    modes = config.get("pooling_mode", names or "mean")
    modes = [modes] if isinstance(modes, str) else list(modes)
    if modes not in (["mean"], ["cls"]):
        raise ModelError(
            f"the embedder {model} needs the pooling {', '.join(modes)};"
            " only mean and cls are supported"
        )
    return str(modes[0])


def _prompts(model: str) -> tuple[str, str]:
    """Return the prompts before queries and before documents; "" if the model has none."""
    path = _file(model, "config_sentence_transformers.json")
    found = json.loads(path.read_text(encoding="utf-8")).get("prompts") if path else None
    prompts = {str(name): str(prompt) for name, prompt in (found or {}).items()}
    return prompts.get("query", ""), prompts.get("document", prompts.get("passage", ""))


def _file(model: str, name: str) -> Path | None:
    from transformers.utils.hub import cached_file

    found = cached_file(model, name, _raise_exceptions_for_missing_entries=False)
    return Path(found) if found else None
