"""The larger of two."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.broadcasting import Broadcasting
from handgrad.params import Array


class Max(Broadcasting):
    """Maximum of two arrays, elementwise; the upstream goes to the larger one alone (L10).

    forward     y  = max(a, b)
    backward    da = upstream where a >= b, else 0      summed over the axes along which a was repeated
                db = upstream where a < b, else 0       so too for b
    """

    def forward(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
        self.cache = a, b = self.as_operands(a, b)
        return np.maximum(a, b, out=self.out("y", self.common_shape(a, b), a.dtype))

    def backward(self, upstream: npt.ArrayLike) -> tuple[tuple[Array, Array], dict[str, Array]]:
        a, b, upstream = self.recalled(upstream)
        da = np.greater_equal(a, b, out=self.out_like("da", upstream))  # 1 where a is the larger, else 0
        db = np.less(a, b, out=self.out_like("db", upstream))
        da *= upstream
        db *= upstream
        return (self.summed("da", da, a), self.summed("db", db, b)), {}
