"""Columns of the numeric Jacobian: how every output answers to single entries of one variable."""

from __future__ import annotations

import itertools

import numpy as np

from handgrad.checking.complex_step import complex_step
from handgrad.checking.points import REALS, Interval
from handgrad.checking.subject import Point, Subject
from handgrad.checking.values import flat
from handgrad.params import Array


def columns(
    subject: Subject, point: Point, name: str, entries: list[int], domain: Interval = REALS
) -> tuple[Array, Array]:
    """The Jacobian's columns [outputs x entries], and for each the error of its worst number.

    Where forward takes complex input and central differences confirm it, the complex step, which has no error to speak
    of (Squire and Trapp 1998); else differences at four steps, extrapolated twice, or at two where they agree already.
    A column is NaN at a kink: it has two slopes.
    """
    base = flat(subject.outputs(point))
    found, errors = np.empty((base.size, len(entries))), np.zeros(len(entries))
    values = np.asarray(point[name])
    low, high = domain
    room = np.minimum(np.maximum(1.0, np.abs(values)), np.minimum(values - low, high - values) * 20).ravel()
    for column, k in enumerate(entries):
        central: list[Array] = []
        gaps: list[float] = []
        exact = complex_step(subject, point, name, _unit(values, k))
        for h in room[k] * 4.0 ** -np.arange(4, 8):
            moved = [np.array(values), np.array(values)]
            moved[0].flat[k] += h
            moved[1].flat[k] -= h
            above, below = (flat(subject.outputs({**point, name: array})) for array in moved)
            central.append((above - below) / (moved[0].flat[k] - moved[1].flat[k]))
            gaps.append(np.abs(above + below - 2 * base).max(initial=0.0) / h)
            if exact is not None and _agree(exact, central[-1], 1e-5):
                found[:, column] = exact
                break
            if len(central) == 2 and _agree(central[0], central[1], 1e-11):  # a straight line
                found[:, column] = central[0]
                break
        else:
            first = [(16 * b - a) / 15 for a, b in itertools.pairwise(central)]
            second = [(64 * b - a) / 63 for a, b in itertools.pairwise(first)]
            found[:, column], errors[column] = second[-1], np.abs(second[-1] - second[-2]).max(initial=0.0)
        if gaps[-1] > max(0.3 * gaps[0], 1e-6 * np.abs(central[-1]).max(initial=0.0)) > 0 and len(gaps) > 1:
            found[:, column], errors[column] = np.nan, 0.0
    return found, errors


def _agree(a: Array, b: Array, tolerance: float) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= tolerance * np.abs(a).max(initial=1e-9))


def _unit(values: Array, k: int) -> Array:
    unit = np.zeros(values.shape)
    unit.flat[k] = 1
    return unit
