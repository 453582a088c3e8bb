"""A constant power."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Power(Layer):
    """Power with a constant exponent, elementwise (L12).

    forward     y  = x ** exponent                              x of any shape
    backward    dx = upstream * exponent * x ** (exponent - 1)

    Raises TypeError for an exponent that is no number, ValueError for one that is not finite.
    """

    def __init__(self, exponent: float) -> None:
        if isinstance(exponent, bool) or not isinstance(exponent, int | float | np.integer | np.floating):
            raise TypeError(f"Power: exponent must be a number, got {exponent!r}")
        if not math.isfinite(exponent):
            raise ValueError(f"Power: exponent must be finite, got {exponent!r}")
        self.exponent = float(exponent)

    def forward(self, x: npt.ArrayLike) -> Array:
        self.cache = x = self.as_input(x)
        return np.power(x, self.exponent, out=self.out_like("y", x))

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        x: Array = self.recall()
        upstream = self.as_upstream(upstream, x.shape, x.dtype)
        dx = self.out_like("dx", x)
        if self.exponent == 0:  # where x is 0, the formula is 0 times infinity
            dx.fill(0)
            return dx, {}
        np.power(x, self.exponent - 1, out=dx)
        dx *= self.exponent
        dx *= upstream
        return dx, {}
