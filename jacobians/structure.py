"""The name of a Jacobian's structure, read off its zeros."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from handgrad.checking.subject import Point
from handgrad.jacobians.extent import Extent
from handgrad.params import Array


def structure(matrices: Sequence[Array], points: Sequence[Point], extent: Extent, name: str) -> str:
    """What the Jacobian is called, in words, such as `diagonal: output i depends on input i alone`.

    `matrices` are the Jacobians by `name` at several `points`. A place counts as zero if it is zero at all of them:
    a closed gate does not make another structure.
    """
    whole = _of_matrix(matrices)
    if whole not in ("dense", "sparse"):
        return whole
    found = _by_weight(matrices, extent, name) if extent.is_parameter else _by_batch(matrices, points, extent)
    if found:
        return found
    if whole == "dense":
        every = "every input" if extent.columns == "inputs" else f"all {extent.columns}"
        return f"dense: every output depends on {every}{_which([[m] for m in matrices], points, 'it is')}"
    return "sparse: zeros in no pattern that has a name"


def zeros_everywhere(matrices: Sequence[Array]) -> int:
    """How many entries are zero in all of them."""
    return int(np.count_nonzero(~_pattern(matrices)))


def _pattern(matrices: Sequence[Array]) -> Array:
    """Where any of them is not zero."""
    pattern: Array = np.any([matrix != 0 for matrix in matrices], axis=0)
    return pattern


def _of_matrix(matrices: Sequence[Array]) -> str:
    """The name of a matrix, given at several points, by itself."""
    pattern, first = _pattern(matrices), matrices[0]
    rows, columns = pattern.shape
    if not pattern.any():
        return "zero: nothing depends on it"
    if pattern.size == 1:
        return "a single number"
    is_constant = all(np.array_equal(first, other) for other in matrices[1:])
    if rows == columns and not pattern[_off_diagonal(rows)].any():
        factor = float(first[0, 0])
        if is_constant and np.all(first.diagonal() == factor):
            return "identity" if factor == 1 else f"{factor:g} times the identity"
        return "diagonal: output i depends on input i alone"
    once = rows == columns and np.all(pattern.sum(axis=0) == 1) and np.all(pattern.sum(axis=1) == 1)
    if once and is_constant and np.all(first[pattern] == 1):
        return "permutation: every output is one of the inputs, in another order"
    return "dense" if pattern.all() else "sparse"


def _by_batch(matrices: Sequence[Array], points: Sequence[Point], extent: Extent) -> str:
    """One block for each row of the batch, if no row's output depends on another row's input; else an empty text."""
    batch = extent.outputs[0] if extent.outputs else 1
    if batch == 1 or extent.entries[:1] != (batch,):
        return ""
    m, n = math.prod(extent.outputs[1:]), math.prod(extent.entries[1:])
    blocks = []
    for matrix in matrices:
        tensor = matrix.reshape(batch, m, batch, n).transpose(0, 2, 1, 3)
        if tensor[_off_diagonal(batch)].any():
            return ""
        blocks.append([tensor[row, row] for row in range(batch)])
    kind = _of_matrix([block for at_point in blocks for block in at_point]).partition(":")[0]
    is_same = all(np.array_equal(block, at_point[0]) for at_point in blocks for block in at_point)
    which = _which(blocks, points, "every block is") or ("; all of them are the same" if is_same else "")
    return f"block diagonal: one block [{m} x {n}] per row of the batch, each {kind}{which}"


def _by_weight(matrices: Sequence[Array], extent: Extent, name: str) -> str:
    """Whether column i of the output depends on row, column or entry i of a parameter alone; else an empty text."""
    outputs = extent.outputs[-1] if extent.outputs else 1
    if outputs == 1:
        return ""
    pattern, others = _pattern(matrices), _off_diagonal(outputs)
    batch = len(pattern) // outputs
    per_row = f", for each of the {batch} rows of the batch" if batch > 1 else ""
    if extent.entries == (outputs,) and not pattern.reshape(-1, outputs, outputs)[:, others].any():
        return f"diagonals, one above the other: output i depends on {name}[i] alone{per_row}"
    if len(extent.entries) != 2:
        return ""
    tensor, (rows, columns) = pattern.reshape(-1, outputs, *extent.entries), extent.entries
    if rows == outputs and not tensor.transpose(0, 3, 1, 2)[..., others].any():
        return (
            f"one row per weight row: output i depends on row i of {name} alone, {rows} blocks [1 x {columns}] in the "
            f"flattened {name}{per_row}"
        )
    if columns == outputs and not tensor.transpose(0, 2, 1, 3)[..., others].any():
        return f"one row per weight column: output i depends on column i of {name} alone{per_row}"
    return ""


def _which(blocks: Sequence[Sequence[Array]], points: Sequence[Point], words: str) -> str:
    """`; every block is W`, or W', if that is so at all points; else an empty text."""
    for name, value in points[0].items():
        for prime in ("", "'"):
            if value.ndim in (1, 2) and all(
                np.array_equal(block, _as_matrix(point[name], prime))
                for at_point, point in zip(blocks, points, strict=True)
                for block in at_point
            ):
                return f"; {words} {name}{prime}"
    return ""


def _as_matrix(value: Array, prime: str) -> Array:
    """The matrix, or the column that a vector is; with `prime` its transpose."""
    matrix = value[:, None] if value.ndim == 1 else value
    return matrix.T if prime else matrix


def _off_diagonal(size: int) -> Array:
    return ~np.eye(size, dtype=bool)
