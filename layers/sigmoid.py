"""The logistic sigmoid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Sigmoid(Layer):
    """Logistic sigmoid, elementwise (L04, L19); no parameters.

    forward     y  = 1 / (1 + exp(-x))            x of any shape
    backward    dx = upstream * y * (1 - y)
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        # BEGIN SOLUTION sigmoid.forward points=5
        y = np.negative(x, out=self.out_like("y", x))
        with self.quiet():  # exp(-x) = inf gives the right y = 0
            np.exp(y, out=y)
        y += 1
        np.reciprocal(y, out=y)
        self.cache = self.keep(y)
        return y
        # END SOLUTION

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        y: Array = self.recall()
        upstream = self.as_upstream(upstream, y.shape, y.dtype)
        # BEGIN SOLUTION sigmoid.backward points=5
        dx = np.subtract(1, y, out=self.out_like("dx", y))
        dx *= y
        dx *= upstream
        return dx, {}
        # END SOLUTION
