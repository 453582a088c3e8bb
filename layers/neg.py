"""The sign changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Neg(Layer):
    """Negation, elementwise.

    forward     y  = -x                 x of any shape
    backward    dx = -upstream
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        self.cache = x = self.as_input(x)
        return np.negative(x, out=self.out_like("y", x))

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        x: Array = self.recall()
        upstream = self.as_upstream(upstream, x.shape, x.dtype)
        return np.negative(upstream, out=self.out_like("dx", x)), {}
