"""Numbers, arrays, sizes and tables as compact text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Shape: TypeAlias = tuple[int | str, ...]
"""A shape in numbers or in letters."""


def number_text(value: Any) -> str:
    """-4 rather than -4.0000, and four digits of what is no whole number."""
    number = float(value)
    if number == 0:
        return "0"  # never -0
    return str(int(number)) if number.is_integer() and abs(number) < 1e6 else f"{number:.4g}"


def array_text(value: Any, longest: int = 50) -> str:
    """All entries, if they fit in `longest` characters; else the size and the norm."""
    return entries_text(value, longest) or f"{size_text(np.shape(value))} norm {number_text(np.linalg.norm(value))}"


def entries_text(value: Any, longest: int = 50) -> str:
    """All entries in one line; nothing where they do not fit in."""
    array = np.asarray(value)
    text = _entries(array) if array.size <= longest else ""
    return text if len(text) <= longest else ""


def size_text(shape: Shape) -> str:
    """(3,4); (4,) for a vector; a number counts as 1x1, as in the lecture (L20)."""
    if len(shape) == 1:
        return f"({shape[0]},)"
    return f"({','.join(map(str, shape or (1, 1)))})"


def _entries(array: Any) -> str:
    return f"[{', '.join(map(_entries, array))}]" if array.ndim else number_text(array)


def table(rows: Sequence[Sequence[str]], indent: str = "   ") -> str:
    """Rows of cells as aligned lines; a row of one cell is a heading and may be of any length."""
    full = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    lines = []
    for row in rows:
        cells = row if len(row) == 1 else [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)
