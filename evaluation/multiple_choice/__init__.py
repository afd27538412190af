"""Multiple choice by log-likelihood, many rows in one forward, every shared token forwarded once.

What is scored is what lm-evaluation-harness scores (`output_type: multiple_choice`): the tokens of
prompt + answer behind those of the prompt, blanks at the prompt's end counted with the answer's tokens,
log-softmax in float32. Only the way there differs: see `forest`.
"""

from evaluation.multiple_choice.predictions import predict_choices

__all__ = ["predict_choices"]
