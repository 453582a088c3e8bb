"""The hyperbolic tangent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Tanh(Layer):
    """Hyperbolic tangent, elementwise; no parameters.

    forward     y  = tanh(x)                      x of any shape
    backward    dx = upstream * (1 - y * y)
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        y = np.tanh(x, out=self.out_like("y", x))
        self.cache = self.keep(y)
        return y

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        y: Array = self.recall()
        upstream = self.as_upstream(upstream, y.shape, y.dtype)
        dx = np.multiply(y, y, out=self.out_like("dx", y))
        np.subtract(1, dx, out=dx)
        dx *= upstream
        return dx, {}
