"""Numbers and sizes that hide no mistake."""

from __future__ import annotations

import numpy as np

from handgrad.params import Array

LARGE = (24, 36)
"""Sizes, from and to, beyond toys: values that are right for toys alone are not right."""


def mixed(rng: np.random.Generator, *shape: int) -> Array:
    """Random numbers of both signs, none of them near zero."""
    return rng.choice((-1.0, 1.0), shape) * rng.uniform(0.2, 2.0, shape)


def sizes_apart(rng: np.random.Generator, count: int, low: int = 2, high: int = 8) -> list[int]:
    """Different sizes from low to high, so that no axis can be taken for another."""
    return [int(size) for size in rng.choice(np.arange(low, high + 1), count, replace=False)]
