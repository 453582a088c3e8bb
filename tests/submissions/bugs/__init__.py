"""Mistakes that students make, one file a part, each beside other right ways to write the part."""

from ..entry import Bug, Correct
from . import fc, relu, sequential, sgd, sigmoid, softmax_ce, train

PARTS = (fc, relu, sigmoid, softmax_ce, sequential, sgd, train)
BUGS: list[Bug] = [bug for part in PARTS for bug in part.BUGS]
CORRECT: list[Correct] = [correct for part in PARTS for correct in part.CORRECT]

__all__ = ["BUGS", "CORRECT"]
