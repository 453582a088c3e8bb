"""Mini-batches."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from handgrad.data.dataset import Array


class Batches:
    """Mini-batches (x [B x d], y [B]) of a data set; each pass is one whole permutation of its rows.

    `rng` is a generator or a seed; without it the rows come in their stored order. The last batch may be
    smaller. x becomes `dtype` (by default float32 for integers, else its own) times `scale`, so that pixels
    can stay one byte each. The arrays are used again for later batches, but only once nobody holds them or a
    view of them any more: `list(batches(...))` is right, too. In the stored order, what need not be converted is
    not copied: those batches are read-only views of the data.

    TypeError when x or y are no real numbers, or for an unusable `dtype` or `rng`; ValueError when they have
    no rows or differ in number, and for a `batch_size` that is no whole number >= 1.
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
        self.x, self.y = _rows("x", x), _rows("y", y)
        if len(self.x) != len(self.y) or not len(self.x):
            raise ValueError(
                "batches: x and y must have the same number of rows, at least one, "
                f"got {self.x.shape} and {self.y.shape}"
            )
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batches: batch_size must be a whole number >= 1, got {batch_size!r}")
        self.batch_size = min(int(batch_size), len(self.x))
        self.rng = _generator(rng)
        self.scale = scale
        floats = self.x.dtype if self.x.dtype.kind == "f" else np.dtype(np.float32)
        out = floats if dtype is None else np.dtype(dtype)
        if out.kind != "f":
            raise TypeError(f"batches: dtype must be a floating dtype, got {out}")
        self._x_pool = _Pool((self.batch_size, *self.x.shape[1:]), out)
        self._y_pool = _Pool((self.batch_size, *self.y.shape[1:]), self.y.dtype)
        self._gathered = None if out == self.x.dtype else np.empty(self._x_pool.shape, self.x.dtype)

    def __len__(self) -> int:
        """The number of batches in one pass."""
        return -(-len(self.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        if self.rng is None:
            x, y = _read_only(self.x), _read_only(self.y)
            for start in range(0, len(x), self.batch_size):
                rows = slice(start, start + self.batch_size)
                yield self._converted(x[rows]), y[rows]
            return
        order = self.rng.permutation(len(self.x))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield self._inputs(chosen), _gather(self.y, chosen, self._y_pool.take(len(chosen)))

    def _inputs(self, rows: Array) -> Array:
        if self._gathered is None:
            return self._scaled(_gather(self.x, rows, self._x_pool.take(len(rows))))
        return self._converted(_gather(self.x, rows, self._gathered[: len(rows)]))

    def _converted(self, stored: Array) -> Array:
        """Rows as they are stored in the batches' dtype and scale."""
        if self._gathered is None and self.scale == 1:
            return stored
        x = self._x_pool.take(len(stored))
        np.copyto(x, stored, casting="unsafe")  # and then multiplied: quicker than a product that converts
        return self._scaled(x)

    def _scaled(self, x: Array) -> Array:
        if self.scale != 1:
            x *= self.scale
        return x


def _gather(stored: Array, rows: Array, out: Array) -> Array:
    # mode="clip" is what lets take() write into `out` directly: to be able to raise for a row that does
    # not exist and leave `out` as it was, the default mode gathers into a copy first.
    return stored.take(rows, axis=0, out=out, mode="clip")


def _read_only(array: Array) -> Array:
    """A view, whose own views cannot be written to either."""
    view = array.view()
    view.flags.writeable = False
    return view


class _Pool:
    """A few arrays of one shape, handed out as views and used again as soon as nobody holds such a view.

    A view, and a view of that view, keeps a reference to the array that owns the memory, so that the
    array's reference count tells whether it is free.
    """

    LIMIT = 4  # a loop holds one batch, its model's cache another, and the next is being filled

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        self.shape, self.dtype = shape, dtype
        self._arrays: list[Array] = [np.empty(shape, dtype)]
        self._when_free = self._references(0)

    def _references(self, i: int) -> int:
        # Which references of its own the expression adds differs between versions of Python: hence measured.
        return sys.getrefcount(self._arrays[i])

    def take(self, rows: int) -> Array:
        """The first `rows` rows of an array that is free, of a new one if none is."""
        for i in range(len(self._arrays)):
            if self._references(i) == self._when_free:
                return self._arrays[i][:rows]
        if len(self._arrays) == self.LIMIT:
            del self._arrays[0]  # whoever holds it keeps it
        self._arrays.append(np.empty(self.shape, self.dtype))
        return self._arrays[-1][:rows]


def _rows(name: str, values: npt.ArrayLike) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise TypeError(f"batches: {name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim < 1:
        raise ValueError(f"batches: {name} must hold one instance a row, got a single number")
    # take() copies the whole of an array that is not contiguous, and would do so for every batch.
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _generator(rng: np.random.Generator | int | None) -> np.random.Generator | None:
    if rng is None or isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or rng < 0:
        raise TypeError(f"batches: rng must be a np.random.Generator, a seed >= 0 or None, got {rng!r}")
    return np.random.default_rng(int(rng))


batches = Batches
