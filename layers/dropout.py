"""Dropout."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array
from handgrad.randomness import generator


class Dropout(Layer):
    """Inverted dropout, elementwise (Srivastava et al. 2014): an entry is 0 with probability p; no parameters.

        forward     y  = x * mask           mask = 0 with probability p, else 1 / (1 - p)
        backward    dx = upstream * mask
        predict     y  = x                  nothing needs scaling there: the mean of y is x already

    The mask is drawn from `rng`, the layer's own generator (or a seed). Raises ValueError unless 0 <= p < 1.
    """

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | int | None = None) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p, the probability of a zero, must lie in [0, 1), got {p!r}")
        self.p = p
        self.rng = generator(rng)

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        drawn = self.rng.random(dtype=np.float32, out=self.out("drawn", x.shape, np.float32))
        self.cache = mask = np.greater_equal(drawn, self.p, out=self.out_like("mask", x))
        mask *= 1 / (1 - self.p)
        return np.multiply(x, mask, out=self.out_like("y", x))

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        mask: Array = self.recall()
        upstream = self.as_upstream(upstream, mask.shape, mask.dtype)
        return np.multiply(upstream, mask, out=self.out_like("dx", mask)), {}

    def predict(self, x: npt.ArrayLike) -> Array:
        return self.as_input(x).copy()
