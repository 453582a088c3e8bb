"""Data in .npz and .csv files."""

from __future__ import annotations

import csv
import gzip
import itertools
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import IO

import numpy as np

from handgrad.data.checks import class_names, class_numbers, pixel_scale, require_file, require_finite
from handgrad.data.dataset import Array, DataError, Dataset, PathLike
from handgrad.files import DAMAGED

INPUT_NAMES = ("x", "data", "images")
LABEL_NAMES = ("label", "labels", "class", "target", "y", "species", "digit")
"""Names that mark an array or a column as the labels; where there are several, the first of these."""


def read_npz(path: PathLike) -> tuple[Dataset, Dataset | None]:
    """(training, test) of x_train, y_train, x_test, y_test; or (all, None) of x and y, or of x alone.

    x [N x ...] is flattened to [N x d], and scaled by 1/255 if it is uint8. y [N] are class numbers, words
    (numbered in alphabetical order) or float targets. DataError says what is wrong with the file.
    """
    names, arrays = _arrays(path)
    x = [_inputs(path, name, arrays[name]) for name in names[::2]]
    y = [arrays[name] for name in names[1::2]]
    for x_name, y_name, inputs, labels in zip(names[::2], names[1::2], x, y, strict=False):
        if labels.shape not in ((len(inputs),), (len(inputs), 1)):
            raise DataError(
                f"{path}: expected {y_name} of shape ({len(inputs)},), "
                f"a label for each row of {x_name}, got {labels.shape}"
            )
    if not y:
        return Dataset(x[0], np.empty(0, np.int64), pixel_scale(x[0])), None
    if x[0].shape[1] != x[-1].shape[1]:
        raise DataError(
            f"{path}: expected as many features in {names[0]} as in {names[2]}, "
            f"got {x[0].shape[1]} features and {x[1].shape[1]}"
        )
    y, classes = _labels(path, names[1::2], [labels.ravel() for labels in y])
    data = [Dataset(part, labels, pixel_scale(part), classes) for part, labels in zip(x, y, strict=True)]
    return data[0], data[1] if len(data) > 1 else None


def _arrays(path: PathLike) -> tuple[list[str], dict[str, Array]]:
    """The names [x, y, x of the test, y of the test] as far as the file has them, and their arrays."""
    if not zipfile.is_zipfile(require_file(path)):
        raise DataError(f"{path}: expected an .npz file, but it is something else or truncated")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            stored = {name.lower(): name for name in archive.files}
            names = _names(path, stored)
            arrays = {name: archive[stored[name]] for name in names}
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise ValueError("it holds something else than arrays")
            return names, arrays
    except DataError:
        raise
    except (*DAMAGED, OSError) as error:
        damage = "it holds Python objects" if "pickle" in str(error) else f"it is damaged: {error}"
        raise DataError(f"{path}: expected an .npz file of plain arrays, but {damage}") from None


def _names(path: PathLike, stored: Collection[str]) -> list[str]:
    listing = ", ".join(stored) or "nothing"
    parts = ["x_train", "y_train", "x_test", "y_test"]
    missing = [name for name in parts if name not in stored]
    if not missing:
        return parts
    if len(missing) < len(parts):
        raise DataError(f"{path}: expected {', '.join(missing)} beside the others, but it holds {listing}")
    inputs = [name for name in INPUT_NAMES if name in stored]
    if not inputs:
        raise DataError(f"{path}: expected arrays x and y, or {', '.join(parts)}, but it holds {listing}")
    return [inputs[0], *[name for name in LABEL_NAMES if name in stored][:1]]


def _inputs(path: PathLike, name: str, x: Array) -> Array:
    if x.dtype.kind not in "buif" or x.ndim < 1 or not x.size:
        raise DataError(f"{path}: expected numbers [N x d] in {name}, got {x.dtype} of shape {x.shape}")
    require_finite(x, lambda *i: f"{path}: {name}{list(i)}")
    return x.reshape(len(x), -1)


def _labels(path: PathLike, names: list[str], parts: list[Array]) -> tuple[list[Array], tuple[str, ...]]:
    """Class numbers or targets for each part, and the classes' names."""
    if all(y.dtype.kind == "U" for y in parts):
        classes, numbers = np.unique(np.concatenate(parts), return_inverse=True)
        return np.split(numbers.astype(np.int64), [len(parts[0])])[: len(parts)], tuple(map(str, classes))
    for name, y in zip(names, parts, strict=True):
        if y.dtype.kind not in "buif":
            raise DataError(f"{path}: expected labels that are numbers in {name}, got {y.dtype}")
    labels = [_class_numbers(path, name, y) for name, y in zip(names, parts, strict=True)]
    return labels, class_names(*labels)


def _class_numbers(path: PathLike, name: str, y: Array) -> Array:
    return class_numbers(y, lambda i: f"{path}: {name}[{i}]")


def read_csv(path: PathLike, *, label: str | int | None = None, features: int | None = None) -> Dataset:
    """Rows of numbers and a label, separated by commas, with or without a header line; .gz too.

    `label` names the column of labels, or counts it from 0 (-1 is the last); by default it is the one with a
    usual name ("label", "class", "target", ...), else the last. Labels may be words; they are numbered in
    alphabetical order. With `features`, a file of just so many columns has no labels. Features are float32.
    DataError names the line and the column, counted from 1, that keep the file from being read.
    """
    lines = list(itertools.islice(_rows(path), 2))
    if not lines:
        raise DataError(f"{path}: expected rows of numbers, but the file is empty")
    width = len(lines[0][1])
    if features is not None and width not in (features, features + 1):
        hint = "; is the separator a comma?" if width == 1 else ""
        wanted = f"{features} columns, or {features + 1} with labels"
        raise DataError(f"{path}: expected {wanted}, got {width}{hint}")
    if features is None and width == 1:
        raise DataError(f"{path}: expected features and a label, got one column; is the separator a comma?")
    column = None if width == features else _label_column(path, lines[0][1], label)
    named = column is not None and isinstance(label, str)
    header = named or _has_header(path, [cells for _, cells in lines], column)
    if header and len(lines) == 1:
        raise DataError(f"{path}: expected rows of numbers, but there is only the header line")
    x, words = _read_rows(path, int(header), column)
    if column is None:
        return Dataset(x, np.empty(0, np.int64))
    y, classes = _numbered(path, words, int(header), column)
    return Dataset(x, y, 1.0, classes)


