"""Sums over axes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array


class Sum(Layer):
    """Sum over an axis, several axes or all (None); it hands its upstream on to every summand (L10).

    forward     y  = sum of x over axis         x of any shape; a summed axis is left out, or kept as 1 (keepdims)
    backward    dx = upstream, repeated along the summed axes

    Raises ValueError for an axis that x does not have.
    """

    def __init__(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> None:
        for number in axis if isinstance(axis, tuple) else () if axis is None else (axis,):
            if isinstance(number, bool) or not isinstance(number, int | np.integer):
                raise TypeError(f"Sum: axis must be a whole number, a tuple of such or None, got {axis!r}")
        self.axis, self.keepdims = axis, bool(keepdims)

    def forward(self, x: npt.ArrayLike) -> Array:
        x = self.as_input(x)
        self.cache = x.shape, x.dtype
        axes, kept, left = self._summed(x.shape)
        return x.sum(axis=axes, keepdims=True, out=self.out("y", kept, x.dtype)).reshape(left)

    def backward(self, upstream: npt.ArrayLike) -> tuple[Array, dict[str, Array]]:
        shape, dtype = self.recall()
        axes, kept, left = self._summed(shape)
        dx = self.out("dx", shape, dtype)
        dx[...] = self.as_upstream(upstream, left, dtype).reshape(kept)
        return dx, {}

    def _summed(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The axes to sum over, numbered from 0; x's shape with 1 in their places; the sum's shape."""
        wanted = range(len(shape)) if self.axis is None else self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if not all(-len(shape) <= axis < len(shape) for axis in wanted):
            raise ValueError(f"{self.label}: input must have the axis {self.axis}, got shape {shape}")
        axes = tuple(axis % len(shape) for axis in wanted)
        if len(set(axes)) < len(axes):
            raise ValueError(f"{self.label}: the axes must be different ones, got {self.axis} for shape {shape}")
        kept = tuple(1 if i in axes else size for i, size in enumerate(shape))
        left = kept if self.keepdims else tuple(size for i, size in enumerate(shape) if i not in axes)
        return axes, kept, left
