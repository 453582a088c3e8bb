"""Data in .npz and .csv files."""

from __future__ import annotations

import csv
import gzip
import warnings
from collections.abc import Mapping, Sequence
from typing import IO, Literal

import numpy as np

from handgrad import files
from handgrad.data.dataset import DataError, Dataset
from handgrad.files import PathLike
from handgrad.params import Array

LABEL_NAMES = ("label", "labels", "class", "target", "y", "species", "digit")
"""Names that mark a column or an array as the labels."""


def read_npz(path: PathLike) -> tuple[Dataset, Dataset | None]:
    """(training, test) of x_train, y_train, x_test, y_test; or (all, None) of x and y, or of x alone."""
    try:
        arrays = {name.lower(): array for name, array in files.read_npz(path).items()}
    except ValueError as error:
        raise DataError(str(error)) from None
    if "x_train" in arrays:
        missing = [name for name in ("y_train", "x_test", "y_test") if name not in arrays]
        if missing:
            raise DataError(f"{path}: expected {', '.join(missing)} beside x_train, but it holds {', '.join(arrays)}")
        train = _from_arrays(path, arrays, "x_train", "y_train")
        test = _from_arrays(path, arrays, "x_test", "y_test")
        if train.stored.shape[1] != test.stored.shape[1]:
            raise DataError(
                f"{path}: x_train has {train.stored.shape[1]} features a row, x_test {test.stored.shape[1]}"
            )
        return train, test
    x_name = next((name for name in ("x", "data", "images") if name in arrays), None)
    if x_name is None:
        listing = ", ".join(arrays) or "nothing"
        raise DataError(f"{path}: expected arrays x and y, or x_train, y_train, x_test, y_test, but it holds {listing}")
    return _from_arrays(path, arrays, x_name, next((name for name in LABEL_NAMES if name in arrays), None)), None


def _from_arrays(path: PathLike, arrays: Mapping[str, Array], x_name: str, y_name: str | None) -> Dataset:
    x = arrays[x_name]
    y = np.empty(0, np.int64) if y_name is None else arrays[y_name]
    if x.dtype.kind not in "buif" or x.ndim < 1 or x.size == 0:
        raise DataError(f"{path}: expected numbers [N x d] in {x_name}, but it holds {x.dtype} of shape {x.shape}")
    if y_name is not None and y.shape not in ((len(x),), (len(x), 1)):
        raise DataError(
            f"{path}: expected {y_name} of shape ({len(x)},), a label for each row of {x_name}, got {y.shape}"
        )
    x = x.reshape(len(x), -1)
    _check_finite(path, x, f"{x_name} row", 0)
    labels, classes = _labels(f"{path}: {y_name}", y.ravel())
    return Dataset(x, labels, 1 / 255 if x.dtype == np.uint8 else 1.0, classes)


def read_csv(path: PathLike, *, label: str | int | None = None, features: int | None = None) -> Dataset:
    """Rows of numbers and a label, separated by commas, with or without a header line; .gz too.

    `label` names the column of labels, or counts it from 0 (-1 is the last); by default it is the one with a usual
    name ("label", "class", "target", ...), else the last. Labels may be words; they are numbered in
    alphabetical order. With `features`, a file of just so many columns has no labels.
    """
    first, second = _head(path)
    header = first if _is_header(first, second) else None
    width = len(first)
    column = None if features == width else _label_column(path, header, width, label)
    if features is not None and column is not None and width != features + 1:
        raise DataError(f"{path}: expected {features} columns, or {features + 1} with labels, but it has {width}")
    if column is not None and width == 1:
        raise DataError(f"{path}: expected features and a label, but it has one column; is the separator a comma?")
    skip = 0 if header is None else 1
    x = _numbers(path, [i for i in range(width) if i != column], skip, width)
    _check_finite(path, x, "row", 1)
    if column is None:
        return Dataset(x, np.empty(0, np.int64))
    words = _read(path, str, [column], skip, 1)
    labels, classes = _labels(f"{path}: column {column + 1}", words)
    return Dataset(x, labels, 1.0, classes)


def _read(path: PathLike, dtype: type, columns: list[int], skip: int, ndmin: Literal[1, 2]) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty file is reported by the caller
        return np.loadtxt(
            path,
            dtype,
            delimiter=",",
            usecols=columns,
            skiprows=skip,
            ndmin=ndmin,
            comments=None,
            quotechar='"',
            encoding="utf-8-sig",
        )


