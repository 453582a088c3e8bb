"""Layers with known mistakes, and correct layers in awkward conditions: what a gradient checker is measured on.

`BUGS` must all be reported, `CORRECT` must all pass; both are lists of `Case`. Nothing here imports handgrad: every
layer is a few lines of plain NumPy, and a bug is its correct neighbour with one method replaced.
"""

from . import activations, containers, convolution, fc, gates, losses, normalisation, softmax
from .case import Case

FAMILIES = (fc, activations, softmax, losses, normalisation, convolution, gates, containers)
BUGS = [case for family in FAMILIES for case in family.BUGS]
CORRECT = [case for family in FAMILIES for case in family.CORRECT]

__all__ = ["BUGS", "CORRECT", "FAMILIES", "Case"]
