"""Division."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.broadcasting import Broadcasting
from handgrad.params import Array


class Div(Broadcasting):
    """Quotient of two arrays, elementwise.

    forward     y  = a / b
    backward    da = upstream / b                   summed over the axes along which a was repeated
                db = -upstream * (a / b) / b        so too for b
    """

    def forward(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
        self.cache = a, b = self.as_operands(a, b)
        return np.divide(a, b, out=self.out("y", self.common_shape(a, b), a.dtype))

    def backward(self, upstream: npt.ArrayLike) -> tuple[tuple[Array, Array], dict[str, Array]]:
        a, b, upstream = self.recalled(upstream)
        da = np.divide(upstream, b, out=self.out_like("da", upstream))
        db = np.divide(a, b, out=self.out_like("db", upstream))
        db *= da
        np.negative(db, out=db)
        return (self.summed("da", da, a), self.summed("db", db, b)), {}
