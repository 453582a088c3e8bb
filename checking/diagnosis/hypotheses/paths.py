"""Some of the paths from an entry to the outputs are missing, or summed wrongly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.checking.diagnosis.evidence import Case
from handgrad.checking.diagnosis.hypotheses.hypothesis import Hypothesis
from handgrad.params import Array


def parts_of_the_jacobian(first: Case) -> Iterator[Hypothesis]:
    """Some of the paths from the entry to the outputs are missing."""
    outputs, entries = first.jacobian.shape
    if outputs == entries and outputs > 1 and first.analytic.size == outputs:
        yield Hypothesis(
            "diagonal-only",
            "{d} has only the diagonal of the Jacobian in it: that each output also depends on the other inputs (of "
            "its row) is forgotten; the cross terms are missing.",
            lambda case: (np.diag(case.jacobian) * case.weights).reshape(case.analytic.shape),
        )
        yield Hypothesis(
            "off-diagonal-only",
            "{d} has only the off-diagonal terms of the Jacobian in it: the entry's own path is missing.",
            lambda case: case.numeric - (np.diag(case.jacobian) * case.weights).reshape(case.analytic.shape),
        )
    if outputs == entries and first.analytic.size == outputs:
        yield Hypothesis(
            "transposed",
            "{d} uses the Jacobian untransposed, dy_i/dx_j where dy_j/dx_i belongs: dL/dx = upstream @ J (a matrix "
            "lacks its .T, a permutation is not inverted, a running sum is not reversed).",
            lambda case: (case.jacobian @ case.weights).reshape(case.analytic.shape),
        )
    for which, text in ((-1, "last"), (0, "first")):
        yield Hypothesis(
            "overwritten-not-added",
            f"{{d}} keeps only the {text} of the paths by which an entry reaches the output: contributions overwrite "
            "each other instead of being summed (= for +=, or a repeated index: np.add.at; fan-out "
            "sums the gradients).",
            lambda case, which=which: _one_path(case, which),  # type: ignore[misc]
        )
    yield from _slices_missing(first)
    for axis in range(first.analytic.ndim):
        yield Hypothesis(
            "averaged",
            f"{{d}} has the mean along axis {axis} in every entry.",
            lambda case, axis=axis: np.broadcast_to(  # type: ignore[misc]
                case.numeric.mean(axis=axis, keepdims=True), case.analytic.shape
            ),
            speaks_of_sizes=True,
        )
        yield Hypothesis(
            "summed-over-wrong-axis",
            f"{{d}} has the sum along axis {axis} in every entry: summed over an axis too many, then broadcast.",
            lambda case, axis=axis: np.broadcast_to(  # type: ignore[misc]
                case.numeric.sum(axis=axis, keepdims=True), case.analytic.shape
            ),
            speaks_of_sizes=True,
        )
    if first.u.ndim > 1 and first.name in first.subject.params:
        for axes in [c for k in (1, 2, 3) for c in itertools.combinations(range(first.u.ndim), k)]:
            yield Hypothesis(
                "wrong-axis",
                f"{{d}} sums the contributions of the outputs over axis {' and '.join(map(str, axes))}, which is the "
                "wrong axis.",
                lambda case, axes=axes: _summed(case, axes),  # type: ignore[misc]
            )


def sums_of_upstream(first: Case) -> Iterator[Hypothesis]:
    """The upstream gradient summed over some axis, and nothing else."""
    if first.name in first.subject.params and first.u.ndim > 1:
        yield Hypothesis(
            "summed-over-wrong-axis",
            "{d} is the sum of the whole upstream gradient in every entry: sum over the batch alone (axis=0).",
            lambda case: np.full_like(case.analytic, case.u.sum()),
        )
    for axis in range(first.u.ndim) if first.u.ndim > 1 else ():
        if axis == 0:
            yield Hypothesis(
                "gate-forgotten",
                "{d} is the sum of the upstream gradient over the batch and nothing else: the local derivative on the "
                "way (a gate, a mask, a slope) is missing.",
                lambda case: _reduced(case, 0, np.sum),
            )
        else:
            yield Hypothesis(
                "summed-over-wrong-axis",
                f"{{d}} is the sum of the upstream gradient over axis {axis}: the wrong axis.",
                lambda case, axis=axis: _reduced(case, axis, np.sum),  # type: ignore[misc]
            )
        yield Hypothesis(
            "mean-for-sum",
            f"{{d}} is the mean of the upstream gradient over axis {axis}, where a sum belongs.",
            lambda case, axis=axis: _reduced(case, axis, np.mean),  # type: ignore[misc]
        )


def _reduced(case: Case, axis: int, reduce: Any) -> Array | None:
    value = np.asarray(reduce(case.u, axis=axis))
    return value if value.shape == case.analytic.shape else None


def _summed(case: Case, axes: tuple[int, ...]) -> Array | None:
    total = (case.weights * case.jacobian.sum(axis=1)).reshape(case.y.shape).sum(axis=axes)
    return np.asarray(total) if np.shape(total) == case.analytic.shape else None


def _one_path(case: Case, which: int) -> Array:
    paths = case.weights[:, None] * case.jacobian
    if case.y.ndim in (3, 4):  # the channels of one place are summed in any case
        shape = (*case.y.shape, -1)
        paths = paths.reshape(shape).sum(axis=1).reshape(-1, paths.shape[1])
        used = (np.abs(case.jacobian.reshape(shape)) > 1e-9).any(axis=1).reshape(paths.shape)
    else:
        used = np.abs(case.jacobian) > 1e-9 * np.nanmax(np.abs(case.jacobian))
    whole = np.full(case.analytic.size, np.nan)
    for column, k in enumerate(case.known):
        rows = np.flatnonzero(used[:, column])
        if not np.isnan(paths[:, column]).any():
            whole[k] = paths[rows[which], column] if rows.size else 0.0
    return whole.reshape(case.analytic.shape)


def _slices_missing(first: Case) -> Iterator[Hypothesis]:
    """Zero in the first or last rows or columns: a loop or slice that ends too early, or starts too late."""
    for axis, size in enumerate(first.analytic.shape):
        word = "row" if axis == 0 else "column" if axis == first.analytic.ndim - 1 else "slice"
        for count, at_end in itertools.product(range(1, size), (True, False)):
            end = "last" if at_end else "first"
            side = "trailing" if at_end else "leading"
            what = f"{end} {word} ({side})" if count == 1 else f"{end} {count} {word}s ({side})"
            yield Hypothesis(
                f"{end}-{word}-missing" if count == 1 else f"{side}-{word}s-missing",
                f"{{d}} is zero in its {what} along axis {axis}, and right elsewhere: a loop or slice ends too early, "
                "or starts too late (a border, a stride).",
                lambda case, axis=axis, count=count, at_end=at_end: _without(  # type: ignore[misc]
                    case.numeric, axis, slice(-count, None) if at_end else slice(count)
                ),
            )


def _without(array: Array, axis: int, part: slice) -> Array:
    kept = array.copy()
    kept[(slice(None),) * axis + (part,)] = 0
    return kept
