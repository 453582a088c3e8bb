"""The Jacobian column by column from differences of forward, with nothing of backward in it."""

from __future__ import annotations

import numpy as np

from handgrad.checking.subject import Point, Subject
from handgrad.params import Array

SMALLER = 8
"""How many times smaller the second step is, which tells how far the first one's result is to be believed."""


def differences(subject: Subject, point: Point, name: str) -> tuple[Array, float]:
    """The Jacobian [outputs x entries of `name`] by central differences, (f(x + h) - f(x - h)) / 2h, and its error.

    h is the cube root of the precision, about 6e-6, where truncation (h^2) and rounding (precision / h) meet. NaN
    where forward has a kink: the slopes to the left and to the right differ, and no less so at a smaller step. And
    where it has no value on one side.
    """
    (y,) = subject.outputs(point)
    precision = float(np.finfo(y.dtype if y.dtype.kind == "f" else np.float64).eps)
    base = np.asarray(y, np.float64).ravel()
    rounding = 4 * precision * float(np.abs(base).max(initial=0.0))
    matrix, error = np.empty((base.size, point[name].size)), 0.0
    for column in range(point[name].size):
        step = float(np.cbrt(precision) * max(1.0, abs(point[name].flat[column])))
        slopes, gap = _slopes(subject, point, name, column, step, base)
        nearer, gap_nearer = _slopes(subject, point, name, column, step / SMALLER, base)
        small = 1e-3 * np.abs(slopes).max(initial=0.0) + SMALLER * rounding / step
        is_kink = (gap_nearer > gap / 2) & (gap_nearer > small)
        matrix[:, column] = np.where(is_kink, np.nan, slopes)
        error = max(error, float(np.abs(np.where(is_kink, 0, slopes - nearer)).max(initial=0.0)))
    return matrix, error


def _slopes(subject: Subject, point: Point, name: str, column: int, h: float, base: Array) -> tuple[Array, Array]:
    """The central difference of every output, and how far its slopes to the two sides are apart."""
    moved, values = [point[name].copy(), point[name].copy()], []
    for array, signed in zip(moved, (h, -h), strict=True):
        array.flat[column] += signed
        (y,) = subject.outputs({**point, name: array})
        values.append(np.asarray(y, np.float64).ravel())
    above, below = values
    taken = moved[0].flat[column] - moved[1].flat[column]  # 2h, as the numbers near x have it
    return (above - below) / taken, np.abs(above + below - 2 * base) / h
