"""Submissions that a grader must get right: see README.md."""

from .bugs import BUGS, CORRECT
from .entry import FILES, POINTS, Bug, Correct, Hostile, part_of, points_of, written
from .hostile import HONEST_ARCHIVES, HOSTILE, zipped
from .oddities import ODDITIES
from .plain import PLAIN, plain

__all__ = [
    "BUGS",
    "CORRECT",
    "FILES",
    "HONEST_ARCHIVES",
    "HOSTILE",
    "ODDITIES",
    "PLAIN",
    "POINTS",
    "Bug",
    "Correct",
    "Hostile",
    "part_of",
    "plain",
    "points_of",
    "written",
    "zipped",
]