def _open(path: PathLike) -> IO[str]:
    if str(path).lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return open(path, encoding="utf-8-sig")


def _rows(path: PathLike) -> Iterator[tuple[int, list[str]]]:
    """Each line's number and cells, save blank lines; DataError for one of another width."""
    width = 0
    require_file(path)
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                cells = next(csv.reader([line])) if '"' in line else line.rstrip("\n").split(",")
                width = width or len(cells)
                if len(cells) != width:
                    raise DataError(
                        f"{path}: line {number}: expected {width} columns as in the first line, "
                        f"got {len(cells)} columns"
                    )
                yield number, cells
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error, csv.Error) as error:
        raise DataError(f"{path}: expected comma-separated values, damaged or no text: {error}") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.isascii() and "_" not in cell


def _label_column(path: PathLike, first: Sequence[str], label: str | int | None) -> int:
    names = [cell.strip().lower() for cell in first]
    if label is None:
        return next((names.index(name) for name in LABEL_NAMES if name in names), len(names) - 1)
    if isinstance(label, str) and label.strip().lower() in names:
        return names.index(label.strip().lower())
    if isinstance(label, str):
        columns = f"the columns {', '.join(first)}"
        if any(map(_is_number, first)):
            columns = f"no header: give the column's number, 0 to {len(first) - 1}"
        raise DataError(f"{path}: expected a column named {label!r}, but it has {columns}")
    if not -len(first) <= label < len(first):
        raise DataError(f"{path}: expected a label column from 0 to {len(first) - 1}, got {label}")
    return label % len(first)


def _has_header(path: PathLike, lines: Sequence[Sequence[str]], column: int | None) -> bool:
    """Whether the first line holds names: no number among the features, or a label column's name."""
    first, second = lines[0], lines[-1]
    words = [i for i, cell in enumerate(first) if i != column and not _is_number(cell)]
    named = False
    if column is not None and not _is_number(first[column]):
        # "y" alone may as well be a class, as may any word where the next line has a word, too.
        name = first[column].strip().lower()
        named = (name in LABEL_NAMES and name != "y") or (len(lines) > 1 and _is_number(second[column]))
        numbers = [cell.strip() for i, cell in enumerate(first) if i != column]
        counted = any(numbers == [str(i) for i in range(start, start + len(numbers))] for start in (0, 1))
        if named and name not in LABEL_NAMES and not words and not (name and counted):
            raise DataError(
                f"{path}: line 1, column {column + 1}: expected a label that is a number, as in line 2, or names in "
                f"every column, got {first[column]!r}"
            )
    if words and len(words) < len(first) - (column is not None) and not named:
        # One word among numbers is rather a damaged line than a header; dropping it would go unnoticed.
        raise DataError(
            f"{path}: line 1, column {words[0] + 1}: expected a number, "
            f"or names in every column, got {first[words[0]]!r}"
        )
    return bool(words) or named


def _read_rows(path: PathLike, skip: int, column: int | None) -> tuple[Array, list[str]]:
    """The features [N x d] and the cells of the label column."""
    words: list[str] = []

    def features() -> Iterator[str]:
        for _, cells in itertools.islice(_rows(path), skip, None):
            if column is not None:
                words.append(cells.pop(column).strip())
            yield ",".join(cells)

    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is reported below
            x = np.loadtxt(features(), np.float32, delimiter=",", comments=None, ndmin=2)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(_offending_cell(path, skip, column) or f"{path}: {error}") from None
    if not np.isfinite(x).all():
        raise DataError(_offending_cell(path, skip, column))
    return x, words


def _offending_cell(path: PathLike, skip: int, column: int | None) -> str:
    """Which feature kept the file from being read."""
    for number, cells in itertools.islice(_rows(path), skip, None):
        for i, cell in enumerate(cells):
            if i == column:
                continue
            if not _is_number(cell):
                return f"{path}: line {number}, column {i + 1}: expected a number, got {cell!r}"
            if not abs(float(cell)) <= float(np.finfo(np.float32).max):
                return f"{path}: line {number}, column {i + 1}: expected a finite number, got {cell!r}"
    return ""


def _numbered(path: PathLike, words: list[str], skip: int, column: int) -> tuple[Array, tuple[str, ...]]:
    """Class numbers or targets of the label column, and the classes' names."""

    def place(i: int) -> str:
        number, _ = next(itertools.islice(_rows(path), skip + i, None))
        return f"{path}: line {number}, column {column + 1}"

    if "" in words:
        raise DataError(f"{place(words.index(''))}: expected a label, but the cell is empty")
    numeric = [_is_number(word) for word in words]
    if not any(numeric):
        classes, numbers = np.unique(words, return_inverse=True)
        return numbers.astype(np.int64), tuple(map(str, classes))
    if not all(numeric):
        i = numeric.index(sum(numeric) * 2 < len(numeric))
        raise DataError(f"{place(i)}: expected labels that are all numbers or all words, got {words[i]!r}")
    y = class_numbers(np.array(words, np.float64), place)
    return (y if y.dtype == np.int64 else y.astype(np.float32)), class_names(y)
