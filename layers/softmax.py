"""The softmax, as a layer of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Softmax(Layer):
    """Softmax over the last axis: each row becomes a distribution; no parameters.

        forward     y  = exp(x) / sum(exp(x))                     x [B x C] -> y [B x C], rows sum to 1
        backward    dx = y * (upstream - sum(upstream * y))       sums over the last axis

    The row's maximum is subtracted first, which changes nothing but keeps exp from overflowing.
    To train a classifier, leave it out and give the logits to SoftmaxCE.
    """

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        if x.ndim == 0:
            raise ValueError("Softmax(): input must have a last axis to sum over, got a single number")
        per_row = self.out("per row", (*x.shape[:-1], 1), x.dtype)
        top = x.max(axis=-1, keepdims=True, out=per_row)
        with self.quiet():  # a difference beyond the dtype is -inf, whose exp is the right 0
            y = np.subtract(x, top, out=self.out_like("y", x))
        np.exp(y, out=y)
        y /= y.sum(axis=-1, keepdims=True, out=per_row)
        self.cache = self.keep(y)
        return y

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        y: Array = self.recall()
        upstream = self.as_upstream(upstream, y.shape, y.dtype)
        dx = np.multiply(upstream, y, out=self.out_like("dx", y))
        mean = dx.sum(axis=-1, keepdims=True, out=self.out("mean", (*y.shape[:-1], 1), y.dtype))
        np.subtract(upstream, mean, out=dx)
        dx *= y
        return dx, {}
