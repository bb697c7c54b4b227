"""Cross-encoders that judge support, with tiny models made here."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from rag.assistant import Assistant
from rag.config import SupportConfig, load_config
from rag.errors import ModelError
from rag.models import open_cross_encoder

TEXTS = ["A cat sat on the mat.", "The dog did not sit.", "cat " * 40]
NLI = {0: "CONTRADICTION", 1: "NEUTRAL", 2: "ENTAILMENT"}


def opened(folder: Path, max_tokens: int = 64) -> Any:
    return open_cross_encoder(
        SupportConfig(model=str(folder), base_url="", api_key="", max_tokens=max_tokens)
    )


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Save a random BERT classifier with these classes; with `logits` it always returns those."""
    torch = pytest.importorskip("torch", reason="needs the extra hf")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification

    def made(labels: dict[int, str], logits: list[float] | None = None) -> Path:
        folder = tmp_path / "-".join(labels.values())
        letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
        pieces = [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            ".",
            *letters,
            *(f"##{letter}" for letter in letters),
            "cat",
            "dog",
        ]
        tokenizer = Tokenizer(
            models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]")
        )
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        torch.manual_seed(0)
        shape = {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 64,
        }
        config = BertConfig(
            vocab_size=len(pieces), max_position_embeddings=64, initializer_range=0.2, **shape
        )
        config.id2label, config.label2id = (
            labels,
            {label: number for number, label in labels.items()},
        )
        model = BertForSequenceClassification(config)
        if logits is not None:
            with torch.no_grad():
                model.classifier.weight.zero_()
                model.classifier.bias.copy_(torch.tensor(logits))
        model.save_pretrained(folder)
        tokenizer.save(str(folder / "tokenizer.json"))
        names = (
            '"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"'
        )
        (folder / "tokenizer_config.json").write_text(
            f'{{"tokenizer_class": "PreTrainedTokenizerFast", {names}}}'
        )
        return folder

    return made


def test_none_is_configured_by_default() -> None:
    assert open_cross_encoder(load_config().support) is None


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ModelError, match=r"^this support model needs torch: pip install 'ask-the-papers\[hf\]'$"
    ):
        opened(Path("anything"))


@pytest.mark.hf
class TestTransformers:
    @pytest.mark.parametrize(
        ("labels", "logits", "probability"),
        [
            (NLI, [0.0, 0.0, 2.0], math.exp(2) / (math.exp(2) + 2)),
            (
                {0: "entailment", 1: "neutral", 2: "contradiction"},
                [0.0, 0.0, 2.0],
                1 / (math.exp(2) + 2),
            ),
            ({0: "NOT_SUPPORTED", 1: "SUPPORTED"}, [0.0, 1.0], 1 / (1 + math.exp(-1))),
            ({0: "LABEL_0"}, [1.0], 1 / (1 + math.exp(-1))),
        ],
    )
    def test_the_class_for_entailment_counts(self, make, labels, logits, probability) -> None:
        scores = opened(make(labels, logits)).entails(TEXTS[:2], "A cat sat.")
        assert scores == pytest.approx([probability] * 2, rel=1e-5)

    def test_rows_keep_the_order_and_the_sides_differ(self, make) -> None:
        model = opened(make(NLI))
        premises = [
            f"{word} cat dog"
            for word in ("a", "b c d e", "f", "g h", "i", "j k l", "m", "n", "o p")
        ]
        together = model.entails(premises, "A cat.")
        assert together == pytest.approx(
            [float(model.entails([premise], "A cat.")[0]) for premise in premises], abs=1e-5
        )
        assert len({round(float(score), 5) for score in together}) > 1
        assert ((together >= 0) & (together <= 1)).all()
        assert model.entails([], "A cat.").shape == (0,)

    def test_a_pair_that_is_too_long_is_not_cut(self, make) -> None:
        model = opened(make(NLI))
        assert model.count("cat " * 57, "a cat.") == 63
        model.entails(["cat " * 58], "a cat.")
        with pytest.raises(
            ModelError, match=r"^a pair of 65 tokens exceeds the support model's 64$"
        ):
            model.entails(["cat", "cat " * 59], "a cat.")

    def test_unknown_classes_are_named(self, make) -> None:
        with pytest.raises(
            ModelError, match="has the classes good, bad; one must be named entailment or support"
        ):
            opened(make({0: "good", 1: "bad"}))

    def test_more_tokens_than_positions(self, make) -> None:
        with pytest.raises(ModelError, match=r"support\.max_tokens is 65, but .* reads at most 64"):
            opened(make(NLI), 65)

    @pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
    def test_damaged_files_are_one_line(self, make, tmp_path: Path, name: str) -> None:
        folder = shutil.copytree(make(NLI), tmp_path / "copy")
        (folder / name).write_bytes(b"half")
        with pytest.raises(ModelError, match=r"the support model .*copy can't be loaded") as raised:
            opened(folder)
        assert "\n" not in str(raised.value)

    def test_it_is_what_checks_sentences_where_it_is_configured(
        self, make, tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAG_SUPPORT__MODEL", str(make(NLI, [0.0, 0.0, 2.0])))
        monkeypatch.setenv("RAG_SUPPORT__MAX_TOKENS", "64")
        with Assistant.open(home=tmp_path / "none") as assistant:
            support = assistant.support("A cat sat 3 times.", TEXTS)
            quoted = assistant.support("A cat sat on the mat.", TEXTS)
        assert support.score == pytest.approx(math.exp(2) / (math.exp(2) + 2), rel=1e-5)
        assert support.missing_numbers == ("3",)
        assert (quoted.score, quoted.best) == (1.0, 0)
