"""Which format a chat template or a completion is in; what scores is told and has no use for it."""

from evaluation.toolcalls.detection.signs import format_of_template, format_of_text

__all__ = ["format_of_template", "format_of_text"]
