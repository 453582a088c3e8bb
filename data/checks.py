"""What every reader asks of the numbers in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from handgrad.data.dataset import Array, DataError, PathLike

Place = Callable[..., str]
"""Says where the entry with these indices stands, beginning with the file's name."""


def require_file(path: PathLike) -> Path:
    """The path of a file that exists, else DataError."""
    if not Path(path).is_file():
        found = "it is a folder" if Path(path).is_dir() else "there is no such file"
        raise DataError(f"{path}: expected a file, but {found}")
    return Path(path)


def require_finite(x: Array, place: Place) -> None:
    """DataError for the first NaN or infinity."""
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise DataError(f"{place(*index)}: expected a finite number, got {x[index]}")


def class_numbers(y: Array, place: Place) -> Array:
    """Whole numbers [N] as int64 class numbers; with fractions among them, the float targets they are.

    DataError for a NaN, an infinity, or a class number below 0.
    """
    require_finite(y, place)
    # Beyond 2**53 not every whole number is a float64: such numbers are measurements, no classes.
    if y.dtype.kind == "f" and ((y != np.floor(y)) | (np.abs(y) > 2.0**53)).any():
        return y
    numbers = y.astype(np.int64)
    if numbers.min() < 0:
        first = int(np.argmax(numbers < 0))
        raise DataError(f"{place(first)}: expected a class number >= 0, got {y[first]:g}")
    return numbers


def class_names(*labels: Array) -> tuple[str, ...]:
    """("0", ..., the largest class number); none for float targets."""
    if any(y.dtype.kind == "f" for y in labels):
        return ()
    highest = max(int(y.max(initial=-1)) for y in labels)
    # Numbers that large are no classes (prices, years in seconds): their names would fill the memory.
    return tuple(map(str, range(highest + 1))) if highest < 2**16 else ()


def pixel_scale(x: Array) -> float:
    """What brings the inputs to 0..1 when they are pixels of one byte."""
    return 1 / 255 if x.dtype == np.uint8 else 1.0
