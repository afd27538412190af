"""Many token sequences as one: a forest in depth-first order, in which every shared prefix lies once.

Sequences that begin alike are branches of one tree. Laid out depth first, without padding, the tokens below a
token lie right behind it; so two numbers a token say all that attention needs to know:

    a query attends to a key  where  key <= query < end of the key's branch

and the token's depth is its position. What a token attends to are then exactly the tokens of its own
sequence before it, whichever sequences share them, so sharing changes no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.multiple_choice.answers import Tokens

Indices = NDArray[np.int64]

# Below this a prefix shared by two rows saves less than attending to it apart from one's own tokens costs.
LEAST_SHARED = 32


@dataclass(frozen=True, eq=False)
class Forest:
    """`tokens`, `positions`, `ends`: a value a token, in depth-first order.

    `positions`: the depth, from 0 at a root. `ends`: the index behind the last token of the branch that
    begins here. `paths`: for every sequence given, the indices of its tokens. `parts`: where the tokens begin
    that a sequence does not share with the one before it, with the owner of the sequence.
    """

    tokens: Tokens
    positions: Indices
    ends: Indices
    paths: Sequence[Indices]
    parts: Sequence[tuple[int, int]]

    def __len__(self) -> int:
        """How many tokens are forwarded."""
        return len(self.tokens)


def plant(sequences: Sequence[Tokens], owners: Sequence[int], least_shared: int = LEAST_SHARED) -> Forest:
    """Lay sequences out as a forest.

    `owners`: whose each sequence is. The sequences of one owner share whatever prefix they have in common;
    those of two owners one of at least `least_shared` tokens.
    """
    tokens, positions, ends = (np.empty(sum(map(len, sequences)), dtype) for dtype in (np.int32, int, int))
    paths: list[Indices] = [np.empty(0, int)] * len(sequences)
    parts: list[tuple[int, int]] = []
    size, last, path = 0, -1, np.empty(0, int)
    for number in sorted(range(len(sequences)), key=lambda each: order_of(sequences[each])):
        sequence = sequences[number]
        shared = 0 if last < 0 else common_prefix(sequences[last], sequence)
        if last >= 0 and owners[last] != owners[number] and shared < least_shared:
            shared = 0
        ends[path[shared:]] = size
        grown = size + len(sequence) - shared
        if grown > size:
            parts.append((size, owners[number]))
        tokens[size:grown], positions[size:grown] = sequence[shared:], np.arange(shared, len(sequence))
        path = paths[number] = np.concatenate([path[:shared], np.arange(size, grown)])
        size, last = grown, number
    ends[path] = size
    return Forest(tokens[:size], positions[:size], ends[:size], paths, parts)


def order_of(tokens: Tokens) -> bytes:
    """A key that sorts sequences by their first token that differs, a prefix before what goes on from it."""
    return tokens.astype(">i4").tobytes()


def common_prefix(one: Tokens, other: Tokens) -> int:
    """The number of tokens that two sequences begin with alike."""
    shortest = min(len(one), len(other))
    differs = one[:shortest] != other[:shortest]
    return int(differs.argmax()) if differs.any() else shortest
