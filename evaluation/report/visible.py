"""Text of strangers made fit to be shown: what is unseen, or disturbs its surroundings, is written out."""

from __future__ import annotations

import re

# Controls but tab and line feed, bidirectional ones (Unicode TR9), spaces and fillers of no width (not the
# joiners, without which Persian and Hindi are misspelt), line separators, tags and unpaired surrogates.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def make_visible(text: str) -> str:
    r"""The text with each unseen character written out as its code point; line ends become ``\n``.

    The result holds no unpaired surrogate, so it can be encoded. What such characters do to a reader: Boucher
    and Anderson, "Trojan Source" (arXiv:2111.00169).

    >>> make_visible("cost\u202etsoc")
    'cost⟦U+202E⟧tsoc'
    """
    return _UNSEEN.sub(_written_out, text.replace("\r\n", "\n"))


def _written_out(match: re.Match[str]) -> str:
    return f"⟦U+{ord(match.group()):04X}⟧"
