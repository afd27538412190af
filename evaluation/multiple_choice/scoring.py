"""Log-probabilities of answers: over a forest where the model allows it, else by a forward each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedConfig, PreTrainedModel

from evaluation.multiple_choice.answers import EncodedAnswer
from evaluation.multiple_choice.attention import ForestAttention, NotShareable, forest_attention
from evaluation.multiple_choice.forest import LEAST_SHARED, Forest, plant

# The head's logits in float32; their log-softmax takes as much again.
LOGITS_BYTES = 2**26
# Rotary frequencies that follow the longest position of a forward: others' lengths would change a score.
LENGTH_DEPENDENT = {"dynamic", "longrope"}
PROBE = ((5, 3, 9, 4), (5, 3, 8, 6, 2))
PROBE_TOLERANCE = 0.02


@torch.inference_mode()
def score_answers(
    model: PreTrainedModel,
    answers: Sequence[EncodedAnswer],
    owners: Sequence[int] | None = None,
    least_shared: int = LEAST_SHARED,
) -> list[float]:
    """Sum the log-probabilities of each answer behind its prompt, in nats, by one forward over a forest.

    `owners`: the row of each answer; without it all are of one. Raises NotShareable where `can_share` is not.
    """
    forest = plant([answer.inputs for answer in answers], owners or [0] * len(answers), least_shared)
    hidden = forward(model, forest)
    places = [path[answer.context - 1 :] for path, answer in zip(forest.paths, answers, strict=True)]
    targets = np.concatenate([answer.targets for answer in answers])
    logprobs = _logprobs(model, hidden, np.concatenate(places), targets)
    bounds = np.cumsum([len(answer.targets) for answer in answers])[:-1]
    return [float(part.sum()) for part in np.split(logprobs, bounds)]


@torch.inference_mode()
def score_separately(model: PreTrainedModel, answers: Sequence[EncodedAnswer]) -> list[float]:
    """Score each answer by a forward of its own, as lm-evaluation-harness does with its four requests."""
    sums = []
    for answer in answers:
        inputs = torch.from_numpy(answer.inputs.astype(np.int64))[None].to(model.device)
        logits = model(input_ids=inputs, use_cache=False, logits_to_keep=len(answer.targets)).logits[0]
        targets = torch.from_numpy(answer.targets.astype(np.int64))[:, None].to(model.device)
        sums.append(float(logits.float().log_softmax(-1).gather(-1, targets).double().sum()))
    return sums


@torch.inference_mode()
def can_share(model: PreTrainedModel) -> bool:
    """Whether a forest scores as separate forwards do: by the model's making, and tried on a few tokens."""
    config = model.config.get_text_config()
    vocabulary = int(config.vocab_size)
    if not model._supports_attention_backend or _rope_types(config.to_dict()) & LENGTH_DEPENDENT:
        return False
    if set(config.to_dict().get("layer_types") or ()) - {"full_attention", "sliding_attention"}:
        return False
    probes = [EncodedAnswer(np.asarray(one, np.int32) % vocabulary, 1, 1) for one in PROBE]
    try:
        shared = score_answers(model, probes, least_shared=1)
    except NotShareable:
        return False
    return bool(
        np.allclose(shared, score_separately(model, probes), rtol=PROBE_TOLERANCE, atol=PROBE_TOLERANCE)
    )


def forward(model: PreTrainedModel, forest: Forest) -> torch.Tensor:
    """Run the model below its head: hidden states (tokens, size). Raises NotShareable."""
    attention = ForestAttention(forest, model.device, model.dtype)
    with forest_attention(model):
        hidden: torch.Tensor = model.base_model(
            input_ids=torch.from_numpy(forest.tokens.astype(np.int64))[None].to(model.device),
            position_ids=torch.from_numpy(forest.positions)[None].to(model.device),
            use_cache=False,
            forest=attention,
        ).last_hidden_state[0]
    _refuse_other_layers(model.config.get_text_config(), attention)
    return hidden


def _refuse_other_layers(config: PreTrainedConfig, attention: ForestAttention) -> None:
    """Refuse layers that mix tokens otherwise, or have a window of which their attention is not told."""
    fields = config.to_dict()
    every = [fields.get("sliding_window") is not None] * config.num_hidden_layers
    kinds = fields.get("layer_types")
    windowed = sum(kind == "sliding_attention" for kind in kinds) if kinds else sum(every)
    if (attention.layers, attention.windowed) != (config.num_hidden_layers, windowed):
        raise NotShareable(
            f"{attention.layers} of {config.num_hidden_layers} layers attend over the forest, "
            f"{attention.windowed} of {windowed} by a window"
        )


def _logprobs(
    model: PreTrainedModel, hidden: torch.Tensor, places: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """The log-probability of each target at its place; the head sees every place once."""
    distinct, place_of = np.unique(places, return_inverse=True)
    order = np.argsort(place_of, kind="stable")
    found = np.empty(len(targets))
    step = max(1, LOGITS_BYTES // (4 * int(model.config.get_text_config().vocab_size)))
    for start in range(0, len(distinct), step):
        chunk = torch.from_numpy(distinct[start : start + step]).to(hidden.device)
        # Not logsumexp, which is more exact: over 50,000 logits torch's log-softmax on a CPU errs by 1e-5
        # nats a token, always the same way, and scores are to equal the harness's.
        logprobs = _head(model, hidden[chunk]).log_softmax(-1)
        low, high = np.searchsorted(place_of[order], [start, start + step])
        asked = order[low:high]
        rows = torch.from_numpy(place_of[asked] - start).to(hidden.device)
        columns = torch.from_numpy(targets[asked].astype(np.int64)).to(hidden.device)
        found[asked] = logprobs[rows, columns].double().cpu().numpy()
    return found


def _head(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    logits: torch.Tensor = model.get_output_embeddings()(hidden)
    softcap = model.config.get_text_config().to_dict().get("final_logit_softcapping")
    if softcap is not None:
        logits = torch.tanh(logits / softcap) * softcap
    return logits.float()


def _rope_types(config: dict[str, object]) -> set[object]:
    """The kinds of rotary embedding that a configuration names; Gemma 3 has one a kind of layer."""
    nested = [value for value in config.values() if isinstance(value, dict)]
    return {config.get("rope_type")}.union(*(_rope_types(each) for each in nested))
