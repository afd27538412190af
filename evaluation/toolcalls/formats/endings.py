"""Stop tokens that decoding leaves at the end of a completion: they say nothing."""

from __future__ import annotations

STOP_TOKENS = (
    "<|im_end|>",
    "</s>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|eom|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
)
BLANKS = " \t\r\n"
_LAST_SIGNS = frozenset(token[-2:] for token in STOP_TOKENS)


def without_stop_tokens(text: str) -> str:
    """Return a text less the stop tokens at its end, and the blanks between and behind them."""
    # Most texts end otherwise, and trying token after token would cost as much as reading a call.
    last = text[-2:]
    if last not in _LAST_SIGNS and last[-1:] not in BLANKS:
        return text
    if not text.rstrip(BLANKS).endswith(STOP_TOKENS):
        return text
    end = kept = len(text)
    while True:
        while end > 0 and text[end - 1] in BLANKS:
            end -= 1
        token = next((each for each in STOP_TOKENS if text.endswith(each, 0, end)), None)
        if token is None:
            return text[:kept]
        end = kept = end - len(token)
