"""The second witness: derivatives by the complex step, Im f(x + ih) / h, for forwards that carry complex numbers.

It subtracts nothing, so it has no error to speak of (Squire and Trapp 1998). But it is to be believed only where
ordinary differences confirm it: abs, sign and norms are not analytic, and drop what is imaginary.
"""

from __future__ import annotations

import numpy as np

from handgrad.checking.subject import LayerError, Point, Subject, as_tuple
from handgrad.params import Array

STEP = 1e-30


def complex_step(subject: Subject, point: Point, name: str, direction: Array) -> Array | None:
    """The derivatives of all outputs along a direction of one input; None where forward does not carry them."""
    if name not in subject.inputs or subject.replays:
        return None
    inputs = [np.array(point[key]) for key in subject.inputs]
    at = subject.inputs.index(name)
    inputs[at] = inputs[at] + 1j * STEP * direction
    try:
        outputs = [np.asarray(y) for y in as_tuple(subject.forward(subject.at(point), point, inputs))]
    except LayerError:
        return None
    if not outputs or any(y.dtype.kind != "c" for y in outputs):
        return None
    derivatives: Array = np.concatenate([y.imag.ravel() for y in outputs]) / STEP
    return derivatives if np.isfinite(derivatives).all() else None
