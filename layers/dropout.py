"""Dropout."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array
from handgrad.randomness import generator


class Dropout(Layer):
    """Inverted dropout (Srivastava et al. 2014): sets each entry to 0 with probability p; no parameters.

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
        self.cache = mask = self.out("mask", x.shape, x.dtype)
        np.copyto(mask, self.rng.random(x.shape, dtype=np.float32) >= self.p)
        mask *= 1 / (1 - self.p)
        return np.multiply(x, mask, out=self.out("y", x.shape, x.dtype))

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        mask: Array = self.recall()
        upstream = self.as_upstream(upstream, mask.shape, mask.dtype)
        return np.multiply(upstream, mask, out=self.out("dx", mask.shape, mask.dtype)), {}

    def predict(self, x: npt.ArrayLike) -> Array:
        return self.as_input(x).copy()
