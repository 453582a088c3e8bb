"""What a hypothesis is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from handgrad.checking.diagnosis.evidence import Case
from handgrad.params import Array


class Hypothesis(NamedTuple):
    """A mistake that may have been made."""

    cause: str
    message: str
    """The sentence that explains it; {d} stands for the gradient's name."""
    predict: Callable[[Case], Array | None]
    """What backward would then return; None where the mistake makes no sense."""
    speaks_of_sizes: bool = False
    """Whether it must hold at other sizes, too."""
