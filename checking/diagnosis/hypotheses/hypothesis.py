"""What a hypothesis is."""

from __future__ import annotations

from collections.abc import Callable

from handgrad.checking.diagnosis.evidence import Case
from handgrad.params import Array

Hypothesis = tuple[str, str, Callable[[Case], "Array | None"]]
"""A cause, the sentence that explains it, and what backward would then return."""
