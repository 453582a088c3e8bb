"""Images to vectors."""

from __future__ import annotations

import math

import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Flatten(Layer):
    """Makes a vector of each instance (L13); no parameters.

    forward     y  = x, reshaped            x [B x C x W x H] -> y [B x CWH]
    backward    dx = upstream, shaped as x was
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        if x.ndim < 2:
            raise ValueError(f"Flatten(): input must be [B x ...] with at least 2 axes, got {x.shape}")
        self.cache = x.shape, x.dtype
        return x.reshape(len(x), -1)

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        shape, dtype = self.recall()
        upstream = self.as_upstream(upstream, (shape[0], math.prod(shape[1:])), dtype)
        return upstream.reshape(shape), {}
