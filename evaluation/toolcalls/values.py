"""When two argument values are the same value: the default rules, and their options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# Signs by which a text is code, a path, a pattern or an address, where case and every sign may count.
_CODE = re.compile(
    r"[\\=<>{}\[\]|~`]|\$[^\W\d]|://|(?:^|[\s\"'(])\.{0,2}/\w|(?:^|\s)--?[^\W\d]|\w\("
    r"|\w\.(?:c|cfg|cpp|cs|csv|docx?|go|h|html?|ini|java|jpe?g|js|json|log|md|pdf|png|py|rb|rs|sh|sql|toml|ts|txt"
    r"|xlsx?|xml|ya?ml)$"
)
# A word of digits, capitals and small letters is a key, a password or an id.
_KEY = re.compile(r"\b(?=\w*[0-9])(?=\w*[a-z])(?=\w*[A-Z])\w+\b")
_QUOTE = re.compile(r"(?<!\d)'")
_INITIAL = re.compile(r"(?<![^\W_])([A-Z])\.(?![^\W_]{2})")
_ABBREVIATION = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.){2,}")
_BETWEEN_INITIALS = re.compile(r"(?<=\b[^\W\d_]) (?=[^\W\d_]\b)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_END = re.compile(r"[.;](?= |$)")
_END_OF_SENTENCE = re.compile(r"(?<=\w)[!?]$")
# A text of fewer words is no sentence, and a question mark in it may be a sign of its own.
WORDS_OF_SENTENCE = 3
_HYPHEN = re.compile(r"(?<=[^\W\d_]{2})-(?=[^\W\d_]{2})")
# A blank counts between two letters and between two digits.
_IDLE_BLANK = re.compile(r"(?<!\w) | (?!\w)|(?<=\d) (?=[^\W\d_])|(?<=[^\W\d_]) (?=\d)")
_TYPEWRITER: dict[int, str] = {
    **{ord(sign): "'" for sign in "\u2018\u2019\u201b\u2032"},
    **{ord(sign): '"' for sign in "\u201c\u201d\u201f\u2033"},
    **{ord(sign): "-" for sign in "\u2010\u2011\u2012\u2013\u2014\u2212"},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    0x3001: ",",
    0x3002: ".",
}
_BFCL_DROPPED = str.maketrans({"'": '"', **dict.fromkeys(" ,./-_*^", "")})
# A text that holds more signs without meaning than this is another one; reading on would only cost time.
MAX_PADDING_RATIO, MAX_PADDING = 4, 64


def plain_text(text: str) -> str:
    """What is left of a text once that is gone which no person would call a difference.

    Runs of blanks, typographic quotes and dashes, full-width letters and the ways to compose an accent are
    folded in every text, so are the kind of quotes, and blanks beside a sign or between a letter and a digit.
    In prose also: case; commas, which part words as blanks do, and digits in threes; a full stop or semicolon
    at the end of a word, the mark at the end of a sentence, the stops of initials and blanks between these; a
    hyphen between words. Code, paths, patterns, file names, options, keys and addresses are told by their
    signs, and there case and every sign count. Numbers, dates and times are left as they are written: a
    string's format is what its tool asks for.

    >>> plain_text("April 1, 2024") == plain_text("april 1,2024")
    True
    >>> plain_text("1.5") == plain_text("15"), plain_text("C++") == plain_text("C")
    (False, False)
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_TYPEWRITER))
    text = _QUOTE.sub('"', " ".join(text.split()))
    if _CODE.search(text) or _KEY.search(text):
        return _IDLE_BLANK.sub("", text)
    words = _ABBREVIATION.sub(lambda found: found[0].replace(".", ""), text)
    words = _BETWEEN_INITIALS.sub("", _INITIAL.sub(r"\1", words))
    words = _THOUSANDS.sub("", words).replace(",", " ")
    words = _HYPHEN.sub(" ", _END.sub("", words))
    if text.count(" ") + 1 >= WORDS_OF_SENTENCE:
        words = _END_OF_SENTENCE.sub("", words)
    # A text of signs alone says what they are.
    return _IDLE_BLANK.sub("", " ".join(words.split())).casefold() or text


def bfcl_text(text: str) -> str:
    """Normalise as BFCL's checker does: lower case, without blanks and ``,./-_*^``, one kind of quotes.

    >>> bfcl_text("Berkeley, CA") == bfcl_text("berkeley ca")
    True
    """
    return text.translate(_BFCL_DROPPED).lower()


class Rules(NamedTuple):
    """How leniently arguments are compared; `Rules()` is what a fair person would do.

    `normalise_text`: what is left of a string before it is compared; None compares sign for sign.
    `relative_tolerance`: by how much numbers of which one has a fraction may differ, for what binary floats
    cannot hold. `whole_floats_are_integers`: 5.0 is 5, as JSON Schema has it. `defaults_are_optional`: an
    argument that is not required may be left out, or written, where it equals the default of its schema.
    `nulls_are_absent`: so may one that is null and may be null. `as_bfcl`: calls are judged as BFCL's checker
    judges them, to the letter, and relevance as its runner does.
    """

    normalise_text: Callable[[str], str] | None = plain_text
    relative_tolerance: float = 1e-9
    whole_floats_are_integers: bool = True
    defaults_are_optional: bool = True
    nulls_are_absent: bool = True
    as_bfcl: bool = False


DEFAULT_RULES = Rules()
BFCL_RULES = Rules(
    normalise_text=bfcl_text,
    relative_tolerance=0.0,
    whole_floats_are_integers=False,
    defaults_are_optional=False,
    nulls_are_absent=False,
    as_bfcl=True,
)
# Sign for sign, for telling whether a value is written just as the gold is.
EXACT_RULES = Rules(normalise_text=None, relative_tolerance=0.0, whole_floats_are_integers=False)


def is_same_value(gold: Any, value: Any, rules: Rules, *, has_alternatives: bool = False) -> bool:
    """Compare a gold value with a predicted one, lists element by element and objects key by key.

    A boolean is never a number and a string never a number. With `has_alternatives` the objects in `gold`
    hold a list of accepted values for each key, "" among them where the key may be left out.
    """
    if isinstance(gold, str):
        return isinstance(value, str) and _is_same_text(gold, value, rules)
    if isinstance(gold, bool) or isinstance(value, bool) or gold is None:
        return gold is value
    if isinstance(gold, int | float):
        return isinstance(value, int | float) and _is_same_number(gold, value, rules)
    if isinstance(gold, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(gold) == len(value)
            and all(
                is_same_value(g, v, rules, has_alternatives=has_alternatives)
                for g, v in zip(gold, value, strict=True)
            )
        )
    if isinstance(gold, Mapping) and isinstance(value, Mapping):
        return _is_same_object(gold, value, rules, has_alternatives)
    return False


def _is_same_text(gold: str, value: str, rules: Rules) -> bool:
    if gold == value or rules.normalise_text is None:
        return gold == value
    if max(len(gold), len(value)) > MAX_PADDING_RATIO * min(len(gold), len(value)) + MAX_PADDING:
        return False
    return rules.normalise_text(gold) == rules.normalise_text(value)


def _is_same_number(gold: float, value: float, rules: Rules) -> bool:
    if isinstance(gold, int) and isinstance(value, float) and not rules.whole_floats_are_integers:
        return False
    if gold == value:
        return True
    if isinstance(gold, int) and isinstance(value, int):
        return False
    try:
        # Written out, because infinities are near nothing and NaN is not even itself.
        return abs(gold - value) <= rules.relative_tolerance * min(abs(gold), abs(value))
    except OverflowError:
        return False


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
