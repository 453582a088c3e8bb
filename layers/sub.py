"""Subtraction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.broadcasting import Broadcasting
from handgrad.params import Array


class Sub(Broadcasting):
    """Difference of two arrays, elementwise.

    forward     y  = a - b
    backward    da = upstream           summed over the axes along which a was repeated
                db = -upstream          so too for b
    """

    def forward(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
        self.cache = a, b = self.as_operands(a, b)
        return np.subtract(a, b, out=self.out("y", self.common_shape(a, b), a.dtype))

    def backward(self, upstream: npt.ArrayLike) -> tuple[tuple[Array, Array], dict[str, Array]]:
        a, b, upstream = self.recalled(upstream)
        da = np.positive(upstream, out=self.out_like("da", upstream))  # a copy: an array of its own
        db = np.negative(upstream, out=self.out_like("db", upstream))
        return (self.summed("da", da, a), self.summed("db", db, b)), {}
