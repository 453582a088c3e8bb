"""Matrix products through NumPy's BLAS, each by the call that is quickest for its shapes.

Never through scipy.linalg.blas: SciPy brings an OpenBLAS of its own, and the waiting threads of two such pools take
the cores from each other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from handgrad.params import Array

LARGE = 2**15
"""Entries of a result from which `np.matmul` is worth its longer call: `dot` sets its result to zero first."""


def column_major(rows: int, columns: int) -> bool:
    """Whether a product [rows x columns] is quicker in column-major order, as (b' a')'.

    OpenBLAS packs and shares out work best when the shorter side of a result is the contiguous one. For small
    batches of wide layers that makes up to a third.
    """
    return rows < columns


def product(a: Array, b: Array, out: Array) -> Array:
    """The matrix product a b, written into `out` [rows x columns], which is contiguous in either order."""
    if out.flags.fnc:
        product(b.T, a.T, out.T)
    elif len(a) == 1:  # a batch of one: a vector times a matrix, which not every BLAS notices by itself
        a[0].dot(b, out[0])
    elif out.size < LARGE or len(b) == 1:  # len(b) == 1: matmul has no BLAS call for an outer product
        a.dot(b, out)
    else:
        np.matmul(a, b, out)
    return out


def sum_of_rows(a: Array, out: Array) -> Array:
    """The sum of a's rows, written into `out`: as a product with ones, which takes half the time of `a.sum(axis=0)`."""
    return _ones(len(a), a.dtype).dot(a, out)


def sum_of_columns(a: Array, out: Array) -> Array:
    """The sum of each row's entries, written into `out` [rows x 1]."""
    a.dot(_ones(a.shape[1], a.dtype), out[:, 0])
    return out


@lru_cache(maxsize=8)
def _ones(size: int, dtype: np.dtype[Any]) -> Array:
    return np.ones(size, dtype)
