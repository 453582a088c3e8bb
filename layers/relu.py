"""The rectified linear unit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class ReLU(Layer):
    """Rectified linear unit, elementwise (L15, L16); no parameters.

    forward     y  = max(0, x)              x of any shape
    backward    dx = upstream * (x > 0)     0 where x is exactly 0
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        # BEGIN SOLUTION relu.forward points=3
        self.cache = x
        return np.maximum(x, self.zero(x), out=self.out_like("y", x))
        # END SOLUTION

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        x: Array = self.recall()
        upstream = self.as_upstream(upstream, x.shape, x.dtype)
        # BEGIN SOLUTION relu.backward points=5
        gate = np.greater(x, 0, out=self.out_like("dx", x))  # 1 where x > 0, else 0
        return np.multiply(upstream, gate, out=gate), {}
        # END SOLUTION
