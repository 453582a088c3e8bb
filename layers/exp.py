"""The exponential."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Exp(Layer):
    """Exponential, elementwise.

    forward     y  = exp(x)             x of any shape
    backward    dx = upstream * y
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        y = np.exp(x, out=self.out_like("y", x))
        self.cache = self.keep(y)
        return y

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        y: Array = self.recall()
        upstream = self.as_upstream(upstream, y.shape, y.dtype)
        return np.multiply(upstream, y, out=self.out_like("dx", y)), {}
