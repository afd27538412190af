"""When two argument values are the same value: the default rules, and BFCL's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Rules(NamedTuple):
    """How leniently values are compared.

    `normalise_text`: what is left of a string before it is compared. `whole_floats_are_integers`: 5.0 is 5,
    as JSON Schema has it. `defaults_are_optional`: an optional argument may be left out, or written, where
    it equals the default of its schema. `types_by_schema`: a value of another type than the schema's is
    wrong, even if it is an accepted value.
    """

    normalise_text: Callable[[str], str]
    whole_floats_are_integers: bool
    defaults_are_optional: bool
    types_by_schema: bool


# A sign before a digit may be its decimal point or its minus.
_MEANINGLESS = re.compile(r"[,./-](?![0-9])|[\s_*^]")
_DROPPED = str.maketrans({"'": '"', **dict.fromkeys(" ,./-_*^", "")})


def bfcl_text(text: str) -> str:
    """Normalise as BFCL's checker does: lower case, without blanks and ``,./-_*^``, one kind of quotes.

    >>> bfcl_text("Berkeley, CA") == bfcl_text("berkeley ca")
    True
    """
    return text.translate(_DROPPED).lower()


def plain_text(text: str) -> str:
    """Normalise as BFCL does, but keep the signs that give digits their value, and fold Unicode variants.

    >>> plain_text("1.5") == plain_text("15"), plain_text("New-York") == plain_text("new york")
    (False, True)
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _MEANINGLESS.sub("", folded).replace("'", '"')


DEFAULT_RULES = Rules(
    plain_text, whole_floats_are_integers=True, defaults_are_optional=True, types_by_schema=False
)
BFCL_RULES = Rules(
    bfcl_text, whole_floats_are_integers=False, defaults_are_optional=False, types_by_schema=True
)


def is_same_value(gold: Any, value: Any, rules: Rules, *, has_alternatives: bool = False) -> bool:
    """Compare a gold value with a predicted one, lists element by element and objects key by key.

    A boolean is never a number and a string never a number. With `has_alternatives` the objects in `gold`
    hold a list of accepted values for each key.
    """
    if isinstance(gold, bool) or isinstance(value, bool) or gold is None or value is None:
        return gold is value
    if isinstance(gold, str) or isinstance(value, str):
        return isinstance(gold, str) and isinstance(value, str) and _is_same_text(gold, value, rules)
    if isinstance(gold, int | float) and isinstance(value, int | float):
        widened = isinstance(value, int) or isinstance(gold, float) or rules.whole_floats_are_integers
        return widened and gold == value
    if isinstance(gold, list | tuple) and isinstance(value, list | tuple):
        return len(gold) == len(value) and all(
            is_same_value(g, v, rules, has_alternatives=has_alternatives)
            for g, v in zip(gold, value, strict=True)
        )
    if isinstance(gold, Mapping) and isinstance(value, Mapping):
        return _is_same_object(gold, value, rules, has_alternatives)
    return False


def _is_same_text(gold: str, value: str, rules: Rules) -> bool:
    return gold == value or rules.normalise_text(gold) == rules.normalise_text(value)


def _is_same_object(
    gold: Mapping[str, Any], value: Mapping[str, Any], rules: Rules, has_alternatives: bool
) -> bool:
    accepted = {key: g if has_alternatives and isinstance(g, list) else [g] for key, g in gold.items()}
    if any(key not in accepted for key in value):
        return False
    for key, choices in accepted.items():
        if key not in value:
            if not (has_alternatives and "" in choices):
                return False
        elif not any(is_same_value(c, value[key], rules, has_alternatives=has_alternatives) for c in choices):
            return False
    return True
