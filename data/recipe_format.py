"""A recipe's fields on how rows are rendered: one reader for preparation, training and evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from evaluation.toolcalls import FORMATS, format_of_template
from jobs.doors import BadInput

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "training" / "recipes"
# What TRL's configurations say where a recipe is silent.
DEFAULT_MAX_LENGTH = 1024

ToolsRendering = Literal["full", "compact"]
RENDERINGS: tuple[ToolsRendering, ...] = get_args(ToolsRendering)


@dataclass(frozen=True)
class RowFormat:
    """How a recipe has rows rendered.

    `chat_template`: a file in place of the model's own template. `tools_rendering`: how a template of ours
    prints tools; None leaves it to the template. `tool_call_format`: how calls are parsed back; None finds it
    from the template. `max_length`: tokens beyond which a row is left out; None keeps all. `few_shot_prompt`:
    the file that the variant `prompt` puts before a row, which nothing else reads.
    """

    chat_template: Path | None = None
    tools_rendering: ToolsRendering | None = None
    tool_call_format: str | None = None
    max_length: int | None = DEFAULT_MAX_LENGTH
    few_shot_prompt: Path | None = None


def read_recipe(path: Path) -> dict[str, object]:
    """Read a recipe's fields. Raises BadInput; for an absent file it names the recipes there are."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(str(each.relative_to(ROOT)) for each in sorted(RECIPES.rglob("*.yaml")))
        raise BadInput(f"recipe {path}: {error.strerror}; the recipes here are {known}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"recipe {path}: not YAML: {error}") from error
    if not isinstance(content, dict):
        found = type(content).__name__
        raise BadInput(f"recipe {path}: a recipe is a mapping, 'field: value' lines; found {found}")
    return {str(key): value for key, value in content.items()}


def read_format(fields: Mapping[str, Any], recipe: Path) -> RowFormat:
    """Take the format out of a recipe's fields; `recipe` names them in errors. Raises BadInput."""
    rendering, length = fields.get("tools_rendering"), fields.get("max_length", DEFAULT_MAX_LENGTH)
    if rendering is not None and rendering not in RENDERINGS:
        raise BadInput(f"recipe {recipe}: tools_rendering {rendering!r}: say {' or '.join(RENDERINGS)}")
    if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
        raise BadInput(f"recipe {recipe}: max_length {length!r}: give a number of tokens")
    named = fields.get("tool_call_format")
    if named is not None and named not in FORMATS:
        known = ", ".join(FORMATS)
        raise BadInput(f"recipe {recipe}: tool_call_format {named!r} is unknown; known are {known}")
    template, few_shot = (_file_named(key, fields, recipe) for key in ("chat_template", "few_shot_prompt"))
    return RowFormat(template, rendering, named, length, few_shot)


def find_call_format(named: str | None, chat_template: str) -> str:
    """The format that calls are parsed back in: the one named, else the one the template shows.

    Raises BadInput where the name is unknown, or nothing is named and the template shows no known format.
    """
    known = ", ".join(FORMATS)
    found = named or format_of_template(chat_template)
    if found is None:
        raise BadInput(
            "the chat template shows no tool-call format that is known; "
            f"name one as tool_call_format in a recipe: {known}"
        )
    if found not in FORMATS:
        raise BadInput(f"tool_call_format '{found}' is unknown; known are {known}")
    return found


def _file_named(field: str, fields: Mapping[str, Any], recipe: Path) -> Path | None:
    named = fields.get(field)
    if named is None:
        return None
    path = ROOT / str(named)
    if not path.is_file():
        raise BadInput(f"recipe {recipe}: {field} {named}: there is no such file below {ROOT}")
    return path