def _lines(path: PathLike) -> IO[str]:
    if str(path).lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def _head(path: PathLike) -> tuple[list[str], list[str]]:
    """The first two lines' cells."""
    try:
        with _lines(path) as file:
            lines = [row for _, row in zip(range(2), (row for row in csv.reader(file) if row), strict=False)]
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, csv.Error) as error:
        raise DataError(
            f"{path}: expected a text file of comma-separated values, but it is not one ({error})"
        ) from None
    if not lines:
        raise DataError(f"{path}: expected rows of numbers, but the file is empty")
    return lines[0], lines[1] if len(lines) > 1 else []


def _is_header(first: Sequence[str], second: Sequence[str]) -> bool:
    """A header has words where the next line has numbers, or words only."""
    words = [not _is_number(cell) for cell in first]
    return all(words) or any(w and _is_number(cell) for w, cell in zip(words, second, strict=False))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label_column(path: PathLike, header: Sequence[str] | None, width: int, label: str | int | None) -> int:
    names = [name.strip().lower() for name in header or ()]
    if label is None:
        return next((i for i, name in enumerate(names) if name in LABEL_NAMES), width - 1)
    if isinstance(label, str) and label.strip().lower() in names:
        return names.index(label.strip().lower())
    if isinstance(label, str):
        known = ", ".join(header) if header else f"no header, so count them: 0 to {width - 1}"
        raise DataError(f"{path}: expected a column named {label!r}, but it has {known}")
    if not -width <= label < width:
        raise DataError(f"{path}: expected a label column from 0 to {width - 1} (or negative), got {label}")
    return label % width


def _numbers(path: PathLike, columns: list[int], skip: int, width: int) -> Array:
    try:
        _check_widths(path, width)
        x = _read(path, np.float32, columns, skip, 2)
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: {_offending_cell(path, columns, skip, width) or error}") from None
    if not len(x):
        raise DataError(f"{path}: expected rows of numbers, but there is only the header line")
    return x


def _check_widths(path: PathLike, width: int) -> None:
    """Raises ValueError for a line of another width, which loadtxt overlooks when it reads chosen columns."""
    with _lines(path) as file:
        if any(line.count(",") != width - 1 and '"' not in line and line.strip() for line in file):
            raise ValueError(f"expected {width} columns in every line")


def _offending_cell(path: PathLike, columns: list[int], skip: int, width: int) -> str:
    """Which cell kept the file from being read."""
    try:
        with _lines(path) as file:
            reader = csv.reader(file)
            for row in reader:
                if reader.line_num <= skip or not row:
                    continue
                if len(row) != width:
                    return f"expected {width} columns as in the first line, but line {reader.line_num} has {len(row)}"
                for column in columns:
                    if not _is_number(row[column]):
                        place = f"line {reader.line_num}, column {column + 1}"
                        return f"expected a number in {place}, but it says {row[column]!r}"
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, csv.Error) as error:
        return f"expected comma-separated values, but the file is damaged ({error})"
    return ""


def _check_finite(path: PathLike, x: Array, row_name: str, first: int) -> None:
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        value = x[row, column]
        raise DataError(
            f"{path}: expected finite numbers, but {row_name} {row + first}, feature {column + first} is {value}"
        )


def _labels(where: str, y: Array) -> tuple[Array, tuple[str, ...]]:
    """Class numbers and the classes' names of labels that are whole numbers or words."""
    if y.dtype.kind in "US":
        try:
            y = y.astype(np.float64)
        except ValueError:
            names, numbers = np.unique(y, return_inverse=True)
            return numbers.astype(np.int64), tuple(map(str, names))
    if not y.size:
        return y.astype(np.int64), ()
    if y.dtype.kind not in "buif" or not np.isfinite(y).all():
        row = "" if y.dtype.kind not in "f" else f" in row {int(np.flatnonzero(~np.isfinite(y))[0]) + 1}"
        raise DataError(
            f"{where}: expected labels, class numbers or words, but it holds a NaN, an infinity or no number{row}"
        )
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        return y.astype(np.float32), ()  # targets of a regression
    if y.min() < 0:
        first = int(np.flatnonzero(y < 0)[0])
        raise DataError(f"{where}: expected class numbers >= 0, but row {first + 1} is {y[first]:g}")
    return y.astype(np.int64), tuple(map(str, range(int(y.max()) + 1)))
