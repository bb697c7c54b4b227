"""Write a GGUF file as a folder for transformers and vLLM: weights, configuration, tokenizer.

A script for vLLM's environment, which has torch, tokenizers and safetensors but not gguf:

    pip install --no-deps --target EXTRA gguf==0.19.0
    PYTHONPATH=EXTRA python tests/llm/dequantise.py MODEL.gguf FOLDER [--dtype bfloat16]

It knows the architectures qwen2 and llama with the tokenizers of Qwen2 and SmolLM2, and refuses
others. The weights are those that llama.cpp computes with, up to the rounding of its kernels.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

# Names within a layer, as llama.cpp and transformers have them; `.weight` or `.bias` follows.
_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OTHER_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_CLASSES = {"qwen2": "Qwen2ForCausalLM", "llama": "LlamaForCausalLM"}
# The values of llama.cpp's enum for token types.
_CONTROL, _USER_DEFINED, _UNUSED = 3, 4, 5
_END_OF_TEXT = "<|endoftext|>"
# How Qwen2 cuts text into words before its merges.
_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def dequantise(gguf_file: Path, folder: Path, dtype: str) -> None:
    """Write the folder; SystemExit with one line where the file is of an unknown kind."""
    from gguf import GGUFReader

    reader = GGUFReader(gguf_file)
    facts = {name: field.contents() for name, field in reader.fields.items() if name[:5] != "GGUF."}
    architecture = facts["general.architecture"]
    if architecture not in _CLASSES:
        raise SystemExit(
            f"{gguf_file}: architecture {architecture}; known are {', '.join(_CLASSES)}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    names = _write_weights(reader.tensors, facts, folder, dtype)
    _write_configuration(facts, folder, dtype, tied="lm_head.weight" not in names)
    _write_tokenizer(facts, folder)


def _write_weights(tensors: Any, facts: dict[str, Any], folder: Path, dtype: str) -> set[str]:
    """Write all tensors to one file; their names."""
    import torch
    from gguf import dequantize
    from safetensors.torch import save_file

    weights = {}
    for tensor in tensors:
        name = _transformers_name(tensor.name)
        if name is None:
            continue
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        if facts["general.architecture"] == "llama":
            values = _unpermuted(name, values, facts)
        weights[name] = values.to(getattr(torch, dtype)).contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return set(weights)


def _transformers_name(name: str) -> str | None:
    """The name that transformers has for a tensor; none for what it computes by itself."""
    if name == "rope_freqs.weight":
        return None
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    layer = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    if layer is None or layer[2] not in _LAYER_NAMES:
        raise SystemExit(f"no name for the tensor {name}")
    return f"model.layers.{layer[1]}.{_LAYER_NAMES[layer[2]]}.{layer[3]}"


def _unpermuted(name: str, values: Any, facts: dict[str, Any]) -> Any:
    """Undo llama.cpp's order of the rows of q and k: it rotates neighbours, transformers halves."""
    if "q_proj" in name:
        heads = facts["llama.attention.head_count"]
    elif "k_proj" in name:
        heads = facts["llama.attention.head_count_kv"]
    else:
        return values
    paired = values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
    return paired.swapaxes(1, 2).reshape(values.shape)


def _write_configuration(facts: dict[str, Any], folder: Path, dtype: str, *, tied: bool) -> None:
    kind = facts["general.architecture"]
    own = {
        name.removeprefix(f"{kind}."): value
        for name, value in facts.items()
        if name.startswith(f"{kind}.")
    }
    tokens = facts["tokenizer.ggml.tokens"]
    last = facts["tokenizer.ggml.eos_token_id"]
    ids = {
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        # llama.cpp stops at the end of a text too.
        "eos_token_id": sorted({last, tokens.index(_END_OF_TEXT)}),
    }
    configuration = {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "hidden_size": own["embedding_length"],
        "intermediate_size": own["feed_forward_length"],
        "num_hidden_layers": own["block_count"],
        "num_attention_heads": own["attention.head_count"],
        "num_key_value_heads": own["attention.head_count_kv"],
        "max_position_embeddings": own["context_length"],
        "rms_norm_eps": own["attention.layer_norm_rms_epsilon"],
        "rope_theta": own["rope.freq_base"],
        "vocab_size": len(tokens),
        "tie_word_embeddings": tied,
        "torch_dtype": dtype,
        "hidden_act": "silu",
        # Without it transformers 5 warns of another tokenizer's fault.
        "transformers_version": "5.0.0",
        **ids,
        "eos_token_id": last,
    }
    _write_json(folder / "config.json", configuration)
    _write_json(folder / "generation_config.json", ids)


def _write_tokenizer(facts: dict[str, Any], folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models

    tokens, types = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in facts["tokenizer.ggml.merges"]]
    used = {tokens[n]: n for n, kind in enumerate(types) if kind != _UNUSED}
    tokenizer = Tokenizer(models.BPE(used, merges))
    _cut_words(tokenizer, facts["tokenizer.ggml.pre"])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(
        [
            AddedToken(token, special=kind == _CONTROL, normalized=False)
            for token, kind in zip(tokens, types, strict=True)
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokens[facts["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[facts["tokenizer.ggml.padding_token_id"]],
        "chat_template": facts["tokenizer.chat_template"],
        "model_max_length": facts[f"{facts['general.architecture']}.context_length"],
        "clean_up_tokenization_spaces": False,
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _cut_words(tokenizer: Any, name: str) -> None:
    """Set how the text is cut before the merges, by llama.cpp's name for it."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    words: Any
    if name == "qwen2":
        words = pre_tokenizers.Split(Regex(_QWEN2_WORDS), "isolated")
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.normalizer = normalizers.NFC()
    elif name == "smollm":
        words = pre_tokenizers.Digits(individual_digits=True)
        level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        raise SystemExit(f"tokenizer {name}; known are qwen2, smollm")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, level])


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Read the command line and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    given = parser.parse_args(arguments)
    dequantise(given.gguf, given.folder, given.dtype)


if __name__ == "__main__":
    main(sys.argv[1:])
