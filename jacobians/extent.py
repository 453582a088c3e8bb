"""How large a Jacobian is: its shape in the lecture's words (L11), its bytes, and the limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LIMIT = 2**22
"""Numbers in a Jacobian that is built: 32 MiB. It is for tiny cases; training never needs it."""

LONGEST = 2**13
"""Rows, and columns, at most: each row takes a backward, each column some forwards."""

KINDS = ("scalar", "vector", "matrix")


@dataclass(frozen=True)
class Extent:
    """The sizes of a Jacobian: a row for each entry of the output, a column for each of the `entries`."""

    outputs: tuple[int, ...]
    entries: tuple[int, ...]
    columns: str = "inputs"
    """What the columns stand for: "inputs", or "entries of W"."""
    is_parameter: bool = False

    @property
    def rows(self) -> int:
        return math.prod(self.outputs)

    @property
    def numbers(self) -> int:
        return self.rows * math.prod(self.entries)

    @property
    def nbytes(self) -> int:
        """In double precision."""
        return self.numbers * np.dtype(np.float64).itemsize

    def __str__(self) -> str:
        """Such as `[2*3 outputs x 2*4 inputs]`, a factor for each axis."""
        rows = "output" if self.rows == 1 else "outputs"
        columns = self.columns
        if math.prod(self.entries) == 1:
            columns = columns.replace("inputs", "input").replace("entries", "entry")
        return f"[{_factors(self.outputs)} {rows} x {_factors(self.entries)} {columns}]"

    @property
    def convention(self) -> str:
        """The lecture's size of such a derivative, as a sentence (L11). A batch of one row counts as a vector."""
        outputs = _without_batch(self.outputs)
        entries = self.entries if self.is_parameter else _without_batch(self.entries)
        above, below = _kind(outputs), _kind(entries)
        flat = f"[{math.prod(outputs)} x {math.prod(entries)}]"
        if not outputs and not entries:
            what = "a number"
        elif len(outputs) == 1 and not entries:
            what = f"a column, {flat}"
        elif not outputs and len(entries) == 1:
            what = f"a row, {flat}"
        elif len(outputs) == len(entries) == 1:
            what = flat
        elif not outputs:
            what = f"an array of the {below}'s shape {sizes(entries)}, laid out here as the row {flat}"
        else:
            what = f"a tensor {sizes(outputs + entries)}, laid out here as the matrix {flat}"
        single = "; the batch is of one row" if outputs != self.outputs else ""
        return f"d({above})/d({below}) is {what}{single}"

    def must_be_small(self, what: str) -> None:
        """ValueError with the bytes that it would take, if it is too large to be built."""
        if self.numbers <= LIMIT and max(self.rows, math.prod(self.entries)) <= LONGEST:
            return
        raise ValueError(
            f"the full Jacobian of {what} would be {self}, {self.numbers:,} numbers or {in_bytes(self.nbytes)} in "
            f"float64; it is built up to {LIMIT:,} numbers ({in_bytes(8 * LIMIT)}) and {LONGEST:,} rows or columns: "
            "take a smaller case (backward itself never builds it)"
        )


def sizes(shape: tuple[int, ...]) -> str:
    return f"[{' x '.join(map(str, shape))}]"


def in_bytes(count: int) -> str:
    """Such as `288 bytes` or `26.3 GB`, in powers of 1000."""
    if count < 1000:
        return f"{count} bytes"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:,.1f} EB"


def _factors(shape: tuple[int, ...]) -> str:
    return "*".join(map(str, shape)) or "1"


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) == 2 and shape[0] == 1 else shape


def _kind(shape: tuple[int, ...]) -> str:
    return KINDS[len(shape)] if len(shape) < len(KINDS) else "tensor"
