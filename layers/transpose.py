"""The axes reversed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Transpose(Layer):
    """Transpose: all axes in reverse order, a matrix's rows become its columns.

    forward     y  = x'                 x of any shape
    backward    dx = upstream'

    Both are copies, so that no result shares memory with what came in.
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        self.cache = x.shape, x.dtype
        return np.positive(x.T, out=self.out("y", x.shape[::-1], x.dtype))

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        shape, dtype = self.recall()
        upstream = self.as_upstream(upstream, shape[::-1], dtype)
        return np.positive(upstream.T, out=self.out("dx", shape, dtype)), {}
