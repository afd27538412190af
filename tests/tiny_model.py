"""A language model of 0.4 million random weights, made in seconds: ``python -m tests.tiny_model DIR``.

It knows nothing until it is trained, yet is a whole Qwen3: any code that takes a model folder takes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from data.template import set_tools_rendering

TEMPLATE = Path(__file__).resolve().parent.parent / "training" / "templates" / "smollm2.jinja"
VOCABULARY = 640
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# What the chat template writes, and the words of a few requests: enough for merges that halve a prompt.
TEXTS = [
    TEMPLATE.read_text(encoding="utf-8"),
    "<|im_start|>system\nTools:\nget_weather(city: string, days?: integer): Get a weather forecast.",
    "set_timer(minutes: integer, label?: string): Start a timer that rings after some minutes.",
    "convert_currency(amount: number, from: string, to: string): Convert an amount of money.",
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}\n</tool_call>',
    '<tool_call>\n{"name": "set_timer", "arguments": {"minutes": 10, "label": "tea"}}\n</tool_call>',
    "What will the weather be like in the city over the next few days? Please set a timer for ten minutes.",
    "Which city do you mean? For how many minutes should the timer run? Could you tell me the amount?",
    "I am sorry, I cannot do that with the tools that I have. None of the tools can help you with this.",
] * 4


def make_tiny_model(folder: Path) -> Path:
    """Write the model and its tokenizer to `folder`; the same weights every time."""
    tokenizer = _make_tokenizer()
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=24,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _make_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=set_tools_rendering(TEMPLATE.read_text(encoding="utf-8"), "compact"),
    )


if __name__ == "__main__":
    print(make_tiny_model(Path(sys.argv[1])))
