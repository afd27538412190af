"""How sure a figure is: its interval, variants held against each other, and what a test can show."""

from evaluation.statistics.intervals import Estimate, estimate
from evaluation.statistics.paired import PairedDifference, adjust_by_holm, compare_paired, flip_p
from evaluation.statistics.power import POWER, SIGNIFICANCE, detectable_difference
from evaluation.statistics.resampling import CONFIDENCE, RESAMPLES
from evaluation.statistics.seeds import SeedAverage, SeedDifference, average_seeds, compare_seeds

__all__ = [
    "CONFIDENCE",
    "POWER",
    "RESAMPLES",
    "SIGNIFICANCE",
    "Estimate",
    "PairedDifference",
    "SeedAverage",
    "SeedDifference",
    "adjust_by_holm",
    "average_seeds",
    "compare_paired",
    "compare_seeds",
    "detectable_difference",
    "estimate",
    "flip_p",
]
