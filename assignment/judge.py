"""Whether an answer is right: plain arrays against what the solved source gives to the same probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from handgrad.assignment.probes import Probe, attempts, run
from handgrad.assignment.words import about, missing
from handgrad.checking.report import told_apart
from handgrad.params import Array

DOUBLE = 1e-11
"""How far an entry may be off, as a share of the largest entry of its array. Honest rounding stays a thousand times
below, differences a thousand times above it."""

SINGLE = 1e-5
"""The same in single precision, as a share of the largest entry of all arrays: what is left where large numbers cancel,
such as a gradient of one entry, has few digits of its own. Honest rounding needs a third of it at most."""

SMALLEST, SMALLEST_SINGLE = 1e-3, 0.1
"""The largest entry that there is taken to be at least, so that rounding errors about zero are none."""


@dataclass(frozen=True)
class Verdict:
    """Of one answer. `wrong` is the array that is wrong, "" when none is; `sentence` says how."""

    right: bool
    sentence: str = ""
    wrong: str = ""
    is_single: bool = False
    """Whether an array is right to single precision only."""

    attempt: int = 0
    """The number of the attempt that it is on."""


def expected_of(probe: Probe) -> dict[str, Array]:
    """What the source of this package gives to a probe."""
    with np.errstate(all="ignore"):
        return run(probe)


def judge(arrays: Mapping[str, Array], expected: Mapping[str, Array], *, allows_single: bool = False) -> Verdict:
    """Whether the arrays of one attempt are the expected ones: the same names, shapes and numbers.

    Arrays of single precision need be right to single precision only. `allows_single` says that all arrays need: those
    that they were computed from were of single precision, or the code that computed them names it.
    """
    is_single = False
    largest = max(map(_largest, expected.values()), default=0.0)
    # What was changed in place is told first: other wrong numbers may follow from it.
    for name, right in sorted(expected.items(), key=lambda item: not item[0].endswith("afterwards")):
        if name not in arrays:
            return Verdict(False, missing(name, sorted(arrays.keys() - expected.keys())), name)
        got = arrays[name]
        if got.dtype.kind not in "buif":
            return Verdict(False, f"{name} must hold real numbers, got dtype {got.dtype}", name)
        if got.shape != right.shape:
            return Verdict(False, f"{name} must have the shape {right.shape}, got {got.shape}", name)
        if _is_near(got, right, DOUBLE * max(SMALLEST, _largest(right))):
            continue
        may_be_single = allows_single or (got.dtype.kind == "f" and got.dtype.itemsize == 4)
        if not (may_be_single and _is_near(got, right, SINGLE * max(SMALLEST_SINGLE, largest))):
            return Verdict(False, about(name, _difference(got, right)), name)
        is_single = True
    unexpected = sorted(arrays.keys() - expected.keys())
    if unexpected:
        return Verdict(False, f"{unexpected[0]} is not asked for; expected are {', '.join(expected)}", unexpected[0])
    return Verdict(True, is_single=is_single)


def judged(
    probe: Probe,
    answer: Mapping[str, Array],
    expected: Mapping[str, Array],
    kind: str = "",
    *,
    allows_single: bool = False,
) -> Verdict:
    """The verdict on one attempt at a probe: the first of that kind which came to its end, or else the very first."""
    given, right = ({one.number: one.arrays for one in attempts(arrays)} for arrays in (answer, expected))
    numbers = [number for number, (own, _) in enumerate(probe.attempts()) if own == kind and number in given]
    number = numbers[0] if numbers else 0
    if number not in given:
        return Verdict(False, "it raised an error")
    return replace(judge(given[number], right[number], allows_single=allows_single), attempt=number)


def first_attempt(answer: Mapping[str, Array]) -> Mapping[str, Array]:
    """The arrays of the first attempt; none when it raised."""
    return next((attempt.arrays for attempt in attempts(answer) if attempt.number == 0), {})


def _is_near(got: Array, right: Array, most: float) -> bool:
    """Whether no entry is off by more than `most`; what is not finite must be the same."""
    a, b = got.astype(np.float64), right.astype(np.float64)
    finite = np.isfinite(b)
    with np.errstate(invalid="ignore"):
        is_near = (np.abs(a - b)[finite] <= most).all()  # NaN is never <=
    return bool(is_near) and np.array_equal(a[~finite], b[~finite], equal_nan=True)


def _largest(array: Array) -> float:
    """The largest of the finite entries, by absolute value."""
    b = array.astype(np.float64)
    return float(np.abs(b[np.isfinite(b)]).max(initial=0.0))


def _difference(got: Array, right: Array) -> str:
    """In words where the numbers differ most."""
    a, b = got.astype(np.float64), right.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.where(a == b, 0.0, np.abs(a - b))
    worst = np.unravel_index(np.argmax(np.where(np.isfinite(off), off, np.inf)), b.shape)
    place = f"entry [{', '.join(map(str, worst))}] " if worst else ""
    wanted, found = told_apart(b[worst], a[worst])
    return f"{place}must be {wanted}, got {found}"
