"""Argument values by kind: written out in `catalogue/values.yaml`, or composed from patterns there."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

_PLACEHOLDER = re.compile(r"\{(\w+)\}|#|@")
_IN_REGEX = {"#": r"\d", "@": "[A-Z]"}


@dataclass(frozen=True)
class Values:
    """Every kind of value: a list whose texts may hold `#`, `@` and `{kind}`, or ranges of numbers."""

    kinds: Mapping[str, Any]

    def draw(self, kind: str, rng: random.Random) -> Any:
        """Draw a value of a kind.

        >>> Values({"id": ["A-##"]}).draw("id", random.Random(0))
        'A-71'
        """
        return self._draw_from(rng.choice(self._options(kind)), rng)

    def pattern(self, kind: str) -> str:
        """A regular expression that every value of a kind matches, longest alternatives first."""
        options = {_regex_of(option, self) for option in self._options(kind)}
        return "|".join(sorted(options, key=lambda text: (-len(text), text)))

    def _options(self, kind: str) -> Sequence[Any]:
        options = self.kinds[kind]
        return options if isinstance(options, list) else [options]

    def _draw_from(self, option: Any, rng: random.Random) -> Any:
        if isinstance(option, Mapping):
            return _draw_number(option, rng)
        if not isinstance(option, str):
            return option
        return _PLACEHOLDER.sub(lambda found: self._fill(found, rng), option)

    def _fill(self, found: re.Match[str], rng: random.Random) -> str:
        if found[1]:
            return str(self.draw(found[1], rng))
        # Where an id begins with a digit, a leading zero would make it another number.
        return rng.choice(ascii_uppercase) if found[0] == "@" else str(rng.randint(1, 9))


def _draw_number(given: Mapping[str, float], rng: random.Random) -> int | float:
    step = given.get("step", 1)
    count = int((given["to"] - given["from"]) / step)
    number = round(given["from"] + step * rng.randint(0, count), 2)
    return int(number) if number == int(number) else number


def _regex_of(option: Any, values: Values) -> str:
    if isinstance(option, Mapping):
        return r"\d+(?:\.\d+)?"
    text, end, parts = str(option), 0, []
    for found in _PLACEHOLDER.finditer(text):
        parts += [re.escape(text[end : found.start()])]
        parts += [f"(?:{values.pattern(found[1])})" if found[1] else _IN_REGEX[found[0]]]
        end = found.end()
    return "".join([*parts, re.escape(text[end:])])
