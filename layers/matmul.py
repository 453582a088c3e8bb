"""The matrix product."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handgrad.layers.broadcasting import Broadcasting
from handgrad.params import Array


class MatMul(Broadcasting):
    """Matrix product of two arrays, as NumPy's `a @ b`: of matrices, of stacks of them, with a vector on either side.

    forward     y  = a b                a [... x m x k], b [... x k x n] -> y [... x m x n]
    backward    da = upstream b'        summed over the axes along which a was repeated
                db = a' upstream        so too for b

    A vector a [k] is a row, b [k] a column, and that axis is left out of y (L12). Raises ValueError where a's columns
    are not as many as b's rows.
    """

    def forward(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Array:
        a, b = self.as_operands(a, b)
        self.cache = a, b
        if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
            raise ValueError(
                "MatMul(): a must be [... x m x k] and b [... x k x n], or one of them a vector [k], "
                f"got {a.shape} and {b.shape}"
            )
        A, B = _matrices(a, b)
        stack = self._stack(A, B)
        if stack:
            y = np.matmul(A, B, out=self.out("y", (*stack, A.shape[-2], B.shape[-1]), A.dtype))
        else:
            y = self.product("y", A, B)
        return y.reshape(stack + a.shape[-2:-1] + b.shape[b.ndim - 1 :] * (b.ndim > 1))

    def backward(self, upstream: npt.ArrayLike) -> tuple[tuple[Array, Array], dict[str, Array]]:
        a, b = self.recall()
        A, B = _matrices(a, b)
        stack = self._stack(A, B)
        shape = stack + a.shape[-2:-1] + b.shape[b.ndim - 1 :] * (b.ndim > 1)
        upstream = self.as_upstream(upstream, shape, a.dtype).reshape(*stack, A.shape[-2], B.shape[-1])
        if stack:
            dA = np.matmul(upstream, B.swapaxes(-1, -2), out=self.out("da", stack + A.shape[-2:], a.dtype))
            dB = np.matmul(A.swapaxes(-1, -2), upstream, out=self.out("db", stack + B.shape[-2:], a.dtype))
        else:
            dA, dB = self.product("da", upstream, B.T, like=A), self.product("db", A.T, upstream, like=B)
        return (self.summed("da", dA, A).reshape(a.shape), self.summed("db", dB, B).reshape(b.shape)), {}

    def _stack(self, A: Array, B: Array) -> tuple[int, ...]:
        """The axes of y before its matrices' own."""
        return self.common_shape(A[..., 0, 0], B[..., 0, 0])


def _matrices(a: Array, b: Array) -> tuple[Array, Array]:
    return (a if a.ndim > 1 else a[np.newaxis, :]), (b if b.ndim > 1 else b[:, np.newaxis])
