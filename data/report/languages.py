"""Which scripts and languages users write in: scripts are read off the characters, languages are guessed."""

import unicodedata
from collections import Counter
from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

# A request says early what it is written in, and a row may carry a whole document.
READ_CHARACTERS = 1000
# Latin names and units stand in texts of every script, so a smaller share of another script decides.
OTHER_SCRIPT_SHARE = 0.2
UNSURE, SURE = "unsure", 0.6
# Rarer labels (Nigerian Pidgin above all) take short English requests away from English.
# fmt: off
LANGUAGES = (
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gu", "he",
    "hi", "hr", "hu", "id", "it", "ja", "ko", "lt", "lv", "mr", "ms", "nl", "no", "pa", "pl", "pt",
    "ro", "ru", "sk", "sl", "sr", "sv", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zh",
)
# fmt: on
SCRIPTS = {"CJK": "han", "HIRAGANA": "kana", "KATAKANA": "kana"}


def script_of(text: str) -> str:
    """The script that a text is written in, `none` where it holds no letter.

    >>> script_of("북경의 날씨 in Celsius?"), script_of("Wie warm?"), script_of("64 / 8 =")
    ('hangul', 'latin', 'none')
    """
    letters = Counter(_script_of_letter(each) for each in _beginning(text) if each.isalpha())
    others = Counter({script: count for script, count in letters.items() if script != "latin"})
    if others.total() >= OTHER_SCRIPT_SHARE * letters.total() > 0:
        # Japanese mixes the two, and only Japanese writes kana.
        return "kana" if "kana" in others else others.most_common(1)[0][0]
    return "latin" if letters else "none"


def guess_language(text: str) -> str:
    """The ISO 639-1 code of the language that a text seems to be in, or `unsure`.

    A naive Bayes guess over byte n-grams (py3langid) among 47 languages; a few words are often not enough.

    >>> guess_language("What will the weather be like in Paris tomorrow?")
    'en'
    """
    language, probability = _identifier().classify(_beginning(text))
    return str(language) if probability >= SURE else UNSURE


def _beginning(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:READ_CHARACTERS])


@lru_cache(maxsize=4096)
def _script_of_letter(letter: str) -> str:
    name = unicodedata.name(letter, "OTHER").split()[0].split("-")[0]
    return SCRIPTS.get(name, name.lower())


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
