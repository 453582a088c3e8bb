"""The leaky rectified linear unit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class LeakyReLU(Layer):
    """Leaky rectified linear unit, elementwise (Maas et al. 2013); no parameters.

        forward     y  = x where x > 0, else negative_slope * x             x of any shape
        backward    dx = upstream where x > 0, else negative_slope * upstream

    At exactly 0 the gradient is negative_slope * upstream. Raises ValueError for a slope outside [0, 1].
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        if not 0 <= negative_slope <= 1:
            raise ValueError(f"LeakyReLU: negative_slope must lie in [0, 1], got {negative_slope!r}")
        self.negative_slope = negative_slope

    def forward(self, x: npt.ArrayLike) -> Array:
        self.cache = x = self.as_input(x)
        y = np.multiply(x, self.negative_slope, out=self.out_like("y", x))
        return np.maximum(x, y, out=y)

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        x: Array = self.recall()
        upstream = self.as_upstream(upstream, x.shape, x.dtype)
        gate = np.greater(x, 0, out=self.out_like("dx", x))  # 1 where x > 0, else 0
        np.maximum(gate, self.negative_slope, out=gate)
        return np.multiply(upstream, gate, out=gate), {}
