"""Whether what a row accepts fits the tools that it offers, which a grader then need not find out."""

from collections.abc import Mapping
from typing import Any

from evaluation.toolcalls.as_written import is_compared
from evaluation.toolcalls.gold import BadRow, Gold, GoldCall, gold_of
from evaluation.toolcalls.schema import violation_of

# Any other keyword may rule out values that fit each its own schema.
PLAIN = frozenset(("type", "properties", "required", "description", "title", "additionalProperties"))


def fits_tools(row: Mapping[str, Any]) -> bool:
    """Tell whether calls written as a row has them first are surely valid under the tools that it offers.

    True if the accepted calls are of offered tools, list no argument that these do not, leave out none that
    is required, and the first accepted value of each argument fits its schema. False too where the values
    are literals of another language, or the row cannot be graded.
    """
    try:
        gold = gold_of(row)
        return bool(gold.calls) and all(_fits(call, gold) for call in gold.calls)
    except BadRow:
        return False


def _fits(call: GoldCall, gold: Gold) -> bool:
    parameters = gold.parameters_of(call.name)
    if parameters is None or call.language is not None:
        return False
    properties, required = parameters.get("properties"), parameters.get("required")
    if not isinstance(properties, Mapping) or not isinstance(required or [], list):
        return False
    return (
        all(name in properties for name in call.accepted)
        and all(name in call.accepted and not call.may_lack(name) for name in required or ())
        and not parameters.keys() - PLAIN
        and all(
            violation_of(properties[name], values[0], parameters) is None
            for name, values in call.accepted.items()
            if values and is_compared(values[0])
        )
    )
