"""A tiny model for a real server: a random Qwen2 and a small BPE tokenizer.

Its words are noise on purpose: form, markers, budget and streaming must hold for any words.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from rag.resources import shipped

_HEAD, _VOCABULARY = 64, 2000
_CONTEXT = 4096
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_model(folder: Path, layers: int = 2, width: int = 128) -> Path:
    """Write the model's files to a folder, in a second.

    More layers and a larger width make it as slow as real models.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder)
    _write_weights(folder, layers, width)
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // _HEAD,
        "num_key_value_heads": 1,
        "max_position_embeddings": _CONTEXT,
        "vocab_size": _VOCABULARY,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 2})
    return folder


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    rows = [
        json.loads(line)
        for line in shipped("sample.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{row['title']} {row['abstract']}" for row in rows], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": _TEMPLATE,
        "model_max_length": _CONTEXT,
        "clean_up_tokenization_spaces": False,
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _write_weights(folder: Path, layers: int, width: int) -> None:
    from safetensors.numpy import save_file

    random = np.random.default_rng(0)
    inner = 2 * width
    shapes = {"model.embed_tokens.weight": (_VOCABULARY, width), "model.norm.weight": (width,)}
    for layer in range(layers):
        own = {
            "input_layernorm.weight": (width,),
            "post_attention_layernorm.weight": (width,),
            "self_attn.q_proj.weight": (width, width),
            "self_attn.q_proj.bias": (width,),
            "self_attn.k_proj.weight": (_HEAD, width),
            "self_attn.k_proj.bias": (_HEAD,),
            "self_attn.v_proj.weight": (_HEAD, width),
            "self_attn.v_proj.bias": (_HEAD,),
            "self_attn.o_proj.weight": (width, width),
            "mlp.gate_proj.weight": (inner, width),
            "mlp.up_proj.weight": (inner, width),
            "mlp.down_proj.weight": (width, inner),
        }
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in own.items()}
    weights = {
        name: np.ones(shape, np.float32)
        if "norm" in name
        else (0.1 * random.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":  # FOLDER [LAYERS WIDTH], for the figures of docs/benchmarks.md
    make_model(Path(sys.argv[1]), *map(int, sys.argv[2:]))
