"""A data set: inputs and labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
PathLike: TypeAlias = str | os.PathLike[str]


class DataError(ValueError):
    """A file or an array that holds no usable data; one sentence says which, what is wrong, and where."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels, one instance a row: `x, y = data`.

    `stored` [N x d] are the inputs as they were read, so that pixels stay one byte each; `x` are those in the
    model's units, `stored * scale` as floats. `y` [N] are class numbers (int64), or float targets; `classes`
    names the classes, and may be empty. Data without labels has an empty `y`. DataError when there are no
    rows, or not as many labels as rows.
    """

    stored: Array
    y: Array
    scale: float = 1.0
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if np.ndim(self.stored) < 1 or not len(self.stored):
            raise DataError("data must hold at least one row, got none")
        if np.ndim(self.y) < 1 or len(self.y) not in (0, len(self.stored)):
            raise DataError(
                "data must have a label for each row, "
                f"got {len(self.stored)} rows and labels of shape {np.shape(self.y)}"
            )

    @property
    def x(self) -> Array:
        """[N x d] floats, a new array: float32, or the floating dtype of `stored`."""
        dtype = self.stored.dtype if self.stored.dtype.kind == "f" else np.dtype(np.float32)
        x: Array = np.multiply(self.stored, dtype.type(self.scale), dtype=dtype)
        return x

    @property
    def labelled(self) -> bool:
        """Whether the rows have labels."""
        return len(self.y) > 0

    def __len__(self) -> int:
        return len(self.stored)

    def __iter__(self) -> Iterator[Array]:
        yield self.x
        yield self.y

    def rows(self, chosen: Array) -> Dataset:
        """The chosen rows, in that order."""
        y = self.y[chosen] if self.labelled else self.y
        return Dataset(self.stored[chosen], y, self.scale, self.classes)

    def split(self, share: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
        """(training, test): `share` of the rows for the test, by a permutation that the seed fixes."""
        if len(self) < 2:
            raise DataError("data must hold at least two rows to be split into training and test, got one")
        order = np.random.default_rng(seed).permutation(len(self))
        tests = min(max(1, round(share * len(self))), len(self) - 1)
        return self.rows(order[tests:]), self.rows(order[:tests])
