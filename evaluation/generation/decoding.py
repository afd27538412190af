"""How tokens are chosen, and the seed that a row's choices rest on."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from evaluation.suites import DEFAULT_MAX_NEW_TOKENS
from jobs.doors import BadInput

# Below this vLLM decodes greedily, too: dividing by less overflows float32.
MIN_TEMPERATURE = 1e-5


@dataclass(frozen=True)
class Decoding:
    """How completions are decoded; without a temperature greedily, whatever the model's own settings say.

    `max_new_tokens`: where a completion is cut. `temperature`: what logits are divided by; below 0.00001 the
    likeliest token is taken. `top_p`: the least probability that the tokens to choose from hold together.
    `top_k`: how many of them there are at most; 0 is all. `seed`: the sample of a row depends on it, on the
    row's id and on the model, on nothing else. `constrained`: calls can only name an offered tool and fit its
    schema. Raises BadInput for a value out of range.
    """

    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    constrained: bool = False

    def __post_init__(self) -> None:
        """Refuse what no engine can decode with."""
        if self.max_new_tokens < 1:
            raise BadInput(f"max_new_tokens {self.max_new_tokens}: give 1 or more")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise BadInput(f"temperature {self.temperature}: give 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise BadInput(f"top_p {self.top_p}: give more than 0 and at most 1 (all tokens)")
        if self.top_k < 0:
            raise BadInput(f"top_k {self.top_k}: give 0 (all tokens) or more")

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken at each step."""
        return self.temperature < MIN_TEMPERATURE


def row_seed(seed: int, row_id: str) -> int:
    """The seed of one row's choices: 63 bits that depend on the run's seed and the row's id alone."""
    digest = hashlib.blake2b(f"{seed}\0{row_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
