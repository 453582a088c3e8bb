"""Whether an answer is right: plain arrays against what the solved source gives to the same probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from handgrad.assignment.probes import attempts
from handgrad.assignment.words import about, missing
from handgrad.params import Array

DOUBLE, SINGLE = 1e-11, 1e-4
"""How far an entry may be off, as a share of the largest entry of its array. Honest rounding stays a thousand times
below the first, differences a thousand times above it."""

SMALLEST = 1e-3
"""The largest entry that an array is taken to have at least, so that rounding errors about zero are none."""


@dataclass(frozen=True)
class Verdict:
    """Of one answer. `wrong` is the array that is wrong, "" when none is; `sentence` says how."""

    right: bool
    sentence: str = ""
    wrong: str = ""
    is_single: bool = False
    """Whether an array was computed in single precision, and judged so."""


def judge(arrays: Mapping[str, Array], expected: Mapping[str, Array], *, single: bool = False) -> Verdict:
    """Whether the arrays of one attempt are the expected ones: the same names, shapes and numbers.

    `single` is for probes whose own arrays are of single precision.
    """
    is_single = False
    # What was changed in place is told first: other wrong numbers may follow from it.
    for name, right in sorted(expected.items(), key=lambda item: not item[0].endswith("afterwards")):
        if name not in arrays:
            there = ", ".join(sorted(arrays.keys() - expected.keys()))
            return Verdict(False, missing(name) + (f"; there is {there} instead" if there else ""), name)
        got = arrays[name]
        if got.dtype.kind not in "buif":
            return Verdict(False, f"{name} must hold real numbers, got dtype {got.dtype}", name)
        if got.shape != right.shape:
            return Verdict(False, f"{name} must have the shape {right.shape}, got {got.shape}", name)
        if _is_near(got, right, SINGLE if single else DOUBLE):
            continue
        if not (_fits_single(got) and _is_near(got, right, SINGLE)):
            return Verdict(False, about(name, _difference(got, right)), name)
        is_single = True
    unexpected = sorted(arrays.keys() - expected.keys())
    if unexpected:
        return Verdict(False, f"{unexpected[0]} is not asked for; expected are {', '.join(expected)}", unexpected[0])
    return Verdict(True, is_single=is_single)


def best(
    answer: Mapping[str, Array], expected: Mapping[str, Array], *, forgiving: bool, single: bool = False
) -> Verdict:
    """The verdict on the first attempt; where `forgiving`, a later one that is right counts as well."""
    right = {attempt.number: attempt.arrays for attempt in attempts(expected)}
    verdict = Verdict(False, "it raised an error", "")
    for number, arrays in reversed([a for a in attempts(answer) if a.number in right and (forgiving or a.number == 0)]):
        verdict = judge(arrays, right[number], single=single)
        if verdict.right:
            return verdict
    return verdict


def first_attempt(answer: Mapping[str, Array]) -> Mapping[str, Array]:
    """The arrays of the first attempt; none when it raised."""
    return next((attempt.arrays for attempt in attempts(answer) if attempt.number == 0), {})


def _is_near(got: Array, right: Array, tolerance: float) -> bool:
    """Whether every entry is off by no more than `tolerance` of the largest; infinities must be the same."""
    b = right.astype(np.float64)
    finite = np.isfinite(b)
    with np.errstate(invalid="ignore"):
        off = np.abs(got.astype(np.float64) - b)
        if finite.all():
            largest = float(np.abs(b).max(initial=0.0))
            return bool((off <= tolerance * max(SMALLEST, largest)).all())  # NaN is never <=
        largest = float(np.abs(b[finite]).max(initial=0.0))
        is_same = (off[finite] <= tolerance * max(SMALLEST, largest)).all() and (got[~finite] == b[~finite]).all()
        return bool(is_same)


def _difference(got: Array, right: Array) -> str:
    """In words where the numbers differ most."""
    a, b = got.astype(np.float64), right.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.where(a == b, 0.0, np.abs(a - b))
    worst = np.unravel_index(np.argmax(np.where(np.isfinite(off), off, np.inf)), b.shape)
    place = f"entry [{', '.join(map(str, worst))}] " if worst else ""
    return f"{place}must be {b[worst]:.6g}, got {a[worst]:.6g}"


def _fits_single(array: Array) -> bool:
    """Whether every entry is one of single precision."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((array.astype(np.float32).astype(np.float64) == array).all())
