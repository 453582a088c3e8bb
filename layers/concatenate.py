"""Arrays joined along an axis."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Concatenate(Layer):
    """Arrays side by side along an axis they have, by default the last; each gets its part of the upstream.

    forward     y   = [x1, x2, ...]                         of equal shapes but for that axis
    backward    dxi = the part of upstream where xi lies

    Raises ValueError for shapes that differ elsewhere, TypeError for an axis that is no whole number.
    """

    def __init__(self, axis: int = -1) -> None:
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
            raise TypeError(f"Concatenate: axis must be a whole number, got {axis!r}")
        self.axis = int(axis)

    def forward(self, *xs: npt.ArrayLike) -> Array:
        arrays = [self.as_input(x, what=f"input {i}") for i, x in enumerate(xs)]
        if not arrays:
            raise ValueError(f"{self.label}: expected at least one input, got none")
        dtype = np.result_type(*arrays)
        shapes = [array.shape for array in arrays]
        axis = self.axis + arrays[0].ndim if self.axis < 0 else self.axis
        if not 0 <= axis < arrays[0].ndim:
            raise ValueError(f"{self.label}: inputs must have the axis {self.axis}, got shape {shapes[0]}")
        if len({(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes}) > 1:
            raise ValueError(f"{self.label}: inputs must have equal shapes but for axis {self.axis}, got {shapes}")
        self.cache = shapes, axis, dtype
        shape = list(shapes[0])
        shape[axis] = sum(other[axis] for other in shapes)
        return np.concatenate(arrays, axis, out=self.out("y", tuple(shape), dtype))

    def backward(self, upstream: npt.ArrayLike) -> tuple[tuple[Array, ...], dict[str, Array]]:
        shapes, axis, dtype = self.recall()
        ends = np.cumsum([shape[axis] for shape in shapes])
        whole = (*shapes[0][:axis], int(ends[-1]), *shapes[0][axis + 1 :])
        parts = np.split(self.as_upstream(upstream, whole, dtype), ends[:-1], axis)
        return tuple(np.positive(part, out=self.out(f"dx{i}", part.shape, dtype)) for i, part in enumerate(parts)), {}
