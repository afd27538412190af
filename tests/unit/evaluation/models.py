"""Tiny, randomly initialised models with a tokenizer of their own, for tests without any download."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

# The markers of calls are special tokens here, as they are in some tokenizers: a decoder must keep them.
MARKERS = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
TEMPLATE = """
{%- if tools %}{{ '<|im_start|>system\\n' + (tools | tojson) + '<|im_end|>\\n' }}{% endif -%}
{%- for message in messages -%}
  {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] -}}
  {%- for call in message['tool_calls'] or [] -%}
    {%- set said = {'name': call['function']['name'], 'arguments': call['function']['arguments']} -%}
    {{- '<tool_call>\\n' + (said | tojson) + '\\n</tool_call>' -}}
  {%- endfor -%}
  {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
# Windows that every prompt of the tests is longer than, in one layer of the two.
WINDOWED = {
    "head_dim": 16,
    "query_pre_attn_scalar": 16,
    "sliding_window": 24,
    "layer_types": ["sliding_attention", "full_attention"],
}
CORPUS = [
    'Which city should I look in? {"name": "get_weather", "arguments": {"city": "Paris"}}',
    "I'm sorry, none of my tools can do that. The weather in Paris is sunny today. assistant user system",
]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of 400 tokens with ChatML markers."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(marker, special=True) for marker in MARKERS]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS * 8, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    return fast


def build_model(architecture: str, vocabulary: int) -> PreTrainedModel:
    """A model of two layers whose logits are far apart, in float32."""
    torch.manual_seed(7)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": 1,
    }
    if architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=16))
    if architecture == "gemma3":
        return Gemma3ForCausalLM(Gemma3TextConfig(**sizes, **WINDOWED, final_logit_softcapping=30.0))
    if architecture == "gemma2":
        capped = {"attn_logit_softcapping": 5.0, "attn_implementation": "eager"}
        return Gemma2ForCausalLM(Gemma2Config(**sizes, **WINDOWED, **capped))
    return LlamaForCausalLM(LlamaConfig(**sizes))


def save_tiny_model(folder: Path, architecture: str = "llama") -> Path:
    """Write a tiny model and its tokenizer as a Hugging Face model folder."""
    tokenizer = build_tokenizer()
    build_model(architecture, len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
