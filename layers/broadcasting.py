"""NumPy's broadcasting of two operands, and its undoing in their gradients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.base import Layer
from handgrad.params import Array

NUMBERS = (bool, int, float)


class Broadcasting(Layer):
    """What the elementwise operations on two arrays of any shapes that NumPy broadcasts to one have in common.

    Where an operand is repeated, each of its entries is used several times, and its gradient is the sum over all uses
    (L06). Raises ValueError for shapes that do not go together.
    """

    def as_operands(self, a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Array, Array]:
        """Both as floating arrays of one dtype; a Python number takes the other's, as in NumPy 2."""
        weak_a, weak_b = type(a) in NUMBERS, type(b) in NUMBERS
        a, b = self.as_input(a, what="a"), self.as_input(b, what="b")
        if a.dtype != b.dtype:
            common = np.result_type(a.dtype, b.dtype) if weak_a == weak_b else b.dtype if weak_a else a.dtype
            a, b = a.astype(common, copy=False), b.astype(common, copy=False)
        return a, b

    def common_shape(self, a: Array, b: Array) -> tuple[int, ...]:
        """The shape of the result."""
        if a.shape == b.shape:
            return a.shape
        try:
            return np.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            raise ValueError(
                f"{self.label}: a and b must have shapes that broadcast to one, got {a.shape} and {b.shape}"
            ) from None

    def recalled(self, upstream: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """What forward cached, and the upstream as an array of the result's shape and dtype."""
        a, b = self.recall()
        return a, b, self.as_upstream(upstream, self.common_shape(a, b), a.dtype)

    def summed(self, name: str, gradient: Array, operand: Array) -> Array:
        """`gradient`, of the result's shape, summed over the axes along which `operand` was repeated."""
        if gradient.shape == operand.shape:
            return gradient
        kept = (1,) * (gradient.ndim - operand.ndim) + operand.shape
        axes = tuple(axis for axis, size in enumerate(gradient.shape) if kept[axis] != size)
        total = self.out(name + " summed", kept, gradient.dtype)
        return gradient.sum(axis=axes, keepdims=True, out=total).reshape(operand.shape)
