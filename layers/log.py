"""The natural logarithm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Log(Layer):
    """Natural logarithm, elementwise (L19).

    forward     y  = log(x)             x of any shape, positive
    backward    dx = upstream / x

    Raises ValueError for entries that are not positive.
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        self.cache = x = self.as_input(x)
        if not x.min() > 0:
            raise ValueError(f"Log(): input must be positive, got {x.min():.6g}")
        return np.log(x, out=self.out_like("y", x))

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        x: Array = self.recall()
        upstream = self.as_upstream(upstream, x.shape, x.dtype)
        return np.divide(upstream, x, out=self.out_like("dx", x)), {}
