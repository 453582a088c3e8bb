"""Mini-batches."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from handgrad.layers.initializers import generator
from handgrad.params import Array


class Batches:
    """Mini-batches (x [B x d], y [B]) of a data set; each pass over them is one whole permutation of its rows.

    Without `rng` the rows come in their stored order. The last batch may be smaller. Integers become float32
    on the way, times `scale`, so that pixels can stay one byte each. The arrays are used again for later
    batches, but only once nobody holds them any more: `list(batches(...))` is right, too.
    """

    def __init__(
        self,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        batch_size: int = 64,
        *,
        rng: np.random.Generator | int | None = None,
        scale: float = 1.0,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        self.x, self.y = np.asarray(x), np.asarray(y)
        if self.x.dtype.kind not in "buif" or self.y.dtype.kind not in "buif":
            raise TypeError(f"batches: x and y must be real numbers, got {self.x.dtype} and {self.y.dtype}")
        if self.x.ndim < 1 or self.y.ndim < 1 or not len(self.x) or len(self.x) != len(self.y):
            raise ValueError(
                f"batches: x and y must have the same number of rows, got {self.x.shape} and {self.y.shape}"
            )
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batches: batch_size must be a whole number >= 1, got {batch_size!r}")
        self.batch_size = min(int(batch_size), len(self.x))
        self.rng = None if rng is None else generator(rng)
        self.scale = scale
        floats = self.x.dtype if self.x.dtype.kind == "f" else np.float32
        self._x_pool = _Pool((self.batch_size, *self.x.shape[1:]), np.dtype(floats if dtype is None else dtype))
        self._y_pool = _Pool((self.batch_size, *self.y.shape[1:]), self.y.dtype)
        converts = self._x_pool.dtype != self.x.dtype
        self._gathered = np.empty(self._x_pool.shape, self.x.dtype) if converts else None

    def __len__(self) -> int:
        """The number of batches in one pass."""
        return -(-len(self.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        order = np.arange(len(self.x)) if self.rng is None else self.rng.permutation(len(self.x))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield self._inputs(rows), self._labels(rows)

    def _inputs(self, rows: Array) -> Array:
        x = self._x_pool.take(len(rows))
        # mode="clip" is what lets take() write into `out` directly instead of through a copy.
        if self._gathered is None:
            np.take(self.x, rows, axis=0, out=x, mode="clip")
            if self.scale != 1:
                x *= self.scale
        else:
            gathered = self._gathered[: len(rows)]
            np.take(self.x, rows, axis=0, out=gathered, mode="clip")
            np.multiply(gathered, x.dtype.type(self.scale), out=x, dtype=x.dtype)
        return x

    def _labels(self, rows: Array) -> Array:
        return np.take(self.y, rows, axis=0, out=self._y_pool.take(len(rows)), mode="clip")


class _Pool:
    """Arrays of one shape, handed out as views and used again as soon as nobody holds such a view."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        self.shape, self.dtype = shape, dtype
        self._arrays: list[Array] = [np.empty(shape, dtype)]
        self._when_free = sys.getrefcount(self._arrays[0])  # a view would add one

    def take(self, rows: int) -> Array:
        for i in range(len(self._arrays)):
            if sys.getrefcount(self._arrays[i]) == self._when_free:
                return self._arrays[i][:rows]
        self._arrays.append(np.empty(self.shape, self.dtype))
        return self._arrays[-1][:rows]


batches = Batches
