"""A Jacobian as text for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from handgrad.jacobians.extent import in_bytes
from handgrad.params import Array

if TYPE_CHECKING:
    from handgrad.jacobian import Jacobian

MOST_COLUMNS, MOST_ROWS = 12, 40
"""Of a matrix whose numbers are printed."""

WIDEST, TALLEST = 96, 64
"""Of a matrix of which zeros and others are printed as characters."""

WIDTH = 110
"""Of a line of words."""

MOST_NUMBERS = 24
"""Of an array that is printed on one line."""


def report(jacobian: Jacobian) -> str:
    """Shape, convention, matrix, structure, zeros, bytes, differences, and the product with the upstream."""
    j = jacobian
    columns = "input" if j.extent.columns == "inputs" else f"entry of {j.by}"
    everywhere = "" if j.zeros == j.zeros_everywhere else f", {j.zeros_everywhere:,} of them at other values too"
    product = j.product(j.upstream)
    return "\n".join(
        [
            f"{j.layer} by {j.by}: {j.extent}",
            f"{j.extent.convention}.",
            f"Numerator layout: one row an output, one column an {columns}, in row-major order.",
            "",
            *_table(j.matrix, entry_names("y", j.output_shape), entry_names(j.by, j.input_shape)),
            "",
            _field("structure", j.structure),
            _field("zeros", f"{j.zeros:,} of {j.matrix.size:,}{everywhere}"),
            _field("bytes", f"{in_bytes(j.nbytes)} in float64"),
            _field("differences", _differences(j)),
            "",
            f"upstream            {one_line(j.upstream)}",
            f"upstream @ J        {one_line(product)}",
            f"backward(upstream)  {one_line(j.gradient)}",
            f"largest difference  {largest_difference(product, j.gradient)}",
        ]
    )


def largest_difference(a: Array, b: Array) -> str:
    return number(float(np.abs(a - b).max(initial=0.0)), ".1g")


def one_line(array: Array) -> str:
    """The numbers in nested brackets; only the shape where there are many."""
    if array.size > MOST_NUMBERS:
        return f"{array.size:,} numbers, {list(array.shape)}"
    if array.ndim == 0:
        return number(float(array))
    return f"[{', '.join(one_line(part) for part in array)}]"


def number(value: float, form: str = ".4g") -> str:
    return format(value + 0.0, form)  # + 0.0 makes 0 of -0


def _field(name: str, words: str) -> str:
    return textwrap.fill(f"{name:<13}{words}", WIDTH, subsequent_indent=" " * 13)


def _differences(j: Jacobian) -> str:
    kinks = int(np.count_nonzero(np.isnan(j.differences)))
    entries = "1 entry" if kinks == 1 else f"{kinks:,} entries"
    beside = (
        f"; {entries} left out, at a kink (the slopes to its two sides differ) or the domain's edge" if kinks else ""
    )
    what = "the same" if j.agrees else "NOT the same: backward is wrong, as handgrad check tells in full"
    off = number(j.deviation, ".1g")
    return f"built column by column from forward alone: {what}, largest difference {off}{beside}"


def _table(matrix: Array, rows: Callable[[int], str], columns: Callable[[int], str]) -> Sequence[str]:
    height, width = matrix.shape
    if width > WIDEST or height > TALLEST:
        return [
            f"({height:,} rows of {width:,} numbers: too many to print; --plot or .plot(path) draws where it is zero)"
        ]
    names = [rows(i) for i in range(height)]
    margin = max(map(len, names))
    if width > MOST_COLUMNS or height > MOST_ROWS:
        lines = [
            f"{name:>{margin}}  {''.join('.#'[int(v != 0)] for v in row)}"
            for name, row in zip(names, matrix, strict=True)
        ]
        return [*lines, f"{'':>{margin}}  (. is zero, # is not)"]
    cells = [[columns(k) for k in range(width)], *([number(value) for value in row] for row in matrix)]
    widths = [max(len(row[k]) for row in cells) for k in range(width)]
    return [
        f"{name:>{margin}}  " + "  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True))
        for name, row in zip(["", *names], cells, strict=True)
    ]


def entry_names(letter: str, shape: tuple[int, ...]) -> Callable[[int], str]:
    """Names such as y[0,2] of the entries of an array, by their place in memory."""

    def name(flat: int) -> str:
        return f"{letter}[{','.join(map(str, np.unravel_index(flat, shape)))}]" if shape else letter

    return name
