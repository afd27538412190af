"""How pictures look: for a light page, for a dark one, and on white paper.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), which colour-blind readers tell apart;
markers differ too, and have a rim in the colour of the text, so that a pale one is seen on white.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.comparison import VARIANTS

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
# In the order of VARIANTS; the first, of base, is the colour of the text.
_COLOURS = (None, ORANGE, BLUE, GREEN, VERMILION, SKY, YELLOW, PURPLE)
_MARKERS = "osD^vPX*<>hp"
# Points: shown 368 pixels wide, a sheet of 5.4 inches makes 9.65 pixels of the smallest.
SMALL, NORMAL, LARGE = 10.2, 10.5, 12.0


@dataclass(frozen=True)
class Theme:
    """Colours of one kind of page. `ink` is the text's; `has_title`: no page around it says what it shows."""

    name: str
    ink: str
    muted: str
    grid: str
    has_title: bool = False

    def style_of(self, variant: str, variants: list[str]) -> tuple[str, str]:
        """The colour and marker of a variant, the same in every picture and every run.

        A variant of no known name takes the place that it has among such `variants`.
        """
        unknown = [name for name in variants if name not in VARIANTS]
        known = variant in VARIANTS
        number = VARIANTS.index(variant) if known else len(VARIANTS) + unknown.index(variant)
        return _COLOURS[number % len(_COLOURS)] or self.ink, _MARKERS[number % len(_MARKERS)]

    def settings(self, salt: str) -> Mapping[str, Any]:
        """What matplotlib is told; `salt` makes the ids of an SVG those of its picture alone."""
        return {
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
            "font.size": NORMAL,
            # Names that come from rows may hold $, which matplotlib would typeset as a formula or fail on.
            "text.parse_math": False,
            "text.color": self.ink,
            "axes.labelcolor": self.ink,
            "axes.edgecolor": self.muted,
            "xtick.color": self.ink,
            "ytick.color": self.ink,
            "svg.fonttype": "none",
            "svg.hashsalt": salt,
        }


LIGHT = Theme("light", ink="#1b1b1b", muted="#6b6b6b", grid="#d4d4d4")
DARK = Theme("dark", ink="#ececec", muted="#a2a2a2", grid="#4a4a4a")
PAPER = Theme("paper", ink="#1b1b1b", muted="#6b6b6b", grid="#d4d4d4", has_title=True)
