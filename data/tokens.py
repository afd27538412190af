"""What a recipe makes of rows with a model's own tokenizer: lengths in its tokens, and the round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from data.recipe_format import RowFormat, read_format, read_recipe
from data.report.profile import Measure, answer_text
from data.roundtrip import RoundTrip, shows_tools
from data.rows import Row
from data.template import load_tokenizer, render_completion, render_prompt
from jobs.doors import BadInput

# A stage's recipe lies in the folder of its name and reads the rows of this split.
SPLIT_OF_STAGE: Mapping[str, str] = {"sft": "train_sft", "dpo": "train_pref"}


@dataclass(frozen=True)
class Rendering:
    """How a model sees rows.

    `measure`: lengths in its tokens; None where its template leaves the tools out, so that they would lie.
    `max_length`: by split the tokens beyond which training leaves a row out, None for no limit. `round_trip`:
    None where nothing was asked of the template, and it shows no tools or no known call format.
    """

    measure: Measure | None
    max_length: Mapping[str, int | None]
    round_trip: RoundTrip | None


def load_rendering(
    model_dir: Path, chat_template: Path | None, recipes: Sequence[Path], *, must_carry_tools: bool = False
) -> Rendering:
    """Load a model's tokenizer as the recipes would.

    `chat_template`: instead of the recipes' or the model's own. A recipe in a folder named sft or dpo gives
    that stage's `max_length`, any other gives both. Raises BadInput: an unreadable recipe or tokenizer, two
    recipes that render differently; and where a recipe or a template is given, or `must_carry_tools`, a
    template that cannot carry tools.
    """
    formats = {recipe: read_format(read_recipe(recipe), recipe) for recipe in recipes}
    shared = _shared_format(formats)
    tokenizer = load_tokenizer(model_dir, chat_template or shared.chat_template, shared.tools_rendering)
    limits = {split: format.max_length for recipe, format in formats.items() for split in _splits_of(recipe)}
    is_meant_for_training = bool(recipes or chat_template or must_carry_tools)
    if not is_meant_for_training and not shows_tools(tokenizer):
        return Rendering(None, limits, None)
    measure = Measure("tokens", lambda row: _lengths(tokenizer, row))
    return Rendering(measure, limits, _round_trip(tokenizer, shared, must_be=is_meant_for_training))


def _shared_format(formats: Mapping[Path, RowFormat]) -> RowFormat:
    """The rendering that the recipes have in common. Raises BadInput where they have none."""
    renderings = {recipe: replace(format, max_length=None) for recipe, format in formats.items()}
    first = next(iter(renderings.values()), RowFormat())
    for recipe, rendering in renderings.items():
        if rendering != first:
            raise BadInput(
                f"recipes {next(iter(renderings))} and {recipe} render rows differently, so the second would "
                "train away what the first taught; give both the same chat_template, tools_rendering and "
                "tool_call_format"
            )
    return first


def _splits_of(recipe: Path) -> Sequence[str]:
    stage = SPLIT_OF_STAGE.get(recipe.resolve().parent.name)
    return (stage,) if stage else tuple(SPLIT_OF_STAGE.values())


def _round_trip(tokenizer: PreTrainedTokenizerBase, format: RowFormat, *, must_be: bool) -> RoundTrip | None:
    try:
        return RoundTrip(tokenizer, format.tool_call_format)
    except BadInput:
        if must_be:
            raise
        return None


def _lengths(tokenizer: PreTrainedTokenizerBase, row: Row) -> tuple[int, int]:
    """Tokens of the prompt and of the answer, as training counts them: of a pair, the longer answer."""
    prompt = render_prompt(tokenizer, row.prompt, row.tools)
    answers = [render_completion(tokenizer, row.prompt, row.tools, answer) for answer in _answers_of(row)]
    return _count(tokenizer, prompt), max(
        _count(tokenizer, answer) for answer in answers or [answer_text(row)]
    )


def _answers_of(row: Row) -> Sequence[Mapping[str, Any]]:
    if row.chosen is not None:
        return [*row.chosen, *(row.rejected or ())]
    if row.purpose == "sft":
        return [row.messages[-1]]
    return [{"role": "assistant", "content": row.expected.text}] if row.expected.text else []


def _count(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])
